/* Orthogonal bases and singular values of one rank, by LAPACK from OpenBLAS: dgelqf, dorglq, dgesdd.
 *
 * A row-major matrix is the transposed column-major one: its QR factorization is LAPACK's LQ of that. Everything runs
 * in one thread, as in eigen.c; inside a parallel region OpenBLAS has only one anyway. */
#include <math.h>
#include <string.h>

#include "dcmpi/la.h"
#include "dcmpi/mem.h"
#include "one_thread.h"

/* Fortran: matrices are column-major, each text argument has its length as a hidden last argument. */
void dgelqf_(const int *m, const int *n, double *a, const int *lda, double *tau, double *work, const int *lwork,
             int *info);
void dorglq_(const int *m, const int *n, const int *k, double *a, const int *lda, const double *tau, double *work,
             const int *lwork, int *info);
void dgesdd_(const char *jobz, const int *m, const int *n, double *a, const int *lda, double *s, double *u,
             const int *ldu, double *vt, const int *ldvt, double *work, const int *lwork, int *iwork, int *info,
             size_t jobz_length);

enum { BLOCK_ROWS = 64 }; /* LAPACK takes 32 at a time */

/* ---- QR ---------------------------------------------------------------------------------------------------------- */

int64_t dc_qr_work(int64_t n)
{
    return (1 + BLOCK_ROWS) * n;
}

void dc_orthonormalize(int64_t m, int64_t n, double *A, double *work)
{
    const int rows = dc_int(n), columns = dc_int(m), lwork = dc_int(BLOCK_ROWS * n);
    int info = 0;
    DC_ASSERT(m >= n);
    if (n == 0) return;
    const dc_la_threads before = dc_la_use_one_thread();
    dgelqf_(&rows, &columns, A, &rows, work, work + n, &lwork, &info);
    if (info == 0) dorglq_(&rows, &columns, &rows, A, &rows, work, work + n, &lwork, &info);
    dc_la_use_threads(before);
    DC_ASSERT(info == 0);
}

void dc_triangle(int64_t m, int64_t n, double *A, double *R, double *work)
{
    const int rows = dc_int(n), columns = dc_int(m), lwork = dc_int(BLOCK_ROWS * n);
    int info = 0;
    if (m > 0 && n > 0) {
        const dc_la_threads before = dc_la_use_one_thread();
        dgelqf_(&rows, &columns, A, &rows, work, work + n, &lwork, &info);
        dc_la_use_threads(before);
    }
    DC_ASSERT(info == 0);
    for (int64_t i = 0; i < n; i++) {
        if (i < m && R != A) memcpy(R + i * n, A + i * n, (size_t)n * sizeof *R);
        memset(R + i * n, 0, (size_t)(i < m ? i : n) * sizeof *R);
    }
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
