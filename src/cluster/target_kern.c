/* Target distributions: of deep embedded clustering (Xie et al. 2016, equation 3) p_ij ~ q_ij^2 / f_j, of DEPICT
 * (Dizaji et al. 2017) p_ij ~ q_ij / sqrt(f_j), rows summing to 1.
 *
 * In double q^2/f neither overflows nor underflows: q is a float, 0 or at least 1e-45, and f lies between its floor
 * 1e-12 N and N; the largest q of a row is at least 1/K, so no row sums to 0. If a cluster has lost all its rows, the
 * floor prevents a division by 0 and keeps the cluster out of the target. */
#include "softassign_impl.h"

#include "lanes.h"

#include <math.h>
#include <omp.h>

static double floored(double f, dc_gidx N)
{
    const double floor_ = 1e-12 * (double)N;
    return f < floor_ ? floor_ : f;
}

static double divisor(dc_target_kind kind, double f, dc_gidx N)
{
    return kind == DC_TARGET_SQUARE ? floored(f, N) : sqrt(floored(f, N));
}

/* Computes the target p of one row; returns KL(p || q). */
static double target_row(dc_target_kind kind, const float *q, const double *f, int64_t K, dc_gidx N, float *p)
{
    double sum = 0, loss = 0, term[DC_SOFT_CENTERS];
    const bool square = kind == DC_TARGET_SQUARE;
    for (int64_t k = 0; k < K; k++) sum += (square ? (double)q[k] : 1) * (double)q[k] / divisor(kind, f[k], N);
    for (int64_t k0 = 0; k0 < K; k0 += DC_SOFT_CENTERS) {
        const int64_t m = DC_MIN(K - k0, (int64_t)DC_SOFT_CENTERS);
        for (int64_t k = 0; k < m; k++) {
            const double qk = (double)q[k0 + k],
                         ratio = (square ? qk : 1) / (divisor(kind, f[k0 + k], N) * sum); /* p/q */
            term[k] = qk * ratio * dc_lane_log(ratio);                                    /* 0 for q = 0 */
            p[k0 + k] = (float)(qk * ratio);
        }
        for (int64_t k = 0; k < m; k++) loss += term[k];
    }
    return loss;
}

static bool sums_to_one(const float *p, int64_t K)
{
    double sum = 0;
    for (int64_t k = 0; k < K; k++) sum += (double)p[k];
    return fabs(sum - 1) <= DC_ROW_SUM_TOLERANCE;
}

double dc_target_rows(dc_target_kind kind, const float *q, const double *f, int64_t n, int64_t K, dc_gidx N, float *p,
                      int64_t *odd)
{
    double loss = 0;
    *odd = 0;
    for (int64_t i = 0; i < n; i++) {
        loss += target_row(kind, q + i * K, f, K, N, p + i * K);
        *odd += !sums_to_one(p + i * K, K);
    }
    return loss;
}

void dc_target(const float *q, const double *f, int64_t n, int64_t K, dc_gidx N, float *p)
{
#pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < n; i += DC_SOFT_TILE) {
        int64_t odd;
        (void)dc_target_rows(DC_TARGET_SQUARE, q + i * K, f, DC_MIN(n - i, (int64_t)DC_SOFT_TILE), K, N, p + i * K,
                             &odd);
    }
}
