/* Kernels of the network. Called outside a parallel region, they start their own threads. Results do not depend on the
 * number of threads, and a row's results do not depend on its place in the batch. */
#ifndef DCMPI_NN_KERN_H
#define DCMPI_NN_KERN_H

#include "dcmpi/nn.h"

/* Y = act(Y + b) in place; Y [n x width], b [width]. */
void dc_dense_bias_act(dc_act act, const float *b, int64_t n, int64_t width, float *Y);
/* dY *= act'(.) in place, computed from the layer's output Y [n x width]; then db[j] = sum_i dY[i][j], added row by
 * row. db NULL: not wanted. */
void dc_dense_act_grad(dc_act act, const float *Y, int64_t n, int64_t width, float *dY, float *db);

/* x[0..n) = 0. Each thread zeroes the part that it will work on, so that it is the first to touch it. */
void dc_zero_floats(float *x, size_t n);
/* y += x. */
void dc_add_floats(size_t n, const float *x, float *y);
/* x *= factor. */
void dc_scale_floats(size_t n, float factor, float *x);
/* g += decay w. */
void dc_decay(size_t n, float decay, const float *w, float *g);
/* v = m v - lr g; w += v. */
void dc_sgd_update(size_t n, float lr, float momentum, const float *g, float *v, float *w);
/* v = m v + g; w -= lr v. */
void dc_sgd_torch_update(size_t n, float lr, float momentum, const float *g, float *v, float *w);
/* m1 = b1 m1 + (1-b1) g; m2 = b2 m2 + (1-b2) g^2; w -= lr m1 / (sqrt(m2) + epsilon); lr includes the bias correction.
 */
typedef struct {
    float lr, beta1, one_minus_beta1, beta2, one_minus_beta2, epsilon;
} dc_adam_step;
void dc_adam_update(size_t n, const dc_adam_step *s, const float *g, float *m1, float *m2, float *w);
/* v = m v - lr g; w += m v - lr g. */
void dc_nesterov_update(size_t n, float lr, float momentum, const float *g, float *v, float *w);
/* v = m v + g; w -= lr (g + m v). */
void dc_nesterov_torch_update(size_t n, float lr, float momentum, const float *g, float *v, float *w);
/* square = rho square + (1-rho) g^2; w -= lr g / (sqrt(square) + epsilon). */
typedef struct {
    float lr, rho, one_minus_rho, epsilon;
} dc_rmsprop_step;
void dc_rmsprop_update(size_t n, const dc_rmsprop_step *s, const float *g, float *square, float *w);

#endif
