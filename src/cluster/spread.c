/* Means and variances of clusters, column by column. */
#include <omp.h>

#include "dcmpi/cluster.h"
#include "dcmpi/comm.h"
#include "dcmpi/mem.h"

enum { TILE = 256 };

typedef struct {
    const dc_rows *rows;
    const float *centers; /* NULL: sums are wanted, not squares */
    const int32_t *label;
    int64_t K, d;
    float *tile; /* [threads x TILE x d], if the rows are not in an array */
} spread;

/* Rows [lo, lo + n) of at most TILE. */
static const float *load(const spread *s, int64_t lo, int64_t n, int thread)
{
    float *tile = s->tile + thread * TILE * s->d;
    if (s->rows->X) return s->rows->X + lo * s->d;
    s->rows->rows(s->rows->ctx, lo, n, tile);
    return tile;
}

static void add_rows(const spread *s, int64_t lo, int64_t n, const float *z, double *leaf)
{
    for (int64_t i = 0; i < n; i++) {
        const int64_t k = s->label[lo + i];
        for (int64_t j = 0; j < s->d; j++) {
            const double at = (double)z[i * s->d + j];
            const double e = s->centers ? at - (double)s->centers[k * s->d + j] : 0;
            leaf[k * s->d + j] += s->centers ? e * e : at;
        }
        leaf[s->K * s->d + k]++;
    }
}

/* leaf: sums [K x d], then sizes [K]. */
static void add_block(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const spread *s = ctx;
    for (int64_t lo = block->lo; lo < block->hi; lo += TILE) {
        const int64_t n = DC_MIN(block->hi - lo, (int64_t)TILE);
        add_rows(s, lo, n, load(s, lo, n, thread), leaf);
    }
}

static dc_status mean_of(dc_comm *comm, const dc_rows *rows, const float *centers, const int32_t *label, int64_t K,
                         float *out)
{
    dc_status st = DC_OK;
    dc_sum *sum = NULL;
    double *total = NULL;
    const int64_t d = rows->d, n = K * d;
    spread s = {.rows = rows, .centers = centers, .label = label, .K = K, .d = d};
    const size_t tiles = rows->rows ? (size_t)omp_get_max_threads() * TILE : 0;
    DC_TRY_ALL(comm, dc_mem_alloc(&s.tile, tiles * (size_t)d, sizeof *s.tile, "tiles of rows"));
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
    dc_mem_free(&s.tile);
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
