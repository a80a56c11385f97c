#include "data_ref.h"

#include <math.h>
#include <stdlib.h>

static double half_to_double(uint16_t h)
{
    const int sign = h >> 15, exponent = (h >> 10) & 31, mantissa = h & 1023;
    const double magnitude = exponent == 31  ? (mantissa ? NAN : INFINITY)
                             : exponent == 0 ? ldexp(mantissa, -24)
                                             : ldexp(1024 + mantissa, exponent - 25);
    return sign ? -magnitude : magnitude;
}

double dc_value_ref(const void *X, dc_dtype dtype, int64_t i)
{
    switch (dtype) {
    case DC_U8:
        return ((const uint8_t *)X)[i];
    case DC_F16:
        return half_to_double(((const uint16_t *)X)[i]);
    case DC_F32:
        return (double)((const float *)X)[i];
    case DC_F64:
        return ((const double *)X)[i];
    }
    return NAN;
}

static double inverse(double range)
{
    return range > 0 ? 1 / range : 1;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void dc_quantile_ref(const double *X, int64_t N, int64_t D, double p, double *out)
{
    double *column = malloc((size_t)N * sizeof *column);
    const double at = p * (double)(N - 1), t = at - floor(at);
    const int64_t k = (int64_t)at;
    for (int64_t c = 0; c < D; c++) {
        for (int64_t i = 0; i < N; i++) column[i] = X[i * D + c] + 0.0;
        qsort(column, (size_t)N, sizeof *column, ascending);
        const double a = column[k], b = column[k + 1 < N ? k + 1 : k];
        out[c] = a == b ? a : t < 0.5 ? a + (b - a) * t : b - (b - a) * (1 - t);
    }
    free(column);
}

static void robust_ref(const double *X, int64_t N, int64_t D, double *shift, double *scale)
{
    double *lower = malloc((size_t)D * sizeof *lower);
    dc_quantile_ref(X, N, D, 0.25, lower);
    dc_quantile_ref(X, N, D, 0.75, scale);
    dc_quantile_ref(X, N, D, 0.5, shift);
    for (int64_t c = 0; c < D; c++) scale[c] = inverse(scale[c] - lower[c]);
    free(lower);
}

void dc_scaling_ref(dc_scale_kind kind, const double *X, int64_t N, int64_t D, bool is_u8, double *shift, double *scale)
{
    double min = INFINITY, max = -INFINITY, squares = 0;
    if (kind == DC_SCALE_ROBUST) {
        robust_ref(X, N, D, shift, scale);
        return;
    }
    for (int64_t i = 0; i < N * D; i++) {
        min = fmin(min, X[i]);
        max = fmax(max, X[i]);
        squares += X[i] * X[i];
    }
    for (int64_t c = 0; c < D; c++) {
        double lo = INFINITY, hi = -INFINITY, sum = 0, variance = 0;
        for (int64_t i = 0; i < N; i++) lo = fmin(lo, X[i * D + c]), hi = fmax(hi, X[i * D + c]), sum += X[i * D + c];
        for (int64_t i = 0; i < N; i++) variance += pow(X[i * D + c] - sum / (double)N, 2) / (double)N;
        shift[c] = 0, scale[c] = 1;
        if (kind == DC_SCALE_UNIT) shift[c] = is_u8 ? 0 : min, scale[c] = is_u8 ? 1 / 255.0 : inverse(max - min);
        if (kind == DC_SCALE_SYMMETRIC)
            shift[c] = is_u8 ? 127.5 : (min + max) / 2, scale[c] = is_u8 ? 1 / 127.5 : inverse((max - min) / 2);
        if (kind == DC_SCALE_DEC) scale[c] = inverse(sqrt(squares / (double)(N * D)));
        if (kind == DC_SCALE_STANDARD)
            shift[c] = lo < hi ? sum / (double)N : lo, scale[c] = lo < hi ? inverse(sqrt(variance)) : 1;
        if (kind == DC_SCALE_MINMAX) shift[c] = lo, scale[c] = inverse(hi - lo);
    }
}
