/* The search for neighbours over several blocks and tiles: cosine against a brute-force twin in long double, with rows
 * of zeros, copies and stretched copies; whole numbers with many copies, where ties go to the lowest row; both metrics
 * with the same bits on any number of ranks and threads; rows in memory; too few rows and values that are not finite
 * refused. Fixed seed 540. ranks: 1 3  ranks_long: 2 5 threads: 1 2 */
#include "check.h"
#include "dcmpi/comm.h"
#include "dcmpi/knn.h"
#include "dcmpi/rng.h"
#include "ref/nn_ref.h"

enum { SHARDS = 16, SEED = 540, K_MAX = 16, N_MAX = 9000, D_MAX = 33 };

static float X[N_MAX * D_MAX];

typedef struct {
    int64_t d;
    dc_gidx row_lo;
} source;

static void give_rows(const void *ctx, int64_t lo, int64_t n, float *out)
{
    const source *s = ctx;
    memcpy(out, X + (s->row_lo + lo) * s->d, (size_t)(n * s->d) * sizeof *out);
}

static dc_status find(dc_comm *comm, int64_t N, int64_t d, dc_knn_config cfg, bool in_memory, dc_part *part,
                      dc_knn *out)
{
    CHECK_OK(dc_part_init(part, N, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    const source s = {d, part->row_lo};
    dc_rows rows = {.part = part, .d = d, .rows = give_rows, .ctx = &s};
    if (in_memory) rows.X = X + part->row_lo * d;
    return dc_knn_find(comm, &rows, &cfg, out);
}

static double twin_distance(const float *x, const float *y, int64_t d, dc_metric metric)
{
    long double square = 0, dot = 0, xx = 0, yy = 0;
    for (int64_t j = 0; j < d; j++) {
        const long double a = (long double)x[j], b = (long double)y[j];
        square += (a - b) * (a - b);
        dot += a * b;
        xx += a * a;
        yy += b * b;
    }
    if (metric == DC_METRIC_EUCLIDEAN) return (double)square;
    return xx == 0 || yy == 0 ? 1 : (double)(1 - dot / sqrtl(xx * yy));
}

/* The k nearest of row i, by insertion of all rows in order: of equal ones the first stays in front. */
static void twin(int64_t N, int64_t d, int64_t k, dc_metric metric, int64_t i, dc_gidx *row, double *distance)
{
    int64_t n = 0;
    for (int64_t j = 0; j < N; j++) {
        if (j == i) continue;
        const double s = twin_distance(X + i * d, X + j * d, d, metric);
        int64_t at = n;
        while (at > 0 && s < distance[at - 1]) at--;
        if (at == k) continue;
        n = DC_MIN(n + 1, k);
        for (int64_t m = n - 1; m > at; m--) {
            row[m] = row[m - 1];
            distance[m] = distance[m - 1];
        }
        row[at] = j;
        distance[at] = s;
    }
}

/* Recall by the twin: a row that is not in the twin's list counts as found if it is as near, up to rounding. exact: the
 * rows and their order, too. */
static void check(dc_comm *comm, dc_comm *alone, const char *what, int64_t N, int64_t d, int64_t k, dc_metric metric,
                  bool exact)
{
    dc_part part, whole;
    dc_knn mine, all;
    int64_t wrong = 0, rows_seen = 0;
    double worst = 0;
    const dc_knn_config cfg = {.k = k, .metric = metric};
    if (dc_comm_rank(comm) == 0) printf("# %s\n", what);
    CHECK_OK(find(comm, N, d, cfg, false, &part, &mine));
    CHECK_OK(find(alone, N, d, cfg, true, &whole, &all));
    const size_t n = (size_t)(dc_part_rows(&part) * k);
    CHECK(n == 0 || memcmp(mine.row, all.row + part.row_lo * k, n * sizeof *mine.row) == 0);
    CHECK(n == 0 || memcmp(mine.square, all.square + part.row_lo * k, n * sizeof *mine.square) == 0);
    for (int64_t i = dc_comm_rank(comm); i < N; i += 1 + N / 60) {
        dc_gidx row[K_MAX];
        double distance[K_MAX];
        twin(N, d, k, metric, i, row, distance);
        for (int64_t m = 0; m < k; m++) {
            const int64_t at = i * k + m;
            wrong += (exact && all.row[at] != row[m]) || all.row[at] == i;
            worst = worse_of(worst, fabs(all.square[at] - distance[m]));
            worst = worse_of(worst, fabs(all.square[at] - twin_distance(X + i * d, X + all.row[at] * d, d, metric)));
        }
        rows_seen++;
    }
    CHECK(rows_seen > 0);
    CHECK_INT(wrong, 0);
    CHECK_NEAR(worst, 0, exact && metric == DC_METRIC_EUCLIDEAN ? 0 : 1e-13);
    dc_knn_release(&mine);
    dc_knn_release(&all);
}

static void fill(int64_t n, uint64_t step, double bound, bool round)
{
    dc_rng_fill_uniform(X, (size_t)n, SEED, step, bound);
    for (int64_t i = 0; round && i < n; i++) X[i] = roundf(X[i]);
}

/* Rows of zeros; row 1000 and its copies; stretched copies of row 7, by powers of two. */
static void set_special(int64_t N, int64_t d)
{
    for (int64_t i = 3; i < N; i += 97) memset(X + i * d, 0, (size_t)d * sizeof *X);
    for (int64_t i = 1001; i < 1004; i++) memcpy(X + i * d, X + 1000 * d, (size_t)d * sizeof *X);
    for (int64_t j = 0; j < d; j++) {
        X[20 * d + j] = 4 * X[7 * d + j];
        X[900 * d + j] = X[7 * d + j] / 8;
    }
}

static void test_special(dc_comm *comm, int64_t N, int64_t d)
{
    dc_part part;
    dc_knn knn;
    enum { K = 2 };
    CHECK_OK(find(comm, N, d, (dc_knn_config){.k = K, .metric = DC_METRIC_COSINE}, false, &part, &knn));
    for (int64_t i = part.row_lo; i < part.row_hi; i++) {
        const dc_gidx *row = knn.row + (i - part.row_lo) * K;
        const double *far = knn.square + (i - part.row_lo) * K;
        if (i == 3) CHECK(row[0] == 0 && row[1] == 1 && far[0] == 1 && far[1] == 1);
        if (i == 1002) CHECK(row[0] == 1000 && row[1] == 1001 && far[0] == 0 && far[1] == 0);
        if (i == 20) CHECK(row[0] == 7 && row[1] == 900 && far[0] == 0 && far[1] == 0);
    }
    dc_knn_release(&knn);
}

static void test_refused(dc_comm *comm)
{
    dc_part part;
    dc_knn none;
    CHECK_INT(find(comm, 5, 3, (dc_knn_config){.k = 5}, false, &part, &none), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "5 rows have no 5 other rows each");
    CHECK_INT(find(comm, 5, 3, (dc_knn_config){.k = 0}, false, &part, &none), DC_ERR_DATA);
    for (int metric = 0; metric < 2; metric++) {
        X[4 * 3 + 1] = metric ? NAN : INFINITY;
        CHECK_INT(find(comm, 5, 3, (dc_knn_config){.k = 2, .metric = (dc_metric)metric}, false, &part, &none),
                  DC_ERR_NUMERIC);
    }
    dc_error_clear();
}

int main(void)
{
    dc_comm *comm, *alone;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    CHECK_OK(dc_comm_split(comm, dc_comm_rank(comm), &alone));
    fill(N_MAX * 3, 1, 4.49, true);
    check(comm, alone, "whole numbers, several blocks", N_MAX, 3, 10, DC_METRIC_EUCLIDEAN, true);
    fill(N_MAX * 2, 2, 0.9, true);
    check(comm, alone, "nine different rows", N_MAX, 2, 10, DC_METRIC_EUCLIDEAN, true);
    fill(N_MAX * 4, 3, 1, false);
    check(comm, alone, "spread rows", N_MAX, 4, 15, DC_METRIC_EUCLIDEAN, false);
    fill(2000 * D_MAX, 4, 1, false);
    set_special(2000, D_MAX);
    check(comm, alone, "cosine", 2000, D_MAX, 10, DC_METRIC_COSINE, false);
    test_special(comm, 2000, D_MAX);
    fill(2000 * D_MAX, 5, 1e-20, false);
    check(comm, alone, "cosine in a small unit", 2000, D_MAX, 5, DC_METRIC_COSINE, false);
    fill(N_MAX * 5, 6, 1.49, true);
    check(comm, alone, "cosine of whole numbers", N_MAX, 5, 12, DC_METRIC_COSINE, false);
    test_refused(comm);
    dc_comm_destroy(&alone);
    return check_done_all(&comm);
}
