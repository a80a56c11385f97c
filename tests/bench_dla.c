/* Rates of ScaLAPACK's drivers, and predicted against measured peak memory:
 * mpirun -n P build/tests/bench_dla ORDER K DRIVER [BITS [BLOCK]]: K = 0: all pairs; DRIVER: 0 auto, 1 evr, 2 evx, 3
 * evd. */
#include <omp.h>
#include <stdlib.h>

#include "dcmpi/comm.h"
#include "dcmpi/dla.h"
#include "dcmpi/la.h"
#include "dcmpi/mem.h"
#include "dcmpi/rng.h"
#include "dcmpi/threads.h"
#include "la/dla_impl.h"

enum { D = 32, SHARDS = 64 };

static void give(const void *ctx, int64_t lo, int64_t n, float *out)
{
    const dc_part *part = ctx;
    for (int64_t i = 0; i < n; i++) dc_rng_fill_uniform(out + i * D, D, 1, (uint64_t)(part->row_lo + lo + i), 1);
}

static int bench(dc_comm *comm, char **argv, bool single)
{
    const int P = dc_comm_size(comm), rank = dc_comm_rank(comm);
    const int64_t N = atoll(argv[1]), k = atoll(argv[2]);
    const dc_dtype dtype = single ? DC_F32 : DC_F64;
    const dc_dla_want want = {k == 0 ? DC_DLA_ALL : DC_DLA_SMALLEST, k, dtype, (dc_dla_driver)atoi(argv[3])};
    const dc_dla_size size = {.task = DC_DLA_EIGEN, .N = N, .d = D, .want = want, .shards = SHARDS};
    const dc_dla_gauss_scale scale = {.scale = 1};
    dc_dla_plan plan;
    dc_part part;
    dc_dla_eigen e;
    if (dc_part_init(&part, N, SHARDS, P, rank) != DC_OK || dc_dla_plan_make(&size, P, &plan) != DC_OK) return 1;
    const dc_rows X = {.part = &part, .d = D, .rows = give, .ctx = &part};
    const dc_dla_matrix A = {.part = &part, .affinity = dc_dla_gauss, .ctx = &scale, .X = &X, .laplacian = true};
    const double before = (double)dc_mem_resident_bytes();
    if (dc_dla_eigen_solve(comm, &A, &want, &e) != DC_OK) {
        fprintf(stderr, "%s\n", dc_error_text());
        return 1;
    }
    double measured[2] = {(double)dc_mem_resident_peak_bytes() - before, (double)dc_mem_peak_bytes()};
    dc_comm_max_f64(comm, measured, 2);
    if (rank == 0)
        printf(
            "N %lld k %lld %s %s P %d grid %dx%d block %lld T %d: build %.2f s, solve %.2f s = %.2f GF/s, move %.2f s; "
            "orthogonality %.1e, residual %.1e; peak MiB: predicted %.1f, counted %.1f, resident %.1f\n",
            (long long)N, (long long)e.k, dc_dla_driver_name(e.plan.driver), dc_dtype_name(dtype), P, e.plan.grid_rows,
            e.plan.grid_columns, (long long)e.plan.block, omp_get_max_threads(), e.build_s, e.solve_s,
            e.flop / e.solve_s * 1e-9, e.move_s, e.orthogonality, e.residual, plan.peak / 0x1p20, measured[1] / 0x1p20,
            measured[0] / 0x1p20);
    dc_dla_eigen_release(&e);
    return 0;
}

int main(int argc, char **argv)
{
    dc_comm *comm;
    dc_mem_setup();
    if (argc < 4 || dc_comm_create(&comm) != DC_OK) return 2;
    dc_threads_init();
    dc_dla_set_block(argc > 5 ? atoll(argv[5]) : 0);
    const int failed = bench(comm, argv, argc > 4 && atoi(argv[4]) == 32);
    dc_comm_destroy(&comm);
    return failed;
}
