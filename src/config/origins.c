/* Records where the keys of the deck and the command line were set, and what is wrong with them. */
#include "key.h"

#include <string.h>

void dc_place_format(const dc_origins *from, const dc_key *key, char out[DC_PLACE_MAX])
{
    const dc_key_origin *at = &from->key[dc_key_index(key)];
    if (!at->set)
        snprintf(out, DC_PLACE_MAX, "%s", from->name);
    else if (at->line == 0)
        snprintf(out, DC_PLACE_MAX, "command line: --%s.%s", key->section, key->name);
    else
        snprintf(out, DC_PLACE_MAX, "%s:%d:%d", from->name, at->line, at->col);
}

/* ---- Problems ---------------------------------------------------------------------------------------------------- */

enum { PROBLEMS_SHOWN = 10, TAIL_BYTES = 64 };

dc_status dc_problem_add(dc_origins *from, dc_status st)
{
    dc_problems *p = &from->problems;
    if (st != DC_ERR_USAGE) return st;
    const char *text = dc_error_text(), *separator = p->n ? "; " : "";
    const size_t room = sizeof p->text - TAIL_BYTES - p->used;
    if (p->n == 0 || (p->shown == p->n && p->n < PROBLEMS_SHOWN && strlen(text) + 2 < room)) {
        snprintf(p->text + p->used, room, "%s%s", separator, text);
        p->used = strlen(p->text);
        p->shown++;
    }
    p->n++;
    dc_error_clear();
    return DC_OK;
}

dc_status dc_problems_fail(const dc_origins *from)
{
    const dc_problems *p = &from->problems;
    if (p->n == 0) return DC_OK;
    if (p->shown == p->n) return DC_FAIL(DC_ERR_USAGE, "%s", p->text);
    return DC_FAIL(DC_ERR_USAGE, "%s; and %d more", p->text, p->n - p->shown);
}

/* ---- Keys -------------------------------------------------------------------------------------------------------- */

static dc_status fail_unknown_key(const char *place, const char *section, const char *name)
{
    char hint[256], quoted[DC_QUOTE_MAX];
    dc_suggest_key(section, name, hint, sizeof hint);
    return DC_FAIL(DC_ERR_USAGE, "%s: unknown key '%s.%s'%s", place, section, dc_quote(quoted, name),
                   *hint ? hint : "; `dcmpi config --default` shows all keys");
}

dc_status dc_fail_unknown_section(const char *place, const char *name)
{
    char hint[256], quoted[DC_QUOTE_MAX];
    dc_suggest_section(name, hint, sizeof hint);
    return DC_FAIL(DC_ERR_USAGE, "%s: unknown section '%s'%s", place, dc_quote(quoted, name), hint);
}

dc_status dc_key_claim(dc_origins *from, const char *section, const char *name, const char *place, int line, int col,
                       const dc_key **out)
{
    const dc_key *moved = dc_moved_find(section, name), *key = moved ? moved : dc_key_find(section, name);
    if (!key) return fail_unknown_key(place, section, name);
    dc_key_origin *at = &from->key[dc_key_index(key)];
    if (at->set && (at->line == 0) == (line == 0)) {
        char first[DC_PLACE_MAX];
        dc_place_format(from, key, first);
        return DC_FAIL(DC_ERR_USAGE, "%s: key %s.%s is given twice%s%s", place, section, name,
                       line ? ", first at " : "", line ? first : "");
    }
    *at = (dc_key_origin){.set = true, .line = line, .col = col};
    *out = key;
    return DC_OK;
}
