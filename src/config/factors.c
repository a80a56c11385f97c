/* Factors by name: [encoder_0=0.1, centers=10]. Which names are valid depends on model and method, so names are checked
 * where both are known. */
#include <ctype.h>
#include <string.h>

#include "key.h"

static dc_status fail(const dc_key *key, const char *item, const char *place, const char *why)
{
    char quoted[DC_QUOTE_MAX], range[128];
    dc_key_describe_range(key, range, sizeof range);
    return DC_FAIL(DC_ERR_USAGE, "%s: %s.%s: '%s' %s; an item is NAME=FACTOR, with a factor in %s", place, key->section,
                   key->name, dc_quote(quoted, item), why, range);
}

static bool is_name(const char *text, size_t len)
{
    if (len == 0 || len >= DC_LAYER_NAME_MAX || !isalpha((unsigned char)text[0])) return false;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '_') return false;
    return true;
}

static dc_status add(dc_factors *to, const dc_key *key, const char *item, const char *place)
{
    const size_t len = strcspn(item, "=");
    double factor;
    if (!is_name(item, len)) return fail(key, item, place, "begins with no name");
    if (item[len] == 0 || !dc_read_float(item + len + 1, &factor)) return fail(key, item, place, "has no number");
    if (!(factor >= key->min && factor <= key->max)) return fail(key, item, place, "is out of range");
    for (int i = 0; i < to->n; i++)
        if (strlen(to->v[i].name) == len && strncmp(to->v[i].name, item, len) == 0)
            return fail(key, item, place, "names what has a factor already");
    memcpy(to->v[to->n].name, item, len);
    to->v[to->n++].factor = factor;
    return DC_OK;
}

dc_status dc_factors_set(dc_factors *to, const dc_key *key, const char *const *items, int n, const char *place)
{
    dc_status st = DC_OK;
    dc_factors list;
    memset(&list, 0, sizeof list); /* clears the padding, too */
    if (n > DC_LIST_MAX)
        return DC_FAIL(DC_ERR_USAGE, "%s: %s.%s has more than %d items", place, key->section, key->name, DC_LIST_MAX);
    for (int i = 0; i < n; i++) DC_TRY(add(&list, key, items[i], place));
    memcpy(to, &list, sizeof list);
out:
    return st;
}
