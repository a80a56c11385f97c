/* A label is the nearest centre by distances in double, whatever the unit of the data, however far some rows are, and
 * however close the distances are: in k-means, in the soft assignment and in dc_nearest. Seed 1.
 * ranks: 1 3
 * threads: 1 2 */
#include "../src/cluster/kmeans_impl.h"
#include "check.h"
#include "ref/cluster_ref.h"
#include "t6_help.h"

enum { SHARDS = 8 };

static int64_t count_differences(const int32_t *a, const int32_t *b, int64_t n)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) count += a[i] != b[i];
    return count;
}

static double unit_scale(int exponent)
{
    return ldexp(1, exponent);
}

/* ---- Labels for given centres ----------------------------------------------------------------------------------- */

/* No iteration: the labels of k-means are those for its start. */
static void check_labels(dc_comm *comm, const char *what, const float *X, const float *M, int64_t N, int64_t K,
                         int64_t d)
{
    dc_part part;
    dc_kmeans_result r;
    CHECK_OK(dc_part_init(&part, N, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    const int64_t n = dc_part_rows(&part);
    const float *mine = X + part.row_lo * d;
    const dc_rows rows = dc_rows_of_array(&part, mine, &d);
    const dc_kmeans_config cfg = {.K = K, .n_init = 1, .seed = 1};
    int32_t *expected = t6_alloc(n, sizeof *expected), *label = t6_alloc(n, sizeof *label);
    float *q = t6_alloc(n * K, sizeof *q);
    if (dc_comm_rank(comm) == 0) printf("# %s: N %lld K %lld d %lld\n", what, (long long)N, (long long)K, (long long)d);
    (void)ref_nearest(mine, M, n, K, d, expected);
    CHECK_OK(dc_kmeans_from(comm, &rows, &cfg, (dc_km_limits){0}, M, &r));
    CHECK(memcmp(r.centers, M, (size_t)(K * d) * sizeof *M) == 0);
    CHECK_INT(count_differences(r.labels, expected, n), 0);
    dc_nearest(mine, M, n, K, d, label);
    CHECK_INT(count_differences(label, expected, n), 0);
    dc_softassign(mine, M, n, K, d, 1, q, label);
    CHECK_INT(count_differences(label, expected, n), 0);
    int64_t not_largest = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < K; k++) not_largest += q[i * K + k] > q[i * K + label[i]];
    CHECK_INT(not_largest, 0);
    dc_kmeans_result_release(&r);
    free(expected), free(label), free(q);
}

/* Centres in pairs that lie `gap` apart, rows between the two of a pair, all of it `offset` away from 0. */
static void close_race(dc_comm *comm, const char *what, int64_t K, int64_t d, double gap, double offset, int exponent)
{
    enum { N = 1500 };
    float *X = t6_alloc(N * d, sizeof *X), *M = t6_alloc(K * d, sizeof *M);
    t6_normal(M, K * d, 2, offset, 1);
    t6_normal(X, N * d, 3, 0, 0.5);
    for (int64_t k = 1; k < K; k += 2)
        for (int64_t c = 0; c < d; c++) M[k * d + c] = M[(k - 1) * d + c] + (c == k % d ? (float)gap : 0);
    for (int64_t i = 0; i < N; i++)
        for (int64_t c = 0; c < d; c++) X[i * d + c] += M[i % K * d + c];
    for (int64_t j = 0; j < N * d; j++) X[j] = (float)((double)X[j] * unit_scale(exponent));
    for (int64_t j = 0; j < K * d; j++) M[j] = (float)((double)M[j] * unit_scale(exponent));
    check_labels(comm, what, X, M, N, K, d);
    free(X), free(M);
}

/* Rows and centres on a grid: distances tie exactly, for many rows. */
static void ties(dc_comm *comm)
{
    enum { N = 1331, K = 27, D = 3 };
    static float X[N * D], M[K * D];
    for (int i = 0; i < N; i++)
        for (int c = 0, v = i; c < D; c++, v /= 11) X[i * D + c] = (float)(v % 11);
    for (int k = 0; k < K; k++)
        for (int c = 0, v = k; c < D; c++, v /= 3) M[k * D + c] = (float)(v % 3 * 5);
    check_labels(comm, "ties", X, M, N, K, D);
    for (int k = 0; k < K; k++) memcpy(M + k * D, M + k / 2 * D, D * sizeof *M);
    check_labels(comm, "equal centres", X, M, N, K, D);
}

/* ---- Whole runs ------------------------------------------------------------------------------------------------ */

/* Row i of `groups` tight groups on [0, 1]^d; every tenth row lies at `far`. */
static void make_groups(float *X, int64_t N, int64_t d, int64_t groups, double far)
{
    t6_normal(X, N * d, 5, 0, 0.02);
    for (int64_t i = 0; i < N; i++)
        for (int64_t c = 0; c < d; c++)
            X[i * d + c] =
                far != 0 && i % 10 == 0 ? (float)far : X[i * d + c] + (float)((i % groups * 7 + c * 3) % 5) / 4;
}

static int64_t rows_here(dc_comm *comm, int64_t N)
{
    dc_part part;
    if (dc_part_init(&part, N, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)) != DC_OK) abort();
    return dc_part_rows(&part);
}

static double run(dc_comm *comm, const float *X, int64_t N, int64_t d, int64_t K, dc_kmeans_result *r)
{
    dc_part part;
    if (dc_part_init(&part, N, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)) != DC_OK) abort();
    const dc_rows rows = dc_rows_of_array(&part, X + part.row_lo * d, &d);
    const dc_kmeans_config cfg = {.K = K, .n_init = 5, .max_iter = 100, .tol = 1e-4, .seed = 1};
    CHECK_OK(dc_kmeans(comm, &rows, &cfg, r));
    return r->inertia;
}

/* Scaling the data by a power of two scales the result, bit by bit, and changes nothing else. */
static void units(dc_comm *comm)
{
    enum { N = 900, D = 6, K = 4 };
    static const int exponents[] = {63, 100, -67, -100};
    static float X[N * D], Y[N * D];
    dc_kmeans_result one, other;
    make_groups(X, N, D, K, 0);
    const double inertia = run(comm, X, N, D, K, &one);
    for (size_t e = 0; e < DC_COUNT_OF(exponents); e++) {
        for (int j = 0; j < N * D; j++) Y[j] = ldexpf(X[j], exponents[e]);
        CHECK_NEAR(run(comm, Y, N, D, K, &other) / unit_scale(2 * exponents[e]), inertia, 1e-12 * inertia);
        CHECK_INT(count_differences(one.labels, other.labels, rows_here(comm, N)), 0);
        CHECK(memcmp(one.size, other.size, K * sizeof *one.size) == 0);
        int64_t wrong = 0;
        for (int j = 0; j < K * D; j++) wrong += other.centers[j] != ldexpf(one.centers[j], exponents[e]);
        CHECK_INT(wrong, 0);
        CHECK_INT(other.iterations, one.iterations);
        dc_kmeans_result_release(&other);
    }
    dc_kmeans_result_release(&one);
}

/* Rows at -9999, or at 1e15, beside tight groups: the groups are found as if the others were not there. */
static void far_rows(dc_comm *comm)
{
    enum { N = 1000, D = 8, GROUPS = 4 };
    static const double far[] = {-9999, 1e6, -1e15};
    static float X[N * D];
    dc_kmeans_result r;
    make_groups(X, N, D, GROUPS, 0);
    double least = run(comm, X, N, D, GROUPS, &r) * 9 / 10;
    dc_kmeans_result_release(&r);
    for (size_t f = 0; f < DC_COUNT_OF(far); f++) {
        make_groups(X, N, D, GROUPS, far[f]);
        const double inertia = run(comm, X, N, D, GROUPS + 1, &r);
        CHECK_NEAR(inertia, least, 0.1 * least);
        int far_clusters = 0;
        for (int k = 0; k < GROUPS + 1; k++) far_clusters += r.size[k] == N / 10;
        CHECK(far_clusters >= 1);
        dc_kmeans_result_release(&r);
    }
}

/* Even with far rows the seeds alone hit every group, as they do without them. */
static void far_seeds(dc_comm *comm)
{
    enum { N = 1000, D = 8, GROUPS = 4, SEEDS = 10 };
    static float X[N * D];
    dc_part part;
    dc_kmeans_result r;
    int found = 0;
    const int64_t d = D;
    make_groups(X, N, D, GROUPS, -1e6);
    CHECK_OK(dc_part_init(&part, N, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    const dc_rows rows = dc_rows_of_array(&part, X + part.row_lo * D, &d);
    dc_kmeans_config cfg = {.K = GROUPS + 1, .n_init = 1};
    for (cfg.seed = 1; cfg.seed <= SEEDS; cfg.seed++) {
        CHECK_OK(dc_kmeans(comm, &rows, &cfg, &r));
        int whole = 0;
        for (int k = 0; k < GROUPS + 1; k++) whole += r.size[k] >= N / 10;
        found += whole == GROUPS + 1;
        dc_kmeans_result_release(&r);
    }
    CHECK(found >= SEEDS - 1);
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    close_race(comm, "far apart", 10, 7, 3, 0, 0);
    close_race(comm, "close", 10, 7, 1e-4, 0, 0);
    close_race(comm, "closer than float can tell", 16, 20, 4e-7, 0, 0);
    close_race(comm, "closer, many centres", 300, 17, 1e-5, 0, 0);
    close_race(comm, "wide", 12, 785, 1e-4, 0, 0);
    close_race(comm, "far from 0", 10, 9, 0.01, 1000, 0);
    close_race(comm, "large units", 10, 7, 1e-3, 0, 64);
    close_race(comm, "small units", 10, 7, 1e-3, 0, -70);
    close_race(comm, "embedding in small units", 10, 10, 0.1, 0, -14);
    ties(comm);
    units(comm);
    far_rows(comm);
    far_seeds(comm);
    return check_done_all(&comm);
}
