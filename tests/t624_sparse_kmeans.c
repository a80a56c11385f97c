/* k-means on sparse rows: on any ranks and threads the bits of one rank and one thread; the labels of dc_nearest; from
 * the same centres the iterations of the dense rows, bit by bit; seeded, the same clusters. With restarts that take
 * turns, empty clusters, equal rows, rows without values, factors, units far from 1. Seed 624.
 * ranks: 1 2 3
 * ranks_long: 5
 * threads: 1 2 */
#include <omp.h>

#include "../src/cluster/kmeans_impl.h"
#include "check.h"
#include "dcmpi/cluster.h"
#include "t51_sparse.h"
#include "t6_help.h"

enum { TURNS = 3 };

typedef struct {
    dc_part part;
    dc_csr csr;
    dc_rows rows;
} view;

static void read_rows(const void *ctx, int64_t lo, int64_t n, float *out)
{
    dc_csr_rows(ctx, lo, n, out);
}

/* A rank's rows as sparse ones, or as an array. */
static void make_view(view *v, const t51_rows *r, int V, int P, int rank, bool sparse)
{
    CHECK_OK(dc_part_init(&v->part, r->N, V, P, rank));
    v->csr = t51_of(r, &v->part);
    v->rows = (dc_rows){.part = &v->part, .d = r->D, .rows = read_rows, .ctx = &v->csr, .csr = &v->csr};
    if (!sparse) v->rows = dc_rows_of_array(&v->part, r->dense + v->part.row_lo * r->D, &r->D);
}

static bool same_values(const dc_kmeans_result *a, const dc_kmeans_result *b, int64_t K, int64_t d)
{
    return a->best == b->best && a->iterations == b->iterations && a->converged == b->converged &&
           a->reseeded == b->reseeded && memcmp(a->centers, b->centers, (size_t)(K * d) * sizeof *a->centers) == 0 &&
           memcmp(a->size, b->size, (size_t)K * sizeof *a->size) == 0;
}

static void compare(dc_comm *comm, const char *what, const t51_rows *r, int V, dc_kmeans_config cfg, const float *start,
                    bool takes_turns)
{
    struct dc_comm solo = t6_solo(comm);
    const int threads = omp_get_max_threads();
    const int64_t doubles = takes_turns ? TURNS * cfg.K * (r->D + 1) : DC_KM_PASS_DOUBLES;
    view own, whole, dense;
    dc_kmeans_result mine, one, of_dense;
    make_view(&own, r, V, dc_comm_size(comm), dc_comm_rank(comm), true);
    make_view(&whole, r, V, 1, 0, true);
    make_view(&dense, r, V, 1, 0, false);
    CHECK_OK(dc_kmeans_from(comm, &own.rows, &cfg, (dc_km_limits){.pass_doubles = doubles}, start, &mine));
    omp_set_num_threads(1);
    CHECK_OK(dc_kmeans_from(&solo, &whole.rows, &cfg, (dc_km_limits){0}, start, &one));
    omp_set_num_threads(threads);
    CHECK_OK(dc_kmeans_from(&solo, &dense.rows, &cfg, (dc_km_limits){0}, start, &of_dense));
    const int64_t lo = own.part.row_lo, n = dc_part_rows(&own.part);
    int32_t *nearest = t51_alloc(r->N, sizeof *nearest);
    dc_nearest(r->dense, one.centers, r->N, cfg.K, r->D, nearest);
    if (dc_comm_rank(comm) == 0)
        printf("# %s: inertia %.17g, best %d, %d iterations, %lld reseeded\n", what, one.inertia, one.best,
               one.iterations, (long long)one.reseeded);
    CHECK(same_values(&mine, &one, cfg.K, r->D) && mine.inertia == one.inertia);
    CHECK(memcmp(mine.labels, one.labels + lo, (size_t)n * sizeof *mine.labels) == 0);
    CHECK(memcmp(one.labels, nearest, (size_t)r->N * sizeof *nearest) == 0);
    CHECK(same_values(&one, &of_dense, cfg.K, r->D));
    CHECK(memcmp(one.labels, of_dense.labels, (size_t)r->N * sizeof *nearest) == 0);
    CHECK_NEAR(one.inertia, of_dense.inertia, 1e-12 * of_dense.inertia);
    free(nearest);
    dc_kmeans_result_release(&mine), dc_kmeans_result_release(&one), dc_kmeans_result_release(&of_dense);
}

static void topics(dc_comm *comm, bool factors)
{
    t51_rows r = t51_make(1500, 400, 15, 6, factors, 624);
    const dc_kmeans_config cfg = {.K = 6, .n_init = 7, .max_iter = 30, .tol = 1e-4, .seed = 1};
    compare(comm, factors ? "topics with factors" : "topics", &r, 16, cfg, NULL, false);
    compare(comm, "in turns", &r, 8, cfg, NULL, true);
    compare(comm, "one cluster", &r, 8, (dc_kmeans_config){.K = 1, .n_init = 1, .max_iter = 5, .tol = 0, .seed = 2},
            NULL, false);
    compare(comm, "no iteration", &r, 8, (dc_kmeans_config){.K = 5, .n_init = 2, .max_iter = 0, .tol = 0, .seed = 2},
            NULL, false);
    t51_free(&r);
}

/* Far, equal start centres lose their rows. */
static void reseeded(dc_comm *comm)
{
    enum { K = 9, D = 90 };
    t51_rows r = t51_make(600, D, 6, 4, false, 625);
    float *start = t6_alloc(2 * K * D, sizeof *start);
    for (int64_t i = 0; i < 2 * K * D; i++) start[i] = i < 2 * D ? r.dense[i] : 1000;
    compare(comm, "reseeded", &r, 8, (dc_kmeans_config){.K = K, .n_init = 2, .max_iter = 40, .tol = 0, .seed = 1},
            start, false);
    free(start);
    t51_free(&r);
}

/* Few distinct rows: copies of centres have no mass, and some clusters stay empty. */
static void equal_rows(dc_comm *comm)
{
    enum { N = 300, D = 64, DISTINCT = 5 };
    t51_rows few = t51_make(DISTINCT, D, 5, 2, false, 626), r = t51_make(N, D, 5, 2, false, 627);
    int64_t n = 0;
    for (int64_t i = 0; i < N; i++) {
        const int64_t from = i % (DISTINCT + 1), count = from < DISTINCT ? few.ptr[from + 1] - few.ptr[from] : 0;
        memset(r.dense + i * D, 0, D * sizeof *r.dense);
        if (count > 0) {
            memcpy(r.col + n, few.col + few.ptr[from], (size_t)count * sizeof *r.col);
            memcpy(r.val + n, few.val + few.ptr[from], (size_t)count * sizeof *r.val);
            memcpy(r.dense + i * D, few.dense + from * D, D * sizeof *r.dense);
        }
        r.ptr[i + 1] = n += count;
    }
    r.csr.total = n;
    r.csr.longest = few.csr.longest;
    compare(comm, "6 distinct rows, K = 8", &r, 8,
            (dc_kmeans_config){.K = 8, .n_init = 4, .max_iter = 20, .tol = 1e-4, .seed = 1}, NULL, false);
    t51_free(&few), t51_free(&r);
}

/* Rows of one or two values, which are as near to many centres, or nearly so: some values are one or two units in the
 * last place larger; and rows without values. */
static void ties(dc_comm *comm, int64_t D, int64_t K)
{
    enum { N = 700, HOT = 45 };
    t51_rows r = t51_make(N, D, 3, 2, false, 629);
    int64_t n = 0;
    memset(r.dense, 0, (size_t)(N * D) * sizeof *r.dense);
    for (int64_t i = 0; i < N; i++) {
        const int64_t first = i % HOT * (D / HOT), last = D - 1 - i % 3;
        float value = 1;
        for (int64_t u = 0; u < i / HOT % 3; u++) value = nextafterf(value, 2);
        if (i % 50 != 49) {
            r.col[n] = (int32_t)first, r.val[n++] = value;
            r.dense[i * D + first] = value;
        }
        if (i % 4 == 0 && last > first && i % 50 != 49) {
            r.col[n] = (int32_t)last, r.val[n++] = 1;
            r.dense[i * D + last] = 1;
        }
        r.ptr[i + 1] = n;
    }
    r.csr.total = n;
    r.csr.longest = 2;
    float *start = t6_alloc(K * D, sizeof *start);
    for (int64_t k = 0; k < K; k++) memcpy(start + k * D, r.dense + (N - 1 - k) * D, (size_t)D * sizeof *start);
    const dc_kmeans_config cfg = {.K = K, .n_init = 1, .max_iter = 12, .tol = 0, .seed = 4};
    compare(comm, "ties", &r, 8, cfg, start, false);
    free(start);
    t51_free(&r);
}

/* Centres of the same values in other columns: only rounding tells which is the nearest to a row that has no value, or
 * one in a column where they have none. */
static void orders(dc_comm *comm)
{
    enum { N = 90, D = 333, K = 30 };
    t51_rows r = t51_make(N, D, 3, 2, false, 630);
    float *start = t6_alloc(K * D, sizeof *start);
    int64_t n = 0;
    memset(r.dense, 0, (size_t)N * D * sizeof *r.dense);
    for (int64_t i = 0; i < N; i++) {
        const float value = (float)(i % 7) / 3;
        if (value > 0) r.col[n] = D - 1, r.val[n++] = r.dense[i * D + D - 1] = value;
        r.ptr[i + 1] = n;
    }
    r.csr.total = n;
    r.csr.longest = 1;
    for (int64_t k = 0; k < K; k++)
        for (int64_t c = 0; c < D - 1; c++) start[k * D + (c * (2 * k + 1) + k) % (D - 1)] = (float)t51_unit(631, 0, c);
    for (int64_t k = 0; k < K; k++) start[k * D + D - 1] = 0;
    compare(comm, "orders", &r, 8, (dc_kmeans_config){.K = K, .n_init = 1, .max_iter = 0, .tol = 0, .seed = 1}, start,
            false);
    free(start);
    t51_free(&r);
}

/* The same rows in other units; a column with equal, large values in all rows makes scores ambiguous. */
static void units(dc_comm *comm, double unit)
{
    t51_rows r = t51_make(400, 120, 8, 4, false, 628);
    for (int64_t e = 0; e < r.csr.total; e++) r.val[e] = (float)(unit * (double)r.val[e]);
    for (int64_t i = 0; i < 400; i++)
        for (int64_t e = r.ptr[i]; e < r.ptr[i + 1]; e++) {
            if (r.col[e] == 11) r.val[e] = (float)(1000 * unit);
            r.dense[i * 120 + r.col[e]] = r.val[e];
        }
    char what[64];
    snprintf(what, sizeof what, "units %g", unit);
    compare(comm, what, &r, 8, (dc_kmeans_config){.K = 4, .n_init = 3, .max_iter = 25, .tol = 1e-4, .seed = 3}, NULL,
            false);
    t51_free(&r);
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    topics(comm, false);
    topics(comm, true);
    reseeded(comm);
    equal_rows(comm);
    ties(comm, 128, 20);
    ties(comm, 333, 70);
    orders(comm);
    units(comm, 1);
    units(comm, 1e15);
    units(comm, 1e-15);
    return check_done_all(&comm);
}
