/* Private: the Fortran routines of ScaLAPACK, PBLAS, LAPACK and BLAS that dla*.c calls, and the C interface of the
 * BLACS; Debian has no header for them. Arrays are void *, so that the versions for double and float have one type. A
 * Fortran CHARACTER adds its length after the other arguments. */
#ifndef DCMPI_SCALAPACK_DECL_H
#define DCMPI_SCALAPACK_DECL_H

#include <mpi.h>
#include <stddef.h>

int Csys2blacs_handle(MPI_Comm comm);
void Cfree_blacs_system_handle(int handle);
void Cblacs_gridinit(int *context, const char *order, int rows, int columns);
void Cblacs_gridinfo(int context, int *rows, int *columns, int *row, int *column);
void Cblacs_gridexit(int context);

typedef void scalapack_syevx(const char *jobz, const char *range, const char *uplo, const int *n, void *a,
                             const int *ia, const int *ja, const int *desca, const void *vl, const void *vu,
                             const int *il, const int *iu, const void *abstol, int *m, int *nz, void *w,
                             const void *orfac, void *z, const int *iz, const int *jz, const int *descz, void *work,
                             const int *lwork, int *iwork, const int *liwork, int *ifail, int *iclustr, void *gap,
                             int *info, size_t, size_t, size_t);
typedef void scalapack_syevr(const char *jobz, const char *range, const char *uplo, const int *n, void *a,
                             const int *ia, const int *ja, const int *desca, const void *vl, const void *vu,
                             const int *il, const int *iu, int *m, int *nz, void *w, void *z, const int *iz,
                             const int *jz, const int *descz, void *work, const int *lwork, int *iwork,
                             const int *liwork, int *info, size_t, size_t, size_t);
typedef void scalapack_syevd(const char *jobz, const char *uplo, const int *n, void *a, const int *ia, const int *ja,
                             const int *desca, void *w, void *z, const int *iz, const int *jz, const int *descz,
                             void *work, const int *lwork, int *iwork, const int *liwork, int *info, size_t, size_t);
typedef void scalapack_symm(const char *side, const char *uplo, const int *m, const int *n, const void *alpha,
                            const void *a, const int *ia, const int *ja, const int *desca, const void *b, const int *ib,
                            const int *jb, const int *descb, const void *beta, void *c, const int *ic, const int *jc,
                            const int *descc, size_t, size_t);
typedef void scalapack_gemm(const char *transa, const char *transb, const int *m, const int *n, const int *k,
                            const void *alpha, const void *a, const int *ia, const int *ja, const int *desca,
                            const void *b, const int *ib, const int *jb, const int *descb, const void *beta, void *c,
                            const int *ic, const int *jc, const int *descc, size_t, size_t);
typedef void scalapack_potrf(const char *uplo, const int *n, void *a, const int *ia, const int *ja, const int *desca,
                             int *info, size_t);
typedef void scalapack_potrs(const char *uplo, const int *n, const int *nrhs, const void *a, const int *ia,
                             const int *ja, const int *desca, void *b, const int *ib, const int *jb, const int *descb,
                             int *info, size_t);
typedef void scalapack_pocon(const char *uplo, const int *n, const void *a, const int *ia, const int *ja,
                             const int *desca, const void *anorm, void *rcond, void *work, const int *lwork, int *iwork,
                             const int *liwork, int *info, size_t);

extern scalapack_syevx pdsyevx_, pssyevx_;
extern scalapack_syevr pdsyevr_, pssyevr_;
extern scalapack_syevd pdsyevd_, pssyevd_;
extern scalapack_symm pdsymm_, pssymm_;
extern scalapack_gemm pdgemm_, psgemm_;
extern scalapack_potrf pdpotrf_, pspotrf_;
extern scalapack_potrs pdpotrs_, pspotrs_;
extern scalapack_pocon pdpocon_, pspocon_;

/* Of one rank. */
typedef void blas_gemm(const char *transa, const char *transb, const int *m, const int *n, const int *k,
                       const void *alpha, const void *a, const int *lda, const void *b, const int *ldb,
                       const void *beta, void *c, const int *ldc, size_t, size_t);
extern blas_gemm dgemm_, sgemm_;
void dsyrk_(const char *uplo, const char *trans, const int *n, const int *k, const double *alpha, const double *a,
            const int *lda, const double *beta, double *c, const int *ldc, size_t, size_t);
void dtrsm_(const char *side, const char *uplo, const char *transa, const char *diag, const int *m, const int *n,
            const double *alpha, const double *a, const int *lda, double *b, const int *ldb, size_t, size_t, size_t,
            size_t);
void dtrmm_(const char *side, const char *uplo, const char *transa, const char *diag, const int *m, const int *n,
            const double *alpha, const double *a, const int *lda, double *b, const int *ldb, size_t, size_t, size_t,
            size_t);
void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info, size_t);
void dpstrf_(const char *uplo, const int *n, double *a, const int *lda, int *piv, int *rank, const double *tol,
             double *work, int *info, size_t);
void dgesdd_(const char *jobz, const int *m, const int *n, double *a, const int *lda, double *s, double *u,
             const int *ldu, double *vt, const int *ldvt, double *work, const int *lwork, int *iwork, int *info,
             size_t);

#endif
