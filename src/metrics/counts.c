/* Counts the rows of each pair of class and cluster. Only pairs that occur are stored. During counting, they are in a
 * hash table (open addressing, linear probing): labels may be row numbers, so a table of all possible pairs could
 * become too large.
 *
 * Pairs reach rank 0 in two steps: pairs of class c go to rank c mod P, which adds up their counts, and the sums go to
 * rank 0. So rank 0 is the only one that ever holds the pairs of all ranks. Counts are integers and the result is
 * sorted, so the result is the same for every number of ranks. */
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "dcmpi/metrics.h"

enum { SLOTS_AT_FIRST = 64 };

struct dc_counter {
    int64_t K, C;
    dc_cell *slot;   /* [capacity]; a slot with 0 rows is empty */
    size_t capacity; /* a power of two, at least 2*n */
    size_t n;
    bool too_many;
};

/* ---- Counting ---------------------------------------------------------------------------------------------------- */

dc_status dc_counter_create(dc_counter **out, int64_t K, int64_t C)
{
    dc_status st = DC_OK;
    dc_counter *c = NULL;
    DC_TRY(dc_mem_alloc(&c, 1, sizeof *c, "counts"));
    *c = (dc_counter){.K = K, .C = C, .capacity = SLOTS_AT_FIRST};
    DC_TRY(dc_mem_alloc(&c->slot, c->capacity, sizeof *c->slot, "counts of classes and clusters"));
out:
    if (st != DC_OK) dc_counter_destroy(&c);
    *out = c;
    return st;
}

void dc_counter_destroy(dc_counter **counter)
{
    if (*counter) dc_mem_free(&(*counter)->slot);
    dc_mem_free(counter);
}

/* The slot of a pair, or the empty one where it belongs. */
static dc_cell *find(dc_cell *slot, size_t capacity, int32_t class_, int32_t cluster)
{
    /* Fibonacci hashing, since numbers are small and regular: the high log2(capacity) bits are the index. */
    const uint64_t key =
        (uint64_t)class_ * UINT64_C(0x9E3779B97F4A7C15) + (uint64_t)cluster * UINT64_C(0xC2B2AE3D27D4EB4F);
    size_t i = (size_t)(key >> (__builtin_clzll(capacity) + 1));
    while (slot[i].rows && (slot[i].class_ != class_ || slot[i].cluster != cluster)) i = (i + 1) & (capacity - 1);
    return &slot[i];
}

static dc_status grow(dc_counter *c)
{
    dc_cell *larger;
    const size_t capacity = 2 * c->capacity;
    const dc_status st = dc_mem_alloc(&larger, capacity, sizeof *larger, "counts of classes and clusters");
    if (st != DC_OK) return st;
    for (size_t i = 0; i < c->capacity; i++)
        if (c->slot[i].rows) *find(larger, capacity, c->slot[i].class_, c->slot[i].cluster) = c->slot[i];
    dc_mem_free(&c->slot);
    c->slot = larger;
    c->capacity = capacity;
    return DC_OK;
}

dc_status dc_counter_add(dc_counter *c, const int32_t *labels, const int32_t *y, int64_t n)
{
    dc_status st = DC_OK;
    for (int64_t i = 0; i < n && !c->too_many; i++) {
        DC_ASSERT(labels[i] >= 0 && labels[i] < c->K && y[i] >= -1 && y[i] < c->C);
        if (y[i] < 0) continue;
        dc_cell *cell = find(c->slot, c->capacity, y[i], labels[i]);
        if (cell->rows++) continue;
        cell->class_ = y[i];
        cell->cluster = labels[i];
        c->too_many = ++c->n > DC_COUNTS_MAX;
        if (2 * c->n > c->capacity) DC_TRY(grow(c));
    }
out:
    return st;
}

/* ---- Gathering --------------------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    const dc_cell *x = a, *y = b;
    if (x->class_ != y->class_) return x->class_ < y->class_ ? -1 : 1;
    return (x->cluster > y->cluster) - (x->cluster < y->cluster);
}

/* Sorts the cells and merges those of the same pair; returns how many are left. */
static size_t sort_and_add(dc_cell *cell, size_t n)
{
    size_t kept = 0;
    if (n > 0) qsort(cell, n, sizeof *cell, compare);
    for (size_t i = 0; i < n; i++)
        if (kept > 0 && compare(&cell[kept - 1], &cell[i]) == 0)
            cell[kept - 1].rows += cell[i].rows;
        else
            cell[kept++] = cell[i];
    return kept;
}

dc_status dc_counter_counts_local(const dc_counter *c, dc_counts *out)
{
    *out = (dc_counts){.K = c->K, .C = c->C, .too_many = c->too_many};
    if (c->too_many) return DC_OK;
    const dc_status st = dc_mem_alloc(&out->cell, c->n, sizeof *out->cell, "counts of classes and clusters");
    for (size_t i = 0; st == DC_OK && i < c->capacity; i++)
        if (c->slot[i].rows) out->cell[out->n++] = c->slot[i];
    if (st == DC_OK) sort_and_add(out->cell, out->n);
    return st;
}

typedef struct {
    size_t P;
    size_t *send, *recv; /* [P] bytes to and from each rank */
    dc_cell *sent, *got;
} exchange;

static void exchange_release(exchange *e)
{
    dc_mem_free(&e->send);
    dc_mem_free(&e->recv);
    dc_mem_free(&e->sent);
    dc_mem_free(&e->got);
}

/* Packs the cells of `own` in the order of the ranks that add them up. */
static dc_status pack(exchange *e, const dc_counts *own)
{
    dc_status st = DC_OK;
    size_t *at = NULL;
    DC_TRY(dc_mem_alloc(&e->send, e->P, sizeof *e->send, "rank table"));
    DC_TRY(dc_mem_alloc(&e->recv, e->P, sizeof *e->recv, "rank table"));
    DC_TRY(dc_mem_alloc(&e->sent, own->n, sizeof *e->sent, "counts to other ranks"));
    DC_TRY(dc_mem_alloc(&at, e->P + 1, sizeof *at, "rank table"));
    for (size_t i = 0; i < own->n; i++) at[(size_t)own->cell[i].class_ % e->P + 1]++;
    for (size_t r = 0; r < e->P; r++) {
        e->send[r] = at[r + 1] * sizeof *e->sent;
        at[r + 1] += at[r];
    }
    for (size_t i = 0; i < own->n; i++) e->sent[at[(size_t)own->cell[i].class_ % e->P]++] = own->cell[i];
out:
    dc_mem_free(&at);
    return st;
}

/* Tells each rank r the size send[r] of the message that it will get from this rank. */
static dc_status tell_sizes(dc_comm *comm, exchange *e)
{
    dc_status st = DC_OK;
    size_t *each = NULL;
    DC_TRY_ALL(comm, dc_mem_alloc(&each, e->P, sizeof *each, "rank table"));
    for (size_t r = 0; r < e->P; r++) each[r] = sizeof *each;
    dc_comm_alltoallv(comm, e->send, each, e->recv, each);
out:
    dc_mem_free(&each);
    return st;
}

static size_t sum_bytes(const size_t *bytes, size_t P)
{
    size_t sum = 0;
    for (size_t r = 0; r < P; r++) sum += bytes[r];
    return sum;
}

/* Receives the cells of this rank's classes from all ranks and adds them up: e->got[*n]. Collective. */
static dc_status add_up(dc_comm *comm, exchange *e, const dc_counts *own, size_t *n)
{
    dc_status st = DC_OK;
    DC_TRY_ALL(comm, pack(e, own));
    DC_TRY(tell_sizes(comm, e));
    *n = sum_bytes(e->recv, e->P) / sizeof *e->got;
    DC_TRY_ALL(comm, dc_mem_alloc(&e->got, *n, sizeof *e->got, "counts of other ranks"));
    dc_comm_alltoallv(comm, e->sent, e->send, e->got, e->recv);
    *n = sort_and_add(e->got, *n);
out:
    return st;
}

/* Sends all cells to rank 0. Collective. */
static dc_status bring_home(dc_comm *comm, exchange *e, size_t n, dc_counts *out)
{
    dc_status st = DC_OK;
    const size_t me = (size_t)dc_comm_rank(comm);
    int64_t *all = NULL;
    DC_TRY_ALL(comm, dc_mem_alloc(&all, e->P, sizeof *all, "rank table"));
    all[me] = (int64_t)n;
    dc_comm_sum_i64(comm, all, e->P);
    for (size_t r = 0; r < e->P; r++) e->recv[r] = (size_t)all[r] * sizeof *e->got;
    const size_t total = sum_bytes(e->recv, e->P) / sizeof *e->got;
    out->too_many = total > DC_COUNTS_MAX;
    if (out->too_many) goto out;
    DC_TRY_ALL(comm, me == 0 ? dc_mem_alloc(&out->cell, total, sizeof *out->cell, "counts of all ranks") : DC_OK);
    dc_comm_gatherv(comm, e->got, out->cell, e->recv, 0);
    if (me == 0) out->n = sort_and_add(out->cell, total);
out:
    dc_mem_free(&all);
    return st;
}

dc_status dc_counter_counts(dc_comm *comm, const dc_counter *c, dc_counts *out)
{
    dc_status st = DC_OK;
    dc_counts own = {0};
    exchange e = {.P = (size_t)dc_comm_size(comm)};
    size_t n = 0;
    int64_t too_many = c->too_many;
    *out = (dc_counts){.K = c->K, .C = c->C};
    dc_comm_max_i64(comm, &too_many, 1);
    out->too_many = too_many;
    if (out->too_many) return DC_OK;
    DC_TRY_ALL(comm, dc_counter_counts_local(c, &own));
    DC_TRY(add_up(comm, &e, &own, &n));
    dc_counts_release(&own);
    dc_mem_free(&e.sent);
    DC_TRY(bring_home(comm, &e, n, out));
out:
    dc_counts_release(&own);
    exchange_release(&e);
    if (st != DC_OK) dc_counts_release(out);
    return st;
}

/* ---- The table --------------------------------------------------------------------------------------------------- */

void dc_counts_release(dc_counts *c)
{
    dc_mem_free(&c->cell);
    c->n = 0;
}

static double pairs_at_most(int64_t n, int64_t K, int64_t C)
{
    const double pairs = (double)K * (double)C, rows = (double)n;
    return DC_MIN(DC_MIN(pairs, rows), (double)DC_COUNTS_MAX);
}

bool dc_counts_has_table(int64_t K, int64_t C)
{
    return (double)K * (double)C <= DC_COUNTS_MAX;
}

void dc_counts_table(const dc_counts *c, int64_t *table)
{
    memset(table, 0, (size_t)(c->K * c->C) * sizeof *table);
    for (size_t i = 0; i < c->n; i++) table[c->cell[i].class_ * c->K + c->cell[i].cluster] = c->cell[i].rows;
}

/* A hash table that is a quarter to a half full, plus the larger of two: the smaller table that it replaces while
 * growing; or the list of pairs and the messages sent and received. */
double dc_counts_bytes(int64_t n, int64_t K, int64_t C)
{
    return pairs_at_most(n, K, C) * (4 + 3) * sizeof(dc_cell);
}

/* The cells of all ranks, the cluster numbers sorted, and the matching. */
double dc_scores_bytes(int64_t N, int64_t K, int64_t C)
{
    return pairs_at_most(N, K, C) * (2 * sizeof(dc_cell) + 64) +
           (dc_counts_has_table(K, C) ? 8.0 * (double)(K * C) : 0);
}
