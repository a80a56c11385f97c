/* Parts of the self-test that run on several threads. Private to app/. */
#ifndef DCMPI_APP_SELFTEST_KERN_H
#define DCMPI_APP_SELFTEST_KERN_H

#include "dcmpi/step.h"

/* Encodes n_tiles tiles of `rows` rows, one thread per tile, as dc_embed() does. X [n_tiles*rows x D], Z [n_tiles*rows
 * x L]. infer: created for the encoder, tiles of `rows` rows and n_threads threads. */
void dc_selftest_tiles(const dc_infer *infer, const dc_net *net, int n_threads, int64_t n_tiles, int64_t rows,
                       const float *X, float *Z);

/* Calls f(ctx) with parallel regions of n threads. */
void dc_selftest_with_threads(int n, void (*f)(void *ctx), void *ctx);

#endif
