/* Gram matrices, and singular values of tall matrices.
 *
 * The eigenvectors V of Z'Z are right singular vectors of Z, but only for singular values well above sqrt(eps) of the
 * largest, because Z'Z squares the condition. What is wrong with the others is small beside the larger columns of Z V:
 * with columns scaled to length 1, the Gram matrix of Z V has a small condition. So Cholesky QR, repeated until Q'Q is
 * the identity (Yamamoto, Nakatsukasa, Yanagisawa, Fukaya 2015: two passes; with a shift if a pass fails: Fukaya and
 * others 2020), gives Z V = Q T, and the SVD of the small T those of Z. */
#include <float.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#include "dcmpi/mem.h"
#include "la/dla_impl.h"
#include "la/scalapack_decl.h"

enum { TILE_ROWS = DC_DLA_SVD_ROWS, PASSES_MAX = 6 };
/* Q'Q is the identity. */
static const double IDENTITY = 1e-13;

dc_status dc_dla_gram(dc_comm *comm, const dc_rows *Z, const dc_part *part, double *G)
{
    const dc_dla_matrix A = {.part = part, .gram = true, .X = Z};
    dc_dla_grid grid = {.row = -1};
    dc_dla_blocks blocks = {0};
    dc_dla_size size;
    dc_dla_plan plan;
    dc_status st = DC_OK;
    DC_TRY_ALL(comm, dc_dla_size_of(&A, DC_DLA_CHOLESKY, DC_F64, &size));
    DC_TRY_ALL(comm, dc_dla_plan_make(&size, dc_comm_size(comm), &plan));
    DC_TRY(dc_dla_grid_open(comm, &plan, part, &grid));
    DC_TRY_ALL(comm, dc_dla_blocks_create(&grid, size.N, size.N, size.N, DC_F64, "blocks of a matrix", &blocks));
    DC_TRY(dc_dla_build(comm, &grid, &A, &blocks, NULL));
    DC_TRY(dc_dla_collect(comm, &grid, &blocks, 0, size.N, G));
out:
    dc_dla_blocks_release(&blocks);
    dc_dla_grid_close(comm, &grid);
    return st;
}

typedef struct {
    const dc_rows *Z;
    int64_t n, d, k, kept, r; /* local rows, columns of Z, wanted, of V, and of V with a length that is not 0 */
    double *V;                /* [d x kept]; later those with a length first */
    double *Y;                /* [n x kept], Z V; later [n x r], Q */
    double *gram;             /* [kept x kept] */
    double *T;                /* [r x r] by columns, Z V = Q T */
    double *U, *W, *work;     /* SVD of T: U diag(sigma) W, by columns */
    double *sigma;            /* [kept] */
    int *integers;
    float *rows;            /* per thread: [TILE_ROWS x d] */
    double *tile, *product; /* per thread: [TILE_ROWS x d], [TILE_ROWS x k] */
} tall;

/* ---- Products with Z --------------------------------------------------------------------------------------------- */

/* out[rows x m] = rows [lo, lo+rows) of Z, times V[d x m]; in a thread. */
static void multiply_rows(const tall *t, int64_t lo, int64_t rows, int64_t m, const double *V, double *out)
{
    float *x = t->rows + omp_get_thread_num() * TILE_ROWS * t->d;
    double *tile = t->tile + omp_get_thread_num() * TILE_ROWS * t->d;
    const int m_int = dc_int(m), rows_int = dc_int(rows), d_int = dc_int(t->d);
    const double one = 1, zero = 0;
    if (t->Z->X)
        memcpy(x, t->Z->X + lo * t->d, (size_t)(rows * t->d) * sizeof *x);
    else
        t->Z->rows(t->Z->ctx, lo, rows, x);
    for (int64_t i = 0; i < rows * t->d; i++) tile[i] = (double)x[i];
    dgemm_("N", "N", &m_int, &rows_int, &d_int, &one, V, &m_int, tile, &d_int, &zero, out, &m_int, 1, 1);
}

static void multiply(const tall *t)
{
#pragma omp parallel for schedule(dynamic)
    for (int64_t lo = 0; lo < t->n; lo += TILE_ROWS)
        multiply_rows(t, lo, DC_MIN(t->n - lo, (int64_t)TILE_ROWS), t->kept, t->V, t->Y + lo * t->kept);
}

/* squares[k] = squares of the lengths of the columns of Z V - U diag(sigma), of tiles in the order of rows. */
static void sum_residuals(const tall *t, const dc_dla_svd *out, double *squares)
{
#pragma omp parallel for ordered schedule(dynamic)
    for (int64_t lo = 0; lo < t->n; lo += TILE_ROWS) {
        const int64_t rows = DC_MIN(t->n - lo, (int64_t)TILE_ROWS);
        double *product = t->product + omp_get_thread_num() * TILE_ROWS * t->k;
        multiply_rows(t, lo, rows, t->k, out->right, product);
        for (int64_t i = 0; i < rows * t->k; i++) product[i] -= out->left[lo * t->k + i] * out->values[i % t->k];
        for (int64_t i = 0; i < rows * t->k; i++) product[i] *= product[i];
        for (int64_t i = t->k; i < rows * t->k; i++) product[i % t->k] += product[i];
#pragma omp ordered
        for (int64_t j = 0; j < t->k; j++) squares[j] += product[j];
    }
}

/* gram[m x m] = A'A over all ranks, A[n x m]; both triangles, and the bits of rank 0 everywhere. */
static void take_gram(dc_comm *comm, int64_t n, int64_t m, const double *A, double *gram)
{
    const int m_int = dc_int(m), n_int = dc_int(n);
    const double one = 1, zero = 0;
    memset(gram, 0, (size_t)(m * m) * sizeof *gram);
    if (n > 0 && m > 0) dsyrk_("U", "N", &m_int, &n_int, &one, A, &m_int, &zero, gram, &m_int, 1, 1);
    dc_comm_sum_f64(comm, gram, (size_t)(m * m));
    dc_comm_bcast(comm, gram, (size_t)(m * m) * sizeof *gram, 0);
    for (int64_t j = 0; j < m; j++)
        for (int64_t i = 0; i < j; i++) gram[i * m + j] = gram[j * m + i];
}

static double distance_to_identity(const double *gram, int64_t m)
{
    double most = 0;
    for (int64_t i = 0; i < m * m; i++) {
        const double error = fabs(gram[i] - (i / m == i % m));
        if (!(error <= most)) most = isnan(error) ? INFINITY : error;
    }
    return most;
}

/* ---- Second pass ------------------------------------------------------------------------------------------------- */

/* Moves column `from` of A[rows x columns] to the place `to` before it, and what lies between one to the right. */
static void move_column(double *A, int64_t rows, int64_t columns, int64_t from, int64_t to)
{
    for (int64_t i = 0; i < rows; i++) {
        double *a = A + i * columns, x = a[from];
        memmove(a + to + 1, a + to, (size_t)(from - to) * sizeof *a);
        a[to] = x;
    }
}

/* keep[j]: whether column j of Y has a length and, with columns scaled to length 1, more than DEPENDENT of its square
 * lies outside the others that are kept. Rank 0 chooses, by Cholesky's factorisation with pivots. */
static void choose_columns(dc_comm *comm, tall *t, int64_t *keep)
{
    static const double DEPENDENT = 1e-6;
    const int m = dc_int(t->kept);
    double longest = 0;
    for (int j = 0; j < m; j++) {
        t->sigma[j] = sqrt(t->gram[j * m + j]);
        longest = fmax(longest, t->sigma[j]);
    }
    const double least = longest * DBL_EPSILON * (double)DC_MAX(t->Z->part->N, t->d);
    memset(keep, 0, (size_t)m * sizeof *keep);
    if (dc_comm_rank(comm) == 0 && longest > 0) {
        int rank = 0, info = 0;
        for (int j = 0; j < m; j++)
            for (int i = 0; i < m; i++) {
                const bool both = t->sigma[i] > least && t->sigma[j] > least;
                t->U[j * m + i] = both ? t->gram[j * m + i] / (t->sigma[i] * t->sigma[j]) : 0;
            }
        dpstrf_("U", &m, t->U, &m, t->integers, &rank, &DEPENDENT, t->work, &info, 1);
        for (int j = 0; j < rank; j++) keep[t->integers[j] - 1] = 1;
    }
    dc_comm_bcast(comm, keep, (size_t)m * sizeof *keep, 0);
}

/* Puts the r columns of Y that are kept and those of V first, and scales those of Y to length 1; T becomes the diagonal
 * matrix of the lengths. */
static void scale_columns(dc_comm *comm, tall *t, int64_t *keep)
{
    const int64_t m = t->kept;
    take_gram(comm, t->n, m, t->Y, t->gram);
    choose_columns(comm, t, keep);
    for (int64_t j = 0; j < m; j++) {
        if (!keep[j]) continue;
        if (j > t->r) {
            move_column(t->V, t->d, m, j, t->r);
            move_column(t->Y, t->n, m, j, t->r);
        }
        t->sigma[t->r++] = t->sigma[j];
    }
    memset(t->T, 0, (size_t)(t->r * t->r) * sizeof *t->T);
    for (int64_t j = 0; j < t->r; j++) t->T[j * t->r + j] = t->sigma[j];
    for (int64_t i = 0; i < t->n; i++)
        for (int64_t j = 0; j < t->r; j++) t->Y[i * t->r + j] = t->Y[i * m + j] / t->sigma[j];
}

/* gram[r x r] becomes its Cholesky factor R, R'R = gram (+ shift); rank 0 computes it. */
static dc_status factor(dc_comm *comm, tall *t)
{
    const int r = dc_int(t->r);
    const size_t bytes = (size_t)(t->r * t->r) * sizeof *t->gram;
    int64_t info = 0;
    if (dc_comm_rank(comm) == 0) {
        double shift = 11 * DBL_EPSILON * (double)(t->Z->part->N + t->r) * (double)t->r;
        int failed = 0;
        memcpy(t->U, t->gram, bytes);
        dpotrf_("U", &r, t->gram, &r, &failed, 1);
        for (int tries = 0; failed > 0 && tries < 4; tries++, shift *= 100) {
            memcpy(t->gram, t->U, bytes);
            for (int64_t j = 0; j < t->r; j++) t->gram[j * t->r + j] += shift;
            dpotrf_("U", &r, t->gram, &r, &failed, 1);
        }
        info = failed;
    }
    dc_comm_max_i64(comm, &info, 1);
    if (info != 0) return DC_FAIL(DC_ERR_NUMERIC, "the columns of a product could not be made orthogonal");
    dc_comm_bcast(comm, t->gram, bytes, 0);
    return DC_OK;
}

/* Y[n x r] becomes Q. */
static dc_status orthogonalise(dc_comm *comm, tall *t)
{
    dc_status st = DC_OK;
    const int r = dc_int(t->r), n = dc_int(t->n);
    const double one = 1;
    for (int pass = 0; pass < PASSES_MAX; pass++) {
        take_gram(comm, t->n, t->r, t->Y, t->gram);
        if (distance_to_identity(t->gram, t->r) <= IDENTITY) return DC_OK;
        DC_TRY(factor(comm, t));
        if (n > 0) dtrsm_("L", "U", "T", "N", &r, &n, &one, t->gram, &r, t->Y, &r, 1, 1, 1, 1);
        dtrmm_("L", "U", "N", "N", &r, &r, &one, t->gram, &r, t->T, &r, 1, 1, 1, 1);
    }
    st = DC_FAIL(DC_ERR_NUMERIC, "the columns of a product did not become orthogonal in %d passes", PASSES_MAX);
out:
    return st;
}

/* T = U diag(sigma) W; rank 0 computes it. */
static dc_status decompose(dc_comm *comm, tall *t)
{
    const int r = dc_int(t->r), lwork = dc_int(8 * t->kept * t->kept + 16 * t->kept);
    const size_t bytes = (size_t)(t->r * t->r) * sizeof *t->U;
    int64_t failed = 0;
    if (dc_comm_rank(comm) == 0) {
        int info = 0;
        dgesdd_("A", &r, &r, t->T, &r, t->sigma, t->U, &r, t->W, &r, t->work, &lwork, t->integers, &info, 1);
        failed = info != 0;
    }
    dc_comm_max_i64(comm, &failed, 1);
    if (failed) return DC_FAIL(DC_ERR_NUMERIC, "dgesdd found no singular values of a matrix of order %d", r);
    dc_comm_bcast(comm, t->U, bytes, 0);
    dc_comm_bcast(comm, t->W, bytes, 0);
    dc_comm_bcast(comm, t->sigma, (size_t)t->r * sizeof *t->sigma, 0);
    return DC_OK;
}

/* ---- Results ----------------------------------------------------------------------------------------------------- */

/* The sign rule of dla.h, by the columns of V. */
static void set_signs(const tall *t, dc_dla_svd *out)
{
    const double equal = 1e-6;
    for (int64_t j = 0; j < t->k; j++) {
        double most = 0;
        int64_t at = 0;
        for (int64_t i = 0; i < t->d; i++) most = fmax(most, fabs(out->right[i * t->k + j]));
        while (at < t->d - 1 && fabs(out->right[at * t->k + j]) < most * (1 - equal)) at++;
        if (!(out->right[at * t->k + j] < 0)) continue;
        for (int64_t i = 0; i < t->d; i++) out->right[i * t->k + j] = -out->right[i * t->k + j];
        for (int64_t i = 0; i < t->n; i++) out->left[i * t->k + j] = -out->left[i * t->k + j];
    }
}

/* U = Q U_T, V = V W'; columns behind the rank: 0 in U, and of V those whose product with Z has no length. */
static void hand_out(const tall *t, dc_dla_svd *out)
{
    const int rank = dc_int(out->rank), k = dc_int(t->k), r = dc_int(t->r), n = dc_int(t->n), d = dc_int(t->d);
    const int kept = dc_int(t->kept);
    const double one = 1, zero = 0;
    memcpy(out->values, t->sigma, (size_t)rank * sizeof *out->values);
    if (rank > 0) {
        dgemm_("N", "N", &rank, &d, &r, &one, t->W, &r, t->V, &kept, &zero, out->right, &k, 1, 1);
        if (n > 0) dgemm_("T", "N", &rank, &n, &r, &one, t->U, &r, t->Y, &r, &zero, out->left, &k, 1, 1);
    }
    for (int64_t i = 0; i < t->d; i++)
        for (int64_t j = rank; j < k; j++) out->right[i * k + j] = t->V[i * kept + j];
}

static dc_status check(dc_comm *comm, tall *t, dc_dla_svd *out)
{
    dc_status st = DC_OK;
    double *squares = NULL;
    const int64_t k = t->k;
    DC_TRY_ALL(comm, dc_mem_alloc(&squares, (size_t)k, sizeof *squares, "residuals"));
    take_gram(comm, t->n, k, out->left, t->gram);
    for (int64_t j = out->rank; j < k; j++) t->gram[j * k + j] = 1;
    out->orthogonality = distance_to_identity(t->gram, k);
    sum_residuals(t, out, squares);
    dc_comm_sum_f64(comm, squares, (size_t)k);
    for (int64_t j = 0; j < k; j++)
        out->residual = fmax(out->residual, sqrt(squares[j]) / (out->values[0] > 0 ? out->values[0] : 1));
out:
    dc_mem_free(&squares);
    return st;
}

static dc_status take(tall *t, dc_dla_svd *out)
{
    dc_status st = DC_OK;
    const size_t n = (size_t)t->n, d = (size_t)t->d, k = (size_t)t->k, m = (size_t)t->kept;
    const size_t tile = (size_t)omp_get_max_threads() * TILE_ROWS;
    DC_TRY(dc_mem_alloc(&out->values, k, sizeof(double), "singular values"));
    DC_TRY(dc_mem_alloc(&out->right, dc_mul_size(d, k), sizeof(double), "singular vectors"));
    DC_TRY(dc_mem_alloc(&out->left, dc_mul_size(n, k), sizeof(double), "singular vectors"));
    DC_TRY(dc_mem_alloc(&t->Y, dc_mul_size(n, m), sizeof(double), "products of rows"));
    DC_TRY(dc_mem_alloc(&t->gram, m * m, sizeof(double), "products of columns"));
    DC_TRY(dc_mem_alloc(&t->T, m * m, sizeof(double), "triangle"));
    DC_TRY(dc_mem_alloc(&t->U, m * m, sizeof(double), "singular vectors"));
    DC_TRY(dc_mem_alloc(&t->W, m * m, sizeof(double), "singular vectors"));
    DC_TRY(dc_mem_alloc_raw(&t->work, 8 * m * m + 16 * m, sizeof(double), "workspace of LAPACK"));
    DC_TRY(dc_mem_alloc(&t->sigma, m, sizeof(double), "singular values"));
    DC_TRY(dc_mem_alloc(&t->integers, 8 * m, sizeof(int), "workspace of LAPACK"));
    DC_TRY(dc_mem_alloc_raw(&t->rows, tile * d, sizeof(float), "tile of rows"));
    DC_TRY(dc_mem_alloc_raw(&t->tile, tile * d, sizeof(double), "tile of rows"));
    DC_TRY(dc_mem_alloc_raw(&t->product, tile * k, sizeof(double), "tile of products"));
out:
    return st;
}

static void release(tall *t)
{
    dc_mem_free(&t->V);
    dc_mem_free(&t->Y);
    dc_mem_free(&t->gram);
    dc_mem_free(&t->T);
    dc_mem_free(&t->U);
    dc_mem_free(&t->W);
    dc_mem_free(&t->work);
    dc_mem_free(&t->sigma);
    dc_mem_free(&t->integers);
    dc_mem_free(&t->rows);
    dc_mem_free(&t->tile);
    dc_mem_free(&t->product);
}

/* First pass: V[d x kept] on every rank. */
static dc_status take_first(dc_comm *comm, const dc_rows *Z, tall *t)
{
    dc_status st = DC_OK;
    dc_part part;
    dc_dla_eigen first = {0};
    size_t *bytes = NULL;
    const int P = dc_comm_size(comm);
    DC_TRY_ALL(comm, dc_part_init(&part, t->d, Z->part->V, P, dc_comm_rank(comm)));
    const dc_dla_matrix A = {.part = &part, .gram = true, .X = Z};
    DC_TRY(
        dc_dla_eigen_solve(comm, &A, &(dc_dla_want){.which = DC_DLA_LARGEST, .k = t->kept, .dtype = DC_F64}, &first));
    DC_TRY_ALL(comm, dc_mem_alloc(&t->V, dc_mul_size((size_t)t->d, (size_t)t->kept), sizeof *t->V, "eigenvectors"));
    DC_TRY_ALL(comm, dc_mem_alloc(&bytes, (size_t)P, sizeof *bytes, "rank table"));
    for (int r = 0; r < P; r++) bytes[r] = (size_t)dc_part_rank_rows(&part, r) * (size_t)t->kept * sizeof *t->V;
    dc_comm_allgatherv(comm, first.vectors, t->V, bytes);
out:
    dc_mem_free(&bytes);
    dc_dla_eigen_release(&first);
    return st;
}

static dc_status check_columns(int64_t k, int64_t d)
{
    if (k >= 1 && k <= DC_MIN(d, (int64_t)DC_DLA_SVD_MAX)) return DC_OK;
    return DC_FAIL(DC_ERR_USAGE, "%lld singular values of a matrix with %lld columns: 1 to %lld are possible",
                   (long long)k, (long long)d, (long long)DC_MIN(d, (int64_t)DC_DLA_SVD_MAX));
}

/* Seconds that the second pass may take at most, on a slow machine: products with Z, up to PASSES_MAX of columns, and
 * small matrices on rank 0. */
static double patience(const tall *t)
{
    const double n = (double)t->n, d = (double)t->d, m = (double)t->kept;
    const dc_dla_plan alone = {.grid_rows = 1, .grid_columns = 1};
    return dc_dla_patience(&alone, 4 * n * d * m + 2 * PASSES_MAX * n * m * m + 30 * m * m * m);
}

dc_status dc_dla_svd_solve(dc_comm *comm, const dc_rows *Z, int64_t k, dc_dla_svd *out)
{
    dc_status st = DC_OK;
    int64_t *keep = NULL;
    tall t = {.Z = Z, .n = dc_part_rows(Z->part), .d = Z->d, .k = k};
    *out = (dc_dla_svd){.k = k};
    DC_TRY_ALL(comm, check_columns(k, Z->d));
    t.kept = dc_dla_svd_columns(t.d, k);
    DC_TRY(take_first(comm, Z, &t));
    DC_TRY_ALL(comm, take(&t, out));
    dc_dla_lives(patience(&t));
    multiply(&t);
    DC_TRY_ALL(comm, dc_mem_alloc(&keep, (size_t)t.kept, sizeof *keep, "columns"));
    scale_columns(comm, &t, keep);
    if (t.r > 0) {
        DC_TRY(orthogonalise(comm, &t));
        DC_TRY(decompose(comm, &t));
    }
    out->rank = DC_MIN(k, t.r);
    hand_out(&t, out);
    set_signs(&t, out);
    DC_TRY(check(comm, &t, out));
out:
    dc_dla_lives_end();
    dc_mem_free(&keep);
    release(&t);
    if (st != DC_OK) dc_dla_svd_release(out);
    return st;
}

void dc_dla_svd_release(dc_dla_svd *s)
{
    dc_mem_free(&s->values);
    dc_mem_free(&s->right);
    dc_mem_free(&s->left);
}
