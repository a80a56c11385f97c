/* dc_gemm with both backends against the naive twin: transposes, sizes around the blocks, leading dimensions with a
 * gap, beta 0 over NaN, empty products, calls inside a parallel region. Fixed seed 500. */
#include <omp.h>

#include "check.h"
#include "dcmpi/rng.h"
#include "ref/nn_ref.h"

enum { GAP = 5 };

static float *random_matrix(int64_t rows, int64_t ld, uint64_t step)
{
    float *x = malloc((size_t)(rows * ld + 1) * sizeof *x);
    dc_rng_fill_uniform(x, (size_t)(rows * ld), 500, step, 1.0);
    return x;
}

/* Largest error of one product, in units of k: entries are in (-1, 1). Columns beyond n of C must stay untouched. */
static double gemm_error(dc_trans ta, dc_trans tb, int64_t m, int64_t n, int64_t k, float alpha, float beta, bool nan_c)
{
    const int64_t lda = (ta == DC_T ? m : k) + GAP, ldb = (tb == DC_T ? k : n) + GAP, ldc = n + GAP;
    float *A = random_matrix(ta == DC_T ? k : m, lda, 1), *B = random_matrix(tb == DC_T ? n : k, ldb, 2);
    float *C = random_matrix(m, ldc, 3);
    double *E = malloc((size_t)(m * ldc + 1) * sizeof *E), worst = 0;
    for (int64_t i = 0; i < m * ldc; i++) E[i] = (double)C[i];
    if (nan_c)
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < n; j++) C[i * ldc + j] = NAN;
    dc_gemm(ta, tb, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
    gemm_ref(ta, tb, m, n, k, (double)alpha, A, lda, B, ldb, (double)beta, E, ldc);
    for (int64_t i = 0; i < m * ldc; i++) worst = worse_of(worst, fabs((double)C[i] - E[i]));
    free(A), free(B), free(C), free(E);
    return worst / (double)DC_MAX(k, 1);
}

static void test_sizes(void)
{
    static const int64_t sizes[][3] = {{1, 1, 1},    {1, 17, 5},    {7, 1, 13},     {5, 3, 1},
                                       {16, 16, 16}, {17, 33, 31},  {48, 64, 48},   {64, 65, 63},
                                       {97, 101, 1}, {128, 7, 256}, {31, 129, 257}, {256, 10, 500}};
    double worst = 0;
    for (size_t s = 0; s < DC_COUNT_OF(sizes); s++)
        for (int t = 0; t < 4; t++) {
            const dc_trans ta = t & 1 ? DC_T : DC_N, tb = t & 2 ? DC_T : DC_N;
            worst = worse_of(worst, gemm_error(ta, tb, sizes[s][0], sizes[s][1], sizes[s][2], 1, 0, true));
        }
    CHECK_NEAR(worst, 0, 2e-7);
}

static void test_scalars(void)
{
    CHECK_NEAR(gemm_error(DC_N, DC_N, 33, 21, 19, 0.5f, 1, false), 0, 2e-7);
    CHECK_NEAR(gemm_error(DC_T, DC_N, 33, 21, 19, -1, 0.25f, false), 0, 2e-7);
    CHECK_NEAR(gemm_error(DC_N, DC_T, 33, 21, 19, 2, 0, true), 0, 4e-7);
}

static void test_empty(void)
{
    CHECK_NEAR(gemm_error(DC_N, DC_N, 3, 4, 0, 1, 0, true), 0, 0);
    CHECK_NEAR(gemm_error(DC_T, DC_N, 3, 4, 0, 1, 0.5f, false), 0, 0);
    CHECK_NEAR(gemm_error(DC_N, DC_N, 0, 4, 3, 1, 0, false), 0, 0);
    CHECK_NEAR(gemm_error(DC_N, DC_T, 4, 0, 3, 1, 0, false), 0, 0);
}

/* Two threads multiply at the same time, each alone: same bits as one after the other with one thread. */
static void test_inside_parallel(void)
{
    enum { M = 64, N = 100, K = 784 };
    float *A = random_matrix(2 * M, K, 4), *B = random_matrix(K, N, 5);
    float *alone = calloc(2 * M * N, sizeof *alone), *together = calloc(2 * M * N, sizeof *together);
    omp_set_num_threads(1);
    for (int t = 0; t < 2; t++) dc_gemm(DC_N, DC_N, M, N, K, 1, A + t * M * K, K, B, N, 0, alone + t * M * N, N);
#pragma omp parallel for num_threads(2)
    for (int t = 0; t < 2; t++) dc_gemm(DC_N, DC_N, M, N, K, 1, A + t * M * K, K, B, N, 0, together + t * M * N, N);
    CHECK(memcmp(alone, together, 2 * M * N * sizeof *alone) == 0);
    free(A), free(B), free(alone), free(together);
}

static void test_threads_agree(void)
{
    for (int threads = 1; threads <= 2; threads++) {
        omp_set_num_threads(threads);
        CHECK_NEAR(gemm_error(DC_N, DC_N, 128, 300, 400, 1, 0, true), 0, 1e-7);
        CHECK_NEAR(gemm_error(DC_T, DC_N, 300, 128, 256, 1, 0, true), 0, 1e-7);
        CHECK_NEAR(gemm_error(DC_N, DC_T, 128, 300, 200, 1, 0, true), 0, 1e-7);
    }
}

int main(void)
{
    CHECK_INT(dc_gemm_get_backend(), DC_GEMM_ONEDNN);
    for (int backend = DC_GEMM_ONEDNN; backend <= DC_GEMM_CBLAS; backend++) {
        dc_gemm_set_backend((dc_gemm_backend)backend);
        printf("# backend %d\n", backend);
        test_sizes();
        test_scalars();
        test_empty();
        test_inside_parallel();
        test_threads_agree();
    }
    return check_done();
}
