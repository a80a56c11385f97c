/* Dense linear algebra of one rank: row-major single-precision GEMM through oneDNN, or CBLAS behind the same call. */
#ifndef DCMPI_LA_H
#define DCMPI_LA_H

#include "dcmpi/base.h"

typedef enum { DC_GEMM_ONEDNN, DC_GEMM_CBLAS } dc_gemm_backend;
typedef enum { DC_N = 0, DC_T = 1 } dc_trans;

/* Sets the backend of the whole process; call it once at start. */
void dc_gemm_set_backend(dc_gemm_backend backend);
dc_gemm_backend dc_gemm_get_backend(void);

/* Restricts the kernels of all products to an instruction set that older and newer CPUs share, so that all these CPUs
 * compute the same bits. Call it after dc_gemm_set_backend and before the first product. DC_ISA_NATIVE: the best of
 * this CPU, or what the variable ONEDNN_MAX_CPU_ISA says. Errors: DC_ERR_USAGE if the CPU lacks these instructions, or
 * if CBLAS is the backend and was loaded with other kernels (only OPENBLAS_CORETYPE in the environment can choose
 * them). */
typedef enum { DC_ISA_NATIVE, DC_ISA_AVX2, DC_ISA_AVX512 } dc_isa;
DC_CHECKED dc_status dc_la_set_isa(dc_isa isa);
/* The kernels that compute products: "avx512_core", or OpenBLAS's core type. */
const char *dc_la_isa_name(void);
/* The setting that selects kernels of that name; DC_ISA_NATIVE if none does. */
dc_isa dc_la_isa_of(const char *name);

/* C[m x n] = alpha * op(A)[m x k] * op(B)[k x n] + beta * C, row-major, leading dimensions in elements. Called outside
 * a parallel region it uses all OpenMP threads; called inside one it runs in the calling thread alone. C is not read if
 * beta is 0. Any of m, n, k may be 0. */
void dc_gemm(dc_trans ta, dc_trans tb, int64_t m, int64_t n, int64_t k, float alpha, const float *A, int64_t lda,
             const float *B, int64_t ldb, float beta, float *C, int64_t ldc);

/* C[m x n] = op(A)[m x k] * op(B)[k x n] in double, by CBLAS in the calling thread alone. */
void dc_gemm_f64(dc_trans ta, dc_trans tb, int64_t m, int64_t n, int64_t k, const double *A, int64_t lda,
                 const double *B, int64_t ldb, double *C, int64_t ldc);

/* B[columns x rows] = A[rows x columns]^T, both contiguous; threaded. */
void dc_transpose(int64_t rows, int64_t columns, const float *A, float *B);

/* ---- Products whose bits do not depend on threads and ranks ----------------------------------------------------- */

/* Rows per tile in training passes; rows of a weight gradient that are computed together. */
enum { DC_ROW_TILE = 64, DC_PANEL_ROWS = 64 };

/* C[m x n] = A[m x k] * B[k x n], in tiles of `tile` rows (a divisor of m), one thread each. The bits of a row depend
 * only on its values, B, the shapes and its place in its tile, not on the other rows. */
void dc_gemm_rows(int64_t tile, int64_t m, int64_t n, int64_t k, const float *A, int64_t lda, const float *B,
                  int64_t ldb, float *C, int64_t ldc);
/* C[m x n] = A[k x m]^T * B[k x n] + beta * C, in panels of DC_PANEL_ROWS rows of C, one thread each; computes only
 * panels [first, last) of ceil(m / DC_PANEL_ROWS), with the same bits as if all were computed. */
void dc_gemm_panels(int64_t first, int64_t last, int64_t m, int64_t n, int64_t k, const float *A, int64_t lda,
                    const float *B, int64_t ldb, float beta, float *C, int64_t ldc);

/* ---- Eigenproblems ---------------------------------------------------------------------------------------------- */

/* Largest order that dc_eigh() takes: LAPACK counts its workspace in 32 bits. */
enum { DC_EIGH_MAX = 32766 };
/* All eigenvalues and eigenvectors of a symmetric matrix A[n x n], of which only the lower triangle (column <= row) is
 * read. w[n]: the eigenvalues, ascending. Row i of A becomes the eigenvector of w[i], of length 1 and turned by
 * dc_orient(). By LAPACK in one thread, so the bits do not depend on the number of threads; on which rank it runs only
 * matters if CPUs differ. Call it outside parallel regions. Errors: DC_ERR_USAGE (n > DC_EIGH_MAX), DC_ERR_NUMERIC (A
 * is not finite, no convergence), DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_eigh(int64_t n, double *A, double *w);
/* Memory that dc_eigh() takes besides A and w. */
double dc_eigh_bytes(int64_t n);
/* The sign rule for vectors of which only the direction is known: changes the sign of x[n] if that makes the component
 * of largest magnitude, the first among equals, positive. */
void dc_orient(int64_t n, double *x);

/* ---- Orthogonal bases, singular values; by LAPACK in one thread, like dc_eigh() ---------------------------------- */

/* Columns of A[m x n], row-major, m >= n, become an orthonormal basis of a space that contains their span, also if they
 * depend on each other: twice by the Cholesky factor of A'A, or, if they nearly do, by Householder reflections of tiles
 * of rows, and of what these leave. Threaded; the bits do not depend on the number of threads. Call it outside parallel
 * regions. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_orthonormalize(int64_t m, int64_t n, double *A);
/* Memory that it takes besides A. */
double dc_orthonormalize_bytes(int64_t m, int64_t n);
/* R[n x n]: the upper triangle of A = QR for A[m x n], row-major, m >= 0, which is overwritten; rows that A has too few
 * of are zeros. R may be A if there is room for n rows. work[dc_qr_work(n)]. In the calling thread alone. */
void dc_triangle(int64_t m, int64_t n, double *A, double *R, double *work);
/* Doubles of workspace. */
int64_t dc_qr_work(int64_t n);
/* Singular values s[n], descending, of A[n x n], row-major, which is overwritten: row i becomes the right singular
 * vector of s[i]. Call it outside parallel regions. Errors: DC_ERR_USAGE (n > DC_EIGH_MAX / 2), DC_ERR_NUMERIC (A is
 * not finite, no convergence), DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_right_singular(int64_t n, double *A, double *s);
/* Memory that dc_right_singular() takes besides A and s. */
double dc_right_singular_bytes(int64_t n);

/* Everything that determines the bits of products: "oneDNN 2.6.3 (avx512_core)" or "OpenBLAS 0.3.21 (SkylakeX)". */
void dc_la_describe_gemm(char *out, size_t cap);
/* Names for the banner: "oneDNN 2.6.3 (avx512_core), OpenBLAS 0.3.21 (SkylakeX)"; if CBLAS does GEMM, only OpenBLAS. */
void dc_la_describe(char *out, size_t cap);
/* True if OpenBLAS runs kernels for an older CPU than this; *advice is then a value for OPENBLAS_CORETYPE, else "". The
 * library reads that variable when it is loaded, so a new value takes effect only in a new process image. */
bool dc_la_blas_core_is_old(const char **advice);

/* Single-precision FMA peak of this process in FLOP/s: `threads` threads, about 0.1 s of independent FMAs. */
double dc_la_measure_peak_flops(int threads);

/* |x - y|^2 of two rows of d floats: differences and sums in double, in a fixed order. */
double dc_square_distance(const float *x, const float *y, int64_t d);
/* x.y, in the same way. */
double dc_row_product(const float *x, const float *y, int64_t d);

#endif
