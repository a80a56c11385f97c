/* Typical and doubtful members of each cluster: the m rows with the highest confidence and the m rows with the lowest.
 * Each rank keeps its own m best per cluster in sorted lists; the lists of all ranks are gathered in rank order and
 * merged the same way. */
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "dcmpi/train.h"

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

/* sign -1: highest confidence first; +1: lowest first. */
static void collect(const dc_part *part, const int32_t *labels, const float *confidence, double sign, int64_t m,
                    candidate *list)
{
    for (int64_t i = 0; i < dc_part_rows(part); i++)
        insert(list + labels[i] * m, m, (candidate){.row = part->row_lo + i, .key = sign * (double)confidence[i]});
}

static void merge(dc_comm *comm, int64_t K, int64_t m, const size_t *counts, candidate *mine, candidate *all,
                  int64_t *out)
{
    dc_comm_allgatherv(comm, mine, all, counts);
    clear(mine, K * m);
    for (int64_t i = 0; i < dc_comm_size(comm) * K * m; i++) insert(mine + i % (K * m) / m * m, m, all[i]);
    for (int64_t i = 0; i < K * m; i++) out[i] = mine[i].row;
}

double dc_cluster_examples_bytes(int P, int64_t K, int64_t m)
{
    return (double)(K * m) * (1 + P) * sizeof(candidate);
}

dc_status dc_cluster_examples(dc_comm *comm, const dc_part *part, const int32_t *labels, const float *confidence,
                              int64_t K, int64_t m, int64_t *nearest, int64_t *border)
{
    dc_status st = DC_OK;
    candidate *mine = NULL, *all = NULL;
    size_t *counts = NULL;
    const size_t P = (size_t)dc_comm_size(comm), n = (size_t)(K * m);
    if (n == 0) return DC_OK;
    st = dc_mem_alloc(&mine, n, sizeof *mine, "cluster examples");
    if (st == DC_OK) st = dc_mem_alloc(&all, dc_mul_size(n, P), sizeof *all, "cluster examples");
    if (st == DC_OK) st = dc_mem_alloc(&counts, P, sizeof *counts, "cluster examples");
    DC_TRY_ALL(comm, st);
    for (size_t r = 0; r < P; r++) counts[r] = n * sizeof *mine;
    clear(mine, (int64_t)n);
    collect(part, labels, confidence, -1, m, mine);
    merge(comm, K, m, counts, mine, all, nearest);
    clear(mine, (int64_t)n);
    collect(part, labels, confidence, +1, m, mine);
    merge(comm, K, m, counts, mine, all, border);
out:
    dc_mem_free(&mine);
    dc_mem_free(&all);
    dc_mem_free(&counts);
    return st;
}
