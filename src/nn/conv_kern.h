/* Private to op_conv.c: images a few at a time, and what is done to each value of a layer. */
#ifndef DCMPI_NN_CONV_KERN_H
#define DCMPI_NN_CONV_KERN_H

#include "dcmpi/op.h"

/* Calls f for images [lo, lo + chunk) of n, n a multiple of `chunk`, shared out among the threads; lane: the thread's
 * own. */
typedef void (*dc_images)(const dc_call *c, int64_t lo, int64_t chunk, float *lane);
void dc_images_run(const dc_call *c, int64_t n, int64_t chunk, dc_images f);

/* Y = act(Y + b) in place; Y [pixels x channels], b [channels]. By the calling thread. */
void dc_pixels_bias_act(dc_act act, const float *b, int64_t pixels, int64_t channels, float *Y);
/* dY *= act'(.) in place, computed from Y; both [count]. By the calling thread. */
void dc_pixels_act_grad(dc_act act, const float *Y, int64_t count, float *dY);
/* sum[channels] += D [pixels x channels], pixel by pixel. */
void dc_pixels_sum(const float *D, int64_t pixels, int64_t channels, double *sum);

#endif
