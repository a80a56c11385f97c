/* Reconstruction losses: value and gradient in one pass.
 *
 * Squares: with e = xhat - x and loss = s * sum e^2 the gradient is dloss/dxhat = 2 s e.
 *
 * Binary cross-entropy from the logit t, p = sigmoid(t):
 *   -x log p - (1-x) log(1-p) = max(t, 0) - t x + log(1 + exp(-|t|)),  d/dt = p - x,
 * which neither overflows nor takes the logarithm of a p that was rounded to 0 or 1, and whose gradient does not vanish
 * for a saturated p that is wrong.
 *
 * Terms are added in double: the rows are cut into a fixed number of parts, added in order within a part and over the
 * parts, so the loss does not depend on the number of threads. */
#include "nn/act.h"
#include "nn/nn_kern.h"

enum { LOSS_PARTS = 64 };

/* s of the loss, for a global batch of B rows of width D. */
static double loss_scale(dc_recon_loss kind, int64_t D, int64_t B)
{
    switch (kind) {
    case DC_LOSS_MSE:
    case DC_LOSS_BCE:
        return 1.0 / ((double)B * (double)D);
    case DC_LOSS_MSE_SUM:
        return 1.0 / (double)B;
    case DC_LOSS_MSE_HALF_SUM:
        return 0.5 / (double)B;
    }
    DC_ASSERT(!"unknown reconstruction loss");
}

/* Gradient of one row; its squares are added to the lanes of *sum. */
static inline void square_row(const float *x, const float *xhat, int64_t D, float two_s, float *dxhat, dc_dvec *sum)
{
    for (int64_t j = 0; j < D; j += DC_VEC_LANES) {
        const dc_vec e = dc_vec_load(xhat + j, D - j) - dc_vec_load(x + j, D - j);
        dc_vec_store(dxhat + j, D - j, e * two_s);
        const dc_dvec wide = __builtin_convertvector(e, dc_dvec);
        *sum += wide * wide;
    }
}

/* log(1 + u) for 0 <= u <= 1: 2 atanh(v) with v = u / (2 + u) <= 1/3, series up to v^15 (remainder below 2e-9
 * relative).
 */
static inline dc_vec log1p_unit(dc_vec u)
{
    const dc_vec v = u / (2.0f + u), w = v * v;
    dc_vec p = w * (1 / 15.0f) + 1 / 13.0f;
    for (int k = 11; k > 1; k -= 2) p = p * w + 1 / (float)k;
    return 2.0f * v + 2.0f * v * (w * p);
}

/* exp(y) for y <= 0. */
static inline dc_vec exp_negative(dc_vec y)
{
    dc_vec scale, rest;
    dc_vec_exp_parts(y, &scale, &rest);
    return scale * rest + scale;
}

/* The first `count` lanes, zeros behind them: padding of the last vector has a loss of its own, log 2. */
static inline dc_vec first_lanes(dc_vec v, int64_t count)
{
    return count >= DC_VEC_LANES ? v : dc_vec_load((const float *)&v, count);
}

static inline void bce_row(const float *x, const float *logit, int64_t D, float s, float *dlogit, dc_dvec *sum)
{
    for (int64_t j = 0; j < D; j += DC_VEC_LANES) {
        const dc_vec t = dc_vec_load(logit + j, D - j), target = dc_vec_load(x + j, D - j);
        const dc_vec positive = dc_vec_select(t < 0.0f, (dc_vec){0}, t);
        const dc_vec log_term = first_lanes(log1p_unit(exp_negative(-dc_vec_abs(t))), D - j);
        dc_vec_store(dlogit + j, D - j, (dc_vec_sigmoid(t) - target) * s);
        *sum += __builtin_convertvector(positive, dc_dvec) -
                __builtin_convertvector(t, dc_dvec) * __builtin_convertvector(target, dc_dvec) +
                __builtin_convertvector(log_term, dc_dvec);
    }
}

double dc_recon_loss_grad(dc_recon_loss kind, const float *x, const float *xhat, int64_t n, int64_t D, int64_t B,
                          float *dxhat)
{
    if (n == 0) return 0;
    const double s = loss_scale(kind, D, B);
    double part[LOSS_PARTS];
#pragma omp parallel for schedule(dynamic)
    for (int64_t p = 0; p < LOSS_PARTS; p++) {
        dc_dvec sum = {0};
        for (int64_t i = n * p / LOSS_PARTS; i < n * (p + 1) / LOSS_PARTS; i++)
            if (kind == DC_LOSS_BCE)
                bce_row(x + i * D, xhat + i * D, D, (float)s, dxhat + i * D, &sum);
            else
                square_row(x + i * D, xhat + i * D, D, (float)(2 * s), dxhat + i * D, &sum);
        part[p] = 0;
        for (int l = 0; l < DC_VEC_LANES; l++) part[p] += sum[l];
    }
    double total = 0;
    for (int p = 0; p < LOSS_PARTS; p++) total += part[p];
    return s * total;
}
