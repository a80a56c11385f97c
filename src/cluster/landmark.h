/* Private to cluster/: spectral embedding by landmarks. */
#ifndef DCMPI_CLUSTER_LANDMARK_H
#define DCMPI_CLUSTER_LANDMARK_H

#include "dcmpi/spectral.h"

/* Fills *landmarks and out's values and rows (allocated by the caller), and sets out->scale. Collective; the same bits
 * for every number of ranks and threads. Errors: those of dc_spectral_embed. */
DC_CHECKED dc_status dc_landmark_embed(dc_comm *comm, const dc_rows *rows, const dc_spectral_config *cfg, uint64_t seed,
                                       dc_state *state, const dc_landmarks *landmarks, dc_spectral *out);
double dc_landmark_bytes(const dc_part *part, int64_t d, const dc_spectral_config *cfg, int64_t K);

/* ---- Kernels (landmark_kern.c) ----------------------------------------------------------------------------------- */

enum { DC_LANDMARK_TILE = 64 };

/* Rows as mixtures of landmarks. */
typedef struct {
    const dc_rows *rows;
    bool cosine;
    int64_t m, nearest, K;
    const float *weight, *bias, *extension; /* as in dc_landmarks */
    float *x;                               /* [threads x TILE x d] */
    float *p;                               /* [threads x TILE x m] */
    float *placed;                          /* [threads x TILE x K] */
    float *u;                               /* [n x K], the embedding */
} dc_mixtures;

/* A kernel for dc_sum_blocks(); ctx: dc_mixtures. leaf[m x m + m]: the lower triangle of P'P, and P'1. */
void dc_landmark_sums(void *ctx, const dc_block *block, int thread, double *leaf);
/* The same kind of kernel, but without sums: sets u of the block's rows. */
void dc_landmark_place(void *ctx, const dc_block *block, int thread, double *leaf);
/* square[m x m] of the rows of M [m x d]. */
void dc_landmark_distances(const float *M, int64_t m, int64_t d, double *square);

#endif
