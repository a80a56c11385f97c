/* Naive twins of cluster/ in double. */
#ifndef DCMPI_CLUSTER_REF_H
#define DCMPI_CLUSTER_REF_H

#include "dcmpi/base.h"

/* q[n x K]: soft assignment; log_q: its logarithm (either may be NULL). */
void ref_softassign(const double *Z, const double *M, int64_t n, int64_t K, int64_t L, double alpha, double *q,
                    double *log_q);
/* p[n x K] of q[n x K] and f[K]. */
void ref_target(const double *q, const double *f, int64_t n, int64_t K, double *p);
/* (1/B) sum_i KL(p_i || q_i), q the soft assignment of Z. */
double ref_student_kl(const double *Z, const double *M, const double *p, int64_t n, int64_t K, int64_t L, double alpha,
                      int64_t B);
/* label[n]: nearest of M[K x d] to X[n x d] (ties: lowest); returns the inertia. */
double ref_nearest(const float *X, const float *M, int64_t n, int64_t K, int64_t d, int32_t *label);
/* |x - y|^2 */
double ref_distance(const float *x, const float *y, int64_t d);

#endif
