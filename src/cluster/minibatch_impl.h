/* What the files of mini-batch k-means share; not for other modules. */
#ifndef DCMPI_CLUSTER_MINIBATCH_IMPL_H
#define DCMPI_CLUSTER_MINIBATCH_IMPL_H

#include "dcmpi/minibatch.h"
#include "kmeans_impl.h"

/* label[n]: nearest of the tiles' K centres to the tiles' rows, an array; leaf[threads x (1 + K)] is scratch.
 * Threaded. */
void dc_mb_label(const dc_km_tiles *tiles, const dc_km_centers *centers, int64_t n, int32_t *label, double *leaf);
/* Moves the centres [K x d] of the rows X [n x d] of a batch, whose labels are known: each becomes the mean of the
 * count[k] rows that it stands for and of the new ones, or, on the sphere, its direction; counts the rows. sum[K x d]
 * is scratch, zero on entry and on return; more[K] likewise. */
void dc_mb_move(const dc_kmeans_config *cfg, const float *X, const int32_t *label, int64_t n, int64_t d, float *centers,
                int64_t *count, double *sum, int64_t *more);

#endif
