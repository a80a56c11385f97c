/* Activation functions and their derivatives, a vector at a time. All of them return NaN for NaN, so that the loss
 * shows that a run has diverged.
 *
 * All that are curved come from one exponential of a negative argument (no overflow): exp(y) = 2^k exp(r), |r| <=
 * ln2/2, with the Taylor series of exp(r) - 1 up to r^7 (remainder below 1e-8 relative). Accurate to about 3 ulp. */
#ifndef DCMPI_NN_ACT_H
#define DCMPI_NN_ACT_H

#include "dcmpi/nn.h"
#include "nn/vec.h"

/* exp(y) = scale + scale * rest for y <= 0; rest = exp(r) - 1. Arguments below -87 act as -87. */
static inline void dc_vec_exp_parts(dc_vec y, dc_vec *scale, dc_vec *rest)
{
    const float round_magic = 0x1.8p23f;                         /* adding it rounds to the nearest integer */
    const float ln2_hi = 0.693359375f, ln2_lo = -2.12194440e-4f; /* k * ln2_hi is exact */
    y = dc_vec_select(y < -87.0f, (dc_vec){0} - 87.0f, y);
    const dc_vec k = (y * 1.44269504f + round_magic) - round_magic;
    const dc_vec r = (y - k * ln2_hi) - k * ln2_lo;
    dc_vec p = r * (1 / 5040.0f) + 1 / 720.0f;
    p = p * r + 1 / 120.0f;
    p = p * r + 1 / 24.0f;
    p = p * r + 1 / 6.0f;
    p = p * r + 0.5f;
    *rest = p * (r * r) + r;
    const dc_uvec exponent = (__builtin_convertvector(__builtin_convertvector(k, dc_ivec), dc_uvec) + 127u) << 23;
    memcpy(scale, &exponent, sizeof *scale);
}

/* exp(y) for y <= 0, and exp(y) - 1 without cancellation near 0. */
static inline dc_vec dc_vec_exp(dc_vec y)
{
    dc_vec scale, rest;
    dc_vec_exp_parts(y, &scale, &rest);
    return scale * rest + scale;
}
static inline dc_vec dc_vec_expm1(dc_vec y)
{
    dc_vec scale, rest;
    dc_vec_exp_parts(y, &scale, &rest);
    return scale * rest + (scale - 1.0f);
}

/* log(1 + u) for 0 <= u <= 1: 2 atanh(v) with v = u / (2 + u) <= 1/3, series up to v^15 (remainder below 2e-9
 * relative). */
static inline dc_vec dc_vec_log1p_unit(dc_vec u)
{
    const dc_vec v = u / (2.0f + u), w = v * v;
    dc_vec p = w * (1 / 15.0f) + 1 / 13.0f;
    for (int k = 11; k > 1; k -= 2) p = p * w + 1 / (float)k;
    return 2.0f * v + 2.0f * v * (w * p);
}

static inline dc_vec dc_vec_abs(dc_vec x)
{
    return (dc_vec)((dc_uvec)x & 0x7fffffffu);
}

static inline dc_vec dc_vec_copysign(dc_vec magnitude, dc_vec sign)
{
    return (dc_vec)((dc_uvec)magnitude | ((dc_uvec)sign & 0x80000000u));
}

/* With e = exp(-2|x|) - 1: tanh|x| = -e / (e + 2), without cancellation near 0. */
static inline dc_vec dc_vec_tanh(dc_vec x)
{
    const dc_vec e = dc_vec_expm1(-2.0f * dc_vec_abs(x));
    return dc_vec_copysign(-e / (e + 2.0f), x);
}

/* With t = exp(-|x|): 1/(1+t) for x >= 0, t/(1+t) for x < 0. */
static inline dc_vec dc_vec_sigmoid(dc_vec x)
{
    const dc_vec t = dc_vec_exp(-dc_vec_abs(x));
    return dc_vec_select(x < 0.0f, t, (dc_vec){0} + 1.0f) / (1.0f + t);
}

/* log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)). */
static inline dc_vec dc_vec_softplus(dc_vec x)
{
    return dc_vec_select(x < 0.0f, (dc_vec){0}, x) + dc_vec_log1p_unit(dc_vec_exp(-dc_vec_abs(x)));
}

/* scale x for x >= 0, depth (exp(x) - 1) below. */
static inline dc_vec dc_vec_elu(float scale, float depth, dc_vec x)
{
    return dc_vec_select(x < 0.0f, depth * dc_vec_expm1(-dc_vec_abs(x)), scale * x);
}

/* The activations whose derivative follows from their value. DC_ACT_GELU is not one of them: see op_act.c. */
static inline dc_vec dc_vec_act(dc_act act, dc_vec t)
{
    switch (act) {
    case DC_ACT_RELU:
        return dc_vec_select(t < 0.0f, (dc_vec){0}, t);
    case DC_ACT_LEAKY_RELU:
        return dc_vec_select(t < 0.0f, t * DC_LEAKY_SLOPE, t);
    case DC_ACT_TANH:
        return dc_vec_tanh(t);
    case DC_ACT_SIGMOID:
        return dc_vec_sigmoid(t);
    case DC_ACT_ELU:
        return dc_vec_elu(1, 1, t);
    case DC_ACT_SELU:
        return dc_vec_elu(DC_SELU_SCALE, DC_SELU_DEPTH, t);
    case DC_ACT_SOFTPLUS:
        return dc_vec_softplus(t);
    default:
        return t;
    }
}

/* d * act'(t); the derivative is computed from y = act(t). */
static inline dc_vec dc_vec_act_grad(dc_act act, dc_vec y, dc_vec d)
{
    switch (act) {
    case DC_ACT_RELU:
        return dc_vec_select(y > 0.0f, d, (dc_vec){0});
    case DC_ACT_LEAKY_RELU:
        return dc_vec_select(y > 0.0f, d, d * DC_LEAKY_SLOPE);
    case DC_ACT_TANH:
        return d * (1.0f - y * y);
    case DC_ACT_SIGMOID:
        return d * (y * (1.0f - y));
    case DC_ACT_ELU:
        return dc_vec_select(y > 0.0f, d, d * (y + 1.0f));
    case DC_ACT_SELU:
        return dc_vec_select(y > 0.0f, d * DC_SELU_SCALE, d * (y + DC_SELU_DEPTH));
    case DC_ACT_SOFTPLUS:
        return d * -dc_vec_expm1(-y);
    default:
        return d;
    }
}

#endif
