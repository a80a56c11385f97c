/* Projects rows onto their components, and divides what comes out by its norm. As in all products, the bits of a dense
 * row may depend on its place in its tile: a row's place is its global number modulo the rows of a tile, and places
 * without a row hold zeros. */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "data_priv.h"
#include "dcmpi/la.h"

enum { TILE = DC_ROW_TILE };

double dc_data_norm(dc_row_norm norm, const float *x, int64_t n)
{
    double sum = 0, most = 0;
    for (int64_t c = 0; norm == DC_ROW_NORM_L2 && c < n; c++) sum += (double)x[c] * (double)x[c];
    for (int64_t c = 0; norm == DC_ROW_NORM_L1 && c < n; c++) sum += fabs((double)x[c]);
    for (int64_t c = 0; norm == DC_ROW_NORM_MAX && c < n; c++) most = fmax(most, fabs((double)x[c]));
    return norm == DC_ROW_NORM_L2 ? sqrt(sum) : norm == DC_ROW_NORM_L1 ? sum : most;
}

/* out[k] = y minus the offset, divided by its norm. */
static void finish_row(const dc_dataset *d, const float *y, float *out)
{
    const int64_t k = d->pca.k;
    for (int64_t j = 0; j < k; j++) out[j] = d->pca.offset ? y[j] - d->pca.offset[j] : y[j];
    const double norm = dc_data_norm(d->norm, out, k);
    for (int64_t j = 0; norm > 0 && j < k; j++) out[j] = (float)((double)out[j] / norm);
}

/* z: scratch of k doubles. */
static void project_sparse(const dc_dataset *d, int64_t i, double *restrict z, float *y, float *out)
{
    const dc_csr *m = &d->csr;
    const int64_t k = d->pca.k;
    memset(z, 0, (size_t)k * sizeof *z);
    for (int64_t e = m->ptr[i]; e < m->ptr[i + 1]; e++) {
        const double v = (double)dc_csr_value(m, i, e);
        const float *restrict w = d->pca.projection + (int64_t)m->col[e] * k;
#pragma omp simd
        for (int64_t j = 0; j < k; j++) z[j] += v * (double)w[j];
    }
    for (int64_t j = 0; j < k; j++) y[j] = (float)z[j];
    finish_row(d, y, out);
}

static void project_tile(const dc_dataset *d, int64_t lo, int64_t n, float *x, float *y, float *Z)
{
    const int64_t D = d->D, k = d->pca.k;
    for (int64_t p = 0; p < TILE; p++)
        if (lo + p >= 0 && lo + p < n)
            dc_data_scaled_row(d, lo + p, x + p * D);
        else
            memset(x + p * D, 0, (size_t)D * sizeof *x);
    dc_gemm_rows(TILE, TILE, k, D, x, D, d->pca.projection, k, y, k);
    const int64_t from = DC_MAX(lo, (int64_t)0), to = DC_MIN(lo + TILE, n);
    for (int64_t i = from; i < to; i++) finish_row(d, y + (i - lo) * k, Z + i * k);
}

void dc_data_project(const dc_dataset *data, dc_gidx first, int64_t n, float *x, float *y, float *Z)
{
    const int64_t begin = first / TILE, end = (first + n + TILE - 1) / TILE;
    if (n == 0) return;
    if (dc_dataset_is_sparse(data) && data->zeros_stay) {
#pragma omp parallel for schedule(dynamic, TILE)
        for (int64_t i = 0; i < n; i++) {
            float *tile = y + omp_get_thread_num() * TILE * data->pca.k; /* room for k doubles and k floats */
            void *doubles = tile;
            project_sparse(data, i, doubles, tile + 2 * data->pca.k, Z + i * data->pca.k);
        }
        return;
    }
#pragma omp parallel for schedule(dynamic)
    for (int64_t t = begin; t < end; t++) {
        const int64_t thread = omp_get_thread_num();
        project_tile(data, t * TILE - first, n, x + thread * TILE * data->D, y + thread * TILE * data->pca.k, Z);
    }
}
