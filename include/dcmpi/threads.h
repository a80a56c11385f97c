/* The OpenMP threads of this process. */
#ifndef DCMPI_THREADS_H
#define DCMPI_THREADS_H

#include "dcmpi/base.h"

/* Sets up all threads alike; call once, before the first kernel. All treat denormal numbers as 0 (FTZ and DAZ bits of
 * x86). A parallel region has omp_get_max_threads() threads and a nested region has one, whatever OMP_DYNAMIC,
 * OMP_THREAD_LIMIT and OMP_MAX_ACTIVE_LEVELS say. Otherwise a region could silently get one thread, and a library
 * called in it could split a product over threads. Threads started later inherit these settings from the caller. */
void dc_threads_init(void);
/* Whether every thread treats denormal numbers as 0. */
bool dc_threads_flush_denormals(void);
/* Binds thread t < n to the hardware threads in sets[t], a mask of `words` 64-bit words; other threads stay where they
 * are. False if the system refused to bind any thread. */
bool dc_threads_bind(const uint64_t *sets, int n, size_t words);
/* CPU time that control groups grant this process, in cores ("--cpus" of containers); INFINITY without a quota. `root`
 * is "", or in tests a folder that stands in for the root of the file system. */
double dc_threads_quota_under(const char *root);

#endif
