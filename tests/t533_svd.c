/* Gram matrices and singular values of tall matrices against LAPACK's SVD: random, graded over 6 orders of magnitude
 * (what the Gram matrix alone cannot see), rank-deficient, zero, one column, fewer rows than columns, k < d. Seed 533.
 * ranks: 1 3  ranks_long: 2 4 6 threads: 1 2 */
#include "t53_help.h"

enum { SEED = 533 };

void dgesvd_(const char *jobu, const char *jobvt, const int *m, const int *n, double *a, const int *lda, double *s,
             double *u, const int *ldu, double *vt, const int *ldvt, double *work, const int *lwork, int *info, size_t,
             size_t);

/* sigma[min(N, d)] of the floats Z[N x d]. */
static void lapack(const float *Z, int64_t N, int64_t d, double *sigma)
{
    const int m = (int)d, n = (int)N, one = 1, lwork = 100 * (m + n);
    int info;
    double *copy = t53_alloc(N * d, sizeof *copy), *work = t53_alloc(lwork, sizeof *work);
    for (int64_t i = 0; i < N * d; i++) copy[i] = (double)Z[i];
    dgesvd_("N", "N", &m, &n, copy, &m, sigma, NULL, &one, NULL, &one, work, &lwork, &info, 1, 1);
    if (info != 0) abort();
    free(copy), free(work);
}

/* Rows with `rank` directions whose lengths fall to 1/fall. */
static float *make(int64_t N, int64_t d, int64_t rank, double fall)
{
    float *Z = t53_alloc(N * d, sizeof *Z);
    double *left = t53_alloc(N * rank, sizeof *left), *right = t53_alloc(d * rank, sizeof *right);
    t53_normal(left, N * rank, SEED);
    t53_normal(right, d * rank, SEED + 1);
    for (int64_t i = 0; i < N; i++)
        for (int64_t j = 0; j < d; j++) {
            double sum = 0;
            for (int64_t c = 0; c < rank; c++)
                sum += left[i * rank + c] * right[j * rank + c] * pow(fall, -(double)c / (double)DC_MAX(rank - 1, 1));
            Z[i * d + j] = (float)sum;
        }
    free(left), free(right);
    return Z;
}

static dc_rows rows_of(dc_comm *comm, const float *Z, int64_t N, int64_t d, dc_part *part)
{
    CHECK_OK(dc_part_init(part, N, T53_SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    return (dc_rows){.part = part, .d = d, .X = Z + part->row_lo * d};
}

static void check_gram(dc_comm *comm, const float *Z, int64_t N, int64_t d)
{
    dc_part part, of_columns;
    const dc_rows rows = rows_of(comm, Z, N, d, &part);
    CHECK_OK(dc_part_init(&of_columns, d, T53_SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    double *own = t53_alloc(dc_part_rows(&of_columns) * d, sizeof *own), worst = 0, most = 0;
    CHECK_OK(dc_dla_gram(comm, &rows, &of_columns, own));
    double *G = t53_gather(comm, &of_columns, own, d);
    for (int64_t a = 0; a < d; a++)
        for (int64_t b = 0; b < d; b++) {
            double sum = 0;
            for (int64_t i = 0; i < N; i++) sum += (double)Z[i * d + a] * (double)Z[i * d + b];
            worst = fmax(worst, fabs(sum - G[a * d + b]));
            most = fmax(most, fabs(sum));
        }
    CHECK_NEAR(worst, 0, 1e-14 * most);
    free(own), free(G);
}

static void check_svd(dc_comm *comm, const float *Z, int64_t N, int64_t d, int64_t k, int64_t rank)
{
    dc_part part;
    dc_dla_svd s;
    const dc_rows rows = rows_of(comm, Z, N, d, &part);
    double *expected = t53_alloc(DC_MAX(N, d), sizeof *expected), worst = 0;
    lapack(Z, N, d, expected);
    CHECK_OK(dc_dla_svd_solve(comm, &rows, k, &s));
    CHECK_INT(s.rank, rank);
    CHECK_ARRAY_NEAR(s.values, expected, k, 1e-14 * expected[0] * sqrt((double)d));
    CHECK_NEAR(s.orthogonality, 0, 1e-12);
    CHECK_NEAR(s.residual, 0, 1e-12);
    CHECK_NEAR(t53_orthogonality(s.right, d, k), 0, 1e-12);
    double *U = t53_gather(comm, &part, s.left, k);
    for (int64_t i = 0; i < N; i++)
        for (int64_t j = 0; k == d && j < d; j++) {
            double sum = -(double)Z[i * d + j];
            for (int64_t c = 0; c < k; c++) sum += U[i * k + c] * s.values[c] * s.right[j * k + c];
            worst = fmax(worst, fabs(sum));
        }
    CHECK_NEAR(worst, 0, 1e-13 * fmax(expected[0], 1));
    free(U), free(expected);
    dc_dla_svd_release(&s);
}

static void check(dc_comm *comm, int64_t N, int64_t d, int64_t k, int64_t rank, double fall, int64_t found)
{
    float *Z = make(N, d, rank, fall);
    check_gram(comm, Z, N, d);
    check_svd(comm, Z, N, d, k, found);
    free(Z);
}

static void refuse(dc_comm *comm)
{
    dc_part part;
    dc_dla_svd s;
    float *Z = make(50, 5, 5, 1);
    const dc_rows rows = rows_of(comm, Z, 50, 5, &part);
    CHECK_STATUS(dc_dla_svd_solve(comm, &rows, 6, &s), DC_ERR_USAGE);
    dc_error_clear();
    Z[30 * 5 + 4] = NAN;
    CHECK_STATUS(dc_dla_svd_solve(comm, &rows, 2, &s), DC_ERR_NUMERIC);
    CHECK_TEXT_HAS(dc_error_text(), "element (0, 4) of a 5 x 5 matrix");
    dc_error_clear();
    free(Z);
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    for (int block = 0; block <= 8; block += 8) {
        dc_dla_set_block(block);
        check(comm, 200, 33, 33, 33, 1, 33);
        check(comm, 200, 33, 7, 33, 1, 7);
        check(comm, 300, 24, 24, 24, 1e6, 24);
        check(comm, 200, 1, 1, 1, 1, 1);
    }
    check(comm, 10, 20, 20, 20, 1, 10);
    check(comm, 200, 20, 20, 1, 1, 20); /* floats of a matrix of rank 1 have rank 20 at 1e-8 */
    float zero[60] = {0};
    check_svd(comm, zero, 20, 3, 3, 0);
    refuse(comm);
    return check_done_all(&comm);
}
