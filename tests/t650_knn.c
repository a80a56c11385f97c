/* The nearest neighbours against a brute-force twin: numbers and ties of whole numbers with many copies, distances far
 * smaller than the lengths of the rows, units of any size, one column, blocks that are not full, ranks without rows;
 * the same bits on any number of ranks and threads; memory as announced. Fixed seed 650. ranks: 1 3  ranks_long: 2 5
 * threads: 1 2 */
#include "check.h"
#include "dcmpi/comm.h"
#include "dcmpi/knn.h"
#include "dcmpi/rng.h"
#include "ref/nn_ref.h"

enum { SHARDS = 8, SEED = 650 };

typedef struct {
    const float *X; /* all rows */
    int64_t d;
    dc_gidx row_lo;
} source;

static void give_rows(const void *ctx, int64_t lo, int64_t n, float *out)
{
    const source *s = ctx;
    memcpy(out, s->X + (s->row_lo + lo) * s->d, (size_t)(n * s->d) * sizeof *out);
}

static void find(dc_comm *comm, dc_part *part, const float *X, int64_t N, int64_t d, int64_t k, dc_knn *out)
{
    CHECK_OK(dc_part_init(part, N, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    const source s = {X, d, part->row_lo};
    const dc_rows rows = {.part = part, .d = d, .rows = give_rows, .ctx = &s};
    const dc_knn_config cfg = {.k = k};
    CHECK_OK(dc_knn_find(comm, &rows, &cfg, out));
}

static double twin_square(const float *x, const float *y, int64_t d)
{
    long double sum = 0;
    for (int64_t j = 0; j < d; j++)
        sum += ((long double)x[j] - (long double)y[j]) * ((long double)x[j] - (long double)y[j]);
    return (double)sum;
}

/* The k nearest of row i, by k passes over all rows. */
static void twin(const float *X, int64_t N, int64_t d, int64_t k, int64_t i, dc_gidx *row, double *square)
{
    for (int64_t m = 0; m < k; m++) {
        row[m] = -1;
        for (int64_t j = 0; j < N; j++) {
            bool taken = j == i;
            for (int64_t l = 0; l < m; l++) taken |= row[l] == j;
            const double s = taken ? 0 : twin_square(X + i * d, X + j * d, d);
            if (taken || (row[m] >= 0 && s >= square[m])) continue;
            row[m] = j;
            square[m] = s;
        }
    }
}

/* exact: sums of squares have no rounding, so that ties are ties. */
static void check(dc_comm *comm, dc_comm *alone, const char *what, const float *X, int64_t N, int64_t d, int64_t k,
                  bool exact)
{
    dc_part part, whole;
    dc_knn mine, all;
    int64_t wrong = 0;
    double worst = 0;
    if (dc_comm_rank(comm) == 0) printf("# %s\n", what);
    find(comm, &part, X, N, d, k, &mine);
    find(alone, &whole, X, N, d, k, &all);
    const size_t n = (size_t)(dc_part_rows(&part) * k);
    CHECK(n == 0 || memcmp(mine.row, all.row + part.row_lo * k, n * sizeof *mine.row) == 0);
    CHECK(n == 0 || memcmp(mine.square, all.square + part.row_lo * k, n * sizeof *mine.square) == 0);
    for (int64_t i = dc_comm_rank(comm); i < N; i += 7) {
        dc_gidx row[16];
        double square[16];
        twin(X, N, d, k, i, row, square);
        for (int64_t m = 0; m < k; m++) {
            wrong += exact && all.row[i * k + m] != row[m];
            worst = worse_of(worst, fabs(all.square[i * k + m] - square[m]) / (square[m] > 0 ? square[m] : 1));
        }
    }
    CHECK_INT(wrong, 0);
    CHECK_NEAR(worst, 0, exact ? 0 : 1e-13);
    dc_knn_release(&mine);
    dc_knn_release(&all);
}

/* Before any other search: peaks only grow. */
static void test_memory(dc_comm *comm, const float *X, int64_t N, int64_t d, int64_t k)
{
    dc_part part;
    dc_knn knn;
    const double before = (double)dc_mem_current_bytes();
    find(comm, &part, X, N, d, k, &knn);
    const double took = (double)dc_mem_peak_bytes() - before, told = dc_knn_bytes(&part, d, k);
    CHECK_NEAR(told / took, 1, 0.02);
    dc_knn_release(&knn);
}

int main(void)
{
    dc_comm *comm, *alone;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    CHECK_OK(dc_comm_split(comm, dc_comm_rank(comm), &alone));
    enum { N = 1500, D = 19 };
    static float X[N * D];
    dc_rng_fill_uniform(X, N * D, SEED, 1, 2.49);
    for (int64_t i = 0; i < N * D; i++) X[i] = roundf(X[i]);
    test_memory(comm, X, N, D, 10);
    check(comm, alone, "whole numbers", X, N, D, 10, true);
    check(comm, alone, "few columns, many copies", X, N, 2, 10, true);
    check(comm, alone, "one column", X, 601, 1, 3, true);
    check(comm, alone, "fewer rows than ranks", X, 3, D, 2, true);
    dc_rng_fill_uniform(X, N * D, SEED, 2, 1);
    check(comm, alone, "spread rows", X, N, D, 10, false);
    for (int64_t i = 0; i < N * D; i++) X[i] += 3000;
    check(comm, alone, "rows far from 0", X, N, D, 10, false);
    dc_rng_fill_uniform(X, N * D, SEED, 3, 1e-25);
    check(comm, alone, "small unit", X, 300, D, 5, false);
    dc_rng_fill_uniform(X, N * D, SEED, 4, 1e25);
    check(comm, alone, "large unit", X, 300, D, 5, false);

    dc_part part;
    dc_knn none;
    CHECK_OK(dc_part_init(&part, 5, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    const source s = {X, D, part.row_lo};
    const dc_rows rows = {.part = &part, .d = D, .rows = give_rows, .ctx = &s};
    CHECK_INT(dc_knn_find(comm, &rows, &(dc_knn_config){.k = 5}, &none), DC_ERR_DATA);
    dc_error_clear();
    dc_comm_destroy(&alone);
    return check_done_all(&comm);
}
