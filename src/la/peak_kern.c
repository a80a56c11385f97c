/* Single-precision FMA peak of the threads this process may use, as the yardstick for every rate in the reports.
 *
 * Each thread runs independent chains x = x * m + c in registers, in the widest vectors the program was built for:
 * enough chains to keep all FMA units busy despite their latency, few enough for the 16 registers of AVX2. Clocks
 * differ with the number of busy cores, so all threads run at once. The result is the best of several short rounds:
 * another process can only lower the rate of a round that it disturbs. */
#include <omp.h>

#include "dcmpi/clock.h"
#include "dcmpi/la.h"

#if defined(__AVX512F__)
enum { VEC_BYTES = 64 };
#elif defined(__AVX__)
enum { VEC_BYTES = 32 };
#else
enum { VEC_BYTES = 16 };
#endif
enum { CHAINS = 12, LANES = VEC_BYTES / 4, ROUNDS = 25, ROUND_FMAS = 1 << 20 };

typedef float vec __attribute__((vector_size(VEC_BYTES)));

/* The chains converge to c / (1 - m) = 100: no overflow, no denormal numbers. Returns a value that depends on all
 * lanes, so that none can be optimized away. */
static float run_chains(int64_t steps, float start)
{
    vec x[CHAINS], sum = {0};
    const vec m = (vec){0} + 0.999f, c = (vec){0} + 0.1f;
    for (int i = 0; i < CHAINS; i++) x[i] = (vec){0} + (start + (float)i);
    for (int64_t s = 0; s < steps; s++) {
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++) x[i] = x[i] * m + c;
    }
    for (int i = 0; i < CHAINS; i++) sum += x[i];
    float total = 0;
    for (int l = 0; l < LANES; l++) total += sum[l];
    return total;
}

double dc_la_measure_peak_flops(int threads)
{
    double best = 0, keep = 0;
    for (int round = 0; round < ROUNDS; round++) {
        double begin = 0, end = 0;
#pragma omp parallel num_threads(threads) reduction(+ : keep)
        {
#pragma omp barrier
#pragma omp master
            begin = dc_clock_now_s();
            keep += (double)run_chains(ROUND_FMAS, (float)round);
#pragma omp barrier
#pragma omp master
            end = dc_clock_now_s();
        }
        const double flops = 2.0 * LANES * CHAINS * ROUND_FMAS * threads / (end - begin);
        if (flops > best) best = flops;
    }
    return keep > 0 ? best : 0;
}
