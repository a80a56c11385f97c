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

/* ---- Children (levels_kern.c, levels.c) -------------------------------------------------------------------------- */

/* Splits `total` >= K children over K clusters of these sizes, at least one and at most `size` to each, but one to
 * those without rows: first[K + 1], as in dc_levels. heap[K] is scratch. */
void dc_lv_allot(const int64_t *size, int64_t K, int64_t total, int64_t *first, int64_t *heap);

/* What a rank takes at most in a round: rows, work. Clusters beyond are shared, if they have shards for all ranks. */
typedef struct {
    int64_t room_bytes;
    double flops;
} dc_lv_limits;
/* dc_levels_fit() with given limits, which change no bits. */
DC_CHECKED dc_status dc_lv_fit(dc_comm *comm, const dc_rows *rows, const dc_levels_config *cfg,
                               const dc_lv_limits *limits, dc_levels *levels, dc_kmeans_result *out);

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

#endif
