/* Private to cluster/: the matrix D^-1/2 W D^-1/2 of a neighbour graph, W being its affinities and D their row sums.
 * Its eigenvalues are 1 minus those of the normalised Laplacian. */
#ifndef DCMPI_CLUSTER_LAPLACIAN_H
#define DCMPI_CLUSTER_LAPLACIAN_H

#include "dcmpi/neighbours.h"
#include "dcmpi/spectral.h"

typedef struct {
    const dc_part *part;
    dc_neighbours graph;
    dc_halo *halo;
    int64_t *place;  /* [entries] where the value of an entry's column lies: below n here, else fetched */
    double *weight;  /* [entries] of the matrix */
    double *degree;  /* [n] row sums of W */
    double *fetched; /* [fetched rows x width of the widest product] */
    int64_t width;
} dc_laplacian;

/* Makes the matrix from lists of neighbours, which stay as they are. scales[n]: s_i of SELF_TUNING, s of GAUSSIAN.
 * Collective; the same bits for every number of ranks. Errors: DC_ERR_NUMERIC (an affinity is not finite),
 * DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_laplacian_create(dc_comm *comm, const dc_part *part, const dc_knn *knn, dc_affinity affinity,
                                         const double *scales, dc_laplacian *out);
void dc_laplacian_release(dc_laplacian *l);
/* Memory of this rank: most while it is made, besides the lists; then, with products of this width. Local. */
double dc_laplacian_bytes(const dc_part *part, int64_t k);
double dc_laplacian_held_bytes(const dc_part *part, int64_t k, int64_t width);
/* y = A x, [n x width]. Collective. ctx: dc_laplacian. */
DC_CHECKED dc_status dc_laplacian_multiply(dc_comm *comm, void *ctx, int64_t width, const double *x, double *y);

/* The affinity of two rows by their distance. square: squared distance, for COSINE 1 - cos; si, sj: their scales. */
double dc_affinity_of(dc_affinity affinity, double square, double si, double sj);

/* ---- Kernels (laplacian_kern.c) ---------------------------------------------------------------------------------- */

/* weight[entries], degree[n]. fetched: scales of fetched rows. */
void dc_laplacian_weigh(dc_laplacian *l, dc_affinity affinity, const double *scales, const double *fetched);
/* Divides the weights by the roots of both degrees. root[n], fetched: 1 / root of degree, 0 without edges. */
void dc_laplacian_normalise(dc_laplacian *l, const double *root, const double *fetched);
void dc_laplacian_product(const dc_laplacian *l, int64_t width, const double *x, double *y);

#endif
