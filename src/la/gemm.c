/* Row-major GEMM of one rank.
 *
 * oneDNN's dnnl_sgemm is row-major itself and brings its own kernels for every x86-64 CPU. CBLAS (OpenBLAS) is an
 * alternative behind the same function. Both use the program's OpenMP runtime for their threads. Called inside a
 * parallel region, both run in the calling thread alone, so callers can give each thread its own tiles. Kernels other
 * than matrix products are elsewhere. */
#include <cblas.h>
#include <oneapi/dnnl/dnnl.h>

#include "dcmpi/la.h"
#include "one_thread.h"

static dc_gemm_backend backend_now = DC_GEMM_ONEDNN;

void dc_gemm_set_backend(dc_gemm_backend backend)
{
    backend_now = backend;
}

dc_gemm_backend dc_gemm_get_backend(void)
{
    return backend_now;
}

/* C = beta * C: all that remains of the product if k = 0. */
static void scale_rows(int64_t m, int64_t n, float beta, float *C, int64_t ldc)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) C[i * ldc + j] = beta == 0 ? 0 : beta * C[i * ldc + j];
}

static void gemm_onednn(dc_trans ta, dc_trans tb, int64_t m, int64_t n, int64_t k, float alpha, const float *A,
                        int64_t lda, const float *B, int64_t ldb, float beta, float *C, int64_t ldc)
{
    static const char code[] = {[DC_N] = 'N', [DC_T] = 'T'};
    const dnnl_status_t st = dnnl_sgemm(code[ta], code[tb], m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
    DC_ASSERT(st == dnnl_success);
}

static void gemm_cblas(dc_trans ta, dc_trans tb, int64_t m, int64_t n, int64_t k, float alpha, const float *A,
                       int64_t lda, const float *B, int64_t ldb, float beta, float *C, int64_t ldc)
{
    static const enum CBLAS_TRANSPOSE code[] = {[DC_N] = CblasNoTrans, [DC_T] = CblasTrans};
    cblas_sgemm(CblasRowMajor, code[ta], code[tb], dc_int(m), dc_int(n), dc_int(k), alpha, A, dc_int(lda), B,
                dc_int(ldb), beta, C, dc_int(ldc));
}

void dc_gemm(dc_trans ta, dc_trans tb, int64_t m, int64_t n, int64_t k, float alpha, const float *A, int64_t lda,
             const float *B, int64_t ldb, float beta, float *C, int64_t ldc)
{
    if (m == 0 || n == 0) return;
    if (k == 0) {
        scale_rows(m, n, beta, C, ldc);
        return;
    }
    if (backend_now == DC_GEMM_ONEDNN)
        gemm_onednn(ta, tb, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
    else
        gemm_cblas(ta, tb, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}

void dc_gemm_f64(dc_trans ta, dc_trans tb, int64_t m, int64_t n, int64_t k, const double *A, int64_t lda,
                 const double *B, int64_t ldb, double *C, int64_t ldc)
{
    static const enum CBLAS_TRANSPOSE code[] = {[DC_N] = CblasNoTrans, [DC_T] = CblasTrans};
    if (m == 0 || n == 0) return;
    const dc_la_threads before = dc_la_use_one_thread();
    cblas_dgemm(CblasRowMajor, code[ta], code[tb], dc_int(m), dc_int(n), dc_int(k), 1, A, dc_int(lda), B, dc_int(ldb),
                0, C, dc_int(ldc));
    dc_la_use_threads(before);
}
