/* k-means on P ranks and T threads gives the bits of one rank and one thread: few rows, many rows, many restarts,
 * duplicates, re-seeded clusters. Seed 1.
 * ranks: 1 2 3 5
 * threads: 2 */
#include <math.h>
#include <omp.h>

#include "../src/cluster/kmeans_impl.h"
#include "check.h"
#include "dcmpi/cluster.h"
#include "t6_help.h"

/* Local rows of an array of uint8. */
typedef struct {
    const uint8_t *X;
    int64_t d;
} bytes;

static void read_bytes(const void *ctx, int64_t lo, int64_t n, float *out)
{
    const bytes *b = ctx;
    for (int64_t i = 0; i < n * b->d; i++) out[i] = (float)b->X[lo * b->d + i];
}

static bool same_global(const dc_kmeans_result *a, const dc_kmeans_result *b, int64_t K, int64_t d)
{
    return a->inertia == b->inertia && a->best == b->best && a->iterations == b->iterations &&
           a->converged == b->converged && a->reseeded == b->reseeded &&
           memcmp(a->centers, b->centers, (size_t)(K * d) * sizeof *a->centers) == 0 &&
           memcmp(a->size, b->size, (size_t)K * sizeof *a->size) == 0;
}

/* Runs both jobs; `whole` is kept for the caller if it wants it. X: float rows, U: uint8 rows, one of them NULL. */
static bool same_bits(dc_comm *comm, const float *X, const uint8_t *U, int64_t N, int64_t d, int V,
                      const dc_kmeans_config *cfg, dc_kmeans_result *whole)
{
    struct dc_comm solo = t6_solo(comm);
    dc_part part, all;
    dc_kmeans_result mine;
    if (dc_part_init(&part, N, V, dc_comm_size(comm), dc_comm_rank(comm)) || dc_part_init(&all, N, V, 1, 0)) abort();
    const int64_t lo = part.row_lo;
    const bytes ctx = {U ? U + lo * d : NULL, d}, ctx_all = {U, d};
    const dc_rows rows =
        U ? (dc_rows){.part = &part, .d = d, .rows = read_bytes, .ctx = &ctx} : dc_rows_of_array(&part, X + lo * d, &d);
    const dc_rows rows_all =
        U ? (dc_rows){.part = &all, .d = d, .rows = read_bytes, .ctx = &ctx_all} : dc_rows_of_array(&all, X, &d);
    const dc_status st = dc_kmeans(comm, &rows, cfg, &mine);
    const int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    const dc_status st_whole = dc_kmeans(&solo, &rows_all, cfg, whole);
    omp_set_num_threads(threads);
    if (st || st_whole) return false;
    const size_t label_bytes = (size_t)dc_part_rows(&part) * sizeof(int32_t);
    const bool same = same_global(&mine, whole, cfg->K, d) && memcmp(mine.labels, whole->labels + lo, label_bytes) == 0;
    dc_kmeans_result_release(&mine);
    return same;
}

static void few_rows(dc_comm *comm)
{
    static float X[60 * 3];
    int wrong = 0;
    t6_normal(X, 60 * 3, 1, 100, 1);
    for (int64_t N = 1; N <= 47; N += N < 40 ? 1 : 7) {
        const int64_t clusters[] = {1, 2, 7, N};
        for (size_t k = 0; k < DC_COUNT_OF(clusters); k++) {
            if (clusters[k] > N) continue;
            const dc_kmeans_config cfg = {.K = clusters[k], .n_init = 3, .max_iter = 50, .tol = 1e-4, .seed = 1};
            dc_kmeans_result r;
            wrong += !same_bits(comm, X, NULL, N, 3, 8, &cfg, &r);
            if (clusters[k] == N && r.inertia != 0) wrong++; /* every row its own centre */
            dc_kmeans_result_release(&r);
        }
    }
    CHECK_INT(wrong, 0);
}

static void check_same(dc_comm *comm, const char *what, const float *X, const uint8_t *U, int64_t N, int64_t d, int V,
                       dc_kmeans_config cfg)
{
    dc_kmeans_result r;
    const bool same = same_bits(comm, X, U, N, d, V, &cfg, &r);
    if (dc_comm_rank(comm) == 0)
        printf("# %s: inertia %.17g, best %d, %d iterations, %lld reseeded\n", what, r.inertia, r.best, r.iterations,
               (long long)r.reseeded);
    CHECK(same);
    dc_kmeans_result_release(&r);
}

static void many_rows(dc_comm *comm)
{
    enum { N = 20011, D = 13 };
    float *X = t6_alloc(N * D, sizeof *X);
    uint8_t *U = t6_alloc(N * D, 1);
    t6_normal(X, N * D, 1, 30, 8);
    for (int64_t i = 0; i < N * D; i++) U[i] = (uint8_t)(X[i] < 0 ? 0 : X[i]);
    const dc_kmeans_config cfg = {.K = 10, .n_init = 5, .max_iter = 12, .tol = 1e-4, .seed = 1};
    check_same(comm, "floats, 8 shards", X, NULL, N, D, 8, cfg);
    check_same(comm, "bytes, 64 shards", NULL, U, N, D, 64, cfg);
    /* One block in all: nothing to share out. */
    check_same(comm, "one block", X, NULL, 4000, D, 8,
               (dc_kmeans_config){.K = 4, .n_init = 2, .max_iter = 9, .tol = 0, .seed = 3});
    check_same(comm, "no iteration", X, NULL, 4000, D, 8,
               (dc_kmeans_config){.K = 4, .n_init = 2, .max_iter = 0, .tol = 0, .seed = 3});
    free(X), free(U);
}

/* Few sums in one reduction: the restarts take turns, or even the clusters of one do. */
static void turns(dc_comm *comm)
{
    enum { N = 1500, D = 5, K = 6 };
    static float X[N * D];
    t6_normal(X, N * D, 1, 0, 1);
    dc_part part;
    dc_kmeans_result one, turn;
    const dc_kmeans_config cfg = {.K = K, .n_init = 7, .max_iter = 30, .tol = 1e-4, .seed = 1};
    CHECK_OK(dc_part_init(&part, N, 8, dc_comm_size(comm), dc_comm_rank(comm)));
    const int64_t d = D;
    const dc_rows rows = dc_rows_of_array(&part, X + part.row_lo * D, &d);
    CHECK_OK(dc_kmeans(comm, &rows, &cfg, &one));
    CHECK_OK(dc_kmeans_from(comm, &rows, &cfg, (dc_km_limits){.pass_doubles = 3 * K * (D + 1)}, NULL, &turn));
    CHECK(same_global(&one, &turn, K, D));
    dc_kmeans_result_release(&turn);
    CHECK_OK(dc_kmeans_from(comm, &rows, &cfg, (dc_km_limits){.pass_doubles = K * (D + 1) - 1}, NULL, &turn));
    CHECK(same_global(&one, &turn, K, D));
    dc_kmeans_result_release(&turn);
    CHECK_OK(dc_kmeans_from(comm, &rows, &cfg, (dc_km_limits){.pass_doubles = 4 * D}, NULL, &turn));
    CHECK(same_global(&one, &turn, K, D));
    dc_kmeans_result_release(&one);
    dc_kmeans_result_release(&turn);
}

/* Many empty clusters in one iteration: their centres move to the farthest rows one after the other, as naive loops
 * say. The farthest rows, more than a pool of them holds, lie close together. */
static void many_empty(dc_comm *comm)
{
    enum { N = 3 * DC_KM_FAR, NEAR = DC_KM_FAR / 2, D = 3, K = 60, USED = 8 };
    static float X[N * D], start[K * D];
    static double nearest[N];
    const int64_t d = D;
    dc_part part;
    dc_kmeans_result r;
    int64_t wrong = 0;
    t6_normal(X, N * D, 7, 0, 1);
    for (int64_t i = 0; i < K * D; i++) start[i] = i < USED * D ? X[i] : -1000;
    for (int64_t i = NEAR * D; i < N * D; i++) X[i] += 50;
    CHECK_OK(dc_part_init(&part, N, 8, dc_comm_size(comm), dc_comm_rank(comm)));
    const dc_rows rows = dc_rows_of_array(&part, X + part.row_lo * D, &d);
    const dc_kmeans_config cfg = {.K = K, .n_init = 1, .max_iter = 1, .tol = 0, .seed = 1};
    CHECK_OK(dc_kmeans_from(comm, &rows, &cfg, (dc_km_limits){0}, start, &r));
    CHECK_INT(r.reseeded, K - USED);
    for (int64_t i = 0; i < N; i++) nearest[i] = INFINITY;
    for (int64_t k = 0; k < K; k++) {
        int64_t farthest = 0;
        for (int64_t i = 0; i < N; i++)
            if (nearest[i] > nearest[farthest]) farthest = i;
        if (k >= USED) wrong += memcmp(r.centers + k * D, X + farthest * D, D * sizeof *X) != 0;
        for (int64_t i = 0; i < N; i++) nearest[i] = fmin(nearest[i], dc_km_distance(X + i * D, r.centers + k * D, D));
    }
    CHECK_INT(wrong, 0);
    dc_kmeans_result_release(&r);
}

static void duplicates(dc_comm *comm)
{
    enum { N = 300 };
    static float X[N * 2];
    for (int i = 0; i < N; i++) X[2 * i] = (float)(i % 3), X[2 * i + 1] = (float)(i % 9 / 3);
    check_same(comm, "9 distinct rows, K = 10", X, NULL, N, 2, 8,
               (dc_kmeans_config){.K = 10, .n_init = 4, .max_iter = 20, .tol = 1e-4, .seed = 1});
    memset(X, 0, sizeof X);
    check_same(comm, "equal rows, K = 3", X, NULL, N, 2, 8,
               (dc_kmeans_config){.K = 3, .n_init = 4, .max_iter = 20, .tol = 1e-4, .seed = 1});
}

/* Far, equal start centres lose their rows in the first iteration. */
static void reseeded(dc_comm *comm)
{
    enum { N = 500, D = 2, K = 9 };
    static float X[N * D], start[2 * K * D];
    t6_normal(X, N * D, 5, 0, 1);
    for (int i = 0; i < 2 * K * D; i++) start[i] = i < 3 * D ? (float)i : 1000;
    struct dc_comm solo = t6_solo(comm);
    dc_part part, all;
    dc_kmeans_result mine, whole;
    const dc_kmeans_config cfg = {.K = K, .n_init = 2, .max_iter = 40, .tol = 0, .seed = 1};
    const int64_t d = D;
    CHECK_OK(dc_part_init(&part, N, 8, dc_comm_size(comm), dc_comm_rank(comm)));
    CHECK_OK(dc_part_init(&all, N, 8, 1, 0));
    const dc_rows rows = dc_rows_of_array(&part, X + part.row_lo * D, &d), rows_all = dc_rows_of_array(&all, X, &d);
    CHECK_OK(dc_kmeans_from(comm, &rows, &cfg, (dc_km_limits){0}, start, &mine));
    CHECK_OK(dc_kmeans_from(&solo, &rows_all, &cfg, (dc_km_limits){0}, start, &whole));
    CHECK(mine.reseeded >= 6 + 8);
    CHECK(same_global(&mine, &whole, K, D));
    dc_kmeans_result_release(&mine);
    dc_kmeans_result_release(&whole);
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    few_rows(comm);
    many_rows(comm);
    turns(comm);
    many_empty(comm);
    duplicates(comm);
    reseeded(comm);
    return check_done_all(&comm);
}
