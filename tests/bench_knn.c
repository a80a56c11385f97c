/* Speed of the neighbour search beside the GEMM rate of the same ranks and threads, measured in the same run, and of
 * the graph that is made of it. Not a test: prints a line. Rates are per second of CPU time of all threads, so that
 * other work on the machine disturbs them less; OMP_WAIT_POLICY=passive keeps waiting threads from counting. usage:
 * bench_knn [N d [k [cosine]]] | bench_knn DATA.h5 [k [cosine]] Without a file: N rows of 10 groups. The rate counts 2
 * N^2 d operations. */
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dcmpi/clock.h"
#include "dcmpi/comm.h"
#include "dcmpi/h5.h"
#include "dcmpi/la.h"
#include "dcmpi/mem.h"
#include "dcmpi/neighbours.h"
#include "dcmpi/rng.h"

enum { SHARDS = 64, GROUPS = 10, SEED = 540, GEMM_ROWS = 4096 };

typedef struct {
    int64_t N, d, k;
    dc_metric metric;
    dc_part part;
    float *X; /* [n x d] */
} problem;

/* Row i of group i % GROUPS. */
static void draw(problem *p)
{
    float center[GROUPS];
    for (int64_t i = 0; i < dc_part_rows(&p->part); i++) {
        const int64_t row = p->part.row_lo + i;
        dc_rng_fill_uniform(p->X + i * p->d, (size_t)p->d, SEED, (uint64_t)(GROUPS + row), 1);
        for (int64_t c = 0; c < p->d; c++) {
            dc_rng_fill_uniform(center, GROUPS, SEED, (uint64_t)(p->N + GROUPS + c), 2);
            p->X[i * p->d + c] += center[row % GROUPS];
        }
    }
}

static dc_status read_file(dc_comm *comm, const char *path, problem *p)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = NULL;
    dc_h5_info info;
    uint8_t *bytes = NULL;
    DC_TRY(dc_h5_open(&h5, path, DC_H5_READ));
    DC_TRY(dc_h5_dataset_info(h5, "/X", &info));
    DC_TRY(dc_h5_close(&h5));
    DC_ASSERT(info.type == DC_H5_U8);
    p->N = info.dims[0];
    p->d = 1;
    for (int i = 1; i < info.n_dims; i++) p->d *= info.dims[i];
    DC_TRY(dc_part_init(&p->part, p->N, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    const size_t n = (size_t)(dc_part_rows(&p->part) * p->d);
    DC_TRY(dc_mem_alloc(&bytes, n, 1, "rows"));
    DC_TRY(dc_mem_alloc(&p->X, n, sizeof *p->X, "rows"));
    DC_TRY(dc_h5_read_part(comm, path, "/X", DC_H5_U8, &p->part, (size_t)p->d, bytes));
    for (size_t i = 0; i < n; i++) p->X[i] = (float)bytes[i] / 255.0F;
out:
    dc_mem_free(&bytes);
    return st;
}

static dc_status make_rows(dc_comm *comm, problem *p)
{
    dc_status st = DC_OK;
    DC_TRY(dc_part_init(&p->part, p->N, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    DC_TRY(dc_mem_alloc(&p->X, (size_t)(dc_part_rows(&p->part) * p->d), sizeof *p->X, "rows"));
    draw(p);
out:
    return st;
}

/* CPU time of all threads and ranks so far. */
static double cpu_s(dc_comm *comm)
{
    double s = (double)clock() / CLOCKS_PER_SEC;
    dc_comm_sum_f64(comm, &s, 1);
    return s;
}

/* GFLOP per second of CPU time of a large product C = A B' of rows of width d, the best of some. */
static double gemm_rate(dc_comm *comm, int64_t d)
{
    float *A, *B, *C;
    double best = 0;
    const size_t n = (size_t)(GEMM_ROWS * d);
    const int times = (int)DC_MAX(1, 100 / d);
    if (dc_mem_alloc(&A, n, sizeof *A, "A") != DC_OK || dc_mem_alloc(&B, n, sizeof *B, "B") != DC_OK ||
        dc_mem_alloc(&C, (size_t)GEMM_ROWS * GEMM_ROWS, sizeof *C, "C") != DC_OK)
        return 0;
    dc_rng_fill_uniform(A, n, SEED, 1, 1);
    dc_rng_fill_uniform(B, n, SEED, 2, 1);
    for (int i = 0; i < 10; i++) {
        const double begin = cpu_s(comm);
        for (int t = 0; t < times; t++) dc_gemm(DC_N, DC_T, GEMM_ROWS, GEMM_ROWS, d, 1, A, d, B, d, 0, C, GEMM_ROWS);
        const double flop = 2.0 * GEMM_ROWS * GEMM_ROWS * (double)d * times * dc_comm_size(comm);
        best = DC_MAX(best, 1e-9 * flop / (cpu_s(comm) - begin));
    }
    dc_mem_free(&A);
    dc_mem_free(&B);
    dc_mem_free(&C);
    return best;
}

static dc_status bench(dc_comm *comm, const problem *p)
{
    dc_status st = DC_OK;
    dc_knn knn = {0};
    dc_neighbours g = {0};
    int64_t *component = NULL, components, largest;
    const bool root = dc_comm_rank(comm) == 0;
    const dc_rows rows = {.part = &p->part, .d = p->d, .X = p->X};
    const dc_knn_config cfg = {.k = p->k, .metric = p->metric};
    const double gemm = gemm_rate(comm, p->d), cpu = cpu_s(comm), begin = dc_clock_now_s();
    DC_TRY(dc_knn_find(comm, &rows, &cfg, &knn));
    const double found = dc_clock_now_s(), used = cpu_s(comm) - cpu,
                 rate = 2e-9 * (double)p->N * (double)p->N * (double)p->d / used;
    DC_TRY(dc_neighbours_create(comm, &p->part, &knn, DC_SYMMETRY_UNION, &g));
    const double made = dc_clock_now_s();
    DC_TRY_ALL(comm, dc_mem_alloc(&component, (size_t)dc_part_rows(&p->part), sizeof *component, "components"));
    DC_TRY(dc_neighbours_components(comm, &g, component, &components, &largest));
    const double joined = dc_clock_now_s();
    if (root)
        printf("%lld x %lld, k %lld, %s, %d ranks x %d threads: search %.3f s, CPU %.3f s, %.1f GFLOP per s of "
               "CPU, %.0f %% of GEMM (%.1f); "
               "graph %.3f s, %lld edges; components %.3f s, %lld, largest %lld\n",
               (long long)p->N, (long long)p->d, (long long)p->k, p->metric ? "cosine" : "euclidean",
               dc_comm_size(comm), omp_get_max_threads(), found - begin, used, rate, 100 * rate / gemm, gemm,
               made - found, (long long)g.edges / 2, joined - made, (long long)components, (long long)largest);
out:
    dc_mem_free(&component);
    dc_neighbours_release(&g);
    dc_knn_release(&knn);
    return st;
}

int main(int argc, char **argv)
{
    dc_comm *comm;
    problem p = {.N = 70000, .d = 10, .k = 15};
    if (dc_comm_create(&comm) != DC_OK) return 1;
    const bool file = argc > 1 && strchr(argv[1], '.');
    const int next = file ? 2 : 3;
    if (!file && argc > 1) p.N = atoll(argv[1]);
    if (!file && argc > 2) p.d = atoll(argv[2]);
    if (argc > next) p.k = atoll(argv[next]);
    if (argc > next + 1) p.metric = DC_METRIC_COSINE;
    dc_status st = file ? read_file(comm, argv[1], &p) : make_rows(comm, &p);
    if (st == DC_OK) st = bench(comm, &p);
    if (st != DC_OK && dc_comm_rank(comm) == 0) fprintf(stderr, "bench_knn: %s\n", dc_error_text());
    dc_mem_free(&p.X);
    dc_comm_destroy(&comm);
    return st != DC_OK;
}
