/* Orthogonal bases and singular values of one rank, by LAPACK from OpenBLAS: dsyrk, dpotrf, dtrsm; dgelqf, dorglq;
 * dgesdd.
 *
 * A row-major matrix is the transposed column-major one: its QR factorization is LAPACK's LQ of that. Everything runs
 * in one thread, as in eigen.c; inside a parallel region OpenBLAS has only one anyway. */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "dcmpi/la.h"
#include "dcmpi/mem.h"
#include "one_thread.h"

/* Fortran: matrices are column-major, each text argument has its length as a hidden last argument. */
void dgelqf_(const int *m, const int *n, double *a, const int *lda, double *tau, double *work, const int *lwork,
             int *info);
void dorglq_(const int *m, const int *n, const int *k, double *a, const int *lda, const double *tau, double *work,
             const int *lwork, int *info);
void dsyrk_(const char *uplo, const char *trans, const int *n, const int *k, const double *alpha, const double *a,
            const int *lda, const double *beta, double *c, const int *ldc, size_t uplo_length, size_t trans_length);
void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info, size_t uplo_length);
void dtrsm_(const char *side, const char *uplo, const char *trans, const char *diag, const int *m, const int *n,
            const double *alpha, const double *a, const int *lda, double *b, const int *ldb, size_t side_length,
            size_t uplo_length, size_t trans_length, size_t diag_length);
void dgesdd_(const char *jobz, const int *m, const int *n, double *a, const int *lda, double *s, double *u,
             const int *ldu, double *vt, const int *ldvt, double *work, const int *lwork, int *iwork, int *info,
             size_t jobz_length);

enum { BLOCK_ROWS = 64 }; /* LAPACK takes 32 at a time */

/* ---- QR ---------------------------------------------------------------------------------------------------------- */

int64_t dc_qr_work(int64_t n)
{
    return (1 + BLOCK_ROWS) * n;
}

/* Rows of a tile: enough that what the tiles leave is a quarter of A, few enough for a core's cache. */
static int64_t tile_rows(int64_t n)
{
    enum { FEWEST = 1024, TIMES = 4 };
    return DC_MAX((int64_t)FEWEST, TIMES * n);
}

static int64_t tile_count(int64_t m, int64_t n)
{
    return DC_MAX((int64_t)1, m / tile_rows(n));
}

/* The last tile has what is left, so that all have at least n rows. */
static int64_t tile_size(int64_t m, int64_t n, int64_t i)
{
    const int64_t tile = tile_rows(n);
    return i + 1 < tile_count(m, n) ? tile : m - i * tile;
}

static void reflect(int64_t m, int64_t n, double *A, double *tau, double *work)
{
    const int rows = dc_int(n), columns = dc_int(m), lwork = dc_int(BLOCK_ROWS * n);
    int info = 0;
    const dc_la_threads before = dc_la_use_one_thread();
    dgelqf_(&rows, &columns, A, &rows, tau, work, &lwork, &info);
    dc_la_use_threads(before);
    DC_ASSERT(info == 0);
}

/* A[m x n] as reflect() left it becomes orthonormal. */
static void form(int64_t m, int64_t n, double *A, const double *tau, double *work)
{
    const int rows = dc_int(n), columns = dc_int(m), lwork = dc_int(BLOCK_ROWS * n);
    int info = 0;
    const dc_la_threads before = dc_la_use_one_thread();
    dorglq_(&rows, &columns, &rows, A, &rows, tau, work, &lwork, &info);
    dc_la_use_threads(before);
    DC_ASSERT(info == 0);
}

/* R[n x n]: the triangle in A[m x n] as reflect() left it. */
static void copy_triangle(int64_t m, int64_t n, const double *A, double *R)
{
    for (int64_t i = 0; i < n; i++) {
        if (i < m && R != A) memcpy(R + i * n, A + i * n, (size_t)n * sizeof *R);
        memset(R + i * n, 0, (size_t)(i < m ? i : n) * sizeof *R);
    }
}

/* Tiles of A, their reflections, and the triangles that they leave, one above the other. */
typedef struct {
    int64_t m, n, count;
    double *A, *tau, *R;
    double *scratch; /* per thread: [longest tile x n], and work */
    int64_t stride;
} tiles;

static void factor_tiles(const tiles *t)
{
    const int64_t n = t->n, tile = tile_rows(n);
#pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < t->count; i++) {
        double *A = t->A + i * tile * n;
        reflect(tile_size(t->m, n, i), n, A, t->tau + i * n, t->scratch + omp_get_thread_num() * t->stride);
        copy_triangle(n, n, A, t->R + i * n * n);
    }
}

/* Each tile times its part of the orthonormal R. */
static void join_tiles(const tiles *t)
{
    const int64_t n = t->n, tile = tile_rows(n);
#pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < t->count; i++) {
        const int64_t rows = tile_size(t->m, n, i);
        double *A = t->A + i * tile * n, *product = t->scratch + omp_get_thread_num() * t->stride;
        form(rows, n, A, t->tau + i * n, product);
        dc_gemm_f64(DC_N, DC_N, rows, n, n, A, n, t->R + i * n * n, n, product, n);
        memcpy(A, product, (size_t)(rows * n) * sizeof *A);
    }
}

static dc_status reflect_all(int64_t m, int64_t n, double *A);

static dc_status orthonormalize_tiles(int64_t m, int64_t n, double *A)
{
    dc_status st = DC_OK;
    const int64_t count = tile_count(m, n), longest = tile_size(m, n, count - 1);
    tiles t = {.m = m, .n = n, .count = count, .A = A, .stride = DC_MAX(longest * n, dc_qr_work(n))};
    DC_TRY(dc_mem_alloc_raw(&t.tau, (size_t)(count * n), sizeof *t.tau, "an orthonormal basis"));
    DC_TRY(dc_mem_alloc_raw(&t.R, (size_t)(count * n), (size_t)n * sizeof *t.R, "an orthonormal basis"));
    DC_TRY(dc_mem_alloc_raw(&t.scratch, (size_t)omp_get_max_threads(), (size_t)t.stride * sizeof *t.scratch,
                            "an orthonormal basis"));
    factor_tiles(&t);
    DC_TRY(reflect_all(count * n, n, t.R));
    join_tiles(&t);
out:
    dc_mem_free(&t.tau);
    dc_mem_free(&t.R);
    dc_mem_free(&t.scratch);
    return st;
}

static dc_status reflect_all(int64_t m, int64_t n, double *A)
{
    dc_status st = DC_OK;
    double *work = NULL;
    if (tile_count(m, n) > 1) return orthonormalize_tiles(m, n, A);
    DC_TRY(dc_mem_alloc_raw(&work, (size_t)dc_qr_work(n), sizeof *work, "an orthonormal basis"));
    reflect(m, n, A, work, work + n);
    form(m, n, A, work, work + n);
out:
    dc_mem_free(&work);
    return st;
}

static double reflect_bytes(int64_t m, int64_t n)
{
    const int64_t count = n > 0 ? tile_count(m, n) : 1, work = dc_qr_work(n);
    if (count == 1) return sizeof(double) * (double)work;
    const int64_t longest = tile_size(m, n, count - 1);
    const double own =
        (double)(count * n) * (double)(n + 1) + omp_get_max_threads() * (double)DC_MAX(longest * n, work);
    return sizeof(double) * own + reflect_bytes(count * n, n);
}

/* ---- Orthonormal columns ----------------------------------------------------------------------------------------- */

/* Gram matrices are summed in at most PIECES pieces of about as many rows, no more than there are tiles: several take
 * at most a quarter of A. */
enum { PIECES = 16 };

static int64_t piece_count(int64_t m, int64_t n)
{
    return DC_MIN((int64_t)PIECES, tile_count(m, n));
}

/* First row of piece i. */
static int64_t piece_begin(int64_t m, int64_t n, int64_t i)
{
    return m / piece_count(m, n) * i + m % piece_count(m, n) * i / piece_count(m, n);
}

/* G[n x n] = A'A, of which only the upper triangle (LAPACK's lower one) is set; room for piece_count() of them. */
static void take_gram(int64_t m, int64_t n, const double *A, double *G)
{
    const int64_t count = piece_count(m, n), square = n * n;
#pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < count; i++) {
        const int64_t lo = piece_begin(m, n, i), rows = piece_begin(m, n, i + 1) - lo;
        const int order = dc_int(n), depth = dc_int(rows);
        const double one = 1, zero = 0;
        const dc_la_threads before = dc_la_use_one_thread();
        dsyrk_("L", "N", &order, &depth, &one, A + lo * n, &order, &zero, G + i * square, &order, 1, 1);
        dc_la_use_threads(before);
    }
    for (int64_t i = 1; i < count; i++)
        for (int64_t j = 0; j < n; j++)
            for (int64_t k = j; k < n; k++) G[j * n + k] += G[i * square + j * n + k];
}

/* G becomes the triangle R with G = R'R, by columns of length 1. False if columns nearly depend on each other: then G
 * is not to be used. length[n]: scratch. */
static bool factor_gram(int64_t n, double *G, double *length)
{
    static const double LEAST = 1e-5; /* of the part of a column that is not in the span of those before it */
    const int order = dc_int(n);
    int info = 0;
    for (int64_t j = 0; j < n; j++) {
        length[j] = sqrt(G[j * n + j]);
        if (!(length[j] > 0) || !isfinite(1 / length[j])) return false;
    }
    for (int64_t j = 0; j < n; j++)
        for (int64_t k = j; k < n; k++) G[j * n + k] /= length[j] * length[k];
    const dc_la_threads before = dc_la_use_one_thread();
    dpotrf_("L", &order, G, &order, &info, 1);
    dc_la_use_threads(before);
    if (info != 0) return false;
    for (int64_t j = 0; j < n; j++)
        if (!(G[j * n + j] > LEAST)) return false;
    for (int64_t j = 0; j < n; j++)
        for (int64_t k = j; k < n; k++) G[j * n + k] *= length[k];
    return true;
}

/* A becomes A R^-1. */
static void divide(int64_t m, int64_t n, const double *R, double *A)
{
#pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < tile_count(m, n); i++) {
        const int order = dc_int(n), rows = dc_int(tile_size(m, n, i));
        const double one = 1;
        const dc_la_threads before = dc_la_use_one_thread();
        dtrsm_("L", "L", "N", "N", &order, &rows, &one, R, &order, A + i * tile_rows(n) * n, &order, 1, 1, 1, 1);
        dc_la_use_threads(before);
    }
}

/* By Cholesky. After one pass the error grows with the condition of A, after two it is rounding (Yamamoto and others
 * 2015). False if that is too bad: then A has still the same span. */
static bool divide_often(int passes, int64_t m, int64_t n, double *A, double *G, double *length)
{
    for (int pass = 0; pass < passes; pass++) {
        take_gram(m, n, A, G);
        if (!factor_gram(n, G, length)) return false;
        divide(m, n, G, A);
    }
    return true;
}

static dc_status orthonormalize(int passes, int64_t m, int64_t n, double *A)
{
    dc_status st = DC_OK;
    double *G = NULL;
    DC_ASSERT(m >= n);
    if (n == 0) return DC_OK;
    const size_t square = dc_mul_size((size_t)n, (size_t)n);
    DC_TRY(dc_mem_alloc_raw(&G, dc_mul_size((size_t)piece_count(m, n), square) + (size_t)n, sizeof *G,
                            "an orthonormal basis"));
    if (divide_often(passes, m, n, A, G, G + (size_t)piece_count(m, n) * square)) goto out;
    dc_mem_free(&G);
    st = reflect_all(m, n, A);
out:
    dc_mem_free(&G);
    return st;
}

dc_status dc_orthonormalize(int64_t m, int64_t n, double *A)
{
    return orthonormalize(2, m, n, A);
}

dc_status dc_orthonormalize_nearly(int64_t m, int64_t n, double *A)
{
    return orthonormalize(1, m, n, A);
}

double dc_orthonormalize_bytes(int64_t m, int64_t n)
{
    const double gram = (double)(n > 0 ? piece_count(m, n) : 0) * (double)n * (double)n + (double)n;
    return fmax(sizeof(double) * gram, reflect_bytes(m, n));
}

void dc_triangle(int64_t m, int64_t n, double *A, double *R, double *work)
{
    if (m > 0 && n > 0) reflect(m, n, A, work, work + n);
    copy_triangle(m, n, A, R);
}

/* ---- Singular values --------------------------------------------------------------------------------------------- */

/* What dgesdd asks for when it is to find all vectors. */
static int64_t work_doubles(int64_t n)
{
    return 4 * n * n + 7 * n + 1;
}

double dc_right_singular_bytes(int64_t n)
{
    const double d = (double)n;
    return (6 * d * d + 7 * d + 1) * sizeof(double) + 8 * d * sizeof(int);
}

static dc_status check(int64_t n, const double *A)
{
    if (n > DC_EIGH_MAX / 2)
        return DC_FAIL(DC_ERR_USAGE, "singular values of a matrix of order %lld are too many for one rank: at most %d",
                       (long long)n, (int)DC_EIGH_MAX / 2);
    for (int64_t i = 0; i < n * n; i++)
        if (!isfinite(A[i]))
            return DC_FAIL(DC_ERR_NUMERIC,
                           "the matrix of a singular value problem is not finite at row %lld, column %lld",
                           (long long)(i / n), (long long)(i % n));
    return DC_OK;
}

dc_status dc_right_singular(int64_t n, double *A, double *s)
{
    dc_status st = DC_OK;
    double *u = NULL, *vt = NULL, *work = NULL;
    int *iwork = NULL, info = 0;
    const size_t square = dc_mul_size((size_t)n, (size_t)n);
    if (n == 0) return DC_OK;
    DC_TRY(check(n, A));
    const int order = dc_int(n), lwork = dc_int(work_doubles(n));
    DC_TRY(dc_mem_alloc_raw(&u, square, sizeof *u, "singular values"));
    DC_TRY(dc_mem_alloc_raw(&vt, square, sizeof *vt, "singular values"));
    DC_TRY(dc_mem_alloc_raw(&work, (size_t)lwork, sizeof *work, "singular values"));
    DC_TRY(dc_mem_alloc_raw(&iwork, 8 * (size_t)n, sizeof *iwork, "singular values"));
    const dc_la_threads before = dc_la_use_one_thread();
    dgesdd_("A", &order, &order, A, &order, s, u, &order, vt, &order, work, &lwork, iwork, &info, 1);
    dc_la_use_threads(before);
    if (info != 0)
        DC_TRY(DC_FAIL(DC_ERR_NUMERIC,
                       "the singular values of a matrix of order %lld did not converge (LAPACK dgesdd: "
                       "info = %d)",
                       (long long)n, info));
    memcpy(A, u, square * sizeof *A); /* the left vectors, as columns, of the transposed matrix */
out:
    dc_mem_free(&u);
    dc_mem_free(&vt);
    dc_mem_free(&work);
    dc_mem_free(&iwork);
    return st;
}
