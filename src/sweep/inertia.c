/* Inertia of given labels, and the criterion that is made from one. */
#include <math.h>
#include <omp.h>

#include "dcmpi/comm.h"
#include "dcmpi/csr_sum.h"
#include "dcmpi/mem.h"
#include "dcmpi/sum.h"
#include "dcmpi/sweep.h"

double dc_sweep_bic(const int64_t *size, int64_t K, int64_t N, int64_t d, double inertia)
{
    static const double LEAST = 1e-300, PI = 3.14159265358979323846;
    const double rows = (double)N, values = rows * (double)d, degrees = (double)d * (rows - (double)K);
    const double variance = fmax(degrees > 0 ? inertia / degrees : 0, LEAST);
    double log_l = -0.5 * values * log(2 * PI * variance) - 0.5 * inertia / variance;
    for (int64_t k = 0; k < K; k++)
        if (size[k] > 0) log_l += (double)size[k] * log((double)size[k] / rows);
    return -2 * log_l + (double)(K + K * d) * log(rows);
}

enum { TILE_ROWS = 256 };
typedef struct {
    const dc_rows *rows;
    const int32_t *label; /* NULL: all rows are in cluster 0 */
    int64_t K;
    const double *mean; /* [K x d]; NULL in the first pass */
    float *tile;        /* [threads x TILE_ROWS x d], if the rows are not an array */
} pass;

/* First pass: sums of the rows of each cluster and their numbers; second: squared distances from the means. */
static void add_row(const pass *p, const float *x, int64_t k, double *leaf)
{
    const int64_t d = p->rows->d;
    if (!p->mean) {
        for (int64_t c = 0; c < d; c++) leaf[k * d + c] += (double)x[c];
        leaf[p->K * d + k] += 1;
        return;
    }
    double square = 0;
    for (int64_t c = 0; c < d; c++) {
        const double t = (double)x[c] - p->mean[k * d + c];
        square += t * t;
    }
    leaf[0] += square;
}

static void add_block(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const pass *p = ctx;
    const dc_rows *rows = p->rows;
    float *tile = p->tile + (int64_t)thread * TILE_ROWS * rows->d;
    for (int64_t lo = block->lo; lo < block->hi; lo += TILE_ROWS) {
        const int64_t n = DC_MIN(block->hi - lo, (int64_t)TILE_ROWS);
        if (!rows->X) rows->rows(rows->ctx, lo, n, tile);
        const float *X = rows->X ? rows->X + lo * rows->d : tile;
        for (int64_t i = 0; i < n; i++) add_row(p, X + i * rows->d, p->label ? p->label[lo + i] : 0, leaf);
    }
}

static dc_status make(const pass *p, float **tile, double **total, dc_sum **sums, dc_sum **squares)
{
    dc_status st = DC_OK;
    const size_t values = dc_mul_size((size_t)p->K, (size_t)p->rows->d + 1);
    const size_t tiles = p->rows->X ? 0 : (size_t)omp_get_max_threads() * TILE_ROWS;
    DC_TRY(dc_mem_alloc(tile, dc_mul_size(tiles, (size_t)p->rows->d), sizeof **tile, "rows of a tile"));
    DC_TRY(dc_mem_alloc(total, values, sizeof **total, "sums of clusters"));
    DC_TRY(dc_sum_create(sums, p->rows->part, values));
    DC_TRY(dc_sum_create(squares, p->rows->part, 1));
out:
    return st;
}

/* ---- Sparse rows ------------------------------------------------------------------------------------------------- */

/* leaf: in the first pass sums [K]; in the second squared distances of the stored values [K], then their number [K]. */
static void add_value(const void *ctx, int64_t column, int64_t row, float value, double *leaf)
{
    const pass *p = ctx;
    const int64_t k = p->label ? p->label[row] : 0;
    const double t = (double)value - (p->mean ? p->mean[k * p->rows->d + column] : 0);
    leaf[k] += p->mean ? t * t : t;
    if (p->mean) leaf[p->K + k]++;
}

/* Turns sums [d x K] into means [K x d]. */
static void take_means(const pass *p, const double *total, const int64_t *size, double *mean)
{
    for (int64_t k = 0; k < p->K; k++)
        for (int64_t c = 0; c < p->rows->d; c++)
            mean[k * p->rows->d + c] = size[k] > 0 ? total[c * p->K + k] / (double)size[k] : 0;
}

/* The sum over all clusters and columns; values that are not stored are zero. */
static double add_up(const pass *p, const double *total, const int64_t *size)
{
    double sum = 0;
    for (int64_t c = 0; c < p->rows->d; c++)
        for (int64_t k = 0; k < p->K; k++) {
            const double *of = total + c * 2 * p->K, mean = p->mean[k * p->rows->d + c];
            sum += of[k] + ((double)size[k] - of[p->K + k]) * mean * mean;
        }
    return sum;
}

static dc_status make_sparse(const pass *p, dc_csr_sum **sum, double **total, double **mean, int64_t **size)
{
    dc_status st = DC_OK;
    const size_t K = (size_t)p->K, d = (size_t)p->rows->d;
    DC_TRY(dc_csr_sum_create(sum, p->rows->part, p->rows->csr, 2 * K));
    DC_TRY(dc_mem_alloc(total, dc_mul_size(2 * K, d), sizeof **total, "sums of clusters"));
    DC_TRY(dc_mem_alloc(mean, dc_mul_size(K, d), sizeof **mean, "means of clusters"));
    DC_TRY(dc_mem_alloc(size, K, sizeof **size, "sizes of clusters"));
out:
    return st;
}

/* Column by column, in time that follows the number of values. */
static dc_status sparse_inertia(dc_comm *comm, pass *p, int64_t *size, double *out)
{
    dc_status st = DC_OK;
    dc_csr_sum *sum = NULL;
    double *total = NULL, *mean = NULL;
    int64_t *count = NULL;
    DC_TRY_ALL(comm, make_sparse(p, &sum, &total, &mean, &count));
    for (int64_t i = 0; i < dc_part_rows(p->rows->part); i++) count[p->label ? p->label[i] : 0]++;
    dc_comm_sum_i64(comm, count, (size_t)p->K);
    dc_csr_sum_total(comm, sum, (size_t)p->K, add_value, p, total);
    take_means(p, total, count, mean);
    p->mean = mean;
    dc_csr_sum_total(comm, sum, 2 * (size_t)p->K, add_value, p, total);
    *out = add_up(p, total, count);
    for (int64_t k = 0; size && k < p->K; k++) size[k] = count[k];
out:
    dc_csr_sum_destroy(&sum);
    dc_mem_free(&total);
    dc_mem_free(&mean);
    dc_mem_free(&count);
    return st;
}

dc_status dc_sweep_inertia(dc_comm *comm, const dc_rows *rows, const int32_t *label, int64_t K, int64_t *size,
                           double *out)
{
    dc_status st = DC_OK;
    dc_sum *sums = NULL, *squares = NULL;
    double *total = NULL;
    float *tile = NULL;
    const int64_t d = rows->d;
    pass p = {.rows = rows, .label = label, .K = K};
    if (rows->csr && dc_csr_pays(rows->csr, rows->part->N)) return sparse_inertia(comm, &p, size, out);
    DC_TRY_ALL(comm, make(&p, &tile, &total, &sums, &squares));
    p.tile = tile;
    dc_sum_over_blocks(comm, sums, add_block, &p, total);
    for (int64_t k = 0; k < K; k++) {
        const double rows_of = total[K * d + k];
        for (int64_t c = 0; c < d && rows_of > 0; c++) total[k * d + c] /= rows_of;
        if (size) size[k] = (int64_t)rows_of;
    }
    p.mean = total;
    dc_sum_over_blocks(comm, squares, add_block, &p, out);
out:
    dc_sum_destroy(&sums);
    dc_sum_destroy(&squares);
    dc_mem_free(&total);
    dc_mem_free(&tile);
    return st;
}
