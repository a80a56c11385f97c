/* What k-means returns: inertia, labels and sizes by their definition, empty clusters, errors, and on optdigits the
 * inertia that scikit-learn finds. Seed 1.
 * ranks: 1 3 */
#include "../src/cluster/kmeans_impl.h"
#include "check.h"
#include "ref/cluster_ref.h"
#include "t6_help.h"

#include <zlib.h>

enum { V = 8 };

static dc_rows view(dc_comm *comm, dc_part *part, const float *X, int64_t N, const int64_t *d)
{
    if (dc_part_init(part, N, V, dc_comm_size(comm), dc_comm_rank(comm)) != DC_OK) abort();
    return dc_rows_of_array(part, X + part->row_lo * *d, d);
}

/* Labels are nearest centres, sizes count them, the inertia is theirs. Ties may fall either way, so distances are
 * compared, not labels; `rounding` is what the rounding of a reported centre to float does to a distance. */
static void check_meaning(dc_comm *comm, const dc_part *part, const float *X, int64_t K, int64_t d,
                          const dc_kmeans_result *r, double rounding)
{
    const int64_t n = dc_part_rows(part);
    int32_t *nearest = t6_alloc(n, sizeof *nearest);
    int64_t *size = t6_alloc(K, sizeof *size);
    double inertia = ref_nearest(X, r->centers, n, K, d, nearest), worst = 0;
    for (int64_t i = 0; i < n; i++) {
        const double best = ref_distance(X + i * d, r->centers + nearest[i] * d, d);
        const double ours = ref_distance(X + i * d, r->centers + r->labels[i] * d, d);
        worst = fmax(worst, ours - best);
        size[r->labels[i]]++;
    }
    dc_comm_sum_f64(comm, &inertia, 1);
    dc_comm_sum_i64(comm, size, (size_t)K);
    CHECK(memcmp(size, r->size, (size_t)K * sizeof *size) == 0);
    CHECK_NEAR(r->inertia, inertia, 1e-5 * inertia + 1e-9);
    CHECK_NEAR(worst, 0, 1e-5 * inertia / (double)part->N + rounding);
    free(nearest), free(size);
}

static void random_rows(dc_comm *comm, double mean, double sigma)
{
    enum { N = 3001, K = 12 };
    const int64_t d = 9;
    float *X = t6_alloc(N * d, sizeof *X);
    dc_part part;
    dc_kmeans_result r;
    t6_normal(X, N * d, 1, mean, sigma);
    const dc_rows rows = view(comm, &part, X, N, &d);
    const dc_kmeans_config cfg = {.K = K, .n_init = 4, .max_iter = 300, .tol = 0, .seed = 1};
    CHECK_OK(dc_kmeans(comm, &rows, &cfg, &r));
    CHECK(r.converged && r.iterations < 300);
    check_meaning(comm, &part, X + part.row_lo * d, K, d, &r, 1e-7 * sigma * (sigma + fabs(mean)));
    /* Without tolerance the result is a fixed point: centres are the means of their rows. */
    double *sum = t6_alloc(K * d, sizeof *sum);
    for (int64_t i = 0; i < dc_part_rows(&part); i++)
        for (int64_t c = 0; c < d; c++) sum[r.labels[i] * d + c] += (double)X[(part.row_lo + i) * d + c];
    dc_comm_sum_f64(comm, sum, (size_t)(K * d));
    for (int64_t j = 0; j < K * d; j++) sum[j] /= (double)r.size[j / d];
    CHECK_ARRAY_NEAR(r.centers, sum, K * d, 1e-6 * sigma + 1e-7 * fabs(mean));
    dc_kmeans_result_release(&r);
    free(sum), free(X);
}

/* Well separated groups are found by every restart: the seeding never misses one, so one restart is enough. */
static void separated_groups(dc_comm *comm)
{
    enum { N = 2000, K = 20 };
    const int64_t d = 2;
    static float X[N * 2];
    dc_part part;
    dc_kmeans_result r;
    t6_normal(X, N * d, 1, 0, 0.01);
    for (int i = 0; i < N; i++) X[2 * i] += (float)(i % K % 5), X[2 * i + 1] += (float)(i % K / 5);
    const dc_rows rows = view(comm, &part, X, N, &d);
    int found = 0;
    for (uint64_t seed = 0; seed < 10; seed++) {
        const dc_kmeans_config cfg = {.K = K, .n_init = 1, .max_iter = 100, .tol = 1e-4, .seed = seed};
        CHECK_OK(dc_kmeans(comm, &rows, &cfg, &r));
        int even = 0;
        for (int k = 0; k < K; k++) even += r.size[k] == N / K;
        found += even == K;
        dc_kmeans_result_release(&r);
    }
    CHECK(found >= 9);
}

/* Inertia of the seeds alone, mean of 30 seeds, over that of the best clustering: 1.29 here, 1.59 with one trial
 * per centre, 2.53 with the worst of the trials. */
static void greedy_seeds(dc_comm *comm)
{
    enum { N = 1000 };
    const int64_t d = 2;
    static float X[N * 2];
    dc_part part;
    dc_kmeans_result r;
    double mean = 0;
    t6_normal(X, N * d, 1, 0, 1);
    const dc_rows rows = view(comm, &part, X, N, &d);
    dc_kmeans_config cfg = {.K = 12, .n_init = 1, .max_iter = 0};
    for (cfg.seed = 0; cfg.seed < 30; cfg.seed++) {
        CHECK_OK(dc_kmeans(comm, &rows, &cfg, &r));
        mean += r.inertia / 30;
        dc_kmeans_result_release(&r);
    }
    cfg.max_iter = 100;
    cfg.n_init = 20;
    CHECK_OK(dc_kmeans(comm, &rows, &cfg, &r));
    if (dc_comm_rank(comm) == 0) printf("# seeds / best: %.3f\n", mean / r.inertia);
    CHECK(mean < 1.4 * r.inertia);
    dc_kmeans_result_release(&r);
}

/* Rows 0 1 2 10 11 30 31 on a line; the centres at 1000 have no rows. After the first move the centre of all is 85/7;
 * the farthest row, 31, goes to cluster 1. Then row 30 is close to a centre, so the next, row 0, goes to cluster 2. */
static void empty_clusters(dc_comm *comm)
{
    static const float X[] = {0, 1, 2, 10, 11, 30, 31}, start[] = {5, 1000, 1000};
    const int64_t d = 1;
    dc_part part;
    dc_kmeans_result r;
    const dc_rows rows = view(comm, &part, X, 7, &d);
    dc_kmeans_config cfg = {.K = 3, .n_init = 1, .max_iter = 1, .tol = 1e-4, .seed = 1};
    CHECK_OK(dc_kmeans_from(comm, &rows, &cfg, (dc_km_limits){.pass_doubles = 1000}, start, &r));
    CHECK_ARRAY_NEAR(r.centers, ((double[]){85.0 / 7, 31, 0}), 3, 1e-5);
    CHECK_INT(r.reseeded, 2);
    CHECK(!r.converged);
    dc_kmeans_result_release(&r);
    cfg.max_iter = 20;
    CHECK_OK(dc_kmeans_from(comm, &rows, &cfg, (dc_km_limits){.pass_doubles = 1000}, start, &r));
    CHECK_ARRAY_NEAR(r.centers, ((double[]){10.5, 30.5, 1}), 3, 1e-5);
    CHECK_NEAR(r.inertia, 3, 1e-5);
    CHECK(r.converged);
    CHECK(r.size[0] == 2 && r.size[1] == 2 && r.size[2] == 3);
    dc_kmeans_result_release(&r);
}

/* Ties of the farthest row go to the lowest: rows -3 and 3 are equally far from 0. */
static void farthest_tie(dc_comm *comm)
{
    static const float X[] = {0, 3, -3, 3, -3, 0, 0, 0}, start[] = {0, 500};
    const int64_t d = 1;
    dc_part part;
    dc_kmeans_result r;
    const dc_rows rows = view(comm, &part, X, 8, &d);
    const dc_kmeans_config cfg = {.K = 2, .n_init = 1, .max_iter = 1, .tol = 0, .seed = 1};
    CHECK_OK(dc_kmeans_from(comm, &rows, &cfg, (dc_km_limits){.pass_doubles = 1000}, start, &r));
    CHECK_NEAR(r.centers[1], 3, 0);
    dc_kmeans_result_release(&r);
}

static void few_distinct_rows(dc_comm *comm)
{
    enum { N = 90 };
    static float X[N];
    const int64_t d = 1;
    dc_part part;
    dc_kmeans_result r;
    for (int i = 0; i < N; i++) X[i] = (float)(i % 9);
    const dc_rows rows = view(comm, &part, X, N, &d);
    dc_kmeans_config cfg = {.K = 10, .n_init = 3, .max_iter = 300, .tol = 1e-4, .seed = 1};
    CHECK_OK(dc_kmeans(comm, &rows, &cfg, &r));
    CHECK_NEAR(r.inertia, 0, 0);
    CHECK(r.converged && r.iterations < 5);
    int empty = 0;
    for (int k = 0; k < 10; k++) empty += r.size[k] == 0;
    CHECK_INT(empty, 1);
    dc_kmeans_result_release(&r);
    cfg.K = N + 1;
    CHECK_STATUS(dc_kmeans(comm, &rows, &cfg, &r), DC_ERR_DATA);
    CHECK(r.centers == NULL && r.labels == NULL);
    dc_error_clear();
    cfg.K = 1;
    CHECK_OK(dc_kmeans(comm, &rows, &cfg, &r));
    CHECK_NEAR(r.centers[0], 4, 1e-6);
    CHECK_NEAR(r.inertia, 600, 1e-4); /* 10 (16+9+4+1) 2 */
    dc_kmeans_result_release(&r);
}

/* 5620 rows of 64 numbers 0..16 and a class, training file then test file. */
static int64_t read_optdigits(float *X, int64_t cap)
{
    static const char *const files[] = {"uci/optdigits-train.csv.gz", "uci/optdigits-test.csv.gz"};
    int64_t n = 0;
    for (int f = 0; f < 2; f++) {
        char path[4096], line[1024];
        snprintf(path, sizeof path, "%s/%s", getenv("DCMPI_DATA"), files[f]);
        gzFile in = gzopen(path, "rb");
        while (in && n < cap && gzgets(in, line, sizeof line)) {
            char *s = line;
            for (int c = 0; c < 64; c++, s++) X[n * 64 + c] = strtof(s, &s);
            n++;
        }
        if (in) gzclose(in);
    }
    return n;
}

/* Best of 20 of scikit-learn 1.2 KMeans(10, n_init=20), random_state 0, 1, 2: 3677662.4, 3677666.1, 3677666.1. */
static void optdigits(dc_comm *comm)
{
    const int64_t d = 64;
    float *X = t6_alloc(6000 * d, sizeof *X);
    dc_part part;
    dc_kmeans_result r;
    if (getenv("DCMPI_DATA") == NULL) {
        if (dc_comm_rank(comm) == 0) printf("# SKIP optdigits: DCMPI_DATA is not set\n");
    } else {
        CHECK_INT(read_optdigits(X, 6000), 5620);
        const dc_rows rows = view(comm, &part, X, 5620, &d);
        const dc_kmeans_config cfg = {.K = 10, .n_init = 20, .max_iter = 300, .tol = 1e-4, .seed = 1};
        CHECK_OK(dc_kmeans(comm, &rows, &cfg, &r));
        CHECK_NEAR(r.inertia, 3677664, 100);
        CHECK(r.converged);
        check_meaning(comm, &part, X + part.row_lo * d, 10, d, &r, 1e-3);
        dc_kmeans_result_release(&r);
    }
    free(X);
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    random_rows(comm, 0, 1);
    random_rows(comm, 1000, 0.01);
    separated_groups(comm);
    greedy_seeds(comm);
    empty_clusters(comm);
    farthest_tie(comm);
    few_distinct_rows(comm);
    optdigits(comm);
    return check_done_all(&comm);
}
