/* Kernels on sparse rows against naive loops over the dense ones, over odd widths, with and without factors, with rows
 * and columns that have no values; the same bits for one and two threads. Seed 516. */
#include <omp.h>

#include "check.h"
#include "dcmpi/la.h"
#include "t51_sparse.h"

static void check_rows(const t51_rows *r)
{
    const int64_t N = r->N, D = r->D, lo = N / 3, n = N - lo;
    float *out = t51_alloc(N * D, sizeof *out);
    int64_t *rows = t51_alloc(N, sizeof *rows), *ptr = t51_alloc(N + 1, sizeof *ptr);
    int32_t *col = t51_alloc(2 * N * D, sizeof *col);
    float *val = t51_alloc(2 * N * D, sizeof *val);
    int64_t wrong = 0;
    memset(out, 1, (size_t)(N * D) * sizeof *out);
    dc_csr_rows(&r->csr, lo, n, out);
    CHECK(memcmp(out, r->dense + lo * D, (size_t)(n * D) * sizeof *out) == 0);
    for (int64_t i = 0; i < N; i++) rows[i] = i % 5 == 3 ? -1 : 7 * i % N;
    dc_csr_copy(&r->csr, rows, N, ptr, col, val);
    const dc_csr copy = {.n = N, .D = D, .ptr = ptr, .col = col, .val = val};
    dc_csr_rows(&copy, 0, N, out);
    for (int64_t i = 0; i < N; i++)
        for (int64_t c = 0; c < D; c++) wrong += out[i * D + c] != (rows[i] < 0 ? 0 : r->dense[rows[i] * D + c]);
    CHECK_INT(wrong, 0);
    free(out), free(rows), free(ptr), free(col), free(val);
}

static void check_times(const t51_rows *r, int64_t k)
{
    const int64_t N = r->N, D = r->D, lo = N / 4, n = N - lo, ldw = k + 3;
    float *W = t51_alloc(D * ldw, sizeof *W), *Y = t51_alloc(n * k + 1, sizeof *Y),
          *again = t51_alloc(n * k, sizeof *Y);
    double *expected = t51_alloc(n * k, sizeof *expected);
    dc_rng_fill_uniform(W, (size_t)(D * ldw), 516, 1, 1);
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < D; c++)
            for (int64_t j = 0; j < k; j++)
                expected[i * k + j] += (double)r->dense[(lo + i) * D + c] * (double)W[c * ldw + j];
    Y[n * k] = 77;
    omp_set_num_threads(2);
    dc_csr_times(&r->csr, lo, n, W, ldw, k, Y);
    omp_set_num_threads(1);
    dc_csr_times(&r->csr, lo, n, W, ldw, k, again);
    CHECK_ARRAY_NEAR(Y, expected, n * k, 2e-5);
    CHECK(memcmp(Y, again, (size_t)(n * k) * sizeof *Y) == 0 && Y[n * k] == 77);
    free(W), free(Y), free(again), free(expected);
}

static void check_transposed(const t51_rows *r, int64_t k)
{
    const int64_t N = r->N, D = r->D, first = D / 5, last = D - D / 7, ldx = k + 2, ldy = k + 1;
    float *X = t51_alloc(N * ldx, sizeof *X), *Y = t51_alloc(D * ldy, sizeof *Y),
          *again = t51_alloc(D * ldy, sizeof *Y);
    double *expected = t51_alloc(D * ldy, sizeof *expected);
    dc_csc c;
    CHECK_OK(dc_csc_create(&c, D, r->csr.total));
    dc_csc_set(&c, &r->csr);
    dc_rng_fill_uniform(X, (size_t)(N * ldx), 516, 2, 1);
    for (int64_t i = 0; i < D * ldy; i++) Y[i] = again[i] = 77, expected[i] = 77;
    for (int64_t j = 0; j < last - first; j++)
        for (int64_t q = 0; q < k; q++) {
            expected[j * ldy + q] = 0;
            for (int64_t i = 0; i < N; i++)
                expected[j * ldy + q] += (double)r->dense[i * D + first + j] * (double)X[i * ldx + q];
        }
    for (int adds = 0; adds < 2; adds++) {
        omp_set_num_threads(2);
        dc_csc_times(&c, first, last, X, ldx, k, adds, Y, ldy);
        omp_set_num_threads(1);
        dc_csc_times(&c, first, last, X, ldx, k, adds, again, ldy);
        for (int64_t j = 0; adds && j < last - first; j++)
            for (int64_t q = 0; q < k; q++) expected[j * ldy + q] *= 2;
        CHECK_ARRAY_NEAR(Y, expected, D * ldy, 1e-4);
        CHECK(memcmp(Y, again, (size_t)(D * ldy) * sizeof *Y) == 0);
    }
    dc_csc_release(&c);
    free(X), free(Y), free(again), free(expected);
}

/* Distances from a row far away, and from copies of the rows that differ in their last digits, where terms cancel. */
static void check_distances(const t51_rows *r)
{
    const int64_t N = r->N, D = r->D;
    float *y = t51_alloc(D, sizeof *y);
    for (int64_t i = 0; i < N; i++)
        for (int near = 0; near < 2; near++) {
            double square = 0, expected = 0;
            dc_rng_fill_uniform(y, (size_t)D, 516, 3, 1);
            for (int64_t c = 0; c < D; c++) {
                const float x = r->dense[i * D + c];
                if (near) y[c] = x + 1e-7f * y[c];
                square += (double)y[c] * (double)y[c];
                expected += ((double)x - (double)y[c]) * ((double)x - (double)y[c]);
            }
            CHECK_NEAR(dc_csr_square_distance(&r->csr, i, y, square), expected, 1e-9 * expected);
            CHECK_NEAR(dc_square_distance(r->dense + i * D, y, D), expected, 1e-12 * expected);
        }
    free(y);
}

static void bounds(void)
{
    dc_csr m = {.D = 100};
    CHECK_INT(dc_csr_longest(&m), 100);
    CHECK_INT(dc_csr_room(&m, 7), 700);
    CHECK(!dc_csr_pays(&m, 50));
    m.longest = 30, m.total = 400;
    CHECK_INT(dc_csr_room(&m, 7), 210);
    CHECK_INT(dc_csr_room(&m, 70), 400);
    CHECK_NEAR(dc_csr_per_row(&m, 50), 8, 0);
    CHECK(dc_csr_pays(&m, 50) && !dc_csr_pays(&m, 20));
}

int main(void)
{
    static const int64_t widths[] = {1, 3, 15, 16, 17, 31, 33, 127, 128, 129, 500};
    for (int factors = 0; factors < 2; factors++) {
        t51_rows r = t51_make(131, 203, 12, 5, factors, 516);
        check_rows(&r);
        check_distances(&r);
        for (size_t i = 0; i < DC_COUNT_OF(widths); i++) check_times(&r, widths[i]), check_transposed(&r, widths[i]);
        t51_free(&r);
    }
    bounds();
    return check_done();
}
