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

/* ---- Rows and centres as the kernels see them (kmeans_tiles_kern.c) ---------------------------------------------- */

/* Working memory of one thread. */
typedef struct {
    float *x;             /* [TILE x d] rows as they are, unless the rows are an array; zeros below the last row */
    float *u;             /* [TILE x d] (x - shift) * unit, zeros below the last row */
    float *length;        /* [TILE] |u|, rounded */
    float *score;         /* [panel x TILE] -2 c.u */
    float *best, *second; /* [TILE] */
    int32_t *label;       /* [TILE] */
    int32_t *start;       /* [K + 1] */
    int32_t *order;       /* [TILE] */
    float *doubtful;      /* [LANES x d] rows whose nearest centre the scores do not tell */
} dc_km_scratch;

/* Rows in tiles within blocks. For products they are shifted by the mean of all rows and multiplied by a power of two
 * that brings them near 1: far rows and odd units of measure then neither overflow nor lose more digits than they must.
 */
typedef struct {
    const dc_rows *rows; /* borrowed */
    float *shift;        /* [d], owned */
    float unit;
    int64_t K, d;
    int64_t panel; /* most centres that one call may score: a multiple of K */
    int n_threads;
    dc_km_scratch *scratch; /* [n_threads], owned */
} dc_km_tiles;

/* Memory only; the shift is zero, the unit 1. */
DC_CHECKED dc_status dc_km_tiles_init(dc_km_tiles *t, const dc_rows *rows, int64_t K, int n_init);
void dc_km_tiles_release(dc_km_tiles *t);
/* A piece of a block in the scratch of a thread. */
typedef struct {
    int64_t lo, n;  /* local rows [lo, lo + n), n <= TILE */
    const float *x; /* [n x d] as they are */
} dc_km_tile;
/* The tile from local row lo to at most hi: x, u and length. */
dc_km_tile dc_km_load(const dc_km_tiles *t, int64_t lo, int64_t hi, dc_km_scratch *s);
/* Local row `row` as it is. */
void dc_km_row(const dc_km_tiles *t, int64_t row, float *out);
/* |x - c|^2 in double. */
double dc_km_distance(const float *x, const float *c, int64_t d);

/* Centres, their image under the shift and unit of the tiles, and what float rounding may do to their scores
 * (set_bounds in kmeans_tiles_kern.c). */
typedef struct {
    const float *at; /* [m x d] in the coordinates of the rows, borrowed */
    float *image;    /* [m x d], owned */
    float *norm;     /* [m] |image|^2, owned */
    float *low;      /* [m] norm minus what rounding may have added to it, owned */
    float *slack;    /* [m] times |u|: what rounding may have added to the product, owned */
} dc_km_centers;
/* Room for m centres of width d. */
DC_CHECKED dc_status dc_km_centers_init(dc_km_centers *c, int64_t m, int64_t d);
void dc_km_centers_release(dc_km_centers *c);
/* The images of m centres `at`. */
void dc_km_project(const dc_km_tiles *t, const float *at, int64_t m, dc_km_centers *c);
/* score[j*TILE + i] = -2 c_j . u_i for centres [first, first + m), m <= panel. */
void dc_km_score(const dc_km_tiles *t, const dc_km_centers *c, int64_t first, int64_t m, dc_km_scratch *s);

/* Block kernels for sum.h: ctx, then leaf[...]. ctx: dc_km_tiles. */
/* leaf[d]: column sums. */
void dc_km_block_columns(void *ctx, const dc_block *block, int thread, double *leaf);
/* leaf[1]: sum of |x - shift|^2. */
void dc_km_block_squares(void *ctx, const dc_block *block, int thread, double *leaf);

/* ---- Nearest centres (kmeans_kern.c) ----------------------------------------------------------------------------- */

/* One Lloyd pass of `groups` restarts. leaf[groups*K*d]: sums of the rows nearest to each centre, then
 * leaf[groups*K]: their numbers. */
typedef struct {
    const dc_km_tiles *tiles;
    const dc_km_centers *centers; /* groups*K */
    int64_t groups;
} dc_km_lloyd;
void dc_km_block_lloyd(void *ctx, const dc_block *block, int thread, double *leaf);

/* Nearest of K centres of every row. leaf[0]: inertia, leaf[1 + k]: rows of cluster k. */
typedef struct {
    const dc_km_tiles *tiles;
    const dc_km_centers *centers; /* K */
    int32_t *label;               /* [n] local, NULL: not wanted */
    float *distance;              /* [n] local, squared, in units of the image; NULL: not wanted */
} dc_km_assign;
void dc_km_block_assign(void *ctx, const dc_block *block, int thread, double *leaf);

/* ---- Seeding (kmeans_init.c, kmeans_seed_kern.c) ---------------------------------------------------------------- */

/* Potentials of seeding candidates. leaf[r*trials + j] = sum over rows of min(d_min of restart r, distance to its
 * candidate j). Distances in units of the image. */
typedef struct {
    const dc_km_tiles *tiles;
    const dc_km_centers *candidates; /* restarts*trials */
    const float *d_min;              /* [restarts x n] local */
    int64_t restarts, trials;
} dc_km_potential;
void dc_km_block_potential(void *ctx, const dc_block *block, int thread, double *leaf);

/* Lowers d_min by the distances to one new centre per restart and leaves the mass (sum of d_min) of every block in
 * mass[b*restarts + r]. Threaded. */
void dc_km_lower(const dc_km_tiles *tiles, const dc_km_centers *newest, int64_t restarts, float *d_min, double *mass);
/* Memory that dc_km_seed() takes on top. Local. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_km_seed_bytes(const dc_km_tiles *tiles, const dc_kmeans_config *cfg, size_t *bytes);
/* Fills centers [n_init x K x d] with rows. Collective. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_km_seed(dc_comm *comm, const dc_km_tiles *tiles, const dc_kmeans_config *cfg, float *centers);

/* dc_kmeans with another limit on the doubles of one reduction, from the given centres [n_init x K x d] unless `start`
 * is NULL. */
DC_CHECKED dc_status dc_kmeans_from(dc_comm *comm, const dc_rows *rows, const dc_kmeans_config *cfg,
                                    int64_t pass_doubles, const float *start, dc_kmeans_result *out);

/* ---- Restarts and their iterations (kmeans_lloyd.c) ------------------------------------------------------------- */

/* Of integers alone: part of the run's state. */
typedef struct {
    int64_t id, iterations, converged, finished;
} dc_km_slot;

typedef struct {
    const dc_kmeans_config *cfg;
    dc_km_tiles tiles;
    int64_t K, d, R;
    double squares;       /* sum over all rows of |x - shift|^2 */
    double tol;           /* on the squared shift of the centres of one restart */
    float *centers;       /* [R x K x d] by slot, in the coordinates of the rows */
    dc_km_centers images; /* of the slots of one pass */
    dc_km_slot *slots;    /* [R] */
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
/* Centres [K x d] of slot s. */
float *dc_km_slot_centers(const dc_km_restarts *a, int64_t s);
/* Brings sums and counts of slots [s, s + groups) into a->total. Collective. */
void dc_km_lloyd_pass(dc_comm *comm, dc_km_restarts *a, int64_t s, int64_t groups);
/* Nearest centre of slot s of all rows: inertia and sizes into a->total_assign. label, distance: as dc_km_assign.
 * Collective. */
void dc_km_assign_pass(dc_comm *comm, dc_km_restarts *a, int64_t s, int32_t *label, float *distance);
/* sum |x|^2 - 2 sum c.S + sum n |c|^2 of one restart, about the shift. */
double dc_km_inertia(const dc_km_restarts *a, const float *centers, const double *sums, const double *counts);
/* Makes room for `restarts` in one reduction. Local. */
DC_CHECKED dc_status dc_km_make_pass(dc_km_restarts *a, int64_t restarts);
/* The same, collective. */
DC_CHECKED dc_status dc_km_resize_pass(dc_comm *comm, dc_km_restarts *a, int64_t restarts);
/* Restarts of a checkpoint that ended by a lower cfg->max_iter alone move again. */
void dc_km_wake(dc_km_restarts *a);
/* All restarts until they are finished, and the end of the phase. Collective. Errors: those of state.h. */
DC_CHECKED dc_status dc_km_iterate_all(dc_comm *comm, dc_km_restarts *a);

#endif
