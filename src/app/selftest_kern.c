/* Self-test, threads: computes tiles as dc_embed() does, but without a model; sets the number of threads. */
#include "selftest_kern.h"

#include <omp.h>
#include <string.h>

static void forward_tile(const dc_infer *infer, const dc_net *net, int64_t rows, const float *X, float *Z)
{
    const int thread = omp_get_thread_num();
    memcpy(dc_infer_batch(infer, thread), X, (size_t)(rows * net->D) * sizeof *X);
    dc_infer_run(infer, thread);
    memcpy(Z, dc_infer_output(infer, thread, 0), (size_t)(rows * net->L) * sizeof *Z);
}

void dc_selftest_tiles(const dc_infer *infer, const dc_net *net, int n_threads, int64_t n_tiles, int64_t rows,
                       const float *X, float *Z)
{
#pragma omp parallel for schedule(dynamic) num_threads(n_threads)
    for (int64_t i = 0; i < n_tiles; i++) forward_tile(infer, net, rows, X + i * rows * net->D, Z + i * rows * net->L);
}

void dc_selftest_with_threads(int n, void (*f)(void *ctx), void *ctx)
{
    const int before = omp_get_max_threads();
    omp_set_num_threads(n);
    f(ctx);
    omp_set_num_threads(before);
}
