/* The OpenMP threads of this process. */
#ifndef DCMPI_THREADS_H
#define DCMPI_THREADS_H

#include "dcmpi/base.h"

/* Makes all threads alike, once, before the first kernel: denormal numbers count as 0 in every one (the FTZ and DAZ
 * bits of x86), and a parallel region has as many threads as omp_get_max_threads() says, a nested one a single thread,
 * whatever OMP_DYNAMIC, OMP_THREAD_LIMIT and OMP_MAX_ACTIVE_LEVELS say. A region that silently had one thread would let
 * a library inside it split a product. Threads that are started later inherit this from the caller. */
void dc_threads_init(void);
/* Whether every thread counts denormal numbers as 0. */
bool dc_threads_flush_denormals(void);
/* Binds thread t to the hardware threads of sets[t] of sets[n], each a mask of `words` 64-bit words; threads from n on
 * stay where they are. False if the system refused one. */
bool dc_threads_bind(const uint64_t *sets, int n, size_t words);
/* Cores that control groups grant this process by time ("--cpus" of containers), INFINITY without a quota. `root`: "",
 * or a folder with files of the kernel, for tests. */
double dc_threads_quota_under(const char *root);

#endif
