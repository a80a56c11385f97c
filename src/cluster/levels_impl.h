/* What the files of hierarchical k-means share; not for other modules. */
#ifndef DCMPI_CLUSTER_LEVELS_IMPL_H
#define DCMPI_CLUSTER_LEVELS_IMPL_H

#include "dcmpi/levels.h"
#include "kmeans_impl.h"

/* ---- Rows by cluster (levels_rows.c) ----------------------------------------------------------------------------- */

/* Local rows in the order of their clusters, within a cluster in their own: those of cluster k are order[start[k] ..
 * start[k+1]). */
typedef struct {
    const dc_rows *rows; /* borrowed */
    int64_t K;
    int64_t *start; /* [K + 1], owned */
    int64_t *order; /* [n], owned */
} dc_lv_rows;
/* Room for up to K clusters. */
DC_CHECKED dc_status dc_lv_rows_init(dc_lv_rows *r, const dc_rows *rows, int64_t K);
void dc_lv_rows_release(dc_lv_rows *r);
/* label[n] < K. */
void dc_lv_rows_sort(dc_lv_rows *r, const int32_t *label, int64_t K);
/* The rows in this order, for dc_rows.rows; ctx is a dc_lv_rows. */
void dc_lv_rows_read(const void *ctx, int64_t lo, int64_t n, float *out);

/* Rows [begin, end) of a cluster, counted over all ranks in the order of the rows. */
typedef struct {
    int64_t cluster, begin, end; /* cluster -1: none */
} dc_lv_share;
/* Brings rows to ranks: rank r gets share[r] of the P shares, as out[end - begin x d]. The shares are equal on all
 * ranks. Goes in rounds of a few MiB. Collective. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_lv_rows_bring(dc_comm *comm, const dc_lv_rows *r, const dc_lv_share *share, float *out);
/* Memory that this takes on a rank besides `out`. */
double dc_lv_rows_bring_bytes(const dc_part *part, int64_t d);

/* ---- Children (levels_kern.c) ------------------------------------------------------------------------------------ */

/* Splits `total` >= K children over K clusters of these sizes, at least one and at most `size` to each, but one to
 * those without rows: first[K + 1], as in dc_levels. heap[K] is scratch. */
void dc_lv_allot(const int64_t *size, int64_t K, int64_t total, int64_t *first, int64_t *heap);

/* The nearest child of the cluster that each row is in. */
typedef struct {
    const dc_km_tiles *tiles; /* of the rows in the order of `rows`; K and shift are set per cluster */
    const dc_lv_rows *rows;
    const float *parent; /* [rows->K x d] */
    const float *child;  /* [first[rows->K] x d] */
    const int64_t *first;
    dc_km_centers *image; /* [threads], each with room for the most children of a cluster */
    double *leaf;         /* [threads x (1 + most children)] */
    int32_t *sorted;      /* [n] labels in the order of `rows` */
} dc_lv_children;
/* label[n]: the nearest child, by dc_nearest, numbered over all clusters. Threaded. */
void dc_lv_label(const dc_lv_children *c, int32_t *label);
/* leaf[0]: sum of the squared distances of the rows to their centres, [label[i]]. ctx is a dc_lv_inertia. */
typedef struct {
    const dc_rows *rows;
    const dc_km_tiles *tiles; /* for their scratch */
    const float *centers;
    const int32_t *label;
} dc_lv_inertia;
void dc_lv_block_inertia(void *ctx, const dc_block *block, int thread, double *leaf);

/* ---- The hierarchy (levels.c, levels_split.c) -------------------------------------------------------------------- */

/* What a rank takes at most in a round: rows, work. Clusters beyond are shared, if they have shards for all ranks. */
typedef struct {
    int64_t room_bytes;
    double flops;
} dc_lv_limits;
/* dc_levels_fit() with given limits, which change no bits. */
DC_CHECKED dc_status dc_lv_fit(dc_comm *comm, const dc_rows *rows, const dc_levels_config *cfg,
                               const dc_lv_limits *limits, dc_levels *levels, dc_kmeans_result *out);

/* How many times the mean the largest cluster may hold within the memory that is announced. */
enum { DC_LV_SKEW = 8 };

/* What is kept of the progress: how many clusterings have not converged, and how many empty clusters were given new
 * centres; the level that is being made, and how many clusters of its queue are split; iterations of the first level.
 */
enum {
    DC_LV_NOT_CONVERGED,
    DC_LV_RESEEDED,
    DC_LV_FOUND_VALUES,
    DC_LV_LEVEL = DC_LV_FOUND_VALUES,
    DC_LV_DONE,
    DC_LV_FIRST_ITERATIONS,
    DC_LV_PROGRESS_VALUES
};

/* A cluster in the queue. */
typedef struct {
    int64_t rows, cluster;
} dc_lv_waiting;

typedef struct {
    const dc_levels_config *cfg;
    const dc_lv_limits *limits;
    const dc_rows *rows;
    dc_comm *alone; /* this rank; borrowed if there is no other */
    dc_levels *levels;
    float *centers; /* of all levels, one after the other */
    int32_t *label; /* [n] of the last level that is finished; borrowed */
    int64_t *size;  /* [K] rows of its clusters, over all ranks */
    double inertia; /* of that level */
    dc_lv_rows by_cluster;
    dc_lv_waiting *queue;                    /* [K] its clusters, those with most rows first */
    int64_t *heap;                           /* [K] scratch */
    dc_lv_share *share;                      /* [P] who gets which rows next */
    int64_t *taken;                          /* [P] rows that ranks have got in this round */
    double *work;                            /* [P] and what there is to do with them */
    int64_t progress[DC_LV_PROGRESS_VALUES]; /* equal on all ranks */
    int64_t found[DC_LV_FOUND_VALUES];       /* by this rank, not yet added to progress */
} dc_lv_builder;

/* Centres of a level, [K x d]. */
static inline float *dc_lv_centers_of(const dc_lv_builder *b, int level)
{
    float *centers = b->centers;
    for (int v = 0; v < level; v++) centers += b->cfg->K[v] * b->rows->d;
    return centers;
}
/* Prepares the level after one whose labels and sizes are known: how many children each cluster gets, the queue. */
void dc_lv_plan_level(dc_lv_builder *b, int level);
/* Splits the clusters that wait in the queue. What was split before a stop is saved. Collective. Errors: those of
 * dc_kmeans and state.h. */
DC_CHECKED dc_status dc_lv_split_level(dc_comm *comm, dc_lv_builder *b);
/* Shards of a cluster of m rows; never more than those of all rows. */
int dc_lv_shards_of(const dc_part *part, int64_t m);
/* Rows that a rank may take in a round, if the clusters of a level are of `mean` rows. */
int64_t dc_lv_room_of(const dc_lv_builder *b, double mean);

#endif
