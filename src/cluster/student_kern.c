/* Loss of deep embedded clustering and its gradients: KL(P || Q) of the Student-t assignment Q, P constant.
 *
 * With w_ij = 1/(1 + d_ij/a), d = |z_i - mu_j|^2, log q_ij = (a+1)/2 log w_ij - log sum_k w_ik^((a+1)/2):
 *   d(-log q_ij)/dd_ik = (a+1)/(2a) (delta_jk - q_ik) w_ik,
 *   d/dd_ik sum_j p_ij (log p_ij - log q_ij) = (a+1)/(2a) (p_ik - q_ik) w_ik      since sum_j p_ij = 1,
 *   dL/dz_i  =  (a+1)/(aB) sum_k S_ik (z_i - mu_k),  S_ik = w_ik (p_ik - q_ik),
 *   dL/dmu_k = -(a+1)/(aB) sum_i S_ik (z_i - mu_k).
 * The factor has p - q: a gradient with p alone, as often printed, is wrong. Differences z - mu are formed before they
 * are weighted, so nothing cancels; the sum over rows runs in double, in row order, for any number of threads. */
#include "softassign_impl.h"

#include "lanes.h"

#include <omp.h>

typedef struct {
    const float *Z, *M, *P;
    const int64_t *rows;
    int64_t n, K, L;
    double alpha;
    float *S; /* [n x K] first log q_ij + log sum, then S_ij */
    float *W; /* [n x K] first w_ij, then in column 0 the row's loss */
} student;

/* S = exponent relative to the nearest centre, W = w for `n` rows from row i on; sum[l] = their sum of exp(S). */
static void weigh(const student *a, int64_t i, int64_t n, double *sum)
{
    dc_soft_lane least, d[DC_SOFT_CENTERS];
    int32_t nearest[DC_SOFT_LANES];
    const double half = (a->alpha + 1) / 2;
    dc_soft_nearest(a->Z + i * a->L, n, a->M, a->K, a->L, least, nearest);
    for (int l = 0; l < DC_SOFT_LANES; l++) least[l] = half * dc_lane_log1p(least[l] / a->alpha);
    for (int64_t k0 = 0; k0 < a->K; k0 += DC_SOFT_CENTERS) {
        const int64_t m = DC_MIN(a->K - k0, (int64_t)DC_SOFT_CENTERS);
        dc_soft_distances(a->Z + i * a->L, n, a->M, k0, m, a->L, d);
        for (int64_t k = 0; k < m; k++) {
            dc_soft_lane u, w;
            for (int l = 0; l < DC_SOFT_LANES; l++) {
                u[l] = least[l] - half * dc_lane_log1p(d[k][l] / a->alpha);
                w[l] = 1 / (1 + d[k][l] / a->alpha);
                sum[l] += dc_lane_exp(u[l]);
            }
            for (int64_t l = 0; l < n; l++) {
                a->S[(i + l) * a->K + k0 + k] = (float)u[l];
                a->W[(i + l) * a->K + k0 + k] = (float)w[l];
            }
        }
    }
}

/* Turns S into w (p - q) for row i, and W[i][0] into its loss. log_sum normalises q. */
static void factors(const student *a, int64_t i, double log_sum)
{
    const float *p = a->P + a->rows[i] * a->K;
    float *s = a->S + i * a->K, *w = a->W + i * a->K;
    double term[DC_SOFT_CENTERS], loss = 0;
    for (int64_t k0 = 0; k0 < a->K; k0 += DC_SOFT_CENTERS) {
        const int64_t m = DC_MIN(a->K - k0, (int64_t)DC_SOFT_CENTERS);
        for (int64_t k = 0; k < m; k++) {
            const double log_q = (double)s[k0 + k] - log_sum, pk = (double)p[k0 + k];
            term[k] = pk * (dc_lane_log(pk) - log_q); /* 0 for p = 0 */
            s[k0 + k] = (float)((double)w[k0 + k] * (pk - dc_lane_exp(log_q)));
        }
        for (int64_t k = 0; k < m; k++) loss += term[k];
    }
    w[0] = (float)loss;
}

/* dZ of `n` rows from row i on: c sum_k S_ik (z_i - mu_k). */
static void row_gradients(const student *a, int64_t i, int64_t n, double c, float *dZ)
{
    dc_soft_lane z[DC_SOFT_COLUMNS], g[DC_SOFT_COLUMNS], s = {0};
    for (int64_t c0 = 0; c0 < a->L; c0 += DC_SOFT_COLUMNS) {
        const int64_t width = DC_MIN(a->L - c0, (int64_t)DC_SOFT_COLUMNS);
        dc_soft_load(a->Z + i * a->L, n, a->L, c0, width, z);
        memset(g, 0, sizeof g);
        for (int64_t k = 0; k < a->K; k++) {
            const float *mu = a->M + k * a->L + c0;
            for (int64_t l = 0; l < n; l++) s[l] = (double)a->S[(i + l) * a->K + k];
            for (int64_t j = 0; j < width; j++)
                for (int l = 0; l < DC_SOFT_LANES; l++) g[j][l] += s[l] * (z[j][l] - (double)mu[j]);
        }
        for (int64_t l = 0; l < n; l++)
            for (int64_t j = 0; j < width; j++) dZ[(i + l) * a->L + c0 + j] = (float)(c * g[j][l]);
    }
}

/* dM of centre k: c sum_i S_ik (z_i - mu_k). */
static void center_gradient(const student *a, int64_t k, double c, float *dM)
{
    double g[DC_SOFT_COLUMNS];
    for (int64_t c0 = 0; c0 < a->L; c0 += DC_SOFT_COLUMNS) {
        const int64_t width = DC_MIN(a->L - c0, (int64_t)DC_SOFT_COLUMNS);
        const float *mu = a->M + k * a->L + c0;
        memset(g, 0, sizeof g);
        for (int64_t i = 0; i < a->n; i++) {
            const double s = (double)a->S[i * a->K + k];
            for (int64_t j = 0; j < width; j++) g[j] += s * ((double)a->Z[i * a->L + c0 + j] - (double)mu[j]);
        }
        for (int64_t j = 0; j < width; j++) dM[k * a->L + c0 + j] = (float)(c * g[j]);
    }
}

double dc_student_kl_grad(const float *Z, const float *M, const float *P, const int64_t *rows, int64_t n, int64_t K,
                          int64_t L, double alpha, int64_t B, float *dZ, float *dM, float *scratch)
{
    const student a = {Z, M, P, rows, n, K, L, alpha, scratch, scratch + n * K};
    const double c = (alpha + 1) / (alpha * (double)B);
#pragma omp parallel
    {
#pragma omp for schedule(dynamic, 4)
        for (int64_t i = 0; i < n; i += DC_SOFT_LANES) {
            const int64_t m = DC_MIN(n - i, (int64_t)DC_SOFT_LANES);
            dc_soft_lane sum = {0};
            weigh(&a, i, m, sum);
            for (int64_t l = 0; l < m; l++) factors(&a, i + l, dc_lane_log(sum[l]));
            row_gradients(&a, i, m, c, dZ);
        }
#pragma omp for schedule(dynamic)
        for (int64_t k = 0; k < K; k++) center_gradient(&a, k, -c, dM);
    }
    double loss = 0;
    for (int64_t i = 0; i < n; i++) loss += (double)a.W[i * K];
    return loss / (double)B;
}
