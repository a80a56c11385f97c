/* Means and variances of clusters, column by column. */
#include "dcmpi/cluster.h"
#include "dcmpi/comm.h"
#include "dcmpi/mem.h"

typedef struct {
    const float *Z, *centers; /* centers NULL: sums are wanted, not squares */
    const int32_t *label;
    int64_t K, d;
} spread;

/* leaf: sums [K x d], then sizes [K]. */
static void add_block(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const spread *s = ctx;
    (void)thread;
    for (int64_t i = block->lo; i < block->hi; i++) {
        const int64_t k = s->label[i];
        for (int64_t j = 0; j < s->d; j++) {
            const double z = (double)s->Z[i * s->d + j];
            const double e = s->centers ? z - (double)s->centers[k * s->d + j] : 0;
            leaf[k * s->d + j] += s->centers ? e * e : z;
        }
        leaf[s->K * s->d + k]++;
    }
}

static dc_status mean_of(dc_comm *comm, const dc_rows *rows, const float *centers, const int32_t *label, int64_t K,
                         float *out)
{
    dc_status st = DC_OK;
    dc_sum *sum = NULL;
    double *total = NULL;
    const int64_t d = rows->d, n = K * d;
    spread s = {rows->X, centers, label, K, d};
    DC_ASSERT(rows->X || dc_part_rows(rows->part) == 0);
    DC_TRY_ALL(comm, dc_mem_alloc(&total, (size_t)(n + K), sizeof *total, "moments of clusters"));
    DC_TRY_ALL(comm, dc_sum_create(&sum, rows->part, (size_t)(n + K)));
    dc_sum_over_blocks(comm, sum, add_block, &s, total);
    for (int64_t i = 0; i < n; i++) {
        const double size = total[n + i / d];
        out[i] = size > 0 ? (float)(total[i] / size) : 0;
    }
out:
    dc_sum_destroy(&sum);
    dc_mem_free(&total);
    return st;
}

dc_status dc_cluster_variances(dc_comm *comm, const dc_rows *rows, const float *centers, const int32_t *label,
                               int64_t K, float *out)
{
    return mean_of(comm, rows, centers, label, K, out);
}

dc_status dc_cluster_means(dc_comm *comm, const dc_rows *rows, const int32_t *label, int64_t K, float *out)
{
    return mean_of(comm, rows, NULL, label, K, out);
}
