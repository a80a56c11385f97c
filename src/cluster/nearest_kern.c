/* Finds the nearest centre of each row exactly: squared distances are sums of squared differences in double, so that a
 * label depends on the row and the centres alone. k-means finds the same labels, but faster where float is precise
 * enough to decide. */
#include "softassign_impl.h"

#include <math.h>
#include <string.h>

void dc_soft_load(const float *Z, int64_t n, int64_t L, int64_t c0, int64_t width, dc_soft_lane *z)
{
    for (int64_t c = 0; c < width; c++)
        for (int64_t l = 0; l < DC_SOFT_LANES; l++) z[c][l] = l < n ? (double)Z[l * L + c0 + c] : 0;
}

void dc_soft_add_squares(const dc_soft_lane *z, const float *mu, int64_t width, double *restrict d)
{
    dc_soft_lane sum = {0};
    for (int64_t c = 0; c < width; c++) {
        const double m = (double)mu[c];
        for (int l = 0; l < DC_SOFT_LANES; l++) sum[l] += (z[c][l] - m) * (z[c][l] - m);
    }
    for (int l = 0; l < DC_SOFT_LANES; l++) d[l] += sum[l];
}

void dc_soft_distances(const float *Z, int64_t n, const float *M, int64_t k0, int64_t m, int64_t L, dc_soft_lane *d)
{
    dc_soft_lane z[DC_SOFT_COLUMNS];
    memset(d, 0, (size_t)m * sizeof *d);
    for (int64_t c = 0; c < L; c += DC_SOFT_COLUMNS) {
        const int64_t width = DC_MIN(L - c, (int64_t)DC_SOFT_COLUMNS);
        dc_soft_load(Z, n, L, c, width, z);
        for (int64_t k = 0; k < m; k++) dc_soft_add_squares(z, M + (k0 + k) * L + c, width, d[k]);
    }
}

void dc_soft_nearest(const float *Z, int64_t n, const float *M, int64_t K, int64_t L, dc_soft_lane distance,
                     int32_t label[DC_SOFT_LANES], dc_soft_lane *kept)
{
    dc_soft_lane room[DC_SOFT_CENTERS];
    const bool keeps = kept && K <= DC_SOFT_KEPT;
    for (int l = 0; l < DC_SOFT_LANES; l++) distance[l] = INFINITY;
    memset(label, 0, DC_SOFT_LANES * sizeof *label);
    for (int64_t k0 = 0; k0 < K; k0 += DC_SOFT_CENTERS) {
        const int64_t m = DC_MIN(K - k0, (int64_t)DC_SOFT_CENTERS);
        dc_soft_lane *d = keeps ? kept + k0 : room;
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

const dc_soft_lane *dc_soft_again(const float *Z, int64_t n, const float *M, int64_t K, int64_t k0, int64_t m,
                                  int64_t L, const dc_soft_lane *kept, dc_soft_lane *d)
{
    if (K <= DC_SOFT_KEPT) return kept + k0;
    dc_soft_distances(Z, n, M, k0, m, L, d);
    return d;
}

void dc_nearest(const float *X, const float *M, int64_t n, int64_t K, int64_t d, int32_t *label)
{
#pragma omp parallel for schedule(dynamic, 16)
    for (int64_t i = 0; i < n; i += DC_SOFT_LANES) {
        dc_soft_lane distance;
        int32_t nearest[DC_SOFT_LANES];
        const int64_t m = DC_MIN(n - i, (int64_t)DC_SOFT_LANES);
        dc_soft_nearest(X + i * d, m, M, K, d, distance, nearest, NULL);
        memcpy(label + i, nearest, (size_t)m * sizeof *label);
    }
}
