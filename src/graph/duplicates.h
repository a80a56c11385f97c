/* Private to graph/: the kernel of the search for near-duplicates. Rows stand in the order of their clusters: the place
 * of a row is its number in that order. */
#ifndef DCMPI_GRAPH_DUPLICATES_H
#define DCMPI_GRAPH_DUPLICATES_H

#include "dcmpi/duplicates.h"

/* Rows of a tile and of a panel that are compared at once. */
enum { DC_PAIRS_TILE = 256 };

/* What is compared with what. */
typedef struct {
    int64_t K, d;
    const int64_t *first;      /* [K + 1] first place of each cluster */
    const int64_t *link_start; /* [K + 1] */
    const int32_t *link;       /* other clusters that rows of cluster k are compared with: [link_start[k], ..k + 1) */
    double cosine;             /* the bound */
    double error;              /* bound on the error of a product in float of two rows of length 1 */
} dc_pairs_plan;

/* Rows at consecutive places. */
typedef struct {
    dc_gidx lo; /* first place */
    int64_t n;
    const float *X;     /* [n x d] */
    const double *norm; /* [n] squared lengths */
    const float *image; /* [n x d] rows of length 1, or of zeros; not used of the rows of this rank */
    const dc_gidx *row; /* [n] their global numbers */
} dc_pairs_rows;

/* A pair that was found: rows i of this rank's and j of the block's. */
typedef struct {
    int64_t i, j;
    double cosine; /* if it was wanted */
} dc_pairs_hit;

/* Scratch of one thread. */
typedef struct {
    float *image;      /* [DC_PAIRS_TILE x d] */
    float *product;    /* [DC_PAIRS_TILE x DC_PAIRS_TILE] */
    dc_pairs_hit *hit; /* [DC_PAIRS_TILE x DC_PAIRS_TILE] */
} dc_pairs_scratch;

/* Cluster of a place. */
int64_t dc_pairs_cluster(const dc_pairs_plan *plan, dc_gidx place);
/* Sets norm[n], and image [n x d] unless it is NULL. Returns how many of the rows are zeros, or -1 if one is not
 * finite. */
int64_t dc_pairs_project(int64_t n, int64_t d, const float *X, double *norm, float *image);
/* Compares this rank's rows, cut into tiles of single clusters (tile[tiles + 1]: where they begin), with those of a
 * block; within its own rows each pair once. found() is called by one thread at a time, in any order. */
typedef struct {
    const dc_pairs_plan *plan;
    const dc_pairs_rows *own, *block;
    const int64_t *tile;
    int64_t tiles;
    bool among_own; /* the block is part of this rank's rows */
    bool wants_cosine;
    const dc_pairs_scratch *scratch; /* of each thread */
    void (*found)(void *ctx, const dc_pairs_hit *hit, int64_t n);
    void *ctx;
} dc_pairs_visit;
void dc_pairs_compare(const dc_pairs_visit *v);

#endif
