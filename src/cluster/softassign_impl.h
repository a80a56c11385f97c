/* What the files of the soft assignment share; not for other modules. */
#ifndef DCMPI_CLUSTER_SOFTASSIGN_IMPL_H
#define DCMPI_CLUSTER_SOFTASSIGN_IMPL_H

#include "dcmpi/cluster.h"

/* Rows are processed in groups of DC_SOFT_LANES, one row per vector lane, with DC_SOFT_CENTERS centres and
 * DC_SOFT_COLUMNS components at a time. So the buffers fit on the stack for any K and L, and a row's result does not
 * depend on its lane. */
enum { DC_SOFT_LANES = 16, DC_SOFT_CENTERS = 64, DC_SOFT_COLUMNS = 64, DC_SOFT_TILE = 256 };
/* Distances of a group to so many centres are kept on the stack (128 KiB) where they are needed twice; to more they are
 * computed twice. */
enum { DC_SOFT_KEPT = 1024 };

typedef double dc_soft_lane[DC_SOFT_LANES];

/* z[c][l] = component c0 + c of row l; lanes from n on are zero. */
void dc_soft_load(const float *Z, int64_t n, int64_t L, int64_t c0, int64_t width, dc_soft_lane *z);
/* d[l] += sum of (z[c][l] - mu[c])^2 over c < width <= DC_SOFT_COLUMNS, in this order. */
void dc_soft_add_squares(const dc_soft_lane *z, const float *mu, int64_t width, double *restrict d);
/* d[k][l] = squared distance of row l, l < n <= LANES, to centre k0 + k, k < m <= CENTERS. */
void dc_soft_distances(const float *Z, int64_t n, const float *M, int64_t k0, int64_t m, int64_t L, dc_soft_lane *d);
/* For each l < DC_SOFT_LANES sets label[l] to the nearest of all K centres (the lowest of them in a tie) and
 * distance[l] to the squared distance to it. All labels of the soft assignment come from this function. kept [K], if K
 * is at most DC_SOFT_KEPT: all distances; may be NULL. */
void dc_soft_nearest(const float *Z, int64_t n, const float *M, int64_t K, int64_t L, dc_soft_lane distance,
                     int32_t label[DC_SOFT_LANES], dc_soft_lane *kept);
/* The distances to centres [k0, k0 + m): those that dc_soft_nearest() has kept, or computed into d. */
const dc_soft_lane *dc_soft_again(const float *Z, int64_t n, const float *M, int64_t K, int64_t k0, int64_t m,
                                  int64_t L, const dc_soft_lane *kept, dc_soft_lane *d);
/* dc_softassign(), but in the calling thread alone. */
void dc_softassign_rows(const float *Z, const float *M, int64_t n, int64_t K, int64_t L, double alpha, float *q,
                        int32_t *label);

/* Adds n rows, in order, to a leaf of K sums of q, then K sizes, then the number of changed labels, and replaces their
 * labels by the new ones. *error: largest |sum q - 1| so far; a NaN stays. */
void dc_soft_count_rows(const float *q, int64_t n, int64_t K, const int32_t *next, int32_t *label, double *leaf,
                        double *error);

/* Computes the target p of n rows in the calling thread; p may be q. loss, unless NULL: adds KL(p_i || q_i), row by
 * row. */
void dc_target_rows(dc_target_kind kind, const float *q, const double *f, int64_t n, int64_t K, dc_gidx N, float *p,
                    double *loss);
/* q of n embedded rows under the target's model, in the calling thread. */
void dc_target_assign(const dc_soft_target *t, const float *Z, int64_t n, float *q);
/* The loss of the rows of a block is added to leaf[0], the number of odd rows to leaf[1]. */
typedef struct {
    const dc_soft_target *target;
    const float *Z;
} dc_target_pass;
enum { DC_TARGET_SUMS = 2 };
void dc_target_block(void *ctx, const dc_block *block, int thread, double *leaf);

#endif
