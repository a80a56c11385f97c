/* Inertia of given labels, and the criterion that is made from one. */
#include <math.h>
#include <omp.h>

#include "dcmpi/comm.h"
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

dc_status dc_sweep_inertia(dc_comm *comm, const dc_rows *rows, const int32_t *label, int64_t K, int64_t *size,
                           double *out)
{
    dc_status st = DC_OK;
    dc_sum *sums = NULL, *squares = NULL;
    double *total = NULL;
    float *tile = NULL;
    const int64_t d = rows->d;
    pass p = {.rows = rows, .label = label, .K = K};
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
