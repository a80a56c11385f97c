/* Time and quality of the start of k-means by k-means++ and by k-means||, and the time of an iteration. Not a test:
 * prints a line per start. Seconds of CPU are those of all threads; OMP_WAIT_POLICY=passive keeps waiting threads from
 * counting. usage: bench_kmeans [N d K [groups spread [iterations]]]: N rows of N(0, 1) around centres drawn from
 * N(0, spread^2). */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <time.h>

#include "dcmpi/clock.h"
#include "dcmpi/cluster.h"
#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "dcmpi/rng.h"

enum { SHARDS = 64, SEED = 620 };

typedef struct {
    int64_t N, d, K, groups;
    double spread;
    int iterations;
    dc_part part;
    float *X; /* [n x d] */
} problem;

static dc_status make_rows(dc_comm *comm, problem *p)
{
    dc_status st = DC_OK;
    const size_t d = (size_t)p->d;
    float *center = NULL;
    DC_TRY(dc_part_init(&p->part, p->N, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    const int64_t n = dc_part_rows(&p->part);
    DC_TRY(dc_mem_alloc(&p->X, (size_t)n * d, sizeof *p->X, "rows"));
    DC_TRY(dc_mem_alloc(&center, (size_t)p->groups * d, sizeof *center, "centres"));
    dc_rng_fill_normal(center, (size_t)p->groups * d, SEED, 0, p->spread);
    for (int64_t i = 0; i < n; i++) {
        const int64_t row = p->part.row_lo + i;
        dc_rng_fill_normal(p->X + i * p->d, d, SEED, (uint64_t)(1 + row), 1);
        for (int64_t c = 0; c < p->d; c++) p->X[i * p->d + c] += center[row % p->groups * p->d + c];
    }
out:
    dc_mem_free(&center);
    return st;
}

/* CPU time of all threads and ranks so far. */
static double cpu_s(dc_comm *comm)
{
    double s = (double)clock() / CLOCKS_PER_SEC;
    dc_comm_sum_f64(comm, &s, 1);
    return s;
}

typedef struct {
    double wall, cpu, inertia;
    int iterations;
} measured;

static dc_status run(dc_comm *comm, const problem *p, dc_seeding seeding, int iterations, measured *out)
{
    dc_kmeans_result r;
    const dc_rows rows = dc_rows_of_array(&p->part, p->X, &p->d);
    const dc_kmeans_config cfg = {
        .K = p->K, .n_init = 1, .max_iter = iterations, .seeding = seeding, .seed = 1, .quiet = true};
    const double begin = dc_clock_now_s(), cpu = cpu_s(comm);
    const dc_status st = dc_kmeans(comm, &rows, &cfg, &r);
    *out = (measured){dc_clock_now_s() - begin, cpu_s(comm) - cpu, r.inertia, r.iterations};
    dc_kmeans_result_release(&r);
    return st;
}

static dc_status bench(dc_comm *comm, const problem *p)
{
    static const dc_seeding seeding[] = {DC_SEEDING_PARALLEL, DC_SEEDING_PLUSPLUS};
    static const char *const name[] = {"k-means||", "k-means++"};
    dc_status st = DC_OK;
    for (int i = 0; i < 2; i++) {
        measured start, all;
        DC_TRY(run(comm, p, seeding[i], 0, &start));
        DC_TRY(run(comm, p, seeding[i], p->iterations, &all));
        const double passes = DC_MAX(1, all.iterations);
        if (dc_comm_rank(comm) == 0)
            printf("%lld x %lld, K %lld, %lld groups, %d ranks x %d threads, %s: start and labels %.2f s, CPU %.2f s, "
                   "inertia %.9g; iteration %.3f s, CPU %.3f s; inertia after %d %.9g\n",
                   (long long)p->N, (long long)p->d, (long long)p->K, (long long)p->groups, dc_comm_size(comm),
                   omp_get_max_threads(), name[i], start.wall, start.cpu, start.inertia,
                   (all.wall - start.wall) / passes, (all.cpu - start.cpu) / passes, all.iterations, all.inertia);
    }
out:
    return st;
}

int main(int argc, char **argv)
{
    dc_comm *comm;
    problem p = {.N = 200000, .d = 64, .K = 1000, .groups = 1000, .spread = 1, .iterations = 20};
    if (dc_comm_create(&comm) != DC_OK) return 1;
    if (argc > 3) p.N = atoll(argv[1]), p.d = atoll(argv[2]), p.groups = p.K = atoll(argv[3]);
    if (argc > 5) p.groups = atoll(argv[4]), p.spread = atof(argv[5]);
    if (argc > 6) p.iterations = atoi(argv[6]);
    dc_status st = make_rows(comm, &p);
    if (st == DC_OK) st = bench(comm, &p);
    if (st != DC_OK && dc_comm_rank(comm) == 0) fprintf(stderr, "bench_kmeans: %s\n", dc_error_text());
    dc_mem_free(&p.X);
    dc_comm_destroy(&comm);
    return st != DC_OK;
}
