/* Ascending series of integers: 5..20, 10..100:10, [2, 4, 8], [2..10, 20, 50..100:25]. */
#include "key.h"

#include <string.h>

static dc_status fail(const dc_key *key, const char *item, const char *place, const char *why)
{
    char quoted[DC_QUOTE_MAX], range[128];
    dc_key_describe_range(key, range, sizeof range);
    return DC_FAIL(DC_ERR_USAGE,
                   "%s: %s.%s: '%s' %s; it is a number, a range such as 5..20 or 10..100:10, or a list of these, all "
                   "in %s and ascending",
                   place, key->section, key->name, dc_quote(quoted, item), why, range);
}

/* Splits "a..b:step" into its numbers; a number alone is a range of one. */
static bool read_range(const char *item, int64_t *lo, int64_t *hi, int64_t *step)
{
    char text[64];
    if (strlen(item) >= sizeof text) return false;
    strcpy(text, item);
    *step = 1;
    char *dots = strstr(text, ".."), *colon = dots ? strchr(dots, ':') : NULL;
    if (colon) *colon = '\0';
    if (dots) *dots = '\0';
    if (!dc_read_int(text, lo)) return false;
    *hi = *lo;
    return (!dots || dc_read_int(dots + 2, hi)) && (!colon || dc_read_int(colon + 1, step));
}

static dc_status add(dc_series *to, const dc_key *key, const char *item, const char *place)
{
    int64_t lo, hi, step;
    if (!read_range(item, &lo, &hi, &step)) return fail(key, item, place, "is no number and no range");
    if (hi < lo) return fail(key, item, place, "goes down");
    if (step < 1) return fail(key, item, place, "has a step below 1");
    if (!((double)lo >= key->min && (double)hi <= key->max)) return fail(key, item, place, "is out of range");
    if (to->n > 0 && lo <= to->v[to->n - 1])
        return fail(key, item, place, lo == to->v[to->n - 1] ? "repeats a number" : "does not ascend");
    if ((hi - lo) / step >= DC_SERIES_MAX - to->n) return fail(key, item, place, "makes it more than 256 numbers");
    const int64_t steps = (hi - lo) / step; /* lo + (steps + 1) * step may overflow */
    for (int64_t i = 0; i <= steps; i++) to->v[to->n++] = lo + i * step;
    return DC_OK;
}

dc_status dc_series_set(dc_series *to, const dc_key *key, const char *const *items, int n, const char *place)
{
    dc_status st = DC_OK;
    dc_series series;
    memset(&series, 0, sizeof series);
    if (n == 0) return fail(key, "[]", place, "is empty");
    if (n > DC_LIST_MAX)
        return DC_FAIL(DC_ERR_USAGE, "%s: %s.%s has more than %d items; use ranges", place, key->section, key->name,
                       DC_LIST_MAX);
    for (int i = 0; i < n; i++) DC_TRY(add(&series, key, items[i], place));
    memcpy(to, &series, sizeof series);
out:
    return st;
}

dc_status dc_series_set_text(dc_series *to, const dc_key *key, const char *text, const char *place)
{
    dc_status st = DC_OK;
    dc_series series;
    char item[64];
    const size_t len = strlen(text);
    const bool brackets = len >= 2 && text[0] == '[' && text[len - 1] == ']';
    const char *at = text + brackets, *end = text + len - brackets;
    memset(&series, 0, sizeof series);
    for (bool more = true; more; at++) {
        const size_t n = DC_MIN(strcspn(at, ","), (size_t)(end - at)), gap = DC_MIN(strspn(at, " "), n);
        snprintf(item, sizeof item, "%.*s", (int)(n - gap), at + gap);
        for (size_t last = strlen(item); last > 0 && item[last - 1] == ' '; last--) item[last - 1] = '\0';
        DC_TRY(add(&series, key, item, place));
        at += n;
        more = at < end;
    }
    memcpy(to, &series, sizeof series);
out:
    return st;
}
