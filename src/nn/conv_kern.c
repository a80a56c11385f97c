/* The parts of a convolution besides patches and products. */
#include "nn/conv_kern.h"

#include <omp.h>

#include "nn/act.h"

void dc_images_run(const dc_call *c, int64_t n, int64_t chunk, dc_images f)
{
    DC_ASSERT(n % chunk == 0);
#pragma omp parallel for schedule(dynamic) if (n > chunk)
    for (int64_t lo = 0; lo < n; lo += chunk) f(c, lo, chunk, c->lane + (size_t)omp_get_thread_num() * c->lane_floats);
}

/* Images of few channels: vectors hold several pixels, and so does the bias. */
static void bias_act_narrow(dc_act act, const float *b, int64_t count, int64_t channels, float *Y)
{
    float bias[DC_VEC_LANES * DC_VEC_LANES];
    const int64_t period = channels * DC_VEC_LANES;
    for (int64_t j = 0; j < period; j++) bias[j] = b[j % channels];
    for (int64_t i = 0; i < count; i += period)
        for (int64_t j = 0; j < DC_MIN(period, count - i); j += DC_VEC_LANES) {
            float *y = Y + i + j;
            const int64_t rest = count - i - j;
            const dc_vec t = dc_vec_load(y, rest) + dc_vec_load(bias + j, DC_VEC_LANES);
            dc_vec_store(y, rest, dc_vec_act(act, t));
        }
}

void dc_pixels_bias_act(dc_act act, const float *b, int64_t pixels, int64_t channels, float *Y)
{
    if (channels <= DC_VEC_LANES) {
        bias_act_narrow(act, b, pixels * channels, channels, Y);
        return;
    }
    for (int64_t i = 0; i < pixels; i++)
        for (int64_t j = 0; j < channels; j += DC_VEC_LANES) {
            float *y = Y + i * channels + j;
            const dc_vec t = dc_vec_load(y, channels - j) + dc_vec_load(b + j, channels - j);
            dc_vec_store(y, channels - j, dc_vec_act(act, t));
        }
}

void dc_pixels_act_grad(dc_act act, const float *Y, int64_t count, float *dY)
{
    if (act == DC_ACT_LINEAR) return;
    for (int64_t j = 0; j < count; j += DC_VEC_LANES)
        dc_vec_store(dY + j, count - j,
                     dc_vec_act_grad(act, dc_vec_load(Y + j, count - j), dc_vec_load(dY + j, count - j)));
}

void dc_pixels_sum(const float *D, int64_t pixels, int64_t channels, double *sum)
{
    for (int64_t i = 0; i < pixels; i++)
        for (int64_t j = 0; j < channels; j++) sum[j] += (double)D[i * channels + j];
}
