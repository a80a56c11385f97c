/* Symmetric eigenproblem of one rank, by LAPACK's divide and conquer (dsyevd) from OpenBLAS.
 *
 * LAPACK's time goes into BLAS, whose threads split products by their number. So the call runs in one thread: its bits
 * depend on the matrix, the library and the kernels that the library chose for the CPU, not on the number of threads.
 */
#include <math.h>

#include "dcmpi/la.h"
#include "dcmpi/mem.h"
#include "one_thread.h"

/* Fortran: matrices are column-major, each text argument has its length as a hidden last argument. */
void dsyevd_(const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w, double *work,
             const int *lwork, int *iwork, const int *liwork, int *info, size_t jobz_length, size_t uplo_length);

/* What dsyevd asks for when it is to find vectors; at n = DC_EIGH_MAX the first is just below 2^31. */
static int64_t work_doubles(int64_t n)
{
    return n > 1 ? 1 + 6 * n + 2 * n * n : 1;
}

static int64_t work_ints(int64_t n)
{
    return n > 1 ? 3 + 5 * n : 1;
}

double dc_eigh_bytes(int64_t n)
{
    const double d = (double)n;
    return (1 + 6 * d + 2 * d * d) * sizeof(double) + (3 + 5 * d) * sizeof(int);
}

/* LAPACK gives no defined answer for NaN, and may not return at all. */
static dc_status check(int64_t n, const double *A)
{
    if (n > DC_EIGH_MAX)
        return DC_FAIL(DC_ERR_USAGE, "an eigenproblem of order %lld is too large for one rank: at most %d",
                       (long long)n, (int)DC_EIGH_MAX);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++)
            if (!isfinite(A[i * n + j]))
                return DC_FAIL(DC_ERR_NUMERIC, "the matrix of an eigenproblem is not finite at row %lld, column %lld",
                               (long long)i, (long long)j);
    return DC_OK;
}

void dc_orient(int64_t n, double *x)
{
    int64_t at = 0;
    for (int64_t i = 1; i < n; i++)
        if (fabs(x[i]) > fabs(x[at])) at = i;
    if (n == 0 || x[at] >= 0) return;
    for (int64_t i = 0; i < n; i++) x[i] = -x[i];
}

/* A row-major lower triangle is a column-major upper one. Returns LAPACK's info. */
static int solve(int64_t n, double *A, double *w, double *work, int *iwork)
{
    const int order = dc_int(n), lwork = dc_int(work_doubles(n)), liwork = dc_int(work_ints(n));
    int info = 0;
    const dc_la_threads before = dc_la_use_one_thread();
    dsyevd_("V", "U", &order, A, &order, w, work, &lwork, iwork, &liwork, &info, 1, 1);
    dc_la_use_threads(before);
    return info;
}

dc_status dc_eigh(int64_t n, double *A, double *w)
{
    dc_status st = DC_OK;
    double *work = NULL;
    int *iwork = NULL, info;
    if (n == 0) return DC_OK;
    DC_TRY(check(n, A));
    DC_TRY(dc_mem_alloc_raw(&work, (size_t)work_doubles(n), sizeof *work, "an eigenproblem"));
    DC_TRY(dc_mem_alloc_raw(&iwork, (size_t)work_ints(n), sizeof *iwork, "an eigenproblem"));
    info = solve(n, A, w, work, iwork);
    if (info != 0)
        DC_TRY(DC_FAIL(DC_ERR_NUMERIC, "the eigenproblem of order %lld did not converge (LAPACK dsyevd: info = %d)",
                       (long long)n, info));
    for (int64_t i = 0; i < n; i++) dc_orient(n, A + i * n);
out:
    dc_mem_free(&iwork);
    dc_mem_free(&work);
    return st;
}
