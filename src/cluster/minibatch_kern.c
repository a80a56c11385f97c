/* A step of mini-batch k-means: labels of a batch, and centres that move. */
#include "minibatch_impl.h"

#include <math.h>
#include <omp.h>
#include <string.h>

/* Values beyond this, in units of the spread of the centres, could overflow products in float. */
static const float FAR = 1e15F;

static bool is_far(const dc_km_tiles *tiles, const float *x)
{
    for (int64_t c = 0; c < tiles->d; c++)
        if (!(fabsf(x[c]) * tiles->unit < FAR)) return true;
    return false;
}

void dc_mb_label(const dc_km_tiles *tiles, const dc_km_centers *centers, int64_t n, int32_t *label, double *leaf)
{
    const dc_km_assign assign = {.tiles = tiles, .centers = centers, .label = label};
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t lo = 0; lo < n; lo += DC_KM_TILE) {
        const int thread = omp_get_thread_num();
        const dc_block block = {.lo = lo, .hi = DC_MIN(lo + DC_KM_TILE, n)};
        dc_km_block_assign((void *)(uintptr_t)&assign, &block, thread, leaf + (int64_t)thread * (1 + tiles->K));
        for (int64_t i = block.lo; i < block.hi; i++) {
            const float *x = tiles->rows->X + i * tiles->d;
            if (is_far(tiles, x)) dc_nearest(x, centers->at, 1, tiles->K, tiles->d, label + i);
        }
    }
}

/* The centre stands for `count` rows; the `more` new ones have this sum. */
static void move_center(const dc_kmeans_config *cfg, const double *sum, int64_t count, int64_t more, int64_t d,
                        float *center)
{
    double squares = 0;
    for (int64_t c = 0; c < d; c++) {
        const double mean = (double)center[c] + (sum[c] - (double)more * (double)center[c]) / (double)(count + more);
        center[c] = (float)mean;
        squares += mean * mean;
    }
    if (!cfg->spherical || squares == 0) return;
    for (int64_t c = 0; c < d; c++) center[c] = (float)((double)center[c] / sqrt(squares));
}

void dc_mb_move(const dc_kmeans_config *cfg, const float *X, const int32_t *label, int64_t n, int64_t d, float *centers,
                int64_t *count, double *sum, int64_t *more)
{
    for (int64_t i = 0; i < n; i++) {
        double *restrict to = sum + label[i] * d;
        for (int64_t c = 0; c < d; c++) to[c] += (double)X[i * d + c];
        more[label[i]]++;
    }
    for (int64_t i = 0; i < n; i++) {
        const int64_t k = label[i];
        if (more[k] == 0) continue;
        move_center(cfg, sum + k * d, count[k], more[k], d, centers + k * d);
        count[k] += more[k];
        more[k] = 0;
        memset(sum + k * d, 0, (size_t)d * sizeof *sum);
    }
}
