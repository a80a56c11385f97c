/* Means and variances of clusters, column by column. Of sparse rows the stored values are summed and counted; the
 * others are known. */
#include <omp.h>

#include "dcmpi/cluster.h"
#include "dcmpi/comm.h"
#include "dcmpi/csr_sum.h"
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

/* leaf: sums [K], then how many values they are of [K]. */
static void add_value(const void *ctx, int64_t column, int64_t row, float value, double *leaf)
{
    const spread *s = ctx;
    const int64_t k = s->label[row];
    const double at = (double)value, e = s->centers ? at - (double)s->centers[k * s->d + column] : 0;
    leaf[k] += s->centers ? e * e : at;
    leaf[s->K + k]++;
}

/* The sum of column c over cluster k, of which total holds that of the stored values. */
static double with_zeros(const spread *s, const double *total, const int64_t *size, int64_t k, int64_t c)
{
    const double *of = total + c * 2 * s->K, center = s->centers ? (double)s->centers[k * s->d + c] : 0;
    return of[k] + ((double)size[k] - of[s->K + k]) * center * center;
}

static dc_status sparse_mean_of(dc_comm *comm, const dc_rows *rows, const spread *s, float *out)
{
    dc_status st = DC_OK;
    dc_csr_sum *sum = NULL;
    double *total = NULL;
    int64_t *size = NULL;
    const size_t m = 2 * (size_t)s->K;
    DC_TRY_ALL(comm, dc_mem_alloc(&total, dc_mul_size((size_t)s->d, m), sizeof *total, "moments of clusters"));
    DC_TRY_ALL(comm, dc_mem_alloc(&size, (size_t)s->K, sizeof *size, "sizes of clusters"));
    DC_TRY_ALL(comm, dc_csr_sum_create(&sum, rows->part, rows->csr, m));
    for (int64_t i = 0; i < dc_part_rows(rows->part); i++) size[s->label[i]]++;
    dc_comm_sum_i64(comm, size, (size_t)s->K);
    dc_csr_sum_total(comm, sum, m, add_value, s, total);
    for (int64_t k = 0; k < s->K; k++)
        for (int64_t c = 0; c < s->d; c++)
            out[k * s->d + c] = size[k] > 0 ? (float)(with_zeros(s, total, size, k, c) / (double)size[k]) : 0;
out:
    dc_csr_sum_destroy(&sum);
    dc_mem_free(&total);
    dc_mem_free(&size);
    return st;
}

static dc_status mean_of(dc_comm *comm, const dc_rows *rows, const float *centers, const int32_t *label, int64_t K,
                         float *out)
{
    dc_status st = DC_OK;
    dc_sum *sum = NULL;
    double *total = NULL;
    const int64_t d = rows->d, n = K * d;
    spread s = {.rows = rows, .centers = centers, .label = label, .K = K, .d = d};
    if (rows->csr && dc_csr_pays(rows->csr, rows->part->N)) return sparse_mean_of(comm, rows, &s, out);
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
