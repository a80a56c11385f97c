/* Soft assignment of embedded rows to centres with a Student-t kernel (van der Maaten and Hinton 2008; Xie et al.
 * 2016).
 *
 *   log q_ij = -(a+1)/2 log1p(d_ij/a) - log sum_k exp(-(a+1)/2 log1p(d_ik/a)),  d_ij = |z_i - mu_j|^2
 *
 * Distances are sums of squared differences. Exponents are taken relative to that of the nearest centre, so the largest
 * term is exp(0) = 1: nothing overflows and no sum is 0, whatever a and d are. All arithmetic is in double; only q is
 * float. The label of a row is its nearest centre, not its largest q, because float values of q may be equal where
 * distances differ. */
#include "softassign_impl.h"

#include "lanes.h"

#include <math.h>
#include <omp.h>

/* Sets e[k][l] = exp(least[l] - (a+1)/2 log1p(d[k][l]/a)) and adds it to sum[l]; e may be d. */
static void add_terms(const dc_soft_lane *d, int64_t m, double alpha, const dc_soft_lane least, dc_soft_lane *e,
                      double *restrict sum)
{
    const double half = (alpha + 1) / 2;
    for (int64_t k = 0; k < m; k++) {
        for (int l = 0; l < DC_SOFT_LANES; l++) {
            e[k][l] = dc_lane_exp(least[l] - half * dc_lane_log1p(d[k][l] / alpha));
            sum[l] += e[k][l];
        }
    }
}

/* Assigns at most DC_SOFT_LANES rows. */
static void softassign_group(const float *Z, const float *M, int64_t n, int64_t K, int64_t L, double alpha, float *q,
                             int32_t label[DC_SOFT_LANES])
{
    dc_soft_lane least, sum = {0}, e[DC_SOFT_CENTERS], kept[DC_SOFT_KEPT];
    dc_soft_nearest(Z, n, M, K, L, least, label, kept);
    for (int l = 0; l < DC_SOFT_LANES; l++) least[l] = (alpha + 1) / 2 * dc_lane_log1p(least[l] / alpha);
    for (int64_t k0 = 0; k0 < K; k0 += DC_SOFT_CENTERS) {
        const int64_t m = DC_MIN(K - k0, (int64_t)DC_SOFT_CENTERS);
        add_terms(dc_soft_again(Z, n, M, K, k0, m, L, kept, e), m, alpha, least, e, sum);
        for (int64_t l = 0; l < n; l++)
            for (int64_t k = 0; k < m; k++) q[l * K + k0 + k] = (float)e[k][l];
    }
    for (int64_t l = 0; l < n; l++)
        for (int64_t k = 0; k < K; k++) q[l * K + k] = (float)((double)q[l * K + k] / sum[l]);
}

void dc_softassign_rows(const float *Z, const float *M, int64_t n, int64_t K, int64_t L, double alpha, float *q,
                        int32_t *label)
{
    int32_t nearest[DC_SOFT_LANES];
    for (int64_t i = 0; i < n; i += DC_SOFT_LANES) {
        const int64_t m = DC_MIN(n - i, (int64_t)DC_SOFT_LANES);
        softassign_group(Z + i * L, M, m, K, L, alpha, q + i * K, nearest);
        if (label) memcpy(label + i, nearest, (size_t)m * sizeof *label);
    }
}

void dc_softassign(const float *Z, const float *M, int64_t n, int64_t K, int64_t L, double alpha, float *q,
                   int32_t *label)
{
#pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < n; i += DC_SOFT_TILE)
        dc_softassign_rows(Z + i * L, M, DC_MIN(n - i, (int64_t)DC_SOFT_TILE), K, L, alpha, q + i * K,
                           label ? label + i : NULL);
}

/* Adds a row of q to the sums f; returns |sum q - 1|. */
static double add_row(const float *q, int64_t K, double *restrict f)
{
    double sum = 0;
    for (int64_t k = 0; k < K; k++) {
        f[k] += (double)q[k];
        sum += (double)q[k];
    }
    return fabs(sum - 1);
}

void dc_soft_count_rows(const float *q, int64_t n, int64_t K, const int32_t *next, int32_t *label, double *leaf,
                        double *error)
{
    for (int64_t i = 0; i < n; i++) {
        const double off = add_row(q + i * K, K, leaf);
        leaf[K + next[i]] += 1;
        leaf[2 * K] += next[i] != label[i];
        label[i] = next[i];
        if (!(off <= *error)) *error = off;
    }
}
