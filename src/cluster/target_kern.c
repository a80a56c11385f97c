/* Target distributions: of deep embedded clustering (Xie et al. 2016, equation 3) p_ij ~ q_ij^2 / f_j, of DEPICT
 * (Dizaji et al. 2017) p_ij ~ q_ij / sqrt(f_j), rows summing to 1.
 *
 * In double q^2/f neither overflows nor underflows: q is a float, 0 or at least 1e-45, and f lies between its floor
 * 1e-12 N and N; the largest q of a row is at least 1/K, so no row sums to 0. If a cluster has lost all its rows, the
 * floor prevents a division by 0 and keeps the cluster out of the target. */
#include "softassign_impl.h"

#include "dcmpi/la.h"
#include "dcmpi/op.h"
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

/* What the terms of one row are divided by, so that they sum to 1. */
static double sum_of_row(dc_target_kind kind, const float *q, const double *f, int64_t K, dc_gidx N)
{
    double sum = 0, term[DC_SOFT_CENTERS];
    const bool square = kind == DC_TARGET_SQUARE;
    for (int64_t k0 = 0; k0 < K; k0 += DC_SOFT_CENTERS) {
        const int64_t m = DC_MIN(K - k0, (int64_t)DC_SOFT_CENTERS);
        for (int64_t k = 0; k < m; k++)
            term[k] = (square ? (double)q[k0 + k] : 1) * (double)q[k0 + k] / divisor(kind, f[k0 + k], N);
        for (int64_t k = 0; k < m; k++) sum += term[k];
    }
    return sum;
}

/* Computes the target p of one row, which may be q; with_loss: returns KL(p || q), else 0. */
static double target_row(dc_target_kind kind, const float *q, const double *f, int64_t K, dc_gidx N, float *p,
                         bool with_loss)
{
    double loss = 0, term[DC_SOFT_CENTERS];
    const double sum = sum_of_row(kind, q, f, K, N);
    const bool square = kind == DC_TARGET_SQUARE;
    for (int64_t k0 = 0; k0 < K; k0 += DC_SOFT_CENTERS) {
        const int64_t m = DC_MIN(K - k0, (int64_t)DC_SOFT_CENTERS);
        for (int64_t k = 0; k < m; k++) {
            const double qk = (double)q[k0 + k],
                         ratio = (square ? qk : 1) / (divisor(kind, f[k0 + k], N) * sum); /* p/q */
            term[k] = with_loss ? qk * ratio * dc_lane_log(ratio) : 0;                    /* 0 for q = 0 */
            p[k0 + k] = (float)(qk * ratio);
        }
        for (int64_t k = 0; k < m; k++) loss += term[k];
    }
    return loss;
}

void dc_target_rows(dc_target_kind kind, const float *q, const double *f, int64_t n, int64_t K, dc_gidx N, float *p,
                    double *loss)
{
    for (int64_t i = 0; i < n; i++) {
        const double of_row = target_row(kind, q + i * K, f, K, N, p + i * K, loss != NULL);
        if (loss) *loss += of_row;
    }
}

static bool sums_to_one(const float *p, int64_t K)
{
    double sum = 0;
    for (int64_t k = 0; k < K; k++) sum += (double)p[k];
    return fabs(sum - 1) <= DC_ROW_SUM_TOLERANCE;
}

/* Number of rows of p that do not sum to 1 within DC_ROW_SUM_TOLERANCE, or hold a NaN. */
static int64_t count_odd(const float *p, int64_t n, int64_t K)
{
    int64_t odd = 0;
    for (int64_t i = 0; i < n; i++) odd += !sums_to_one(p + i * K, K);
    return odd;
}

void dc_target(const float *q, const double *f, int64_t n, int64_t K, dc_gidx N, float *p)
{
#pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < n; i += DC_SOFT_TILE)
        dc_target_rows(DC_TARGET_SQUARE, q + i * K, f, DC_MIN(n - i, (int64_t)DC_SOFT_TILE), K, N, p + i * K, NULL);
}

/* ---- From the embedding ------------------------------------------------------------------------------------------ */

static void add_bias(const float *bias, int64_t n, int64_t K, float *x)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < K; k++) x[i * K + k] += bias[k];
}

void dc_target_assign(const dc_soft_target *t, const float *Z, int64_t n, float *q)
{
    const int64_t K = t->K, L = t->L;
    if (t->model == DC_SOFT_STUDENT) {
        dc_softassign_rows(Z, t->param, n, K, L, t->alpha, q, NULL);
        return;
    }
    dc_gemm(DC_N, DC_N, n, K, L, 1, Z, L, t->param, K, 0, q, K);
    add_bias(t->param + L * K, n, K, q);
    dc_softmax_rows(q, n, K, 1, q);
}

void dc_target_block(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const dc_target_pass *a = ctx;
    const dc_soft_target *t = a->target;
    float *p = t->tile + (int64_t)thread * DC_SOFT_LANES * t->K;
    for (int64_t lo = block->lo; lo < block->hi; lo += DC_SOFT_LANES) {
        const int64_t n = DC_MIN(block->hi - lo, (int64_t)DC_SOFT_LANES);
        dc_target_assign(t, a->Z + lo * t->L, n, p);
        dc_target_rows(t->kind, p, t->f, n, t->K, t->N, p, &leaf[0]);
        leaf[1] += (double)count_odd(p, n, t->K);
    }
}
