/* Products of rows with landmarks in tiles of fixed height, each by one thread: a row's bits depend on its place in its
 * block alone. */
#include "landmark.h"

#include <math.h>
#include <string.h>

#include "dcmpi/la.h"

/* Rows of length 1; rows of zeros stay. */
static void to_unit(float *x, int64_t n, int64_t d)
{
    for (int64_t i = 0; i < n; i++) {
        double square = 0;
        for (int64_t j = 0; j < d; j++) square += (double)x[i * d + j] * (double)x[i * d + j];
        const float by = square > 0 ? (float)(1 / sqrt(square)) : 0;
        for (int64_t j = 0; j < d; j++) x[i * d + j] *= by;
    }
}

static void load(const dc_mixtures *a, int64_t lo, int64_t n, float *x)
{
    const int64_t d = a->rows->d;
    if (a->rows->X)
        memcpy(x, a->rows->X + lo * d, (size_t)(n * d) * sizeof *x);
    else
        a->rows->rows(a->rows->ctx, lo, n, x);
    memset(x + n * d, 0, (size_t)((DC_LANDMARK_TILE - n) * d) * sizeof *x);
    if (a->cosine) to_unit(x, n, d);
}

/* The largest of softmax(p + bias), or of max(0, p), divided by their sum; a row of zeros stays. */
static void mix(const dc_mixtures *a, float *p)
{
    float most = -INFINITY, sum = 0;
    for (int64_t l = 0; l < a->m; l++) {
        p[l] = !a->cosine ? p[l] + a->bias[l] : p[l] < 0 ? 0 : p[l]; /* NaN stays, and is refused */
        most = fmaxf(most, p[l]);
    }
    for (int64_t l = 0; l < a->m && !a->cosine; l++) p[l] = expf(p[l] - most);
    dc_keep_largest(a->m, a->nearest, p);
    for (int64_t l = 0; l < a->m; l++) sum += p[l];
    for (int64_t l = 0; l < a->m && sum > 0; l++) p[l] /= sum;
}

/* P of `n` rows from local row lo, at most a tile. */
static float *mixtures_of(const dc_mixtures *a, int64_t lo, int64_t n, int thread)
{
    const int64_t d = a->rows->d, m = a->m;
    float *p = a->p + thread * DC_LANDMARK_TILE * m, *x = a->x + thread * DC_LANDMARK_TILE * d;
    load(a, lo, n, x);
    dc_gemm(DC_N, DC_N, DC_LANDMARK_TILE, m, d, 1, x, d, a->weight, m, 0, p, m);
    for (int64_t i = 0; i < n; i++) mix(a, p + i * m);
    return p;
}

/* Adds p'p, of which few elements are not 0, and p. */
static void add_row(const float *p, int64_t m, double *leaf)
{
    for (int64_t l = 0; l < m; l++) {
        if (p[l] == 0) continue;
        leaf[m * m + l] += (double)p[l];
        for (int64_t k = 0; k <= l; k++) leaf[l * m + k] += (double)p[l] * (double)p[k];
    }
}

void dc_landmark_sums(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const dc_mixtures *a = ctx;
    for (int64_t lo = block->lo; lo < block->hi; lo += DC_LANDMARK_TILE) {
        const int64_t n = DC_MIN(block->hi - lo, (int64_t)DC_LANDMARK_TILE);
        const float *p = mixtures_of(a, lo, n, thread);
        for (int64_t i = 0; i < n; i++) add_row(p + i * a->m, a->m, leaf);
    }
}

void dc_landmark_place(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const dc_mixtures *a = ctx;
    const int64_t K = a->K, m = a->m;
    float *u = a->placed + thread * DC_LANDMARK_TILE * K;
    (void)leaf;
    for (int64_t lo = block->lo; lo < block->hi; lo += DC_LANDMARK_TILE) {
        const int64_t n = DC_MIN(block->hi - lo, (int64_t)DC_LANDMARK_TILE);
        const float *p = mixtures_of(a, lo, n, thread);
        dc_gemm(DC_N, DC_N, DC_LANDMARK_TILE, K, m, 1, p, m, a->extension, K, 0, u, K);
        to_unit(u, n, K);
        memcpy(a->u + lo * K, u, (size_t)(n * K) * sizeof *u);
    }
}

void dc_landmark_distances(const float *M, int64_t m, int64_t d, double *square)
{
#pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < m; j++) {
            double sum = 0;
            for (int64_t c = 0; c < d; c++) {
                const double e = (double)M[i * d + c] - (double)M[j * d + c];
                sum += e * e;
            }
            square[i * m + j] = sum;
        }
}
