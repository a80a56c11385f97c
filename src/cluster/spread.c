/* Means and variances of clusters, column by column. Of sparse rows the stored values are summed and counted; the
 * others are known. */
#include <omp.h>

#include "dcmpi/cluster.h"
#include "dcmpi/comm.h"
#include "dcmpi/csr_sum.h"
#include "dcmpi/mem.h"

/* Dense rows are summed for as many clusters at a time as these doubles (32 MiB) hold. */
enum { TILE = 256, PASS_DOUBLES = 1 << 22 };

typedef struct {
    const dc_rows *rows;
    const float *centers; /* [K x d] of clusters first..; NULL: sums are wanted, not squares */
    const int32_t *label;
    int64_t first, K, d; /* clusters [first, first + K) */
    float *tile;         /* [threads x TILE x d], if the rows are not in an array */
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
        const int64_t k = s->label[lo + i] - s->first;
        if (k < 0 || k >= s->K) continue;
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
    if (k < 0 || k >= s->K) return;
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

/* What the sums of K clusters need. */
typedef struct {
    dc_sum *sum; /* or, for sparse rows: */
    dc_csr_sum *by_column;
    int64_t *size; /* [K] */
    double *total; /* sums and sizes; for sparse rows [d x 2 K] */
    float *tile;
} buffers;

static bool is_sparse(const dc_rows *rows)
{
    return rows->csr && dc_csr_pays(rows->csr, rows->part->N);
}

/* Clusters that are summed together. */
static int64_t piece_of(const dc_rows *rows, int64_t K)
{
    return is_sparse(rows) ? K : DC_MIN(K, DC_MAX(1, PASS_DOUBLES / (rows->d + 1)));
}

/* K: clusters that are summed together. */
static dc_status buffers_init(buffers *b, const dc_rows *rows, int64_t K)
{
    dc_status st = DC_OK;
    const size_t d = (size_t)rows->d, k = (size_t)K, tiles = rows->X ? 0 : (size_t)omp_get_max_threads() * TILE;
    const size_t sums = is_sparse(rows) ? dc_mul_size(d, 2 * k) : dc_mul_size(k, d + 1);
    DC_TRY(dc_mem_alloc(&b->total, sums, sizeof *b->total, "moments of clusters"));
    if (is_sparse(rows)) {
        DC_TRY(dc_mem_alloc(&b->size, k, sizeof *b->size, "sizes of clusters"));
        DC_TRY(dc_csr_sum_create(&b->by_column, rows->part, rows->csr, 2 * k));
    } else {
        DC_TRY(dc_mem_alloc(&b->tile, tiles * d, sizeof *b->tile, "tiles of rows"));
        DC_TRY(dc_sum_create(&b->sum, rows->part, sums));
    }
out:
    return st;
}

static void buffers_release(buffers *b)
{
    dc_sum_destroy(&b->sum);
    dc_csr_sum_destroy(&b->by_column);
    dc_mem_free(&b->size);
    dc_mem_free(&b->total);
    dc_mem_free(&b->tile);
}

static void sparse_mean_of(dc_comm *comm, const spread *s, const buffers *b, float *out)
{
    for (int64_t i = 0; i < dc_part_rows(s->rows->part); i++)
        if (s->label[i] >= 0 && s->label[i] < s->K) b->size[s->label[i]]++;
    dc_comm_sum_i64(comm, b->size, (size_t)s->K);
    dc_csr_sum_total(comm, b->by_column, 2 * (size_t)s->K, add_value, s, b->total);
    for (int64_t k = 0; k < s->K; k++)
        for (int64_t c = 0; c < s->d; c++)
            out[k * s->d + c] =
                b->size[k] > 0 ? (float)(with_zeros(s, b->total, b->size, k, c) / (double)b->size[k]) : 0;
}

static void dense_mean_of(dc_comm *comm, spread *s, const buffers *b, float *out)
{
    const int64_t n = s->K * s->d;
    s->tile = b->tile;
    dc_sum_over_blocks(comm, b->sum, add_block, s, b->total);
    for (int64_t i = 0; i < n; i++) {
        const double size = b->total[n + i / s->d];
        out[i] = size > 0 ? (float)(b->total[i] / size) : 0;
    }
}

static dc_status mean_of(dc_comm *comm, const dc_rows *rows, const float *centers, const int32_t *label, int64_t K,
                         float *out)
{
    dc_status st = DC_OK;
    buffers b = {0};
    const int64_t piece = piece_of(rows, K);
    spread s = {.rows = rows, .label = label, .K = piece, .d = rows->d};
    DC_TRY_ALL(comm, buffers_init(&b, rows, piece));
    for (int64_t k = 0; k < K; k += piece) {
        s.first = DC_MIN(k, K - piece); /* the last pieces may overlap */
        s.centers = centers ? centers + s.first * s.d : NULL;
        if (b.by_column)
            sparse_mean_of(comm, &s, &b, out);
        else
            dense_mean_of(comm, &s, &b, out + s.first * s.d);
    }
out:
    buffers_release(&b);
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

dc_status dc_cluster_means_bytes(const dc_rows *rows, int64_t K, size_t *bytes)
{
    buffers b = {0};
    const size_t before = dc_mem_current_bytes();
    const dc_status st = buffers_init(&b, rows, piece_of(rows, K));
    *bytes = dc_mem_current_bytes() - before;
    buffers_release(&b);
    return st;
}
