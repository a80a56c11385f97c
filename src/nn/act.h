/* Activation functions and their derivatives, a vector at a time. All of them return NaN for NaN, so that the loss
 * shows that a run has diverged.
 *
 * tanh and sigmoid come from one exponential of a negative argument (no overflow): exp(y) = 2^k exp(r), |r| <= ln2/2,
 * with the Taylor series of exp(r) - 1 up to r^7 (remainder below 1e-8 relative). Accurate to about 3 ulp. */
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
    dc_vec scale, rest;
    dc_vec_exp_parts(-2.0f * dc_vec_abs(x), &scale, &rest);
    const dc_vec e = scale * rest + (scale - 1.0f);
    return dc_vec_copysign(-e / (e + 2.0f), x);
}

/* With t = exp(-|x|): 1/(1+t) for x >= 0, t/(1+t) for x < 0. */
static inline dc_vec dc_vec_sigmoid(dc_vec x)
{
    dc_vec scale, rest;
    dc_vec_exp_parts(-dc_vec_abs(x), &scale, &rest);
    const dc_vec t = scale * rest + scale;
    return dc_vec_select(x < 0.0f, t, (dc_vec){0} + 1.0f) / (1.0f + t);
}

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
    default:
        return d;
    }
}

#endif
