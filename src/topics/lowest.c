/* The rows of each cluster with the smallest keys. Each rank keeps its own m best per cluster in sorted lists; the
 * lists of all ranks are gathered in rank order and merged the same way, for as many clusters at a time as fit into
 * ROUND_BYTES. */
#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "dcmpi/topics.h"

enum { ROUND_BYTES = 8 << 20 };

typedef struct {
    int64_t row; /* -1: empty */
    double key;  /* smaller is better */
} candidate;

static bool before(const candidate *a, const candidate *b)
{
    if (b->row < 0) return a->row >= 0;
    return a->key < b->key || (a->key == b->key && a->row < b->row);
}

/* Inserts into a sorted list of m, dropping the worst. */
static void insert(candidate *list, int64_t m, candidate c)
{
    if (c.row < 0 || !before(&c, &list[m - 1])) return;
    int64_t i = m - 1;
    for (; i > 0 && before(&c, &list[i - 1]); i--) list[i] = list[i - 1];
    list[i] = c;
}

static void clear(candidate *list, int64_t count)
{
    for (int64_t i = 0; i < count; i++) list[i] = (candidate){.row = -1};
}

/* Clusters whose lists of all ranks are gathered at a time. */
static int64_t clusters_at_a_time(int P, int64_t K, int64_t m)
{
    const int64_t lists = (int64_t)P * DC_MAX(m, (int64_t)1) * (int64_t)sizeof(candidate);
    return DC_MIN(DC_MAX(ROUND_BYTES / lists, (int64_t)1), K);
}

double dc_lowest_rows_bytes(int P, int64_t K, int64_t m)
{
    return (double)m * sizeof(candidate) * ((double)K + (double)clusters_at_a_time(P, K, m) * P);
}

/* Merges the lists of all ranks of `clusters` clusters into mine. Collective. */
static void merge(dc_comm *comm, candidate *mine, int64_t clusters, int64_t m, candidate *all, size_t *counts)
{
    const int P = dc_comm_size(comm);
    const int64_t n = clusters * m;
    for (int r = 0; r < P; r++) counts[r] = (size_t)n * sizeof *mine;
    dc_comm_allgatherv(comm, mine, all, counts);
    clear(mine, n);
    for (int64_t i = 0; i < P * n; i++) insert(mine + i % n / m * m, m, all[i]);
}

dc_status dc_lowest_rows(dc_comm *comm, const dc_part *part, const int32_t *label, int64_t K, int64_t m, dc_row_key key,
                         const void *ctx, int64_t *rows, double *keys)
{
    dc_status st = DC_OK;
    candidate *mine = NULL, *all = NULL;
    size_t *counts = NULL;
    const int64_t at_a_time = clusters_at_a_time(dc_comm_size(comm), K, m);
    const size_t P = (size_t)dc_comm_size(comm), n = dc_mul_size((size_t)K, (size_t)m);
    if (n == 0) return DC_OK;
    st = dc_mem_alloc(&mine, n, sizeof *mine, "lists of rows");
    if (st == DC_OK) st = dc_mem_alloc(&all, (size_t)(at_a_time * m), dc_mul_size(P, sizeof *all), "lists of rows");
    if (st == DC_OK) st = dc_mem_alloc(&counts, P, sizeof *counts, "lists of rows");
    DC_TRY_ALL(comm, st);
    clear(mine, (int64_t)n);
    for (int64_t i = 0; i < dc_part_rows(part); i++)
        insert(mine + label[i] * m, m, (candidate){.row = part->row_lo + i, .key = key(ctx, i)});
    for (int64_t k = 0; k < K; k += at_a_time) merge(comm, mine + k * m, DC_MIN(at_a_time, K - k), m, all, counts);
    for (size_t i = 0; i < n; i++) rows[i] = mine[i].row;
    for (size_t i = 0; keys && i < n; i++) keys[i] = mine[i].row >= 0 ? mine[i].key : 0;
out:
    dc_mem_free(&mine);
    dc_mem_free(&all);
    dc_mem_free(&counts);
    return st;
}
