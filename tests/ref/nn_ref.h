/* Naive twins of la/ and nn/: loops in double, no blocking, no threads. */
#ifndef DCMPI_TESTS_NN_REF_H
#define DCMPI_TESTS_NN_REF_H

#include <math.h>

#include "dcmpi/la.h"
#include "dcmpi/nn.h"

/* The larger error; a NaN counts as infinite, so that it cannot hide. */
static inline double worse_of(double worst, double error)
{
    return error <= worst ? worst : isnan(error) ? INFINITY : error;
}

/* C[m x n] = alpha op(A) op(B) + beta C in double; C is not read if beta is 0. */
void gemm_ref(dc_trans ta, dc_trans tb, int64_t m, int64_t n, int64_t k, double alpha, const float *A, int64_t lda,
              const float *B, int64_t ldb, double beta, double *C, int64_t ldc);

double act_ref(dc_act act, double t);
/* Derivative as a function of the output y = act(t). */
double act_slope_ref(dc_act act, double y);
void bias_act_ref(dc_act act, const float *b, int64_t n, int64_t width, const float *T, double *Y);
void act_grad_ref(dc_act act, const float *Y, int64_t n, int64_t width, const float *dY, double *dT, double *db);

/* This rank's part of the loss for a global batch of B rows, and its gradient (NULL: not wanted). xhat are logits for
 * DC_LOSS_BCE. */
double recon_loss_ref(dc_recon_loss kind, const float *x, const double *xhat, int64_t n, int64_t D, int64_t B,
                      double *dxhat);

/* Output of layers [first, last) for x [n x in of layer first], parameters in double; y [n x out of layer last-1]. */
void net_forward_ref(const dc_net *net, const double *value, int first, int last, int64_t n, const double *x,
                     double *y);

/* 0 or 1/(1-rate) for one unit of one global row. */
double dropout_ref(double rate, uint64_t seed, int64_t step, int site, int64_t row, int64_t unit, int64_t width);

void sgd_ref(size_t n, double lr, double momentum, const float *g, double *v, double *w);
void sgd_torch_ref(size_t n, double lr, double momentum, const float *g, double *v, double *w);
void nesterov_ref(size_t n, double lr, double momentum, const float *g, double *v, double *w);
void nesterov_torch_ref(size_t n, double lr, double momentum, const float *g, double *v, double *w);
void rmsprop_ref(size_t n, double lr, double rho, double epsilon, const float *g, double *square, double *w);
void adam_ref(size_t n, double lr, double beta1, double beta2, double epsilon, int64_t t, const float *g, double *m1,
              double *m2, double *w);

#endif
