/* Images of rows: what the products of the search are made of. */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "dcmpi/la.h"
#include "graph/knn.h"

const float *dc_knn_load(const dc_rows *rows, int64_t lo, int64_t n, float *x)
{
    if (rows->X) return rows->X + lo * rows->d;
    rows->rows(rows->ctx, lo, n, x);
    return x;
}

/* ---- Place and unit ---------------------------------------------------------------------------------------------- */

void dc_knn_block_columns(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const dc_knn_measure *m = ctx;
    const int64_t d = m->rows->d;
    for (int64_t lo = block->lo; lo < block->hi; lo += DC_KNN_TILE) {
        const int64_t n = DC_MIN(block->hi - lo, (int64_t)DC_KNN_TILE);
        const float *restrict x = dc_knn_load(m->rows, lo, n, m->scratch[thread].x);
        for (int64_t i = 0; i < n; i++)
            for (int64_t c = 0; c < d; c++) leaf[c] += (double)x[i * d + c];
    }
}

/* Infinite if a value is not finite: NaN is not below any number. */
static float farthest(const float *restrict x, const float *restrict shift, int64_t d)
{
    float most = 0;
    bool finite = true;
    for (int64_t c = 0; c < d; c++) {
        const float far = fabsf(x[c] * 0.5F - shift[c] * 0.5F);
        most = far > most ? far : most;
        finite &= far < INFINITY;
    }
    return finite ? most : INFINITY;
}

double dc_knn_reach(const dc_knn_image *m, const dc_knn_scratch *scratch)
{
    const dc_rows *rows = m->rows;
    const int64_t n = dc_part_rows(rows->part), d = rows->d;
    float most = 0;
#pragma omp parallel for schedule(dynamic) reduction(max : most)
    for (int64_t lo = 0; lo < n; lo += DC_KNN_TILE) {
        const int64_t tile = DC_MIN(n - lo, (int64_t)DC_KNN_TILE);
        const float *x = dc_knn_load(rows, lo, tile, scratch[omp_get_thread_num()].x);
        for (int64_t i = 0; i < tile; i++) {
            const float far = farthest(x + i * d, m->shift, d);
            most = far > most ? far : most;
        }
    }
    return 2 * (double)most;
}

/* Let u and v be images and e = 2^-24. The image of a row has a relative error of e per value, so a squared distance
 * has one of at most 4 e (|u|^2 + |v|^2). The product in float of d terms, twice, has one of d e (|u|^2 + |v|^2) in any
 * order of summation (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1); the sum of `low` and the
 * product, and rounding these, of 3 e (|u|^2 + |v|^2). The hundredth covers the rounding of these bounds themselves and
 * of sums in double. Each term that underflows has an error of 2^-126. */
void dc_knn_settle(dc_knn_image *m, double reach)
{
    enum { EXPONENT_MAX = 120 };
    const double e = 0x1p-24, width = (double)m->rows->d;
    int exponent = 0;
    frexp(reach, &exponent); /* 0 for 0 */
    exponent = DC_MAX(-EXPONENT_MAX, DC_MIN(exponent, EXPONENT_MAX));
    m->unit = ldexpf(1, -exponent);
    m->scale = m->metric == DC_METRIC_COSINE ? 2 : (double)m->unit * (double)m->unit;
    m->error = (1.01 + 2 * width * e) * (width + 8) * e;
    m->tiny = width * 0x1p-124;
}

/* ---- Images ------------------------------------------------------------------------------------------------------ */

/* With a single rounding, as both products are exact. */
static void shift_row(const dc_knn_image *m, const float *restrict x, float *restrict image)
{
    const float *restrict shift = m->shift, unit = m->unit;
    for (int64_t c = 0; c < m->rows->d; c++) image[c] = x[c] * unit - shift[c] * unit;
}

static void stretch_row(const float *restrict x, int64_t d, double square, float *restrict image)
{
    const double by = square > 0 ? 1 / sqrt(square) : 0;
    for (int64_t c = 0; c < d; c++) image[c] = (float)((double)x[c] * by);
}

double dc_knn_project_row(const dc_knn_image *m, const float *x, float *image)
{
    const int64_t d = m->rows->d;
    if (m->metric == DC_METRIC_COSINE)
        stretch_row(x, d, dc_row_product(x, x, d), image);
    else
        shift_row(m, x, image);
    return dc_row_product(image, image, d);
}

/* Places behind the last row of a block are as far as can be. */
void dc_knn_project(const dc_knn_image *m, dc_knn_block *block)
{
    const int64_t d = m->rows->d, end = (block->n + DC_KNN_CHUNK - 1) / DC_KNN_CHUNK * DC_KNN_CHUNK;
#pragma omp parallel for
    for (int64_t j = 0; j < block->n; j++) {
        const double square = dc_knn_project_row(m, block->X + j * d, block->image + j * d);
        block->low[j] = nextafterf((float)((1 - m->error) * square), -INFINITY);
        if (m->metric == DC_METRIC_COSINE) block->norm[j] = dc_row_product(block->X + j * d, block->X + j * d, d);
    }
    for (int64_t j = block->n; j < end; j++) block->low[j] = INFINITY;
}
