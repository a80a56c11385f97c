/* The rows of each cluster with the smallest keys. Each rank keeps its own m best per cluster in sorted lists; the
 * lists of all ranks are gathered in rank order and merged the same way. */
#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "dcmpi/topics.h"

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

double dc_lowest_rows_bytes(int P, int64_t K, int64_t m)
{
    return (double)K * (double)m * (1 + P) * sizeof(candidate);
}

dc_status dc_lowest_rows(dc_comm *comm, const dc_part *part, const int32_t *label, int64_t K, int64_t m, dc_row_key key,
                         const void *ctx, int64_t *rows, double *keys)
{
    dc_status st = DC_OK;
    candidate *mine = NULL, *all = NULL;
    size_t *counts = NULL;
    const size_t P = (size_t)dc_comm_size(comm), n = dc_mul_size((size_t)K, (size_t)m);
    if (n == 0) return DC_OK;
    st = dc_mem_alloc(&mine, n, sizeof *mine, "lists of rows");
    if (st == DC_OK) st = dc_mem_alloc(&all, dc_mul_size(n, P), sizeof *all, "lists of rows");
    if (st == DC_OK) st = dc_mem_alloc(&counts, P, sizeof *counts, "lists of rows");
    DC_TRY_ALL(comm, st);
    for (size_t r = 0; r < P; r++) counts[r] = n * sizeof *mine;
    clear(mine, (int64_t)n);
    for (int64_t i = 0; i < dc_part_rows(part); i++)
        insert(mine + label[i] * m, m, (candidate){.row = part->row_lo + i, .key = key(ctx, i)});
    dc_comm_allgatherv(comm, mine, all, counts);
    clear(mine, (int64_t)n);
    for (int64_t i = 0; i < (int64_t)(P * n); i++) insert(mine + i % (K * m) / m * m, m, all[i]);
    for (size_t i = 0; i < n; i++) rows[i] = mine[i].row;
    for (size_t i = 0; keys && i < n; i++) keys[i] = mine[i].row >= 0 ? mine[i].key : 0;
out:
    dc_mem_free(&mine);
    dc_mem_free(&all);
    dc_mem_free(&counts);
    return st;
}
