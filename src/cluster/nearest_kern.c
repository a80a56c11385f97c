/* Nearest centre of each row, exactly: squared distances are summed from the differences in double, so that a label is
 * a function of the row and the centres alone. k-means gives the same labels, faster where float can tell. */
#include "softassign_impl.h"

#include <math.h>
#include <string.h>

void dc_soft_nearest(const float *Z, int64_t n, const float *M, int64_t K, int64_t L, dc_soft_lane distance,
                     int32_t label[DC_SOFT_LANES])
{
    dc_soft_lane d[DC_SOFT_CENTERS];
    for (int l = 0; l < DC_SOFT_LANES; l++) distance[l] = INFINITY;
    memset(label, 0, DC_SOFT_LANES * sizeof *label);
    for (int64_t k0 = 0; k0 < K; k0 += DC_SOFT_CENTERS) {
        const int64_t m = DC_MIN(K - k0, (int64_t)DC_SOFT_CENTERS);
        dc_soft_distances(Z, n, M, k0, m, L, d);
        for (int64_t k = 0; k < m; k++) {
            for (int l = 0; l < DC_SOFT_LANES; l++) {
                const bool closer = d[k][l] < distance[l];
                distance[l] = closer ? d[k][l] : distance[l];
                label[l] = closer ? (int32_t)(k0 + k) : label[l];
            }
        }
    }
}

void dc_nearest(const float *X, const float *M, int64_t n, int64_t K, int64_t d, int32_t *label)
{
#pragma omp parallel for schedule(dynamic, 16)
    for (int64_t i = 0; i < n; i += DC_SOFT_LANES) {
        dc_soft_lane distance;
        int32_t nearest[DC_SOFT_LANES];
        const int64_t m = DC_MIN(n - i, (int64_t)DC_SOFT_LANES);
        dc_soft_nearest(X + i * d, m, M, K, d, distance, nearest);
        memcpy(label + i, nearest, (size_t)m * sizeof *label);
    }
}
