/* Sets how threads wait for each other, and the kernels of OpenBLAS. Both libraries read their setting only when they
 * are loaded, so the program restarts itself.
 *
 * A waiting thread of libgomp spins for 300,000 rounds, which takes 1 ms on some processors and 15 ms on others. If
 * something else wants the core - a neighbour, the ranks of an unbound job - the spinning thread delays the very
 * threads that it waits for. So we let it sleep after SPIN_S. That is longer than the pauses between the loops of a
 * step, so that on free cores it is mostly still awake when work comes. Where the queue gave each thread a core, nobody
 * else wants it, and the threads spin as libgomp likes. */
#include "dcmpi/waiting.h"

#include <math.h>
#include <omp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dcmpi/clock.h"
#include "dcmpi/queue.h"
#include "dcmpi/signals.h"

static const double SPIN_S = 30e-6;

/* How many rounds of libgomp's spin loop (each is one pause instruction) take SPIN_S. */
static long rounds(void)
{
    enum { TRIED = 200, TIMES = 5 };
    double least = INFINITY;
    for (int t = 0; t < TIMES; t++) {
        const double began = dc_clock_now_s();
        for (int i = 0; i < TRIED; i++) __builtin_ia32_pause();
        least = fmin(least, dc_clock_now_s() - began);
    }
    return lround(SPIN_S * TRIED / fmax(least, 1e-9));
}

/* True under the memory debugger Valgrind, which would not follow the restarted program. */
static bool is_watched(void)
{
    const char *preloaded = getenv("LD_PRELOAD");
    return preloaded && strstr(preloaded, "vgpreload");
}

/* With OMP_PROC_BIND, this thread is already bound to the first place, and the restarted program would see only that
 * place. So this allows the cores of all places. */
static void leave_place(void)
{
    cpu_set_t all;
    CPU_ZERO(&all);
    for (int place = 0; place < omp_get_num_places(); place++) {
        int number[CPU_SETSIZE];
        const int n = omp_get_place_num_procs(place);
        if (n > CPU_SETSIZE) continue;
        omp_get_place_proc_ids(place, number);
        for (int i = 0; i < n; i++) CPU_SET((size_t)number[i], &all);
    }
    if (CPU_COUNT(&all) > 0) sched_setaffinity(0, sizeof all, &all);
}

void dc_waiting_prepare(char **argv, const char *blas_core)
{
    char program[DC_PATH_MAX], number[32];
    const bool sleeps =
        !getenv("OMP_WAIT_POLICY") && !getenv("GOMP_SPINCOUNT") && !dc_queue_grants_cores(omp_get_max_threads());
    const bool slow_blas = blas_core[0] && !getenv("OPENBLAS_CORETYPE");
    if (!(sleeps || slow_blas) || is_watched()) return;
    const ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n <= 0 || (size_t)n >= sizeof program - 1) return;
    program[n] = '\0';
    if (sleeps) snprintf(number, sizeof number, "%ld", rounds());
    if (sleeps && setenv("GOMP_SPINCOUNT", number, 1) != 0) return;
    if (slow_blas && setenv("OPENBLAS_CORETYPE", blas_core, 1) != 0) return;
    dc_signals_hold();
    leave_place();
    execv(program, argv);
}
