/* Fills a dc_config from defaults, a deck and command-line overrides, in this order, and notes where each key was
 * set. */
#include "key.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "dcmpi/fault.h"
#include "dcmpi/mem.h"

/* Applies "section.key=value", "--section.key=value" or an option that stands for a key. */
static dc_status apply_override(dc_config *cfg, dc_origins *from, const char *text, unsigned verb)
{
    dc_status st = DC_OK;
    char name[128], quoted[DC_QUOTE_MAX], place[DC_PLACE_MAX];
    const dc_key *key, *option;
    if (strncmp(text, "--", 2) == 0) text += 2;
    const size_t len = strcspn(text, "=");
    snprintf(name, sizeof name, "%.*s", (int)DC_MIN(len, sizeof name - 1), text);
    snprintf(place, sizeof place, "command line: --%s", dc_quote(quoted, name));
    char *dot = strchr(name, '.');
    option = dot ? NULL : dc_key_of_option(name, verb);
    if (!text[len] || (!dot && !option)) return DC_FAIL(DC_ERR_USAGE, "%s: write --section.key=VALUE", place);
    if (dot) *dot = 0;
    if (dot && !dc_section_find(name)) return dc_fail_unknown_section(place, name);
    DC_TRY(dc_key_claim(from, dot ? name : option->section, dot ? dot + 1 : option->name, place, 0, 0, &key));
    st = dc_key_take(cfg, from, key, text + len + 1, place);
    from->key[dc_key_index(key)].failed = st != DC_OK;
out:
    return st;
}

/* Sets the deck's name for messages. If the path is long, only its last part is used, so that messages are not cut. */
static void set_name(dc_origins *from, const char *name)
{
    const char *slash = strlen(name) < DC_QUOTE_MAX - 8 ? NULL : strrchr(name, '/');
    dc_quote(from->name, slash ? slash + 1 : name);
}

dc_status dc_config_parse(dc_config *cfg, const char *name, const char *text, size_t bytes,
                          const char *const *overrides, int n_overrides, const char *verb)
{
    dc_config_notes notes;
    return dc_config_parse_noting(cfg, name, text, bytes, overrides, n_overrides, verb, &notes);
}

dc_status dc_config_parse_noting(dc_config *cfg, const char *name, const char *text, size_t bytes,
                                 const char *const *overrides, int n_overrides, const char *verb,
                                 dc_config_notes *notes)
{
    dc_status st = DC_OK;
    dc_origins from = {0};
    notes->unused[0] = notes->renamed[0] = '\0';
    set_name(&from, name ? name : "command line");
    const dc_status deck_read = bytes > 0 ? dc_deck_read(cfg, &from, text, bytes) : DC_OK;
    DC_TRY(dc_problem_add(&from, deck_read));
    const dc_config deck = *cfg;
    for (int i = 0; i < n_overrides; i++)
        DC_TRY(dc_problem_add(&from, apply_override(cfg, &from, overrides[i], dc_verb_bit(verb))));
    /* Which keys are missing or unused is known only if the deck was read to its end. */
    if (deck_read == DC_OK) {
        DC_TRY(dc_moved_settle(cfg, &from, dc_verb_bit(verb), notes->renamed, sizeof notes->renamed));
        DC_TRY(dc_config_check(cfg, &deck, &from, dc_verb_bit(verb), notes->unused, sizeof notes->unused));
    }
    DC_TRY(dc_problems_fail(&from));
    if (dc_fault(DC_FAULT_DECK_PARSE)) st = DC_FAIL(DC_ERR_USAGE, "%s: cannot parse the deck", from.name);
out:
    return st;
}

bool dc_config_has_section(const char *name)
{
    return dc_section_find(name) != NULL;
}

dc_status dc_config_read_file(const char *path, char **text, size_t *bytes)
{
    dc_status st = DC_OK;
    char quoted[DC_QUOTE_MAX];
    struct stat info;
    FILE *in = NULL;
    *text = NULL;
    *bytes = 0;
    dc_quote(quoted, path);
    if (stat(path, &info) != 0) return DC_FAIL(DC_ERR_USAGE, "%s: cannot read the deck: %s", quoted, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return DC_FAIL(DC_ERR_USAGE, "%s: the deck is %s", quoted,
                       S_ISDIR(info.st_mode) ? "a directory" : "no regular file");
    if (info.st_size > DC_DECK_BYTES_MAX) return DC_FAIL(DC_ERR_USAGE, "%s: a deck has at most 1 MiB", quoted);
    in = fopen(path, "rb");
    if (!in) return DC_FAIL(DC_ERR_USAGE, "%s: cannot read the deck: %s", quoted, strerror(errno));
    DC_TRY(dc_mem_alloc(text, DC_DECK_BYTES_MAX + 1, 1, "deck"));
    *bytes = fread(*text, 1, DC_DECK_BYTES_MAX, in);
    if (ferror(in) || dc_fault(DC_FAULT_DECK_READ))
        st = DC_FAIL(DC_ERR_USAGE, "%s: cannot read the deck: %s", quoted, strerror(errno));
out:
    if (st != DC_OK) dc_mem_free(text);
    if (in) fclose(in);
    return st;
}
