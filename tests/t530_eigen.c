/* Symmetric eigenproblems on grids of ranks against LAPACK: random, clustered, repeated, rank-deficient, singular, of
 * any size of numbers; fewer rows than a block or than ranks; all drivers, all, smallest and largest pairs, float64 and
 * float32; signs, self-checks, elements that are not finite. Seed 530.
 * ranks: 1 3  ranks_long: 2 4 6 threads: 1 */
#include "t53_help.h"

enum { SEED = 530 };

typedef enum { RANDOM, CLUSTERED, REPEATED, DEFICIENT, SINGULAR, HUGE_NUMBERS, TINY, ZERO, IDENTITY, KINDS } kind;
static const char *const kind_names[] = {"random",   "clustered", "repeated", "rank-deficient", "singular",
                                         "1e+150 x", "1e-150 x",  "zero",     "identity"};

static double *make(kind what, int64_t N)
{
    double *values = t53_alloc(N, sizeof *values);
    t53_normal(values, N, SEED);
    for (int64_t i = 0; i < N; i++) {
        const double x = values[i];
        if (what == CLUSTERED) values[i] = (double)(i % 3) + 1e-11 * x;
        if (what == REPEATED) values[i] = (double)(i % 4) - 1;
        if (what == DEFICIENT && i > N / 3) values[i] = 0;
        if (what == SINGULAR && i == N / 2) values[i] = 0;
        if (what == HUGE_NUMBERS) values[i] = 1e150 * x;
        if (what == TINY) values[i] = 1e-150 * x;
        if (what == ZERO) values[i] = 0;
        if (what == IDENTITY) values[i] = 1;
    }
    double *A = t53_matrix(N, values, SEED + 1);
    free(values);
    return A;
}

/* Whether the first of the components of largest magnitude is positive in each column of V[N x k]. */
static bool signs_hold(const double *V, int64_t N, int64_t k, double equal)
{
    bool hold = true;
    for (int64_t j = 0; j < k; j++) {
        double most = 0;
        int64_t i = 0;
        for (int64_t a = 0; a < N; a++) most = fmax(most, fabs(V[a * k + j]));
        while (fabs(V[i * k + j]) < most * (1 - equal)) i++;
        hold &= V[i * k + j] > 0;
    }
    return hold;
}

/* Relative to the norm of A; INFINITY if there is no answer. */
typedef struct {
    double values, orthogonality, residual;
} errors;

static errors solve(dc_comm *comm, const double *A, int64_t N, const dc_dla_want *want)
{
    t53_rows rows;
    dc_dla_eigen e;
    const double norm = fmax(t53_norm1(A, N), DBL_MIN);
    const dc_dla_matrix matrix = t53_of(comm, A, N, &rows);
    const int64_t k = want->which == DC_DLA_ALL ? N : want->k;
    errors bad = {INFINITY, INFINITY, INFINITY}, found = {0};
    if (dc_dla_eigen_solve(comm, &matrix, want, &e) != DC_OK) return bad;
    double *expected = t53_alloc(N, sizeof *expected), *V = t53_gather(comm, &rows.part, e.vectors, k);
    t53_lapack(A, N, expected);
    for (int64_t j = 0; j < k; j++)
        found.values =
            fmax(found.values, fabs(e.values[j] - expected[want->which == DC_DLA_LARGEST ? N - 1 - j : j]) / norm);
    found.orthogonality = t53_orthogonality(V, N, k);
    found.residual = t53_residual(A, V, e.values, N, k) / norm;
    /* Of few pairs, the solution's own checks have seen all. */
    if (k <= DC_DLA_CHECKED && (e.orthogonality > 2 * found.orthogonality + 1e-7 * (want->dtype == DC_F32) + 1e-15 ||
                                e.orthogonality < found.orthogonality / 2 - 1e-6 * (want->dtype == DC_F32) - 1e-15))
        found.orthogonality = INFINITY;
    if (e.k != k || e.degree || !signs_hold(V, N, k, want->dtype == DC_F64 ? 1e-6 : 1e-3)) found = bad;
    free(V), free(expected);
    dc_dla_eigen_release(&e);
    return found;
}

/* pdsyevr's kernel gives up on some matrices of order 2; that must be seen, and no other driver may fail. */
static void check(dc_comm *comm, const double *A, int64_t N, const dc_dla_want *want)
{
    const double eps = want->dtype == DC_F64 ? DBL_EPSILON : (double)FLT_EPSILON;
    const errors found = solve(comm, A, N, want);
    if (want->driver == DC_DLA_EVR && isinf(found.values) && dc_error_code() == DC_ERR_NUMERIC) {
        CHECK_TEXT_HAS(dc_error_text(), "pdsyevr found no eigenpairs");
        dc_error_clear();
        return;
    }
    CHECK_NEAR(found.values, 0, 20 * (double)N * eps);
    CHECK_NEAR(found.orthogonality, 0, 100 * (double)N * eps);
    CHECK_NEAR(found.residual, 0, 20 * (double)N * eps);
}

static void check_kind(dc_comm *comm, kind what, int64_t N, dc_dla_driver driver, dc_dtype dtype)
{
    double *A = make(what, N);
    const int64_t some = DC_MIN(N, (int64_t)5);
    if (dc_comm_rank(comm) == 0)
        printf("# %s %s, order %lld, %s\n", dtype == DC_F64 ? "float64" : "float32", dc_dla_driver_name(driver),
               (long long)N, kind_names[what]);
    check(comm, A, N, &(dc_dla_want){DC_DLA_ALL, 0, dtype, driver});
    check(comm, A, N, &(dc_dla_want){DC_DLA_SMALLEST, some, dtype, driver});
    check(comm, A, N, &(dc_dla_want){DC_DLA_LARGEST, some, dtype, driver});
    free(A);
}

/* With the usual block the grid is 1 x 1; with a small one it is as large as the blocks allow. */
static void check_orders(dc_comm *comm)
{
    static const int64_t orders[] = {1, 2, 5, 37};
    for (size_t i = 0; i < DC_COUNT_OF(orders); i++)
        for (int what = 0; what < KINDS; what++) {
            const bool in_float = what != HUGE_NUMBERS && what != TINY && what != SINGULAR;
            if (orders[i] < 37 && what > REPEATED && what != ZERO) continue;
            dc_dla_set_block(orders[i] == 5 && what % 2 ? 0 : 8);
            check_kind(comm, (kind)what, orders[i], DC_DLA_AUTO, DC_F64);
            if (orders[i] == 37 && in_float) check_kind(comm, (kind)what, orders[i], DC_DLA_AUTO, DC_F32);
        }
}

static void check_drivers(dc_comm *comm)
{
    for (int driver = DC_DLA_EVR; driver <= DC_DLA_EVD; driver++) {
        dc_dla_set_block(8);
        check_kind(comm, CLUSTERED, 37, (dc_dla_driver)driver, DC_F64);
        check_kind(comm, RANDOM, 2, (dc_dla_driver)driver, DC_F32);
        check_kind(comm, REPEATED, 37, (dc_dla_driver)driver, DC_F32);
    }
    dc_dla_set_block(0); /* few vectors of many rows */
    double *A = make(RANDOM, 300);
    check(comm, A, 300, &(dc_dla_want){DC_DLA_SMALLEST, 5, DC_F64, DC_DLA_EVR});
    check(comm, A, 300, &(dc_dla_want){DC_DLA_LARGEST, 5, DC_F64, DC_DLA_EVR});
    free(A);
}

static void refuse(dc_comm *comm)
{
    const int64_t N = 20;
    double *A = make(RANDOM, N);
    t53_rows rows;
    dc_dla_eigen e;
    const dc_dla_matrix matrix = t53_of(comm, A, N, &rows);
    dc_dla_want want = {DC_DLA_SMALLEST, 3, DC_F64, DC_DLA_AUTO};
    A[7 * N + 11] = A[11 * N + 7] = NAN;
    CHECK_STATUS(dc_dla_eigen_solve(comm, &matrix, &want, &e), DC_ERR_NUMERIC);
    CHECK_TEXT_HAS(dc_error_text(), "element (7, 11) of a 20 x 20 matrix is not a finite float64 number");
    dc_error_clear();
    A[7 * N + 11] = A[11 * N + 7] = 1e40;
    want.dtype = DC_F32;
    CHECK_STATUS(dc_dla_eigen_solve(comm, &matrix, &want, &e), DC_ERR_NUMERIC);
    dc_error_clear();
    for (want.k = 0; want.k <= N + 1; want.k += N + 1) {
        CHECK_STATUS(dc_dla_eigen_solve(comm, &matrix, &want, &e), DC_ERR_USAGE);
        dc_error_clear();
    }
    free(A);
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    check_orders(comm);
    check_drivers(comm);
    refuse(comm);
    return check_done_all(&comm);
}
