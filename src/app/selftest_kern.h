/* Private to app/: the threads of the self-test. */
#ifndef DCMPI_APP_SELFTEST_KERN_H
#define DCMPI_APP_SELFTEST_KERN_H

#include "dcmpi/nn.h"

/* Encodes n_tiles tiles of `rows` rows, one thread each, as dc_embed() does. X [n_tiles*rows x D], Z [n_tiles*rows x
 * L]; work[n_threads] has room for `rows` rows. */
void dc_selftest_tiles(const dc_net *net, const float *value, dc_net_work *work, int n_threads, int64_t n_tiles,
                       int64_t rows, const float *X, float *Z);

/* Calls f with parallel regions of n threads. */
void dc_selftest_with_threads(int n, void (*f)(void *ctx), void *ctx);

#endif
