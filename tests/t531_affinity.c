/* Affinities that are built where they are needed, against a twin of ten lines: the k smallest eigenpairs of the
 * normalised Laplacian of self-tuning Gaussians, repeated rows, isolated vertices, more eigenvalues 0 than components
 * asked for, NaN rows, negative affinities; rows from a function and from an array. Seed 531.
 * ranks: 1 3  ranks_long: 2 4 6 threads: 1 2 */
#include "t53_help.h"

enum { SEED = 531, D = 7 };

typedef struct {
    const float *X; /* all rows */
    dc_gidx row_lo;
} source;

static void give(const void *ctx, int64_t lo, int64_t n, float *out)
{
    const source *s = ctx;
    memcpy(out, s->X + (s->row_lo + lo) * D, (size_t)(n * D) * sizeof *out);
}

/* groups clouds that are `far` apart, one after the other. */
static float *clouds(int64_t N, int64_t groups, double far)
{
    double *x = t53_alloc(N * D, sizeof *x);
    float *X = t53_alloc(N * D, sizeof *X);
    t53_normal(x, N * D, SEED);
    for (int64_t i = 0; i < N * D; i++) X[i] = (float)(x[i] + far * (double)(i / D * groups / N));
    free(x);
    return X;
}

/* The Laplacian of dla.h, in the plainest way. */
static double *twin(const float *X, int64_t N, const dc_dla_gauss_scale *scale, double *degree)
{
    double *A = t53_alloc(N * N, sizeof *A);
    for (int64_t i = 0; i < N; i++)
        for (int64_t j = 0; j < N; j++) {
            double square = 0;
            for (int64_t c = 0; c < D; c++) square += pow((double)X[i * D + c] - (double)X[j * D + c], 2);
            const double width = scale->scales ? scale->scales[i] * scale->scales[j] : scale->scale * scale->scale;
            A[i * N + j] = i == j ? 0 : exp(-square / (2 * width));
            degree[i] += A[i * N + j];
        }
    for (int64_t i = 0; i < N; i++)
        for (int64_t j = 0; j < N; j++) {
            const double root = sqrt(degree[i] * degree[j]);
            A[i * N + j] = root > 0 ? (i == j) - A[i * N + j] / root : 0;
        }
    return A;
}

static dc_dla_matrix matrix_of(dc_comm *comm, const float *X, int64_t N, const dc_dla_gauss_scale *scale, bool held,
                               dc_part *part, source *s, dc_rows *rows)
{
    CHECK_OK(dc_part_init(part, N, T53_SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    *s = (source){X, part->row_lo};
    *rows = (dc_rows){.part = part, .d = D, .rows = give, .ctx = s};
    if (held) *rows = (dc_rows){.part = part, .d = D, .X = X + part->row_lo * D};
    return (dc_dla_matrix){.part = part, .affinity = dc_dla_gauss, .ctx = scale, .X = rows, .laplacian = true};
}

/* The k smallest pairs against the twin's; zeros: eigenvalues that are 0. */
static void check(dc_comm *comm, const float *X, int64_t N, int64_t k, const dc_dla_gauss_scale *scale, int64_t zeros,
                  dc_dtype dtype)
{
    dc_part part;
    source s;
    dc_rows rows;
    dc_dla_eigen e;
    const dc_dla_matrix A = matrix_of(comm, X, N, scale, zeros % 2 == 0, &part, &s, &rows);
    const dc_dla_want want = {DC_DLA_SMALLEST, k, dtype, DC_DLA_AUTO};
    const double tolerance = dtype == DC_F64 ? 1e-12 : 1e-4;
    double *degree = t53_alloc(N, sizeof *degree), *expected = t53_alloc(N, sizeof *expected);
    double *L = twin(X, N, scale, degree);
    t53_lapack(L, N, expected);
    CHECK_OK(dc_dla_eigen_solve(comm, &A, &want, &e));
    CHECK_ARRAY_NEAR(e.values, expected, k, tolerance);
    CHECK_ARRAY_NEAR(e.degree, degree + part.row_lo, dc_part_rows(&part), tolerance * (double)N);
    double *V = t53_gather(comm, &part, e.vectors, k);
    CHECK_NEAR(t53_orthogonality(V, N, k), 0, tolerance);
    CHECK_NEAR(t53_residual(L, V, e.values, N, k), 0, tolerance);
    CHECK(e.build_s >= 0 && e.solve_s >= 0 && e.move_s >= 0 && e.flop > 0);
    int64_t found = 0;
    for (int64_t j = 0; j < k; j++) found += fabs(e.values[j]) < tolerance;
    CHECK_INT(found, zeros);
    free(V), free(L), free(degree), free(expected);
    dc_dla_eigen_release(&e);
}

static void negative(const void *ctx, dc_gidx i, int64_t n, const dc_gidx *columns, double *w)
{
    (void)ctx;
    for (int64_t j = 0; j < n; j++) w[j] = i == 3 || columns[j] == 3 ? -1 : 1;
}

static void refuse(dc_comm *comm)
{
    const int64_t N = 40;
    float *X = clouds(N, 1, 0);
    dc_part part;
    source s;
    dc_rows rows;
    dc_dla_eigen e;
    const dc_dla_gauss_scale scale = {.scale = 1};
    const dc_dla_want want = {DC_DLA_SMALLEST, 2, DC_F64, DC_DLA_AUTO};
    dc_dla_matrix A = matrix_of(comm, X, N, &scale, false, &part, &s, &rows);
    X[17 * D + 2] = NAN;
    CHECK_STATUS(dc_dla_eigen_solve(comm, &A, &want, &e), DC_ERR_NUMERIC);
    CHECK_TEXT_HAS(dc_error_text(), "element (0, 17) of a 40 x 40 matrix is not a finite float64 number");
    dc_error_clear();
    X[17 * D + 2] = 0;
    A.affinity = negative;
    CHECK_STATUS(dc_dla_eigen_solve(comm, &A, &want, &e), DC_ERR_NUMERIC);
    CHECK_TEXT_HAS(dc_error_text(), "the affinities of row 3 have the sum -39");
    dc_error_clear();
    free(X);
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    const int64_t N = 90;
    double scales[90];
    for (int64_t i = 0; i < N; i++) scales[i] = 1 + (double)(i % 7) / 7;
    const dc_dla_gauss_scale one = {.scale = 1.5}, own = {.scales = scales};
    float *X = clouds(N, 3, 1);
    for (int block = 0; block <= 8; block += 8) {
        dc_dla_set_block(block);
        check(comm, X, N, 6, &one, 1, DC_F64);
        check(comm, X, N, 6, &own, 1, DC_F64);
        check(comm, X, N, 6, &own, 1, DC_F32);
        memcpy(X + 10 * D, X + 11 * D, D * sizeof *X); /* the same row twice */
        check(comm, X, N, 6, &own, 1, DC_F64);
    }
    free(X);
    X = clouds(N, 3, 1000); /* exp() of the distance between clouds is 0: three components */
    check(comm, X, N, 2, &one, 2, DC_F64);
    check(comm, X, N, 6, &one, 3, DC_F64);
    X[0] = 1e6f; /* an isolated vertex more */
    X[80 * D] = -1e6f;
    check(comm, X, N, 6, &one, 5, DC_F64);
    refuse(comm);
    free(X);
    return check_done_all(&comm);
}
