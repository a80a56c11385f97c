/* The two passes over all rows that renew a target: the sums of the soft assignment, counted while the rows are
 * embedded, then the loss of the target. Counts are added up as doubles, like the sums: they are exact below 2^53. */
#include "softassign_impl.h"

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"

#include <omp.h>
#include <string.h>

/* ---- Counts ------------------------------------------------------------------------------------------------------ */

struct dc_soft_counter {
    const dc_part *part;
    int64_t K;
    dc_sum *sum;   /* owned, as are the arrays */
    double *total; /* [2K + 1] */
    double *leaf;  /* [2K + 1] of the block that is being counted */
    dc_block block;
    double error;
};

dc_status dc_soft_create(dc_soft_counter **out, const dc_part *part, int64_t K)
{
    dc_status st = DC_OK;
    dc_soft_counter *c = NULL;
    const size_t m = 2 * (size_t)K + 1;
    DC_TRY(dc_mem_alloc(&c, 1, sizeof *c, "soft assignment counts"));
    c->part = part;
    c->K = K;
    DC_TRY(dc_mem_alloc(&c->total, m, sizeof *c->total, "soft assignment sums"));
    DC_TRY(dc_mem_alloc(&c->leaf, m, sizeof *c->leaf, "soft assignment sums"));
    DC_TRY(dc_sum_create(&c->sum, part, m));
out:
    if (st != DC_OK) dc_soft_destroy(&c);
    *out = c;
    return st;
}

void dc_soft_destroy(dc_soft_counter **counter)
{
    dc_soft_counter *c = *counter;
    if (!c) return;
    dc_sum_destroy(&c->sum);
    dc_mem_free(&c->total);
    dc_mem_free(&c->leaf);
    dc_mem_free(counter);
}

static void clear_leaf(dc_soft_counter *c)
{
    memset(c->leaf, 0, (2 * (size_t)c->K + 1) * sizeof *c->leaf);
}

void dc_soft_begin(dc_soft_counter *c)
{
    dc_sum_reset(c->sum);
    c->block = (dc_block){0};
    c->error = 0;
    clear_leaf(c);
}

void dc_soft_add(dc_soft_counter *c, int64_t lo, int64_t n, const float *q, const int32_t *next, int32_t *labels)
{
    if (lo == c->block.hi && !dc_part_next_block(c->part, &c->block)) return; /* n is 0 */
    DC_ASSERT(lo >= c->block.lo && lo + n <= c->block.hi);
    dc_soft_count_rows(q, n, c->K, next, labels, c->leaf, &c->error);
    if (lo + n < c->block.hi) return;
    dc_sum_push(c->sum, c->block.shard, c->leaf);
    clear_leaf(c);
}

void dc_soft_finish(dc_comm *comm, dc_soft_counter *c, dc_soft_stats *stats)
{
    const int64_t K = c->K;
    dc_sum_total(comm, c->sum, c->total);
    for (int64_t k = 0; k < K; k++) {
        stats->f[k] = c->total[k];
        stats->size[k] = (int64_t)c->total[K + k];
    }
    stats->changed = (int64_t)c->total[2 * K];
    stats->sum_check = c->error;
    dc_comm_max_f64(comm, &stats->sum_check, 1);
}

/* ---- Target ------------------------------------------------------------------------------------------------------ */

size_t dc_target_params(const dc_soft_target *t)
{
    return (size_t)t->K * ((size_t)t->L + (t->model == DC_SOFT_HEAD));
}

dc_status dc_target_create(dc_soft_target *t, const dc_part *part)
{
    dc_status st = DC_OK;
    t->N = part->N;
    DC_TRY(dc_mem_alloc(&t->param, dc_target_params(t), sizeof *t->param, "model of the target"));
    DC_TRY(dc_mem_alloc(&t->f, (size_t)t->K, sizeof *t->f, "sums of the target"));
    DC_TRY(dc_mem_alloc(&t->tile, (size_t)omp_get_max_threads() * DC_SOFT_LANES,
                        dc_mul_size((size_t)t->K, sizeof *t->tile), "rows of the target"));
    DC_TRY(dc_sum_create(&t->sum, part, DC_TARGET_SUMS));
out:
    return st;
}

void dc_target_release(dc_soft_target *t)
{
    dc_mem_free(&t->param);
    dc_mem_free(&t->f);
    dc_mem_free(&t->tile);
    dc_sum_destroy(&t->sum);
}

double dc_target_loss(dc_comm *comm, const dc_soft_target *t, const float *Z, int64_t *odd)
{
    double total[DC_TARGET_SUMS];
    dc_target_pass pass = {t, Z};
    dc_sum_over_blocks(comm, t->sum, dc_target_block, &pass, total);
    *odd = (int64_t)total[1];
    return t->N > 0 ? total[0] / (double)t->N : 0;
}
