/* Keys of the section "cluster" that now belong to the methods. A value given under the old name goes to the key of the
 * same name in the section of the method. cluster.method is known only after the deck and the command line have been
 * read. */
#include "key.h"

#include <string.h>

static char *text_of(dc_origins *from, const dc_key *moved)
{
    return from->moved[dc_key_index(moved) - DC_KEY_COUNT_MAX];
}

dc_status dc_key_take(dc_config *cfg, dc_origins *from, const dc_key *key, const char *text, const char *place)
{
    if (!dc_key_is_moved(key)) return dc_key_set(cfg, key, text, place);
    if (strlen(text) >= DC_MOVED_TEXT_MAX)
        return DC_FAIL(DC_ERR_USAGE, "%s: %s.%s has %zu bytes, at most %d are allowed", place, key->section, key->name,
                       strlen(text), DC_MOVED_TEXT_MAX - 1);
    strcpy(text_of(from, key), text);
    return DC_OK;
}

/* Fails if the deck, or the command line, gives different values under the two names of one key. */
static dc_status compare(const dc_config *a, const dc_config *b, const dc_origins *from, const dc_key *moved,
                         const dc_key *key)
{
    char old[DC_VALUE_TEXT_MAX], new[DC_VALUE_TEXT_MAX], place[DC_PLACE_MAX], other[DC_PLACE_MAX];
    dc_key_format(a, key, old);
    dc_key_format(b, key, new);
    if (strcmp(old, new) == 0) return DC_OK;
    dc_place_format(from, moved, place);
    dc_place_format(from, key, other);
    return DC_FAIL(DC_ERR_USAGE, "%s: %s.%s = %.64s, but %s.%s = %.64s (%s): one key under two names, keep the second",
                   place, moved->section, moved->name, old, key->section, key->name, new, other);
}

static dc_status settle(dc_config *cfg, dc_origins *from, const dc_key *moved, const dc_key *key)
{
    dc_status st = DC_OK;
    char place[DC_PLACE_MAX];
    dc_key_origin *old = &from->key[dc_key_index(moved)];
    const dc_key_origin *new = &from->key[dc_key_index(key)];
    dc_config changed = *cfg;
    dc_place_format(from, moved, place);
    st = dc_key_set(&changed, key, text_of(from, moved), place);
    old->failed = st != DC_OK;
    if (st != DC_OK || new->failed) return st;
    if (new->set && (new->line == 0) == (old->line == 0)) return compare(&changed, cfg, from, moved, key);
    if (!new->set || old->line == 0) *cfg = changed;
    return DC_OK;
}

dc_status dc_moved_settle(dc_config *cfg, dc_origins *from, unsigned verb, char *note, size_t cap)
{
    dc_status st = DC_OK;
    char why[256];
    size_t used = 0;
    note[0] = '\0';
    if (from->key[dc_key_index(dc_key_find("cluster", "method"))].failed) return DC_OK;
    for (int i = 0; i < DC_MOVED_MAX; i++) {
        const dc_key *moved = &dc_moved_table[i], *key = dc_key_find(cfg->cluster.method, moved->name);
        const dc_key_origin *old = &from->key[dc_key_index(moved)];
        if (!old->set || old->failed || !key) continue;
        DC_TRY(dc_problem_add(from, settle(cfg, from, moved, key)));
        if (!dc_key_in_use(cfg, key, verb, why, sizeof why)) continue;
        used += (size_t)snprintf(note + used, cap - used, "%s%s.%s is now %s.%s", used ? ", " : "", moved->section,
                                 moved->name, key->section, key->name);
    }
out:
    return st;
}
