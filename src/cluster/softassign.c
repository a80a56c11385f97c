/* The two passes over all rows that renew a target: the sums of the soft assignment, then the target with its loss.
 * Counts are added up as doubles, like the sums: they are exact below 2^53. */
#include "softassign_impl.h"

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"

#include <omp.h>

static void pass_release(dc_soft_pass *a, dc_sum **sum, double **total)
{
    dc_mem_free(&a->error);
    dc_mem_free(total);
    dc_sum_destroy(sum);
}

static dc_status pass_init(dc_soft_pass *a, size_t K, dc_sum **sum, const dc_part *part, double **total)
{
    dc_status st = DC_OK;
    DC_TRY(dc_mem_alloc(&a->error, (size_t)omp_get_max_threads(), sizeof *a->error, "soft assignment check"));
    DC_TRY(dc_mem_alloc(total, 2 * K + 1, sizeof **total, "soft assignment sums"));
    DC_TRY(dc_sum_create(sum, part, 2 * K + 1));
out:
    return st;
}

dc_status dc_soft_count_bytes(const dc_part *part, int64_t K, double *bytes)
{
    dc_sum *sum = NULL;
    double *total = NULL;
    dc_soft_pass pass = {0};
    dc_mem_rehearse(true);
    const size_t before = dc_mem_current_bytes();
    const dc_status st = pass_init(&pass, (size_t)K, &sum, part, &total);
    *bytes = (double)(dc_mem_current_bytes() - before);
    pass_release(&pass, &sum, &total);
    dc_mem_rehearse(false);
    return st;
}

static void take_stats(const double *total, int64_t K, dc_soft_stats *stats)
{
    for (int64_t k = 0; k < K; k++) {
        stats->f[k] = total[k];
        stats->size[k] = (int64_t)total[K + k];
    }
    stats->changed = (int64_t)total[2 * K];
}

dc_status dc_soft_count(dc_comm *comm, const dc_part *part, const float *q, int64_t K, const int32_t *next,
                        int32_t *labels, dc_soft_stats *stats)
{
    dc_status st = DC_OK;
    dc_sum *sum = NULL;
    double *total = NULL;
    dc_soft_pass pass = {.q = q, .K = K, .next = next, .label = labels};
    DC_TRY_ALL(comm, pass_init(&pass, (size_t)K, &sum, part, &total));
    dc_sum_over_blocks(comm, sum, dc_soft_block, &pass, total);
    take_stats(total, K, stats);
    stats->sum_check = 0;
    for (int t = 0; t < omp_get_max_threads(); t++)
        if (!(pass.error[t] <= stats->sum_check)) stats->sum_check = pass.error[t];
    dc_comm_max_f64(comm, &stats->sum_check, 1);
out:
    pass_release(&pass, &sum, &total);
    return st;
}

typedef struct {
    dc_target_kind kind;
    float *p;
    const double *f;
    int64_t K;
    dc_gidx N;
} target_pass;

static void target_block(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const target_pass *a = ctx;
    float *p = a->p + block->lo * a->K;
    int64_t odd;
    (void)thread;
    leaf[0] = dc_target_rows(a->kind, p, a->f, block->hi - block->lo, a->K, a->N, p, &odd);
    leaf[1] = (double)odd;
}

double dc_target_refresh(dc_comm *comm, const dc_part *part, dc_target_kind kind, const double *f, int64_t K,
                         dc_sum *sum, float *p, int64_t *odd)
{
    double total[DC_TARGET_SUMS];
    target_pass pass = {kind, p, f, K, part->N};
    dc_sum_over_blocks(comm, sum, target_block, &pass, total);
    *odd = (int64_t)total[1];
    return part->N > 0 ? total[0] / (double)part->N : 0;
}
