/* Parameter updates, fused: each array is read and written once per step.
 *
 * The fused multiply-adds are written as fmaf, which fixes the rounding of every element: the results do not depend on
 * the vector tail or on the bounds of a thread's part. */
#include <math.h>

#include "nn/nn_kern.h"

void dc_zero_floats(float *x, size_t n)
{
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < n; i++) x[i] = 0;
}

void dc_add_floats(size_t n, const float *x, float *y)
{
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < n; i++) y[i] += x[i];
}

void dc_scale_floats(size_t n, float factor, float *x)
{
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < n; i++) x[i] *= factor;
}

void dc_decay(size_t n, float decay, const float *w, float *g)
{
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < n; i++) g[i] = fmaf(decay, w[i], g[i]);
}

void dc_sgd_update(size_t n, float lr, float momentum, const float *g, float *v, float *w)
{
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < n; i++) {
        const float step = fmaf(momentum, v[i], -lr * g[i]);
        v[i] = step;
        w[i] += step;
    }
}

void dc_sgd_torch_update(size_t n, float lr, float momentum, const float *g, float *v, float *w)
{
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < n; i++) {
        const float velocity = fmaf(momentum, v[i], g[i]);
        v[i] = velocity;
        w[i] = fmaf(-lr, velocity, w[i]);
    }
}

void dc_adam_update(size_t n, const dc_adam_step *s, const float *g, float *m1, float *m2, float *w)
{
    const dc_adam_step c = *s;
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < n; i++) {
        const float mean = fmaf(c.beta1, m1[i], c.one_minus_beta1 * g[i]);
        const float square = fmaf(c.beta2, m2[i], (c.one_minus_beta2 * g[i]) * g[i]);
        m1[i] = mean;
        m2[i] = square;
        w[i] -= (c.lr * mean) / (sqrtf(square) + c.epsilon);
    }
}

void dc_nesterov_update(size_t n, float lr, float momentum, const float *g, float *v, float *w)
{
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < n; i++) {
        const float push = -lr * g[i], step = fmaf(momentum, v[i], push);
        v[i] = step;
        w[i] += fmaf(momentum, step, push);
    }
}

void dc_nesterov_torch_update(size_t n, float lr, float momentum, const float *g, float *v, float *w)
{
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < n; i++) {
        const float velocity = fmaf(momentum, v[i], g[i]);
        v[i] = velocity;
        w[i] = fmaf(-lr, fmaf(momentum, velocity, g[i]), w[i]);
    }
}

void dc_rmsprop_update(size_t n, const dc_rmsprop_step *s, const float *g, float *square, float *w)
{
    const dc_rmsprop_step c = *s;
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < n; i++) {
        const float mean = fmaf(c.rho, square[i], (c.one_minus_rho * g[i]) * g[i]);
        square[i] = mean;
        w[i] -= (c.lr * g[i]) / (sqrtf(mean) + c.epsilon);
    }
}
