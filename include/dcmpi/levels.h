/* Hierarchical k-means: the rows are clustered, then the rows of each cluster, and so on. */
#ifndef DCMPI_LEVELS_H
#define DCMPI_LEVELS_H

#include "dcmpi/cluster.h"

enum { DC_LEVELS_MAX = 4 }; /* DC_CLUSTER_LEVELS_MAX of config.h */

/* The clusters above the last level, the leaves. Clusters of a level are numbered in the order of their parents:
 * children of cluster k of level l are clusters first[l][k] to first[l][k+1] - 1 of level l + 1. */
typedef struct {
    int n; /* levels; 0: none */
    int64_t d;
    int64_t K[DC_LEVELS_MAX];          /* clusters of each level */
    float *centers[DC_LEVELS_MAX - 1]; /* [K[l] x d], owned */
    int64_t *first[DC_LEVELS_MAX - 1]; /* [K[l] + 1], owned */
} dc_levels;
/* Where result files keep them: centres of level 1, 2, ..., and dc_levels_parents(). */
#define DC_LEVEL_CENTERS "/levels/centers_%d"
#define DC_LEVEL_PARENTS "/clusters/parent"
/* Room for the arrays of a struct whose n, d and K are set. */
DC_CHECKED dc_status dc_levels_init(dc_levels *l);
void dc_levels_release(dc_levels *l);
/* parent[K[n-1] x (n-1)]: the cluster of each upper level that a leaf is in. */
void dc_levels_parents(const dc_levels *l, int64_t *parent);
/* Sets first[] from `parent`. False if the parents cannot be those of a hierarchy. */
bool dc_levels_set_parents(dc_levels *l, const int64_t *parent);

/* label[n]: leaves of the rows of X [n x d], by descent: the nearest centre of the first level (dc_nearest), then the
 * nearest of its children, and so on; leaf [K[n-1] x d]. This is not always the nearest of all leaves. Local; threaded
 * if called outside a parallel region; a row's label does not depend on its position. */
void dc_levels_descend(const dc_levels *l, const float *leaf, const float *X, int64_t n, int32_t *label);

typedef struct {
    int n;                    /* levels, 2 .. DC_LEVELS_MAX */
    int64_t K[DC_LEVELS_MAX]; /* clusters of each level, ascending; the last at most N */
    dc_kmeans_config kmeans;  /* of every clustering; K is not used */
} dc_levels_config;
/* Hierarchical k-means. Each level splits all clusters of the one before by k-means of their rows, into as many as its
 * share of the rows asks for: the next child always goes to the cluster with the most rows per child (ties: the
 * lowest), so that a level has K[l] clusters whatever the sizes. A cluster without rows has one child, at its own
 * centre.
 *
 * The clusters wait in a queue, largest first. Ranks take whole clusters from it, as many as they have room for, and
 * cluster them alone; clusters with more rows or more work than one rank should have are shared by all. Both ways give
 * the same bits.
 *
 * out: the leaves' centres [K x d], labels by descent, sizes, inertia; iterations are those of the first level;
 * converged: whether all clusterings converged. Rows must not be sparse. Progress is kept in kmeans.state: a run may
 * continue on other ranks. Collective; the same bits for every number of ranks and threads. Errors: those of dc_kmeans.
 * *levels and *out need no initial value and are empty after an error. */
DC_CHECKED dc_status dc_levels_fit(dc_comm *comm, const dc_rows *rows, const dc_levels_config *cfg, dc_levels *levels,
                                   dc_kmeans_result *out);
/* Memory that dc_levels_fit() takes, if no cluster of a level has more than 8 times the mean of their rows. Collective.
 * Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_levels_needs_of(dc_comm *comm, const dc_part *part, int64_t d, const dc_levels_config *cfg,
                                        dc_kmeans_needs *out);

#endif
