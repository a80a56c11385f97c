/* Documentation of keys for people: one key, a section, the whole reference as Markdown. All of it comes from the key
 * table. */
#include "key.h"

#include <string.h>

/* Writes which verbs use a key. What `fit` uses, sweep-k uses too, so it is not named there. */
static void describe_verbs(const dc_key *key, char *out, size_t cap)
{
    dc_verb_names(key->verbs & DC_USE_FIT ? key->verbs & ~(unsigned)DC_USE_SWEEP : key->verbs, out, cap);
}

/* Appends ", if scale is pca or none". */
static void describe_condition(const char *when, const char *is, const char *joint, char *out, size_t cap)
{
    const size_t n = strlen(out);
    snprintf(out + n, cap - n, "%s%s is %s", joint, when, *is ? "" : "not given");
    for (; *is; is++) {
        const char one[] = {*is, 0};
        strncat(out, *is == ' ' ? " or " : one, cap - strlen(out) - 1);
    }
}

/* Writes text like "fit, methods with training, if optimizer is adam" or "fit, method NAME". */
static void describe_use(const dc_key *key, char *out, size_t cap)
{
    char verbs[64];
    describe_verbs(key, verbs, sizeof verbs);
    const bool of_method = dc_method_row(key->section) != NULL;
    const char *who = of_method ? key->section : key->trait;
    snprintf(out, cap, "%s%s%s", verbs, of_method ? ", method " : who ? ", methods with " : "", who ? who : "");
    if (!key->when) return;
    describe_condition(key->when, key->when_is, ", if ", out, cap);
    if (key->or_when) describe_condition(key->or_when, key->or_when_is, ", or ", out, cap);
}

void dc_key_describe_value(const dc_key *key, char *out, size_t cap)
{
    char type[256], range[128];
    dc_key_describe_type(key, type, sizeof type);
    dc_key_describe_range(key, range, sizeof range);
    snprintf(out, cap, "%s%s%s%s%s", type, *range ? ", " : "", range, key->unit ? " " : "", key->unit ? key->unit : "");
}

static void explain_key(const dc_key *key, FILE *out)
{
    char value[512], use[256];
    dc_key_describe_value(key, value, sizeof value);
    describe_use(key, use, sizeof use);
    fprintf(out, "%s.%s\n", key->section, key->name);
    fprintf(out, "  %s\n", key->doc);
    fprintf(out, "  value    %s\n", value);
    fprintf(out, "  default  %s%s%s%s\n", *key->fallback ? key->fallback : "none", key->source ? " (" : "",
            key->source ? key->source : "", key->source ? ")" : "");
    fprintf(out, "  used by  %s\n", use);
    fprintf(out, "  result   %s\n", key->result ? "can change what is computed" : "does not change what is computed");
}

static void explain_section(const dc_key_section *section, FILE *out)
{
    const dc_key *key;
    fprintf(out, "%s: %s\n", section->name, section->doc);
    for (int i = 0; (key = dc_key_at(i)); i++)
        if (strcmp(key->section, section->name) == 0)
            fprintf(out, "  %s.%-18s %s\n", key->section, key->name, key->doc);
}

static dc_status fail_unknown(const char *name)
{
    char hint[256], quoted[DC_QUOTE_MAX], section[DC_NAME_MAX];
    const char *dot = strchr(name, '.');
    snprintf(section, sizeof section, "%.*s", dot ? (int)DC_MIN(dot - name, DC_NAME_MAX - 1) : 0, name);
    if (dot && dc_section_find(section))
        dc_suggest_key(section, dot + 1, hint, sizeof hint);
    else
        dc_suggest_key("", name, hint, sizeof hint);
    if (!*hint) dc_suggest_section(dot ? section : name, hint, sizeof hint);
    return DC_FAIL(DC_ERR_USAGE, "no key or section is named '%s'%s", dc_quote(quoted, name), hint);
}

/* Returns the key's name without a section if the key has moved to the methods' sections; else the name unchanged. */
static const char *name_of_now(const char *name, FILE *out)
{
    char section[DC_NAME_MAX];
    const char *dot = strchr(name, '.');
    snprintf(section, sizeof section, "%.*s", dot ? (int)DC_MIN(dot - name, DC_NAME_MAX - 1) : 0, name);
    if (!dot || !dc_moved_find(section, dot + 1)) return name;
    fprintf(out, "%s is now a key of the methods' own sections; the old name goes on working.\n\n", name);
    return dot + 1;
}

dc_status dc_config_explain(const char *name, FILE *out)
{
    char full[2 * DC_NAME_MAX];
    const dc_key *key;
    int found = 0;
    const dc_key_section *section = dc_section_find(name);
    name = name_of_now(name, out);
    if (section) {
        explain_section(section, out);
        return DC_OK;
    }
    for (int i = 0; (key = dc_key_at(i)); i++) {
        snprintf(full, sizeof full, "%s.%s", key->section, key->name);
        if (strcmp(full, name) != 0 && strcmp(key->name, name) != 0) continue;
        if (found++) fputc('\n', out);
        explain_key(key, out);
    }
    return found ? DC_OK : fail_unknown(name);
}

void dc_config_list_sections(FILE *out)
{
    const dc_key_section *section;
    for (int i = 0; (section = dc_section_at(i)) != NULL && !dc_method_row(section->name); i++)
        fprintf(out, "  %-10s %s\n", section->name, section->doc);
    fprintf(out, "  %-10s %s\n", "METHOD", "keys of a method, in a section of its name");
}

static const char reference_intro[] =
    "# Decks and their keys\n"
    "\n"
    "A deck is a YAML file of sections, single values and lists on one line (of files also one below the other). "
    "Defaults\n"
    "are overridden by the deck, the deck by `--section.key=VALUE` on the command line. Paths are relative to the "
    "working\n"
    "directory. An unknown key, a key given twice, a value out of range and a key that the run would not use are "
    "errors,\n"
    "found before any data is read.\n"
    "\n"
    "    mpirun -n 2 dcmpi DECK.yaml --run.seed=2 --run.output=runs/2\n"
    "\n"
    "A method has its keys in a section of its own name. Sections of other methods may stay in a deck: their keys are "
    "checked\n"
    "and have no effect. [DECKS.md](DECKS.md) lists the decks of this folder. What `fit` uses, `sweep-k` uses too, but "
    "for\n"
    "`cluster.clusters`.\n"
    "\n"
    "Truth values are `true` and `false`; durations are numbers with `s`, `m`, `h` or `d`; numbers are decimal. Block "
    "lists,\n"
    "block scalars, anchors, aliases and tags of YAML are not allowed. This file is the output of `dcmpi config "
    "--reference`;\n"
    "`dcmpi config --explain KEY` shows one key, `dcmpi config --default` a deck with all of them.\n";

/* Prints a text in a table cell: | would end the cell, < could start a tag, * could start emphasis. */
static void print_cell(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|' || *text == '<' || *text == '*') fputc('\\', out);
        fputc(*text, out);
    }
}

static void print_row(const dc_key *key, FILE *out)
{
    char value[512], use[256];
    dc_key_describe_value(key, value, sizeof value);
    describe_use(key, use, sizeof use);
    fprintf(out, "| `%s` | ", key->name);
    print_cell(out, value);
    fprintf(out, " | %s%s%s | %s%s | ", *key->fallback ? "`" : "", *key->fallback ? key->fallback : "none",
            *key->fallback ? "`" : "", use, key->result ? "" : " (not the result)");
    print_cell(out, key->doc);
    if (key->source) fprintf(out, " Default: %s.", key->source);
    fprintf(out, " |\n");
}

void dc_config_reference(FILE *out)
{
    const dc_key *key;
    const char *last = NULL;
    fputs(reference_intro, out);
    for (int i = 0; (key = dc_key_at(i)); i++) {
        if (last != key->section)
            fprintf(out, "\n## %s\n%s.\n\n| key | value | default | used by | meaning |\n|---|---|---|---|---|\n",
                    key->section, dc_section_find(key->section)->doc);
        last = key->section;
        print_row(key, out);
    }
}
