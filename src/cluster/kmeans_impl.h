/* What the files of k-means share; not for other modules. */
#ifndef DCMPI_CLUSTER_KMEANS_IMPL_H
#define DCMPI_CLUSTER_KMEANS_IMPL_H

#include "dcmpi/cluster.h"

/* Rows of a tile, and how many centres are scored at once unless K is larger. Both shape the GEMM and hence the bits:
 * they are constants. */
enum { DC_KM_TILE = 256, DC_KM_PANEL = 1024 };
/* Doubles of one reduction, 32 MiB: more restarts than fit take turns. */
enum { DC_KM_PASS_DOUBLES = 1 << 22 };
/* Candidates that are drawn for each centre. */
int64_t dc_km_trials(int64_t K);

/* Working memory of one thread. */
typedef struct {
    float *x;       /* [TILE x d] rows minus the shift, zeros below the last row */
    float *score;   /* [panel x TILE] */
    float *best;    /* [TILE] */
    int32_t *label; /* [TILE] */
    int32_t *start; /* [K + 1] */
    int32_t *order; /* [TILE] */
} dc_km_scratch;

/* The rows as the kernels see them: in tiles within blocks, shifted by the global mean to spare digits. */
typedef struct {
    const dc_rows *rows; /* borrowed */
    float *shift;        /* [d], owned */
    int64_t K, d;
    int64_t panel; /* most centres that one call may score: a multiple of K */
    int n_threads;
    dc_km_scratch *scratch; /* [n_threads], owned */
} dc_km_tiles;

/* Memory only; the shift is zero. */
DC_CHECKED dc_status dc_km_tiles_init(dc_km_tiles *t, const dc_rows *rows, int64_t K, int n_init);
void dc_km_tiles_release(dc_km_tiles *t);
/* Local row `row` minus the shift. */
void dc_km_row(const dc_km_tiles *t, int64_t row, float *out);
/* norm[j] = |centers[j]|^2, m centres of width d. */
void dc_km_norms(const float *centers, int64_t m, int64_t d, float *norm);

/* Block kernels for sum.h: ctx, then leaf[...]. -------------------------------------------------------------------- */

/* ctx: dc_km_tiles. leaf[d]: column sums. */
void dc_km_block_columns(void *ctx, const dc_block *block, int thread, double *leaf);
/* ctx: dc_km_tiles. leaf[1]: sum of squares. */
void dc_km_block_squares(void *ctx, const dc_block *block, int thread, double *leaf);

/* One Lloyd pass of `groups` restarts. leaf[groups*K*d]: sums of the rows nearest to each centre, then
 * leaf[groups*K]: their numbers. */
typedef struct {
    const dc_km_tiles *tiles;
    const float *centers; /* [groups*K x d] */
    const float *norm;    /* [groups*K] */
    int64_t groups;
} dc_km_lloyd;
void dc_km_block_lloyd(void *ctx, const dc_block *block, int thread, double *leaf);

/* Nearest centre of every row. leaf[0]: inertia, leaf[1 + k]: rows of cluster k. */
typedef struct {
    const dc_km_tiles *tiles;
    const float *centers; /* [K x d] */
    const float *norm;    /* [K] */
    int32_t *label;       /* [n] local, NULL: not wanted */
    float *distance;      /* [n] local, squared, computed from the differences in double; NULL: not wanted */
} dc_km_assign;
void dc_km_block_assign(void *ctx, const dc_block *block, int thread, double *leaf);

/* Labels by the final centres, in double (dc_nearest). leaf[0]: inertia, leaf[1 + k]: rows of cluster k. */
typedef struct {
    const dc_km_tiles *tiles;
    const float *centers; /* [K x d], in the same shift as the tiles */
    int32_t *label;       /* [n] local */
} dc_km_label;
void dc_km_block_label(void *ctx, const dc_block *block, int thread, double *leaf);

/* Potentials of seeding candidates. leaf[r*trials + j] = sum over rows of min(d_min of restart r, distance to its
 * candidate j). */
typedef struct {
    const dc_km_tiles *tiles;
    const float *candidates; /* [restarts*trials x d] */
    const float *norm;       /* [restarts*trials] */
    const float *d_min;      /* [restarts x n] local */
    int64_t restarts, trials;
} dc_km_potential;
void dc_km_block_potential(void *ctx, const dc_block *block, int thread, double *leaf);

/* Seeding ---------------------------------------------------------------------------------------------------------- */

/* Lowers d_min by the distances to one new centre per restart and leaves the mass (sum of d_min) of every block in
 * mass[b*restarts + r]. Threaded. */
void dc_km_lower(const dc_km_tiles *tiles, const float *newest, const float *norm, int64_t restarts, float *d_min,
                 double *mass);
/* Fills centers [n_init x K x d], shifted. Collective. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_km_seed(dc_comm *comm, const dc_km_tiles *tiles, const dc_kmeans_config *cfg, float *centers);

/* dc_kmeans with another limit on the doubles of one reduction, from the given centres [n_init x K x d] unless `start`
 * is NULL. */
DC_CHECKED dc_status dc_kmeans_from(dc_comm *comm, const dc_rows *rows, const dc_kmeans_config *cfg,
                                    int64_t pass_doubles, const float *start, dc_kmeans_result *out);

/* ---- kmeans_lloyd.c: the restarts and their iterations
 * ----------------------------------------------------------------- */

/* Of integers alone: part of the run's state. */
typedef struct {
    int64_t id, iterations, converged, finished;
} dc_km_slot;

typedef struct {
    const dc_kmeans_config *cfg;
    dc_km_tiles tiles;
    int64_t K, d, R;
    double squares;    /* sum over all rows of |x - mean|^2 */
    double tol;        /* on the squared shift of the centres of one restart */
    float *centers;    /* [R x K x d] by slot, minus the mean */
    float *norm;       /* [R x K] */
    dc_km_slot *slots; /* [R] */
    int64_t active;
    int64_t pass_doubles; /* most doubles in one reduction */
    int64_t per_pass;     /* restarts in one reduction */
    dc_sum *sum;          /* [per_pass*K*(d+1)] */
    double *total;        /* [per_pass*K*(d+1)], at least [d] */
    dc_sum *sum_assign;   /* [1 + K] */
    double *total_assign; /* [1 + K] */
    float *distance;      /* [n] of every row to its nearest centre, while empty clusters are re-seeded */
    double *mass;         /* [n_blocks] its sums, not used */
    int64_t reseeded;
} dc_km_restarts;
/* Centres [K x d] of slot s, and after they moved their norms. */
float *dc_km_slot_centers(const dc_km_restarts *a, int64_t s);
void dc_km_update_norms(dc_km_restarts *a, int64_t s);
/* Brings sums and counts of slots [s, s + groups) into a->total. Collective. */
void dc_km_lloyd_pass(dc_comm *comm, dc_km_restarts *a, int64_t s, int64_t groups);
/* sum |x|^2 - 2 sum c.S + sum n |c|^2 of one restart. */
double dc_km_inertia(const dc_km_restarts *a, const float *centers, const double *sums, const double *counts);
/* Makes room for `restarts` in one reduction. Collective. */
DC_CHECKED dc_status dc_km_resize_pass(dc_comm *comm, dc_km_restarts *a, int64_t restarts);
/* All restarts until they are finished, and the end of the phase. Collective. Errors: those of control.h. */
DC_CHECKED dc_status dc_km_iterate_all(dc_comm *comm, dc_km_restarts *a);

#endif
