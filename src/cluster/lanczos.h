/* Private to cluster/: the largest eigenvalues of a symmetric matrix that is known by its products with vectors. */
#ifndef DCMPI_CLUSTER_LANCZOS_H
#define DCMPI_CLUSTER_LANCZOS_H

#include "dcmpi/part.h"
#include "dcmpi/state.h"

typedef struct dc_comm dc_comm;

typedef struct {
    const dc_part *part; /* the matrix has a row for each row of the data; its eigenvalues lie in [-1, 1] */
    /* y = A x for x, y [n x width] of this rank's rows. Collective. */
    dc_status (*multiply)(dc_comm *comm, void *ctx, int64_t width, const double *x, double *y);
    void *ctx;
    int64_t want;        /* number of eigenvalues, 1 <= want <= N, <= DC_LANCZOS_WANT_MAX */
    int64_t n_known;     /* known eigenvectors of the eigenvalue 1, n_known <= want: */
    const double *known; /* [n x n_known], orthonormal */
    uint64_t seed;
    dc_state *state; /* keeps basis and projected matrix; may be NULL */
} dc_lanczos_config;

typedef struct {
    double *value;  /* [want] descending, owned */
    double *vector; /* [n x want] of this rank's rows, owned; the component of largest magnitude is positive */
    int64_t products;
    double residual; /* largest |A y - value y| */
    bool converged;
} dc_lanczos;

/* Block Lanczos iteration with thick restarts (Wu and Simon 2000) and full orthogonalisation: the same bits for every
 * number of ranks and threads. Polls for wishes after each block. Collective. Errors: DC_ERR_NUMERIC (a product is not
 * finite), DC_ERR_FORMAT, DC_ERR_MEMORY, DC_STOPPED, those of multiply(). `out` needs no initial value. */
DC_CHECKED dc_status dc_lanczos_run(dc_comm *comm, const dc_lanczos_config *cfg, dc_lanczos *out);
void dc_lanczos_release(dc_lanczos *l);
/* Memory that dc_lanczos_run() takes on this rank, result included. */
double dc_lanczos_bytes(const dc_part *part, int64_t want);
/* Columns of the widest product that it asks for. */
int64_t dc_lanczos_width(const dc_part *part, int64_t want);
/* Size in a checkpoint. */
double dc_lanczos_saved_bytes(int64_t N, int64_t want);

/* ---- Kernels (lanczos_kern.c) ------------------------------------------------------------------------------------ */

enum { DC_LANCZOS_BLOCK = 4, DC_LANCZOS_WANT_MAX = 1024, DC_LANCZOS_COLUMNS_MAX = 2 * DC_LANCZOS_WANT_MAX };

/* w[n x b] -= V[n x ld; first p columns] H, H [b x p]; w has leading dimension ldw and may be later columns of V. */
void dc_lanczos_subtract(int64_t n, const double *V, int64_t ld, int64_t p, const double *H, int64_t b, double *w,
                         int64_t ldw);
/* out[n x q] = the first p columns of V times S', S [q x p]; ldo: leading dimension of out, which may be V. */
void dc_lanczos_combine(int64_t n, const double *V, int64_t ld, int64_t p, const double *S, int64_t q, double *out,
                        int64_t ldo);
/* x[n x b] = columns [at, at + b) of V, or the other way round. */
void dc_lanczos_take(int64_t n, const double *V, int64_t ld, int64_t at, int64_t b, double *x);
void dc_lanczos_put(int64_t n, const double *x, int64_t b, double *V, int64_t ld, int64_t at);
/* Column `at` of V times a number. */
void dc_lanczos_scale(int64_t n, double *V, int64_t ld, int64_t at, double by);
/* Column `at` of V: values in (-1, 1) that are a function of seed, draw and global row. */
void dc_lanczos_draw(const dc_part *part, double *V, int64_t ld, int64_t at, uint64_t seed, int64_t draw);

#endif
