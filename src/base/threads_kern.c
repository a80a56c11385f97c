/* Sets the same floating-point mode in all threads.
 *
 * If a weight no longer gets a gradient, its moments decay to denormal numbers and stay there: 0.9 times one of the
 * smallest denormals rounds back to itself. Every update then takes a slow path of the CPU. Libraries may also set the
 * mode when they are loaded, but only in the thread that loads them; so it is set here and not left to chance. */
#include "dcmpi/threads.h"

#include <omp.h>
#include <pmmintrin.h>
#include <sched.h>

/* Denormal results become 0; denormal operands count as 0. */
static const unsigned FLUSH = _MM_FLUSH_ZERO_ON | _MM_DENORMALS_ZERO_ON;

void dc_threads_init(void)
{
    omp_set_dynamic(0);
    omp_set_max_active_levels(1);
    omp_set_num_threads(DC_MIN(omp_get_max_threads(), omp_get_thread_limit()));
#pragma omp parallel
    _mm_setcsr(_mm_getcsr() | FLUSH);
}

bool dc_threads_bind(const uint64_t *sets, int n, size_t words)
{
    bool all = true;
#pragma omp parallel reduction(&& : all)
    {
        const int t = omp_get_thread_num();
        if (t < n) all = sched_setaffinity(0, words * sizeof *sets, (const cpu_set_t *)(sets + (size_t)t * words)) == 0;
    }
    return all;
}

bool dc_threads_flush_denormals(void)
{
    bool all = true;
#pragma omp parallel reduction(&& : all)
    all = (_mm_getcsr() & FLUSH) == FLUSH;
    return all;
}
