/* A sort over ranks with exact borders: each rank sorts its keys; the key that begins each rank's places is found by
 * bisection, field by field, from the counts of keys below it; then the keys change ranks once. */
#include <stdlib.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "dcmpi/order.h"

enum { FIELDS = 3 };

/* A key as numbers that compare as it does. */
typedef struct {
    uint64_t v[FIELDS];
} probe;

typedef struct {
    const dc_part *part;
    dc_sort_key *key;
    int64_t n;
    probe *border;           /* [P]: the first key of each rank's places */
    uint64_t *lo, *hi;       /* [P] bounds of the field that is looked for */
    int64_t *below;          /* [P] */
    size_t *to, *from, *one; /* [P] bytes */
} sorter;

static uint64_t number_of(double x)
{
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    return u >> 63 ? ~u : u | UINT64_C(1) << 63;
}

static probe probe_of(const dc_sort_key *k)
{
    return (probe){{(uint64_t)k->first ^ UINT64_C(1) << 63, number_of(k->second), (uint64_t)k->row}};
}

static int compare(const probe *a, const probe *b)
{
    for (int f = 0; f < FIELDS; f++)
        if (a->v[f] != b->v[f]) return a->v[f] < b->v[f] ? -1 : 1;
    return 0;
}

static int compare_keys(const void *a, const void *b)
{
    const probe x = probe_of(a), y = probe_of(b);
    return compare(&x, &y);
}

static void sort(dc_sort_key *key, int64_t n)
{
    if (n > 1) qsort(key, (size_t)n, sizeof *key, compare_keys);
}

/* Local keys that are not above `p`, or below it. */
static int64_t count_keys(const sorter *s, const probe *p, bool or_equal)
{
    int64_t lo = 0, hi = s->n;
    while (lo < hi) {
        const int64_t middle = lo + (hi - lo) / 2;
        const probe k = probe_of(&s->key[middle]);
        if (compare(&k, p) < (or_equal ? 1 : 0))
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo;
}

/* Sets field f of the borders, whose earlier fields are known: the lowest value of which more than the wanted number of
 * keys are not above it. Collective. */
static void find_field(dc_comm *comm, sorter *s, int f)
{
    const int P = s->part->P;
    for (int r = 1; r < P; r++) s->lo[r] = 0, s->hi[r] = UINT64_MAX;
    for (int bit = 0; bit < 64; bit++) {
        for (int r = 1; r < P; r++) {
            probe p = s->border[r];
            p.v[f] = s->lo[r] + (s->hi[r] - s->lo[r]) / 2;
            for (int g = f + 1; g < FIELDS; g++) p.v[g] = UINT64_MAX;
            s->below[r] = count_keys(s, &p, true);
        }
        dc_comm_sum_i64(comm, s->below + 1, (size_t)P - 1);
        for (int r = 1; r < P; r++) {
            const uint64_t middle = s->lo[r] + (s->hi[r] - s->lo[r]) / 2;
            if (s->below[r] > dc_part_rank_begin(s->part, r))
                s->hi[r] = middle;
            else if (middle < UINT64_MAX)
                s->lo[r] = middle + 1;
        }
    }
    for (int r = 1; r < P; r++) s->border[r].v[f] = s->lo[r];
}

static dc_status take(sorter *s)
{
    dc_status st = DC_OK;
    const size_t P = (size_t)s->part->P;
    DC_TRY(dc_mem_alloc(&s->border, P, sizeof *s->border, "rank table"));
    DC_TRY(dc_mem_alloc(&s->lo, P, sizeof *s->lo, "rank table"));
    DC_TRY(dc_mem_alloc(&s->hi, P, sizeof *s->hi, "rank table"));
    DC_TRY(dc_mem_alloc(&s->below, P, sizeof *s->below, "rank table"));
    DC_TRY(dc_mem_alloc(&s->to, P, sizeof *s->to, "rank table"));
    DC_TRY(dc_mem_alloc(&s->from, P, sizeof *s->from, "rank table"));
    DC_TRY(dc_mem_alloc(&s->one, P, sizeof *s->one, "rank table"));
out:
    return st;
}

static void release(sorter *s)
{
    dc_mem_free(&s->border);
    dc_mem_free(&s->lo);
    dc_mem_free(&s->hi);
    dc_mem_free(&s->below);
    dc_mem_free(&s->to);
    dc_mem_free(&s->from);
    dc_mem_free(&s->one);
}

static void size_messages(dc_comm *comm, sorter *s)
{
    int64_t before = 0;
    for (int r = 0; r < s->part->P; r++) {
        const int64_t end = r + 1 < s->part->P ? count_keys(s, &s->border[r + 1], false) : s->n;
        s->to[r] = (size_t)(end - before) * sizeof *s->key;
        s->one[r] = sizeof *s->to;
        before = end;
    }
    dc_comm_alltoallv(comm, s->to, s->one, s->from, s->one);
}

dc_status dc_order(dc_comm *comm, const dc_part *part, dc_sort_key *key)
{
    dc_status st = DC_OK;
    dc_sort_key *mine = NULL;
    sorter s = {.part = part, .key = key, .n = dc_part_rows(part)};
    sort(key, s.n);
    if (part->P == 1) return DC_OK;
    DC_TRY_ALL(comm, take(&s));
    DC_TRY_ALL(comm, dc_mem_alloc(&mine, (size_t)s.n, sizeof *mine, "sorted rows"));
    for (int f = 0; f < FIELDS; f++) find_field(comm, &s, f);
    size_messages(comm, &s);
    dc_comm_alltoallv(comm, key, s.to, mine, s.from);
    memcpy(key, mine, (size_t)s.n * sizeof *key);
    sort(key, s.n);
out:
    dc_mem_free(&mine);
    release(&s);
    return st;
}

/* glibc's qsort takes a copy of what it sorts, too. */
double dc_order_bytes(const dc_part *part)
{
    return (double)dc_part_rows(part) * sizeof(dc_sort_key) * (part->P > 1 ? 2 : 1) + (double)part->P * 96;
}
