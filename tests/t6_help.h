/* For the tests of cluster/: random arrays, and a communicator of this rank alone, so that a job on P ranks can compare
 * its results with those of one rank, bit by bit. */
#ifndef DCMPI_TESTS_T6_HELP_H
#define DCMPI_TESTS_T6_HELP_H

#include <stdlib.h>

#include "../src/comm/comm_priv.h"
#include "dcmpi/rng.h"

/* Copy of `comm` in which this process is the only rank. Nothing to release. */
static inline struct dc_comm t6_solo(const dc_comm *comm)
{
    struct dc_comm solo = *comm;
    solo.mpi = MPI_COMM_SELF;
    solo.rank = solo.node_rank = 0;
    solo.size = solo.node_size = solo.node_count = 1;
    return solo;
}

/* x[n] ~ N(mean, sigma^2), a function of seed and index. */
static inline void t6_normal(float *x, int64_t n, uint64_t seed, double mean, double sigma)
{
    for (int64_t i = 0; i < n; i++) {
        uint32_t w[4];
        double g[2];
        dc_rng4(seed, DC_STREAM_TEST, 0, (uint64_t)i, w);
        dc_rng_normal2(w[0], w[1], g);
        x[i] = (float)(mean + sigma * g[0]);
    }
}

static inline void *t6_alloc(int64_t n, size_t size)
{
    void *p = calloc((size_t)n + 1, size);
    if (!p) abort();
    return p;
}

static inline double *t6_double(const float *x, int64_t n)
{
    double *y = t6_alloc(n, sizeof *y);
    for (int64_t i = 0; i < n; i++) y[i] = (double)x[i];
    return y;
}

#endif
