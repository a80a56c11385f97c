/* Private to cluster/: the smallest eigenvalues of the Laplacian of all pairs, by ScaLAPACK. */
#ifndef DCMPI_CLUSTER_DENSE_H
#define DCMPI_CLUSTER_DENSE_H

#include "dcmpi/dla.h"
#include "dcmpi/neighbours.h"
#include "dcmpi/spectral.h"

/* values[want] ascending, vectors[n x want], degree[n], all owned by the caller. scales[n]: s_i of SELF_TUNING, s of
 * GAUSSIAN, scratch for others; knn: for NEIGHBORS, else NULL. Collective. Errors: those of dc_dla_eigen_solve. */
DC_CHECKED dc_status dc_dense_solve(dc_comm *comm, const dc_rows *rows, dc_affinity affinity, double *scales,
                                    const dc_knn *knn, int64_t want, double *values, double *vectors, double *degree);
/* The problem for dla.h. Local. */
dc_dla_size dc_dense_size(const dc_part *part, int64_t d, dc_affinity affinity, int64_t want);

#endif
