/* Nearest centre of each row, exactly: squared distances are summed from the differences in double, so that a label is
 * a function of the row and the centres alone. Slower than the GEMM of the k-means iterations, and done once. */
#include <math.h>

#include "softassign_impl.h"

/* At most LANES rows. */
static double nearest_group(const float *X, const float *M, int64_t n, int64_t K, int64_t d, int32_t *label)
{
    dc_soft_lane distance[DC_SOFT_CENTERS], best;
    int32_t index[DC_SOFT_LANES] = {0};
    double sum = 0;
    for (int l = 0; l < DC_SOFT_LANES; l++) best[l] = INFINITY;
    for (int64_t k0 = 0; k0 < K; k0 += DC_SOFT_CENTERS) {
        const int64_t m = DC_MIN(K - k0, (int64_t)DC_SOFT_CENTERS);
        dc_soft_distances(X, n, M, k0, m, d, distance);
        for (int64_t k = 0; k < m; k++) {
            for (int l = 0; l < DC_SOFT_LANES; l++) {
                const bool closer = distance[k][l] < best[l];
                best[l] = closer ? distance[k][l] : best[l];
                index[l] = closer ? (int32_t)(k0 + k) : index[l];
            }
        }
    }
    for (int64_t l = 0; l < n; l++) {
        label[l] = index[l];
        sum += best[l];
    }
    return sum;
}

double dc_nearest_rows(const float *X, const float *M, int64_t n, int64_t K, int64_t d, int32_t *label)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i += DC_SOFT_LANES)
        sum += nearest_group(X + i * d, M, DC_MIN(n - i, (int64_t)DC_SOFT_LANES), K, d, label + i);
    return sum;
}

void dc_nearest(const float *X, const float *M, int64_t n, int64_t K, int64_t d, int32_t *label)
{
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i += DC_SOFT_TILE)
        (void)dc_nearest_rows(X + i * d, M, DC_MIN(n - i, (int64_t)DC_SOFT_TILE), K, d, label + i);
}
