#include "cluster_ref.h"

#include <math.h>
#include <stdlib.h>

void ref_softassign(const double *Z, const double *M, int64_t n, int64_t K, int64_t L, double alpha, double *q,
                    double *log_q)
{
    for (int64_t i = 0; i < n; i++) {
        double least = INFINITY, sum = 0;
        double *t = malloc((size_t)K * sizeof *t);
        for (int64_t k = 0; k < K; k++) {
            double d = 0;
            for (int64_t c = 0; c < L; c++) d += pow(Z[i * L + c] - M[k * L + c], 2);
            t[k] = (alpha + 1) / 2 * log1p(d / alpha);
            least = fmin(least, t[k]);
        }
        for (int64_t k = 0; k < K; k++) sum += exp(least - t[k]);
        for (int64_t k = 0; k < K; k++) {
            const double log_qk = least - t[k] - log(sum);
            if (q) q[i * K + k] = exp(log_qk);
            if (log_q) log_q[i * K + k] = log_qk;
        }
        free(t);
    }
}

void ref_target(const double *q, const double *f, int64_t n, int64_t K, double *p)
{
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        for (int64_t k = 0; k < K; k++) sum += q[i * K + k] * q[i * K + k] / f[k];
        for (int64_t k = 0; k < K; k++) p[i * K + k] = q[i * K + k] * q[i * K + k] / f[k] / sum;
    }
}

double ref_student_kl(const double *Z, const double *M, const double *p, int64_t n, int64_t K, int64_t L, double alpha,
                      int64_t B)
{
    double *log_q = malloc((size_t)(n * K + 1) * sizeof *log_q), loss = 0;
    ref_softassign(Z, M, n, K, L, alpha, NULL, log_q);
    for (int64_t i = 0; i < n * K; i++)
        if (p[i] > 0) loss += p[i] * (log(p[i]) - log_q[i]);
    free(log_q);
    return loss / (double)B;
}

double ref_distance(const float *x, const float *y, int64_t d)
{
    double sum = 0;
    for (int64_t c = 0; c < d; c++) sum += ((double)x[c] - (double)y[c]) * ((double)x[c] - (double)y[c]);
    return sum;
}

double ref_nearest(const float *X, const float *M, int64_t n, int64_t K, int64_t d, int32_t *label)
{
    double inertia = 0;
    for (int64_t i = 0; i < n; i++) {
        double best = INFINITY;
        for (int64_t k = 0; k < K; k++) {
            const double v = ref_distance(X + i * d, M + k * d, d);
            if (!(v < best)) continue;
            best = v;
            label[i] = (int32_t)k;
        }
        inertia += best;
    }
    return inertia;
}
