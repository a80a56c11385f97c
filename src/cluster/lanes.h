/* log and exp that the compiler turns into vector code, with the same bits in every lane.
 *
 * The C library's log and exp are scalar calls; compilers use its vector versions only if they may ignore NaN. The
 * functions here are branch-free, in double, accurate to a few 1e-16, but not made for infinities. NaN stays NaN in
 * dc_lane_exp and dc_lane_log1p. */
#ifndef DCMPI_CLUSTER_LANES_H
#define DCMPI_CLUSTER_LANES_H

#include <stdint.h>
#include <string.h>

static inline uint64_t dc_lane_bits(double x)
{
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static inline double dc_lane_double(uint64_t u)
{
    double x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* Natural logarithm of a positive normal number; finite for 0. x = 2^e m with m in [sqrt(1/2), sqrt(2)),
 * log m = 2 atanh((m-1)/(m+1)). */
static inline double dc_lane_log(double x)
{
    const uint64_t mantissa = UINT64_C(0x000fffffffffffff), one = UINT64_C(0x3ff0000000000000);
    const uint64_t bits = dc_lane_bits(x);
    /* 2^52 + biased exponent, as a double: the exponent is put into the mantissa of 2^52. */
    const double biased = dc_lane_double((bits >> 52) | UINT64_C(0x4330000000000000));
    const double m2 = dc_lane_double((bits & mantissa) | one);
    const double upper = m2 > 1.4142135623730951 ? 1.0 : 0.0;
    const double m = m2 - 0.5 * upper * m2, e = biased - (0x1p52 + 1023) + upper;
    const double s = (m - 1) / (m + 1), z = s * s;
    double p = 1.0 / 21;
    p = p * z + 1.0 / 19;
    p = p * z + 1.0 / 17;
    p = p * z + 1.0 / 15;
    p = p * z + 1.0 / 13;
    p = p * z + 1.0 / 11;
    p = p * z + 1.0 / 9;
    p = p * z + 1.0 / 7;
    p = p * z + 1.0 / 5;
    p = p * z + 1.0 / 3;
    p = p * z + 1.0;
    return e * 0.69314718055994531 + 2 * s * p;
}

/* log(1 + x) for x >= 0, accurate even if 1 + x rounds to 1. */
static inline double dc_lane_log1p(double x)
{
    const double u = 1 + x;
    return dc_lane_log(u) + (x - (u - 1)) / u;
}

/* exp(x) for x <= 0; below -700 it stays at exp(-700), which is 0 as a float. x = n ln 2 + r, |r| <= ln(2)/2. */
static inline double dc_lane_exp(double x)
{
    const double magic = 0x1.8p52; /* adding it leaves the rounded integer in the low bits */
    const double y = x < -700 ? -700 : x;
    const double t = y * 1.4426950408889634 + magic, n = t - magic;
    /* ln 2 in two parts; the first ends in zero bits, so that its product with n is exact with and without FMA. */
    const double r = y - n * 0x1.62e42feep-1 - n * 0x1.a39ef35793c76p-33;
    double p = 1.0 / 479001600;
    p = p * r + 1.0 / 39916800;
    p = p * r + 1.0 / 3628800;
    p = p * r + 1.0 / 362880;
    p = p * r + 1.0 / 40320;
    p = p * r + 1.0 / 5040;
    p = p * r + 1.0 / 720;
    p = p * r + 1.0 / 120;
    p = p * r + 1.0 / 24;
    p = p * r + 1.0 / 6;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    return p * dc_lane_double((dc_lane_bits(t) + 1023) << 52);
}

#endif
