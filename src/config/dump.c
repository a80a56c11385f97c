/* The effective deck as YAML, and its hash. Numbers are written so that they read back to the same bits. */
#include "key.h"

#include <string.h>
#include <xxhash.h>

enum { COMMENT_COLUMNS = 100 };

/* Prints `text` as comment lines of at most COMMENT_COLUMNS columns. */
static void print_comment(FILE *out, const char *text)
{
    int column = 0;
    while (*text) {
        const int len = (int)strcspn(text, " ");
        if (column == 0 || column + 1 + len > COMMENT_COLUMNS)
            column = fprintf(out, "%s  #", column ? "\n" : "") - !!column;
        column += fprintf(out, " %.*s", len, text);
        text += len;
        text += *text == ' ';
    }
    fputc('\n', out);
}

static void print_documentation(FILE *out, const dc_key *key)
{
    char type[256], range[128], line[512];
    dc_key_describe_type(key, type, sizeof type);
    dc_key_describe_range(key, range, sizeof range);
    print_comment(out, key->doc);
    snprintf(line, sizeof line, "%s%s%s%s%s", type, *range ? ", " : "", range, key->unit ? ", " : "",
             key->unit ? key->unit : "");
    print_comment(out, line);
}

static void print_key(FILE *out, const dc_config *cfg, const dc_key *key, const char *why_unused, bool comments)
{
    char value[DC_VALUE_TEXT_MAX];
    dc_key_format(cfg, key, value);
    if (comments) print_documentation(out, key);
    if (why_unused)
        fprintf(out, "  # %s: %s  # not used: %s\n", key->name, value, why_unused);
    else
        fprintf(out, "  %s: %s\n", key->name, value);
}

/* Prints the heading of `key`'s section if `key` is the first in it; *last is the section of the key printed before. */
static void print_heading(FILE *out, const dc_key *key, const char **last, bool comments)
{
    if (*last == key->section) return;
    if (comments) fprintf(out, "%s# %s\n", *last ? "\n" : "", dc_section_find(key->section)->doc);
    fprintf(out, "%s:\n", key->section);
    *last = key->section;
}

dc_status dc_config_dump(const dc_config *cfg, const char *verb, bool comments, FILE *out)
{
    const unsigned bit = dc_verb_bit(verb);
    const char *last = NULL;
    const dc_key *key;
    char why[256];
    for (int i = 0; (key = dc_key_at(i)); i++) {
        const bool used = dc_key_in_use(cfg, key, bit, why, sizeof why);
        if (!used && verb) continue;
        print_heading(out, key, &last, comments);
        print_key(out, cfg, key, used ? NULL : why, comments);
    }
    return ferror(out) ? DC_FAIL(DC_ERR_IO, "cannot write the effective deck") : DC_OK;
}

uint64_t dc_config_hash(const dc_config *cfg)
{
    char line[DC_VALUE_TEXT_MAX + 2 * DC_NAME_MAX], value[DC_VALUE_TEXT_MAX], why[256];
    uint64_t hash = 0;
    const dc_key *key;
    for (int i = 0; (key = dc_key_at(i)); i++) {
        if (!key->result || !dc_key_in_use(cfg, key, 0, why, sizeof why)) continue;
        dc_key_format(cfg, key, value);
        const int len = snprintf(line, sizeof line, "%s.%s=%s", key->section, key->name, value);
        hash = XXH3_64bits_withSeed(line, (size_t)len, hash);
    }
    return hash;
}

static bool is_compared(const dc_config *cfg, const dc_key *key, unsigned verb)
{
    char why[256];
    return key->result && key->offset != offsetof(dc_config, input.data) &&
           dc_key_in_use(cfg, key, verb, why, sizeof why);
}

int dc_config_differences(const dc_config *was, const dc_config *is, const char *verb, char *out, size_t cap)
{
    char old[DC_VALUE_TEXT_MAX], new[DC_VALUE_TEXT_MAX];
    const unsigned bit = dc_verb_bit(verb);
    size_t used = 0;
    int n = 0;
    const dc_key *key;
    out[0] = '\0';
    for (int i = 0; (key = dc_key_at(i)); i++) {
        if (!is_compared(was, key, bit) && !is_compared(is, key, bit)) continue;
        dc_key_format(was, key, old);
        dc_key_format(is, key, new);
        if (strcmp(old, new) == 0) continue;
        if (used < cap)
            used += (size_t)snprintf(out + used, cap - used, "%s%s.%s is %.64s, was %.64s", n ? "; " : "", key->section,
                                     key->name, new, old);
        n++;
    }
    return n;
}
