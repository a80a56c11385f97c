/* Self-test, messages: measures what one reduction costs, and checks that it gives all ranks the same bits. If it did
 * not, the ranks' replicas of the network would drift apart. */
#include <math.h>
#include <string.h>

#include "dcmpi/clock.h"
#include "dcmpi/mem.h"
#include "dcmpi/rng.h"
#include "selftest.h"

enum { GRADIENT = 3330794 }; /* parameters of the autoencoder 784-500-500-2000-10: 13.3 MB */
static const double MEASURE_S = 0.2;

/* Seconds that the slowest rank takes for `repeats` reductions of x, which is 0. */
static double time_reductions(dc_comm *comm, float *x, size_t n, int repeats)
{
    dc_comm_barrier(comm);
    const double start = dc_clock_now_s();
    for (int i = 0; i < repeats; i++) dc_comm_sum_f32(comm, x, n);
    return dc_selftest_max(comm, dc_clock_now_s() - start);
}

/* Seconds of one reduction. A first measurement gives the same time on all ranks, so all choose the same number of
 * repetitions. */
static double measure_reduction(dc_comm *comm, float *x, size_t n)
{
    enum { REPEATS_MAX = 10000 };
    memset(x, 0, n * sizeof *x);
    time_reductions(comm, x, n, 1); /* connections are made by the first message */
    const double one = time_reductions(comm, x, n, 1);
    const int repeats = (int)fmin(fmax(MEASURE_S / fmax(one, 1e-9), 1), REPEATS_MAX);
    return time_reductions(comm, x, n, repeats) / repeats;
}

/* Sums whole numbers, small enough that every order of summation is exact. */
static dc_status check_sum(dc_comm *comm, float *x, size_t n)
{
    enum { PERIOD = 7 };
    const int P = dc_comm_size(comm), own = dc_comm_rank(comm) % PERIOD;
    int64_t of_ranks = 0;
    for (int r = 0; r < P; r++) of_ranks += r % PERIOD;
    for (size_t i = 0; i < n; i++) x[i] = (float)(own + (int)(i % PERIOD));
    dc_comm_sum_f32(comm, x, n);
    for (size_t i = 0; i < n; i++) {
        const float answer = (float)(of_ranks + (int64_t)P * (int64_t)(i % PERIOD));
        if (x[i] != answer)
            return DC_FAIL(DC_ERR_NUMERIC, "element %zu of the sum is %g, not %g", i, (double)x[i], (double)answer);
    }
    return DC_OK;
}

dc_status dc_selftest_latency(dc_comm *comm, dc_selftest *t)
{
    float x[2];
    if (dc_comm_size(comm) == 1) return dc_selftest_skip(t, "one rank sends no messages");
    dc_selftest_figure(t, "%.1f us", 1e6 * measure_reduction(comm, x, DC_COUNT_OF(x)));
    return dc_agree(comm, check_sum(comm, x, DC_COUNT_OF(x)));
}

dc_status dc_selftest_bandwidth(dc_comm *comm, dc_selftest *t)
{
    dc_status st = DC_OK;
    float *x = NULL;
    if (dc_comm_size(comm) == 1) return dc_selftest_skip(t, "one rank sends no messages");
    DC_TRY_ALL(comm, dc_mem_alloc(&x, GRADIENT, sizeof *x, "gradient"));
    const double seconds = measure_reduction(comm, x, GRADIENT);
    dc_selftest_figure(t, "%.2f ms, %.2f GB/s: what a training step adds for its gradient", 1e3 * seconds,
                       1e-9 * GRADIENT * sizeof *x / seconds);
    DC_TRY_ALL(comm, check_sum(comm, x, GRADIENT));
out:
    dc_mem_free(&x);
    return st;
}

/* Sums gradients of random numbers: the sum has rounding errors, which must be the same on all ranks. */
dc_status dc_selftest_replicas(dc_comm *comm, dc_selftest *t)
{
    enum { N = 100003 };
    dc_status st = DC_OK;
    float *grad = NULL, *of_rank_0 = NULL;
    DC_TRY_ALL(comm, dc_mem_alloc(&grad, N, sizeof *grad, "gradient"));
    DC_TRY_ALL(comm, dc_mem_alloc(&of_rank_0, N, sizeof *of_rank_0, "gradient"));
    dc_rng_fill_uniform(grad, N, 1, (uint64_t)dc_comm_rank(comm), 1);
    dc_comm_sum_f32(comm, grad, N);
    memcpy(of_rank_0, grad, N * sizeof *grad);
    dc_comm_bcast(comm, of_rank_0, N * sizeof *grad, 0);
    dc_selftest_figure(t, "all ranks have the same bits after the sum of their gradients");
    DC_TRY_ALL(comm, memcmp(grad, of_rank_0, N * sizeof *grad) == 0
                         ? DC_OK
                         : DC_FAIL(DC_ERR_NUMERIC, "the sum of gradients has other bits here than on rank 0"));
out:
    dc_mem_free(&of_rank_0);
    dc_mem_free(&grad);
    return st;
}
