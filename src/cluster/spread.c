/* Means, variances and inertia of clusters, column by column. Of sparse rows the stored values are summed and counted;
 * the others are known. */
#include <omp.h>

#include "dcmpi/cluster.h"
#include "dcmpi/comm.h"
#include "dcmpi/csr_sum.h"
#include "dcmpi/mem.h"

/* Dense rows are summed for as many clusters at a time as these doubles (32 MiB) hold. */
enum { TILE = 256, PASS_DOUBLES = 1 << 22 };

typedef struct {
    const dc_rows *rows;
    const double *centers; /* [K x d] of the clusters below; NULL: sums are wanted, not squares of differences */
    const int32_t *label;  /* NULL: all rows are in cluster 0 */
    int64_t first, K, d;   /* clusters [first, first + K) */
    float *tile;           /* [threads x TILE x d], if the rows are not in an array */
} spread;

/* Rows [lo, lo + n) of at most TILE. */
static const float *load(const spread *s, int64_t lo, int64_t n, int thread)
{
    float *tile = s->tile + thread * TILE * s->d;
    if (s->rows->X) return s->rows->X + lo * s->d;
    s->rows->rows(s->rows->ctx, lo, n, tile);
    return tile;
}

/* Counted from the first; below 0, or K and more: not one of them. */
static int64_t cluster_of(const spread *s, int64_t row)
{
    return (s->label ? s->label[row] : 0) - s->first;
}

static void add_rows(const spread *s, int64_t lo, int64_t n, const float *z, double *leaf)
{
    for (int64_t i = 0; i < n; i++) {
        const int64_t k = cluster_of(s, lo + i);
        if (k < 0 || k >= s->K) continue;
        for (int64_t j = 0; j < s->d; j++) {
            const double at = (double)z[i * s->d + j];
            const double e = s->centers ? at - s->centers[k * s->d + j] : 0;
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
    const int64_t k = cluster_of(s, row);
    if (k < 0 || k >= s->K) return;
    const double at = (double)value, e = s->centers ? at - s->centers[k * s->d + column] : 0;
    leaf[k] += s->centers ? e * e : at;
    leaf[s->K + k]++;
}

/* The sum of column c over cluster k, of which total holds that of the stored values. */
static double with_zeros(const spread *s, const double *total, const int64_t *size, int64_t k, int64_t c)
{
    const double *of = total + c * 2 * s->K, center = s->centers ? s->centers[k * s->d + c] : 0;
    return of[k] + ((double)size[k] - of[s->K + k]) * center * center;
}

/* What the sums of K clusters need. */
typedef struct {
    dc_sum *sum; /* or, for sparse rows: */
    dc_csr_sum *by_column;
    int64_t *size;  /* [K] */
    double *total;  /* sums and sizes; for sparse rows [d x 2 K] */
    double *center; /* [K x d], if squares are wanted */
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
static dc_status buffers_init(buffers *b, const dc_rows *rows, int64_t K, bool squares)
{
    dc_status st = DC_OK;
    const size_t d = (size_t)rows->d, k = (size_t)K, tiles = rows->X ? 0 : (size_t)omp_get_max_threads() * TILE;
    const size_t sums = is_sparse(rows) ? dc_mul_size(d, 2 * k) : dc_mul_size(k, d + 1);
    DC_TRY(dc_mem_alloc(&b->total, sums, sizeof *b->total, "moments of clusters"));
    if (squares) DC_TRY(dc_mem_alloc(&b->center, dc_mul_size(k, d), sizeof *b->center, "means of clusters"));
    DC_TRY(dc_mem_alloc(&b->size, k, sizeof *b->size, "sizes of clusters"));
    if (is_sparse(rows)) {
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
    dc_mem_free(&b->center);
    dc_mem_free(&b->tile);
}

static void add_up_sparse(dc_comm *comm, const spread *s, const buffers *b)
{
    for (int64_t k = 0; k < s->K; k++) b->size[k] = 0;
    for (int64_t i = 0; i < dc_part_rows(s->rows->part); i++) {
        const int64_t k = cluster_of(s, i);
        if (k >= 0 && k < s->K) b->size[k]++;
    }
    dc_comm_sum_i64(comm, b->size, (size_t)s->K);
    dc_csr_sum_total(comm, b->by_column, 2 * (size_t)s->K, add_value, s, b->total);
}

static void add_up_dense(dc_comm *comm, spread *s, const buffers *b)
{
    s->tile = b->tile;
    dc_sum_over_blocks(comm, b->sum, add_block, s, b->total);
    for (int64_t k = 0; k < s->K; k++) b->size[k] = (int64_t)b->total[s->K * s->d + k];
}

/* Sets b->total and b->size. */
static void add_up(dc_comm *comm, spread *s, const buffers *b)
{
    if (b->by_column)
        add_up_sparse(comm, s, b);
    else
        add_up_dense(comm, s, b);
}

/* Sum number i of [K x d]. */
static double sum_of(const spread *s, const buffers *b, int64_t i)
{
    return b->by_column ? with_zeros(s, b->total, b->size, i / s->d, i % s->d) : b->total[i];
}

/* The same over the size of its cluster; 0 for a cluster without rows. */
static double mean_of(const spread *s, const buffers *b, int64_t i)
{
    const int64_t size = b->size[i / s->d];
    return size > 0 ? sum_of(s, b, i) / (double)size : 0;
}

/* Begins the piece with cluster k; the last pieces may overlap. */
static void begin_piece(spread *s, int64_t k, int64_t K)
{
    s->first = DC_MIN(k, K - s->K);
    s->centers = NULL;
}

/* Means of the rows, or, with centers, of the squared differences from these. */
static dc_status means_of(dc_comm *comm, const dc_rows *rows, const float *centers, const int32_t *label, int64_t K,
                          float *out)
{
    dc_status st = DC_OK;
    buffers b = {0};
    spread s = {.rows = rows, .label = label, .K = piece_of(rows, K), .d = rows->d};
    DC_TRY_ALL(comm, buffers_init(&b, rows, s.K, centers));
    for (int64_t k = 0; k < K; k += s.K) {
        begin_piece(&s, k, K);
        const int64_t at = s.first * s.d;
        for (int64_t i = 0; centers && i < s.K * s.d; i++) b.center[i] = (double)centers[at + i];
        s.centers = b.center;
        add_up(comm, &s, &b);
        for (int64_t i = 0; i < s.K * s.d; i++) out[at + i] = (float)mean_of(&s, &b, i);
    }
out:
    buffers_release(&b);
    return st;
}

dc_status dc_cluster_variances(dc_comm *comm, const dc_rows *rows, const float *centers, const int32_t *label,
                               int64_t K, float *out)
{
    return means_of(comm, rows, centers, label, K, out);
}

dc_status dc_cluster_means(dc_comm *comm, const dc_rows *rows, const int32_t *label, int64_t K, float *out)
{
    return means_of(comm, rows, NULL, label, K, out);
}

dc_status dc_cluster_inertia(dc_comm *comm, const dc_rows *rows, const int32_t *label, int64_t K, int64_t *size,
                             double *out)
{
    dc_status st = DC_OK;
    buffers b = {0};
    spread s = {.rows = rows, .label = label, .K = piece_of(rows, K), .d = rows->d};
    *out = 0;
    DC_TRY_ALL(comm, buffers_init(&b, rows, s.K, true));
    for (int64_t k = 0; k < K; k += s.K) {
        begin_piece(&s, k, K);
        add_up(comm, &s, &b);
        for (int64_t i = 0; i < s.K * s.d; i++) b.center[i] = mean_of(&s, &b, i);
        s.centers = b.center;
        add_up(comm, &s, &b);
        for (int64_t i = (k - s.first) * s.d; i < s.K * s.d; i++) *out += sum_of(&s, &b, i);
        for (int64_t i = 0; size && i < s.K; i++) size[s.first + i] = b.size[i];
    }
out:
    buffers_release(&b);
    return st;
}

dc_status dc_cluster_means_bytes(const dc_rows *rows, int64_t K, size_t *bytes)
{
    buffers b = {0};
    const size_t before = dc_mem_current_bytes();
    const dc_status st = buffers_init(&b, rows, piece_of(rows, K), false);
    *bytes = dc_mem_current_bytes() - before;
    buffers_release(&b);
    return st;
}
