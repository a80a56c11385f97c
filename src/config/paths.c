/* Names of files in a deck or on the command line. Several names are kept as one text, one per line: names have no
 * control characters. */
#include "key.h"

#include <string.h>

/* Whether the text has a shell variable: ${NAME}, or $NAME in capitals. */
static bool has_variable(const char *text)
{
    for (const char *at = text; (at = strchr(at, '$')); at++)
        if (at[1] == '{' || at[1] == '_' || (at[1] >= 'A' && at[1] <= 'Z')) return true;
    return false;
}

dc_status dc_path_check(const char *text, const char *place)
{
    char quoted[DC_QUOTE_MAX];
    dc_quote(quoted, text);
    if (text[0] == '~')
        return DC_FAIL(DC_ERR_USAGE, "%s = '%s': ~ is not expanded here, write the whole path", place, quoted);
    if (has_variable(text))
        return DC_FAIL(DC_ERR_USAGE,
                       "%s = '%s': variables are not expanded here, write the whole path, or let the shell do it: on "
                       "the command line, in double quotes",
                       place, quoted);
    return DC_OK;
}

static dc_status fail_length(const char *place)
{
    return DC_FAIL(DC_ERR_USAGE, "%s: the names have more than %d bytes together; use a glob, such as shards/*.npy",
                   place, DC_FILES_TEXT_MAX - 2);
}

dc_status dc_names_add(char *names, const char *name, const char *place)
{
    char quoted[DC_QUOTE_MAX];
    const size_t used = strlen(names), length = strlen(name);
    if (length == 0) return DC_FAIL(DC_ERR_USAGE, "%s has an empty name", place);
    if (length >= DC_PATH_MAX)
        return DC_FAIL(DC_ERR_USAGE, "%s has %zu bytes, at most %d are allowed", place, length, DC_PATH_MAX - 1);
    if (used + length + 2 > DC_FILES_TEXT_MAX) return fail_length(place);
    if (!dc_text_is_clean(name))
        return DC_FAIL(DC_ERR_USAGE, "%s = '%s' has control characters or is not UTF-8", place, dc_quote(quoted, name));
    const dc_status st = dc_path_check(name, place);
    if (st == DC_OK) snprintf(names + used, DC_FILES_TEXT_MAX - used, "%s%s", used ? "\n" : "", name);
    return st;
}

/* Takes an item of a list, plain or in quotes, from *text, and the comma after it. False: there is no such item. */
static bool take_item(const char **text, char item[DC_PATH_MAX])
{
    const char *p = *text + strspn(*text, " ");
    const char quote = *p == '"' || *p == '\'' ? *p++ : '\0';
    size_t n = strcspn(p, quote ? (char[]){quote, '\0'} : ",");
    const char *end = p + n;
    if (quote && *end++ != quote) return false;
    while (!quote && n > 0 && p[n - 1] == ' ') n--;
    if (n >= DC_PATH_MAX) return false;
    memcpy(item, p, n);
    item[n] = '\0';
    end += strspn(end, " ");
    *text = end + (*end == ',');
    return *end == ',' || *end == '\0';
}

static dc_status read_list(const char *text, const char *place, char *names)
{
    char inner[DC_FILES_TEXT_MAX], item[DC_PATH_MAX], quoted[DC_QUOTE_MAX];
    const size_t length = strlen(text) - 2; /* without brackets */
    if (length >= sizeof inner) return fail_length(place);
    memcpy(inner, text + 1, length);
    inner[length] = '\0';
    for (const char *at = inner; *at;) {
        const char *from = at;
        if (!take_item(&at, item))
            return DC_FAIL(DC_ERR_USAGE, "%s: '%s' is not part of a list such as [a.npy, \"b c.npy\"]%s", place,
                           dc_quote(quoted, from), strpbrk(from, "\"'") ? ": is a quote not closed?" : "");
        const dc_status st = dc_names_add(names, item, place);
        if (st != DC_OK) return st;
    }
    return names[0] ? DC_OK : DC_FAIL(DC_ERR_USAGE, "%s is an empty list", place);
}

dc_status dc_config_read_files(const char *text, const char *place, char *out)
{
    const size_t length = strlen(text);
    out[0] = '\0';
    if (length == 0) return DC_OK;
    if (length >= 2 && text[0] == '[' && text[length - 1] == ']') return read_list(text, place, out);
    return dc_names_add(out, text, place);
}
