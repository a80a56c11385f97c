/* Dense linear algebra that no single rank should hold: ScaLAPACK behind row blocks.
 *
 * The caller sees matrices as rows that are distributed as in part.h. The grid of ranks, the block-cyclic layout, the
 * BLACS handles and the redistribution live and die inside one call. A matrix is never held by one rank: it is built
 * piece by piece where it is needed, from rows that the caller computes, or from the rows of a data set (affinities,
 * Gram matrices), which go around all ranks in blocks. (On two or three ranks pdsyevx and pdsyevr still reduce a copy
 * of it on one rank, because that is faster there; plans count it.)
 *
 * Results have the same bits whenever ranks, threads and libraries are the same, but not on another number of ranks:
 * compare eigenvalues and subspaces, not bits.
 *
 * All functions with a dc_comm are collective over it; their other arguments are equal on all ranks but for local rows.
 * Errors of all of them: DC_ERR_MEMORY, DC_STOPPED (between blocks, never inside ScaLAPACK), DC_ERR_NUMERIC if the
 * matrix has an element that is not finite (the message names it). The largest order is 2^31 - 1 - 2^20. */
#ifndef DCMPI_DLA_H
#define DCMPI_DLA_H

#include "dcmpi/part.h"

typedef struct dc_comm dc_comm;

/* ---- Matrices ---------------------------------------------------------------------------------------------------- */

/* A symmetric N x N matrix, by what computes its elements. Everything is borrowed. Exactly one of `rows`, `affinity`
 * and `gram` is set. */
typedef struct {
    /* N is the order of the matrix. Rank r owns rows [row_lo, row_hi) of it and of all results. */
    const dc_part *part;

    /* Writes local rows [lo, lo+n) of the matrix, [n x N], to out. Called by the main thread, a few MiB at a time,
     * each row once per build. The matrix must be symmetric; only one triangle may be used. */
    void (*rows)(const void *ctx, int64_t lo, int64_t n, double *out);

    /* Turns squared distances into affinities: on entry w[j] is the squared Euclidean distance between rows i and
     * columns[j] of X, computed in double from the floats of X (0 exactly if i = columns[j], never negative); on exit
     * it is element (i, columns[j]). Numbers are global. Called from several threads at once. Must be symmetric in i
     * and j. X->part->N = part->N. dc_dla_gauss() is one. */
    void (*affinity)(const void *ctx, dc_gidx i, int64_t n, const dc_gidx *columns, double *w);

    /* The matrix is X'X of order X->d = part->N, summed in double (in float for DC_F32). */
    bool gram;

    const void *ctx;  /* of `rows` or `affinity` */
    const dc_rows *X; /* for `affinity` and `gram` */

    /* For eigenproblems with a matrix W of affinities >= 0: take I - D^-1/2 W D^-1/2 instead, where D has the row sums
     * of W without its diagonal, which is ignored. A row whose sum is 0 (an isolated vertex) becomes a zero row: each
     * such row adds one eigenvalue 0, as each connected component does. A negative row sum is DC_ERR_NUMERIC. */
    bool laplacian;
} dc_dla_matrix;

/* exp(-square / (2 s_i s_j)), 0 on the diagonal. */
typedef struct {
    double scale;         /* s of all rows, if scales is NULL */
    const double *scales; /* [N], global: self-tuning (Zelnik-Manor and Perona 2004 with 2 s_i s_j for s_i s_j) */
} dc_dla_gauss_scale;
/* An affinity; ctx is a dc_dla_gauss_scale. Squared distance 0 between different rows gives 1, even if a scale is 0. */
void dc_dla_gauss(const void *ctx, dc_gidx i, int64_t n, const dc_gidx *columns, double *w);

/* ---- Sizes, before anything is allocated ------------------------------------------------------------------------- */

typedef enum { DC_DLA_ALL, DC_DLA_SMALLEST, DC_DLA_LARGEST } dc_dla_which;
/* ScaLAPACK's ways to eigenpairs: MRRR, bisection and inverse iteration, divide and conquer. AUTO: what was fastest
 * (choose_driver in dla_plan.c has the measurements), and another one if that fails. */
typedef enum { DC_DLA_AUTO, DC_DLA_EVR, DC_DLA_EVX, DC_DLA_EVD } dc_dla_driver;
const char *dc_dla_driver_name(dc_dla_driver driver); /* "pdsyevr" */

typedef struct {
    dc_dla_which which;
    int64_t k;      /* pairs wanted, 1..N; not used with DC_DLA_ALL */
    dc_dtype dtype; /* DC_F64 or DC_F32: in which the matrix is held and the problem solved */
    dc_dla_driver driver;
} dc_dla_want;

typedef enum { DC_DLA_EIGEN, DC_DLA_SOLVE, DC_DLA_CHOLESKY, DC_DLA_SVD } dc_dla_task;
/* A problem, by its sizes. */
typedef struct {
    dc_dla_task task;
    dc_gidx N;        /* order of the matrix; SVD: columns of the tall matrix */
    int64_t d;        /* `affinity`, `gram`, SVD: columns of X; else 0 */
    dc_gidx rows;     /* `gram`, SVD: rows of X; else 0 */
    int64_t k;        /* SOLVE: right-hand sides; SVD: singular values */
    dc_dla_want want; /* EIGEN; of SVD and others: only dtype */
    int shards;       /* V of the part */
} dc_dla_size;

/* Where a problem is computed and what it takes: bytes on the rank with the largest share. */
typedef struct {
    int grid_rows, grid_columns; /* a sub-grid of the P ranks where that is faster */
    int64_t block;               /* rows and columns of a block of the cyclic layout */
    dc_dla_driver driver;        /* EIGEN */
    double matrix;               /* this rank's blocks */
    double vectors;              /* results: block-cyclic, and row blocks that the caller gets */
    double workspace;            /* of ScaLAPACK */
    double inside;               /* the share of it that ScaLAPACK allocates itself, without mem.h knowing */
    double redistribution;       /* rows that go around, buffers */
    double peak;                 /* at one time; not always the sum of the above */
} dc_dla_plan;

/* Plans a problem for P ranks. Local; allocates nothing. Errors: DC_ERR_MEMORY if a rank's blocks have 2^31 elements or
 * more, or ScaLAPACK's workspace has, because it counts them in 32 bits; the message names the smallest P that helps.
 * DC_ERR_USAGE for sizes out of range. */
DC_CHECKED dc_status dc_dla_plan_make(const dc_dla_size *size, int P, dc_dla_plan *out);
/* DC_ERR_MEMORY if the plan for P ranks needs more than room_bytes per rank. The message has the numbers and the
 * smallest number of ranks that would fit, each with the same room. Local. */
DC_CHECKED dc_status dc_dla_check_room(const dc_dla_size *size, int P, double room_bytes);
/* The smallest number of ranks on which the problem fits into room_bytes per rank; 0: none up to 65536. Local. */
int dc_dla_ranks_needed(const dc_dla_size *size, double room_bytes);

/* ---- Symmetric eigenproblems ------------------------------------------------------------------------------------- */

typedef struct {
    int64_t k;       /* pairs; N for DC_DLA_ALL */
    double *values;  /* [k], global, owned. SMALLEST and ALL: ascending; LARGEST: descending */
    double *vectors; /* [n x k], local rows, owned; column j has length 1 and belongs to values[j] */
    double *degree;  /* [n], owned: row sums of W for a Laplacian, else NULL */

    /* Self-checks: the largest |v_i'v_j - delta_ij| and the largest |Av - value v| / |A|_1. Of many vectors, only the
     * first DC_DLA_CHECKED and the last are checked (for orthogonality: against all). */
    double orthogonality, residual;

    dc_dla_plan plan;                /* as it was executed */
    double build_s, solve_s, move_s; /* seconds: matrix, ScaLAPACK, redistribution and checks */
    double flop;                     /* of solve_s, nominal: 4/3 N^3 for the reduction, 2 N^2 k for the vectors */
} dc_dla_eigen;
enum { DC_DLA_CHECKED = 32 };

/* Eigenpairs of a symmetric matrix. Sign of a vector: the component of largest magnitude is positive; of components
 * that are equal up to rounding (1e-6, DC_F32: 1e-3) the first. In an eigenspace of several dimensions the basis is
 * arbitrary. If a driver fails (info, or self-checks above 1e-8; DC_F32: 1e-3) and AUTO was asked for, the matrix is
 * built again and another driver tried, with a warning. Errors: DC_ERR_NUMERIC if no driver succeeds, DC_ERR_USAGE for
 * k outside 1..N. */
DC_CHECKED dc_status dc_dla_eigen_solve(dc_comm *comm, const dc_dla_matrix *A, const dc_dla_want *want,
                                        dc_dla_eigen *out);
void dc_dla_eigen_release(dc_dla_eigen *e);

/* ---- Positive definite systems ----------------------------------------------------------------------------------- */

typedef struct {
    double residual;  /* |AX - B|_F / (|A|_1 |X|_F); 0 if X is 0 */
    double condition; /* estimated |A|_1 |A^-1|_1 */
    dc_dla_plan plan;
} dc_dla_solution;

/* Solves A X = B for m right-hand sides by Cholesky: B[n x m], local rows, becomes X. Errors: DC_ERR_NUMERIC if A is
 * not positive definite (the message has the order of the first leading minor that is not) or singular to working
 * precision (condition > 1/(N eps)); B is then unchanged. */
DC_CHECKED dc_status dc_dla_solve(dc_comm *comm, const dc_dla_matrix *A, dc_dtype dtype, int64_t m, double *B,
                                  dc_dla_solution *out);
/* L[n x N], local rows: the lower triangle with A = L L', zeros above. Errors: as dc_dla_solve(). */
DC_CHECKED dc_status dc_dla_cholesky(dc_comm *comm, const dc_dla_matrix *A, dc_dtype dtype, double *L);

/* ---- Gram matrices and singular values --------------------------------------------------------------------------- */

/* G[g x d] = Z'Z, the rows of G that `part` (N = Z->d) gives this rank. Memory besides G: the blocks of one rank, and
 * blocks of rows. */
DC_CHECKED dc_status dc_dla_gram(dc_comm *comm, const dc_rows *Z, const dc_part *part, double *G);

enum { DC_DLA_SVD_MAX = 4096 };
typedef struct {
    int64_t k, rank;                /* columns; how many singular values are not 0 to working precision */
    double *values;                 /* [k], descending, global, owned; 0 beyond `rank` */
    double *right;                  /* V[d x k], global, owned: orthonormal columns */
    double *left;                   /* U[n x k], local rows, owned: orthonormal columns, zeros beyond `rank` */
    double orthogonality, residual; /* largest |u_i'u_j - delta_ij|; largest |Zv - value u| / values[0] */
} dc_dla_svd;
/* The k largest singular values and vectors of a tall matrix Z[N x d], k <= min(d, DC_DLA_SVD_MAX). The first pass
 * takes the eigenvectors V of Z'Z: all of them if d <= DC_DLA_SVD_MAX, else k. As these square the condition of Z, a
 * second pass orthogonalises Z V by its own Gram matrix (columns scaled to length 1), until that is the identity, and
 * takes the SVD of the small triangle that is left. So singular values are right to rounding relative to the largest,
 * as those of LAPACK, not to its square root. Signs: as of dc_dla_eigen_solve(), by the rows of V. */
DC_CHECKED dc_status dc_dla_svd_solve(dc_comm *comm, const dc_rows *Z, int64_t k, dc_dla_svd *out);
void dc_dla_svd_release(dc_dla_svd *s);

#endif
