/* Prints keys as part of a man page, and text escaped for roff (man(7), as groff and mandoc read it). */
#include "key.h"

#include <ctype.h>
#include <string.h>

/* ---- Text of a man page ------------------------------------------------------------------------------------------ */

enum { LINE_MAX_BYTES = 76 };

/* The escape for a character that roff would interpret or typeset as another one; NULL for all others. */
static const char *escape(char c)
{
    switch (c) {
    case '\\':
        return "\\e";
    case '-':
        return "\\-";
    case '\'':
        return "\\(aq";
    case '`':
        return "\\(ga";
    case '^':
        return "\\(ha";
    case '~':
        return "\\(ti";
    case '"':
        return "\\(dq";
    default:
        return NULL;
    }
}

/* Writes a word, or counts its bytes if out is NULL. */
static size_t put_word(const char *word, size_t len, FILE *out)
{
    size_t bytes = 0;
    if (len > 0 && *word == '.') bytes += 2;
    if (bytes && out) fputs("\\&", out);
    for (size_t i = 0; i < len; i++) {
        const char *escaped = escape(word[i]), plain[] = {word[i], '\0'};
        const char *text = escaped ? escaped : plain;
        bytes += strlen(text);
        if (out) fputs(text, out);
    }
    return bytes;
}

void dc_man_word(const char *word, size_t len, FILE *out)
{
    put_word(word, len, out);
}

static bool ends_sentence(const char *word, size_t len, const char *next)
{
    const bool dots = len > 2 && strncmp(word + len - 3, "...", 3) == 0; /* as in "IN... OUT" */
    const bool stop = len > 1 && strchr(".?!", word[len - 1]) != NULL && !dots;
    return stop && (*next == '\0' || isupper((unsigned char)*next) || *next == '-');
}

/* Starts each sentence on a new line, so that roff knows where the previous one ends. */
void dc_man_text(const char *text, FILE *out)
{
    size_t column = 0;
    while (*(text += strspn(text, " \n"))) {
        const size_t len = strcspn(text, " \n"), bytes = put_word(text, len, NULL);
        const char *next = text + len + strspn(text + len, " \n");
        const bool fits = column + 1 + bytes <= LINE_MAX_BYTES;
        if (column > 0) fputc(fits ? ' ' : '\n', out);
        column = column > 0 && fits ? column + 1 + bytes : bytes;
        put_word(text, len, out);
        if (ends_sentence(text, len, next)) {
            if (*next) fputc('\n', out);
            column = 0;
        } else if (strchr(".?!", text[len - 1]))
            fputs("\\&", out); /* an abbreviation at the end of a line does not end a sentence */
        text += len;
    }
    fputc('\n', out);
}

/* ---- Keys -------------------------------------------------------------------------------------------------------- */

static void print_key(const dc_key *key, FILE *out)
{
    char name[2 * DC_NAME_MAX], value[1024];
    snprintf(name, sizeof name, "%s.%s", key->section, key->name);
    fputs(".TP\n.B ", out);
    dc_man_word(name, strlen(name), out);
    fputc('\n', out);
    dc_man_text(key->doc, out);
    dc_key_describe_value(key, value, sizeof value);
    fputs(".br\nValue: ", out);
    dc_man_text(value, out);
    if (!*key->fallback) return;
    fputs(".br\nDefault: ", out);
    dc_man_text(key->fallback, out);
}

void dc_config_man(FILE *out)
{
    const dc_key *key;
    const char *last = NULL;
    for (int i = 0; (key = dc_key_at(i)); i++) {
        if (last != key->section) {
            fprintf(out, ".SS %s\n", key->section);
            dc_man_text(dc_section_find(key->section)->doc, out);
        }
        last = key->section;
        print_key(key, out);
    }
}
