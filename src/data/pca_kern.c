/* Projects rows onto their principal components. As in all products, the bits of a row may depend on its place in its
 * tile: a row's place is its global number modulo the rows of a tile, and places without a row hold zeros. */
#include <omp.h>
#include <string.h>

#include "data_priv.h"
#include "dcmpi/la.h"

enum { TILE = DC_ROW_TILE };

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
    memcpy(Z + from * k, y + (from - lo) * k, (size_t)((to - from) * k) * sizeof *Z);
}

void dc_data_project(const dc_dataset *data, dc_gidx first, int64_t n, float *x, float *y, float *Z)
{
    const int64_t begin = first / TILE, end = (first + n + TILE - 1) / TILE;
    if (n == 0) return;
#pragma omp parallel for schedule(dynamic)
    for (int64_t t = begin; t < end; t++) {
        const int64_t thread = omp_get_thread_num();
        project_tile(data, t * TILE - first, n, x + thread * TILE * data->D, y + thread * TILE * data->pca.k, Z);
    }
}
