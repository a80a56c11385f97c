/* Cholesky and systems against their products: random, ill-conditioned, singular, indefinite matrices, one row, more
 * ranks than rows, float64 and float32, right-hand sides that are kept if there is no solution. Seed 532.
 * ranks: 1 3  ranks_long: 2 4 6 threads: 1 */
#include "t53_help.h"

enum { SEED = 532 };

/* Eigenvalues from 1 down to 1/condition. */
static double *make(int64_t N, double condition)
{
    double *values = t53_alloc(N, sizeof *values);
    for (int64_t i = 0; i < N; i++) values[i] = pow(condition, -(double)i / (double)DC_MAX(N - 1, (int64_t)1));
    double *A = t53_matrix(N, values, SEED);
    free(values);
    return A;
}

static void check_solve(dc_comm *comm, int64_t N, int64_t m, double condition, dc_dtype dtype)
{
    const double eps = dtype == DC_F64 ? DBL_EPSILON : (double)FLT_EPSILON;
    double *A = make(N, condition), *X = t53_alloc(N * m, sizeof *X), *B = t53_alloc(N * m, sizeof *B);
    t53_rows rows;
    dc_dla_solution s;
    const dc_dla_matrix matrix = t53_of(comm, A, N, &rows);
    t53_normal(X, N * m, SEED + 1);
    for (int64_t i = 0; i < N; i++)
        for (int64_t c = 0; c < m; c++)
            for (int64_t j = 0; j < N; j++) B[i * m + c] += A[i * N + j] * X[j * m + c];
    double *own = B + rows.part.row_lo * m;
    CHECK_OK(dc_dla_solve(comm, &matrix, dtype, m, own, &s));
    CHECK_ARRAY_NEAR(own, X + rows.part.row_lo * m, dc_part_rows(&rows.part) * m, 100 * condition * eps * (double)N);
    CHECK_NEAR(s.residual, 0, 10 * eps);
    CHECK(s.condition > condition / 10 && s.condition < condition * 10 * (double)N);
    free(A), free(X), free(B);
}

static void check_cholesky(dc_comm *comm, int64_t N, dc_dtype dtype)
{
    double *A = make(N, 100), *own, *L, worst = 0;
    t53_rows rows;
    const dc_dla_matrix matrix = t53_of(comm, A, N, &rows);
    own = t53_alloc(dc_part_rows(&rows.part) * N, sizeof *own);
    CHECK_OK(dc_dla_cholesky(comm, &matrix, dtype, own));
    L = t53_gather(comm, &rows.part, own, N);
    for (int64_t i = 0; i < N; i++)
        for (int64_t j = 0; j < N; j++) {
            double sum = -A[i * N + j];
            for (int64_t c = 0; c < N; c++) sum += L[i * N + c] * L[j * N + c];
            worst = fmax(worst, fabs(sum));
            if (j > i && L[i * N + j] != 0) worst = INFINITY;
        }
    CHECK_NEAR(worst, 0, (double)N * (dtype == DC_F64 ? DBL_EPSILON : (double)FLT_EPSILON));
    free(A), free(own), free(L);
}

static void refuse(dc_comm *comm, double value, dc_status expected, const char *text)
{
    enum { ORDER = 40 };
    double values[ORDER], B[2 * ORDER];
    t53_rows rows;
    dc_dla_solution s;
    for (int i = 0; i < ORDER; i++) values[i] = 1 + i;
    values[7] = value;
    double *A = t53_matrix(ORDER, values, SEED);
    const dc_dla_matrix matrix = t53_of(comm, A, ORDER, &rows);
    for (int i = 0; i < 2 * ORDER; i++) B[i] = i;
    CHECK_STATUS(dc_dla_solve(comm, &matrix, DC_F64, 2, B + 2 * rows.part.row_lo, &s), expected);
    CHECK_TEXT_HAS(dc_error_text(), text);
    dc_error_clear();
    bool kept = true;
    for (int i = 0; i < 2 * ORDER; i++) kept &= B[i] == i;
    CHECK(kept);
    if (value < 0) {
        double *own = t53_alloc(ORDER * ORDER, sizeof *own);
        CHECK_STATUS(dc_dla_cholesky(comm, &matrix, DC_F64, own), expected);
        dc_error_clear();
        free(own);
    }
    free(A);
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    for (int block = 0; block <= 8; block += 8) {
        dc_dla_set_block(block);
        check_solve(comm, 1, 1, 1, DC_F64);
        check_solve(comm, 3, 5, 10, DC_F64);
        check_solve(comm, 61, 3, 100, DC_F64);
        check_solve(comm, 61, 70, 1e9, DC_F64);
        check_solve(comm, 61, 3, 100, DC_F32);
        check_cholesky(comm, 1, DC_F64);
        check_cholesky(comm, 61, DC_F64);
        check_cholesky(comm, 61, DC_F32);
        refuse(comm, -1, DC_ERR_NUMERIC, "is not positive definite: its leading minor of order ");
        refuse(comm, 1e-17, DC_ERR_NUMERIC, "a matrix of order 40 is "); /* one or the other */
    }
    return check_done_all(&comm);
}
