/* Exact quantiles of sparse columns. Nearly all values of such a column are zeros, and so are most of its quantiles:
 * how many values are below zero, and how many are not zero, tells which. Only columns with a quantile among the stored
 * values go through the selection of quantiles.c, by passes over the stored values. */
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "quantiles.h"

typedef struct {
    const dc_dataset *d;
    const double *p;
    int64_t *below, *other; /* [D] values below zero, and not zero, of all ranks */
    int32_t *slot;          /* [D] place of a column in the block, -1: not in it */
    int64_t *column;        /* [width] the columns of the block */
    dc_selection s;
} sparse_selection;

static dc_status take_memory(sparse_selection *q, int n)
{
    dc_status st = DC_OK;
    const size_t D = (size_t)q->d->D;
    DC_TRY(dc_selection_take(n, q->d->D, &q->s));
    DC_TRY(dc_mem_alloc(&q->below, D, sizeof *q->below, "counts of quantiles"));
    DC_TRY(dc_mem_alloc(&q->other, D, sizeof *q->other, "counts of quantiles"));
    DC_TRY(dc_mem_alloc(&q->slot, D, sizeof *q->slot, "counts of quantiles"));
    DC_TRY(dc_mem_alloc(&q->column, (size_t)q->s.width, sizeof *q->column, "counts of quantiles"));
out:
    return st;
}

static void release(sparse_selection *q)
{
    dc_selection_release(&q->s);
    dc_mem_free(&q->below);
    dc_mem_free(&q->other);
    dc_mem_free(&q->slot);
    dc_mem_free(&q->column);
}

static void count_signs(dc_comm *comm, sparse_selection *q)
{
    const dc_csr *m = &q->d->csr;
    for (int64_t e = 0; e < m->ptr[m->n]; e++) {
        q->below[m->col[e]] += m->val[e] < 0;
        q->other[m->col[e]] += m->val[e] != 0;
    }
    dc_comm_sum_i64(comm, q->below, (size_t)m->D);
    dc_comm_sum_i64(comm, q->other, (size_t)m->D);
}

/* Rank of a target among the values that are not zero; -1 if the target is a zero. */
static int64_t rank_of(const sparse_selection *q, int64_t c, int t)
{
    const int64_t rank = dc_selection_rank(q->d->part.N, q->p, t), zeros = q->d->part.N - q->other[c];
    return rank < q->below[c] ? rank : rank < q->below[c] + zeros ? -1 : rank - zeros;
}

static bool all_zeros(const sparse_selection *q, int64_t c)
{
    for (int t = 0; t < q->s.n; t++)
        if (rank_of(q, c, t) >= 0) return false;
    return true;
}

static void finish(const sparse_selection *q, int64_t c, const dc_order_target *target, int n, double *out)
{
    enum { TARGETS_MAX = 8 };
    double value[TARGETS_MAX] = {0};
    DC_ASSERT(2 * n <= TARGETS_MAX);
    for (int t = 0; target && t < 2 * n; t++)
        if (rank_of(q, c, t) >= 0) value[t] = dc_data_value_of_key(DC_F32, target[t].key);
    dc_selection_finish(q->d, c, q->p, value, n, out);
}

/* Puts the next columns with something to select into the block; columns of zeros are finished at once. */
static int64_t fill_block(sparse_selection *q, int64_t *c, int n, double *out)
{
    int64_t used = 0;
    for (; *c < q->d->D && used < q->s.width; ++*c) {
        if (all_zeros(q, *c)) {
            finish(q, *c, NULL, n, out);
            continue;
        }
        for (int t = 0; t < q->s.n; t++)
            q->s.target[used * q->s.n + t] = (dc_order_target){.rank = DC_MAX(rank_of(q, *c, t), (int64_t)0)};
        q->slot[*c] = (int32_t)used;
        q->column[used++] = *c;
    }
    return used;
}

static void select_block(dc_comm *comm, sparse_selection *q, int64_t used)
{
    const size_t counts = (size_t)(used * q->s.n) * DC_BYTE_VALUES;
    for (int shift = 24; shift >= 0; shift -= 8) {
        memset(q->s.count, 0, counts * sizeof *q->s.count);
        dc_data_count_sparse_bytes(&q->d->csr, q->slot, q->s.n, q->s.target, shift, q->s.count);
        dc_comm_sum_i64(comm, q->s.count, counts);
        for (int64_t k = 0; k < used; k++) dc_selection_narrow(&q->s, k, shift);
    }
}

dc_status dc_data_csr_quantiles(dc_comm *comm, const dc_dataset *d, int n, const double *p, double *out)
{
    dc_status st = DC_OK;
    sparse_selection q = {.d = d, .p = p};
    DC_TRY_ALL(comm, take_memory(&q, n));
    count_signs(comm, &q);
    for (int64_t c = 0; c < d->D; c++) q.slot[c] = -1;
    for (int64_t c = 0, used; c < d->D;) {
        used = fill_block(&q, &c, n, out);
        select_block(comm, &q, used);
        for (int64_t k = 0; k < used; k++) {
            finish(&q, q.column[k], q.s.target + k * q.s.n, n, out);
            q.slot[q.column[k]] = -1;
        }
    }
out:
    release(&q);
    return st;
}

double dc_data_csr_quantiles_bytes(int64_t D, int n)
{
    return dc_data_quantiles_bytes(D, n) + 28.0 * (double)D;
}
