/* A hash table with open addressing over one slab of text. */
#include "dcmpi/nameset.h"

#include <errno.h>
#include <string.h>
#include <xxhash.h>

#include "dcmpi/mem.h"

typedef struct {
    size_t text; /* offset in the slab */
    size_t length;
} entry;

struct dc_nameset {
    entry *entries;  /* [capacity] */
    uint32_t *slots; /* [2 * capacity]: entry number + 1, 0 is free */
    char *slab;
    size_t count, capacity, slab_bytes, slab_capacity;
};

enum { FIRST_CAPACITY = 64 };

/* Gives *array room for `capacity` elements of `item` bytes; keeps the first `used` of them and zeroes the rest. */
static dc_status resize(void *array, size_t used, size_t capacity, size_t item)
{
    void **slot = array, *bigger;
    const dc_status st = dc_mem_alloc(&bigger, capacity, item, "names");
    if (st != DC_OK) return st;
    if (used > 0) memcpy(bigger, *slot, used * item);
    dc_mem_free(slot);
    *slot = bigger;
    return DC_OK;
}

/* The slot that holds the text, or else the free slot where it belongs. */
static size_t find_slot(const dc_nameset *s, const char *text, size_t n)
{
    const size_t mask = 2 * s->capacity - 1;
    for (size_t i = (size_t)XXH3_64bits(text, n) & mask;; i = (i + 1) & mask) {
        if (s->slots[i] == 0) return i;
        const entry *e = &s->entries[s->slots[i] - 1];
        if (e->length == n && memcmp(s->slab + e->text, text, n) == 0) return i;
    }
}

static dc_status double_table(dc_nameset *s)
{
    dc_status st = DC_OK;
    DC_TRY(resize(&s->entries, s->count, 2 * s->capacity, sizeof *s->entries));
    DC_TRY(resize(&s->slots, 0, 4 * s->capacity, sizeof *s->slots));
    s->capacity *= 2;
    for (size_t i = 0; i < s->count; i++)
        s->slots[find_slot(s, s->slab + s->entries[i].text, s->entries[i].length)] = (uint32_t)i + 1;
out:
    return st;
}

dc_status dc_nameset_create(dc_nameset **out)
{
    dc_status st = DC_OK;
    DC_TRY(dc_mem_alloc(out, 1, sizeof **out, "names"));
    dc_nameset *s = *out;
    s->capacity = FIRST_CAPACITY;
    s->slab_capacity = (size_t)FIRST_CAPACITY * 16;
    DC_TRY(resize(&s->entries, 0, s->capacity, sizeof *s->entries));
    DC_TRY(resize(&s->slots, 0, 2 * s->capacity, sizeof *s->slots));
    DC_TRY(resize(&s->slab, 0, s->slab_capacity, 1));
out:
    if (st != DC_OK) dc_nameset_destroy(out);
    return st;
}

void dc_nameset_destroy(dc_nameset **set)
{
    if (!*set) return;
    dc_mem_free(&(*set)->entries);
    dc_mem_free(&(*set)->slots);
    dc_mem_free(&(*set)->slab);
    dc_mem_free(set);
}

dc_status dc_nameset_add(dc_nameset *s, const char *text, size_t n)
{
    dc_status st = DC_OK;
    size_t slot = find_slot(s, text, n);
    if (s->slots[slot] != 0) return DC_OK;
    if (s->count == INT32_MAX) return DC_FAIL(DC_ERR_DATA, "more than %d different names", INT32_MAX);
    if (s->count == s->capacity) {
        DC_TRY(double_table(s));
        slot = find_slot(s, text, n);
    }
    if (n > s->slab_capacity - s->slab_bytes) {
        const size_t bigger = 2 * s->slab_capacity + n;
        DC_TRY(resize(&s->slab, s->slab_bytes, bigger, 1));
        s->slab_capacity = bigger;
    }
    memcpy(s->slab + s->slab_bytes, text, n);
    s->entries[s->count] = (entry){s->slab_bytes, n};
    s->slab_bytes += n;
    s->slots[slot] = (uint32_t)++s->count;
out:
    return st;
}

size_t dc_nameset_count(const dc_nameset *set)
{
    return set->count;
}

int64_t dc_nameset_find(const dc_nameset *set, const char *text, size_t n)
{
    return (int64_t)set->slots[find_slot(set, text, n)] - 1;
}

const char *dc_nameset_at(const dc_nameset *set, size_t i, size_t *n)
{
    *n = set->entries[i].length;
    return set->slab + set->entries[i].text;
}

/* ---- Order ------------------------------------------------------------------------------------------------------- */

static bool is_integer(const char *text, size_t n, int64_t *value)
{
    char copy[24], *end;
    if (n == 0 || n >= sizeof copy || (text[0] != '-' && (text[0] < '0' || text[0] > '9'))) return false;
    memcpy(copy, text, n);
    copy[n] = '\0';
    errno = 0;
    *value = strtoll(copy, &end, 10);
    return end == copy + n && errno == 0;
}

static int compare_values(const void *a, const void *b, void *ctx)
{
    const dc_nameset *s = ctx;
    const entry *x = &s->entries[*(const uint32_t *)a], *y = &s->entries[*(const uint32_t *)b];
    int64_t v = 0, w = 0;
    (void)is_integer(s->slab + x->text, x->length, &v);
    (void)is_integer(s->slab + y->text, y->length, &w);
    return (v > w) - (v < w);
}

static int compare_bytes(const void *a, const void *b, void *ctx)
{
    const dc_nameset *s = ctx;
    const entry *x = &s->entries[*(const uint32_t *)a], *y = &s->entries[*(const uint32_t *)b];
    const int order = memcmp(s->slab + x->text, s->slab + y->text, DC_MIN(x->length, y->length));
    return order != 0 ? order : (x->length > y->length) - (x->length < y->length);
}

void dc_nameset_sort(const dc_nameset *s, uint32_t *order)
{
    bool integers = true;
    int64_t value;
    for (size_t i = 0; i < s->count; i++) {
        order[i] = (uint32_t)i;
        integers = integers && is_integer(s->slab + s->entries[i].text, s->entries[i].length, &value);
    }
    /* The cast drops const because qsort_r() takes a void *; the comparison only reads the set. */
    qsort_r(order, s->count, sizeof *order, integers ? compare_values : compare_bytes, (void *)(uintptr_t)s);
}
