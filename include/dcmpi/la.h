/* Dense linear algebra of one rank: row-major single-precision GEMM through oneDNN, or CBLAS behind the same call. */
#ifndef DCMPI_LA_H
#define DCMPI_LA_H

#include "dcmpi/base.h"

typedef enum { DC_GEMM_ONEDNN, DC_GEMM_CBLAS } dc_gemm_backend;
typedef enum { DC_N = 0, DC_T = 1 } dc_trans;

/* Global choice, once at start. */
void dc_gemm_set_backend(dc_gemm_backend backend);
dc_gemm_backend dc_gemm_get_backend(void);

/* Keeps the kernels of all products to an instruction set that older and newer CPUs share, so that all compute the same
 * bits; before the first product, after dc_gemm_set_backend. DC_ISA_NATIVE: the best of this CPU, or what the variable
 * ONEDNN_MAX_CPU_ISA says. Errors: DC_ERR_USAGE if the CPU has no such instructions, or if CBLAS is the backend and
 * was loaded with other kernels: only OPENBLAS_CORETYPE in the environment can choose those. */
typedef enum { DC_ISA_NATIVE, DC_ISA_AVX2, DC_ISA_AVX512 } dc_isa;
DC_CHECKED dc_status dc_la_set_isa(dc_isa isa);
/* The kernels that products run: "avx512_core", or OpenBLAS's core type. */
const char *dc_la_isa_name(void);
/* Which setting gives kernels of that name; DC_ISA_NATIVE if none does. */
dc_isa dc_la_isa_of(const char *name);

/* C[m x n] = alpha * op(A)[m x k] * op(B)[k x n] + beta * C, row-major, leading dimensions in elements. Called outside
 * a parallel region it uses all OpenMP threads; called inside one it runs in the calling thread alone. C is not read if
 * beta is 0. Any of m, n, k may be 0. */
void dc_gemm(dc_trans ta, dc_trans tb, int64_t m, int64_t n, int64_t k, float alpha, const float *A, int64_t lda,
             const float *B, int64_t ldb, float beta, float *C, int64_t ldc);

/* B[columns x rows] = A[rows x columns]^T, both without gaps; threaded. */
void dc_transpose(int64_t rows, int64_t columns, const float *A, float *B);

/* ---- Products whose bits do not depend on threads and ranks ----------------------------------------------------- */

/* Rows of a tile in training passes; rows of a weight gradient that are computed at once. */
enum { DC_ROW_TILE = 64, DC_PANEL_ROWS = 64 };

/* C[m x n] = A[m x k] * B[k x n], in row tiles of `tile` rows that divide m, one thread each. The bits of a row follow
 * from its place in its tile and from the shapes alone, whatever the other rows hold. */
void dc_gemm_rows(int64_t tile, int64_t m, int64_t n, int64_t k, const float *A, int64_t lda, const float *B,
                  int64_t ldb, float *C, int64_t ldc);
/* C[m x n] = A[k x m]^T * B[k x n] + beta * C, in panels of DC_PANEL_ROWS rows of C, one thread each; only panels
 * [first, last) of ceil(m / DC_PANEL_ROWS) are computed, with the bits that computing all would give. */
void dc_gemm_panels(int64_t first, int64_t last, int64_t m, int64_t n, int64_t k, const float *A, int64_t lda,
                    const float *B, int64_t ldb, float beta, float *C, int64_t ldc);

/* All that decides the bits of products: "oneDNN 2.6.3 (avx512_core)" or "OpenBLAS 0.3.21 (SkylakeX)". */
void dc_la_describe_gemm(char *out, size_t cap);
/* Names for the banner: "oneDNN 2.6.3 (avx512_core), OpenBLAS 0.3.21 (SkylakeX)"; with CBLAS as GEMM only the second.
 */
void dc_la_describe(char *out, size_t cap);
/* True if OpenBLAS runs kernels older than this CPU; *advice is a value for OPENBLAS_CORETYPE (read when the library is
 * loaded, so only a new process image sees it), "" otherwise. */
bool dc_la_blas_core_is_old(const char **advice);

/* Single-precision FMA peak of this process in FLOP/s: `threads` threads, about 0.1 s of independent FMAs. */
double dc_la_measure_peak_flops(int threads);

#endif
