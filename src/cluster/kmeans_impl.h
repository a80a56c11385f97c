/* What the files of k-means share; not for other modules. */
#ifndef DCMPI_CLUSTER_KMEANS_IMPL_H
#define DCMPI_CLUSTER_KMEANS_IMPL_H

#include "dcmpi/cluster.h"
#include "dcmpi/csr.h"
#include "dcmpi/csr_sum.h"
#include "softassign_impl.h"

/* Rows of a tile, and how many centres are scored at once unless K is larger. Both set the shape of the GEMM and
 * hence the bits of the result, so they are constants. */
enum { DC_KM_TILE = 256, DC_KM_PANEL = 1024 };
/* Doubles in one reduction, 32 MiB. If not all restarts fit into one, they take turns; if not even one does, its rows
 * are labelled first, and its clusters summed in pieces. */
enum { DC_KM_PASS_DOUBLES = 1 << 22 };
/* Number of candidates that are drawn for each centre. */
int64_t dc_km_trials(int64_t K);

/* ---- Rough scores (kmeans_rough_kern.c) -------------------------------------------------------------------------- */

enum { DC_KM_FEW = 32, DC_KM_FAST = 64 };
/* Centres as integers, in runs of `run` that are scored together, each padded. Nothing if run is 0. */
typedef struct {
    int64_t run, padded;
    int64_t quads;  /* ceil(d / 4) */
    uint8_t *level; /* [padded / 64 x quads x 64 x 4] of each run, owned */
    float *term;    /* [padded / 16 x 5 x 16] of each run: see set_centre; owned */
    float *most;    /* [padded / 64 x 5] of each run: the largest of these; owned */
} dc_km_rough;
/* The rows of a tile as integers. */
typedef struct {
    float twice;   /* two scales */
    float lost;    /* |r| */
    float length;  /* |a q| + |r| */
    float square;  /* at least |u|^2 */
    int32_t start; /* makes up for the shift of the centres' integers */
} dc_km_rough_row;
/* The centres that may be the nearest to a row, ascending. */
typedef struct {
    int n;
    bool many;    /* they are more than FEW, and not all listed */
    bool wide;    /* the limit is above `upper` */
    float upper;  /* no score of the nearest centre is above this */
    float hidden; /* distances in double cannot tell scores that differ by this */
    float limit;  /* at least upper + hidden; scores of centres that are not listed are above this */
    int32_t center[DC_KM_FEW];
    float low[DC_KM_FEW]; /* lower bounds of their scores */
} dc_km_few;
typedef struct {
    int8_t *level;        /* [TILE x 4 quads], owned */
    dc_km_rough_row *row; /* [TILE], owned */
    dc_km_few *few;       /* [TILE], owned */
} dc_km_rough_rows;
/* How much distances of d values in double may be wrong, relative to the squared length of the row. */
static inline float dc_km_hidden(int64_t d)
{
    return (float)(d + 8) * 0x1p-51F;
}
/* Whether rough scores of K centres save time on this CPU. */
bool dc_km_rough_pays(int64_t K, int64_t d);
/* Makes room for m centres. */
DC_CHECKED dc_status dc_km_rough_init(dc_km_rough *r, int64_t m, int64_t run, int64_t d);
void dc_km_rough_release(dc_km_rough *r);
DC_CHECKED dc_status dc_km_rough_rows_init(dc_km_rough_rows *x, int64_t d);
void dc_km_rough_rows_release(dc_km_rough_rows *x);
/* Rounds the images u[index[j]], j < n, of width d; square: at least |u|^2 of each row. */
void dc_km_rough_load(const float *u, const float *square, const int32_t *index, int64_t n, int64_t d,
                      const dc_km_rough_rows *x);
/* Sets x->few of n rows: the centres of run number `run`, of m centres, that may be the nearest, or may be up to
 * `reach` farther than the nearest, but at most a quarter farther. upper[n]: the score of the nearest is not above
 * this. */
void dc_km_rough_rule_out(const dc_km_rough *c, int64_t run, int64_t m, int64_t n, float reach, const float *upper,
                          const dc_km_rough_rows *x);

/* ---- Rows and centres as the kernels see them (kmeans_tiles_kern.c) ---------------------------------------------- */

/* Working memory of one thread. */
typedef struct {
    float *x;             /* [TILE x d] rows as they are; NULL if all rows lie in an array, or are sparse */
    float *u;             /* [TILE x d] (x - shift) * unit, zeros after the last row; NULL if the rows are sparse */
    float *length;        /* [TILE] |u|, rounded */
    float hidden;         /* distances in double may be wrong by this times |u|^2 */
    float *reach;         /* [TILE] what a centre's slack is multiplied with; |u| unless the rows are sparse */
    float *score;         /* [panel x TILE] -2 c.u */
    float *best, *second; /* [TILE] */
    int32_t *label;       /* [TILE] */
    int32_t *start;       /* [K + 1] */
    int32_t *order;       /* [TILE] */
    float *doubtful;      /* [LANES x d] rows whose nearest centre is not clear from the scores */
    dc_km_rough_rows rough;
    int gives_up;    /* so many tiles do without rough scores */
    int32_t *active; /* [TILE] rows whose nearest centre is looked for */
    float *square;   /* [TILE] at least |u|^2 */
    float *upper;    /* [TILE] of each active row: no score of its nearest centre is above this */
    /* Only for sparse rows, DC_KM_GROUP of them: */
    int64_t *ptr;     /* [GROUP + 1] */
    float *val;       /* [GROUP x longest row] values times unit */
    float *row_score; /* [GROUP x panel] */
} dc_km_scratch;

/* Rows, in tiles within blocks. For products they are shifted by the mean of all rows and multiplied by a power of two
 * that brings them near 1. So rows far from zero or in unusual units neither overflow nor lose digits needlessly.
 * Sparse rows are not shifted, because that would fill their zeros. */
typedef struct {
    const dc_rows *rows; /* borrowed */
    const dc_csr *csr;   /* the rows, if their products are to be sparse; else NULL */
    float *shift;        /* [d], owned */
    float unit;
    int64_t K, d;
    int64_t panel; /* most centres that one call may score: a multiple of K */
    int n_threads;
    dc_km_scratch *scratch; /* [n_threads], owned */
} dc_km_tiles;

/* Only allocates memory; the shift is zero, the unit 1. */
DC_CHECKED dc_status dc_km_tiles_init(dc_km_tiles *t, const dc_rows *rows, int64_t K, int n_init);
void dc_km_tiles_release(dc_km_tiles *t);
/* The power of two that scales `size` to near 1, as far as the exponents of float allow. */
float dc_km_unit_of(double size);
/* A piece of a block, loaded into the scratch of a thread. */
typedef struct {
    int64_t lo, n;  /* local rows [lo, lo + n), n <= TILE */
    const float *x; /* [n x d] as they are; NULL if they are sparse */
} dc_km_tile;
/* Applies shift and unit to a row x[d] with a single rounding, as both products are exact. */
void dc_km_shift_row(const dc_km_tiles *t, const float *x, float *u);
/* Local rows [lo, lo + n) as they are; x[n x d] holds them unless they lie in an array. */
const float *dc_km_rows(const dc_km_tiles *t, int64_t lo, int64_t n, float *x);
/* Loads local rows from lo up to hi, or as many as one tile holds: sets x, u and length. */
dc_km_tile dc_km_load(const dc_km_tiles *t, int64_t lo, int64_t hi, dc_km_scratch *s);
/* Copies local row `row`, as it is, to out. */
void dc_km_row(const dc_km_tiles *t, int64_t row, float *out);
/* |x - c|^2 in double (kmeans_distance_kern.c). */
double dc_km_distance(const float *x, const float *c, int64_t d);

/* Centres, their images (after the shift and unit of the tiles), and bounds on the rounding errors of their scores
 * (set_bounds in kmeans_tiles_kern.c). */
typedef struct {
    const float *at; /* [m x d] in the coordinates of the rows, borrowed */
    int64_t m;
    float *image;   /* [m x d], for sparse rows [d x m]; owned */
    double *square; /* [m] |at|^2, for sparse rows; owned */
    double *zeros; /* [blocks of DC_SOFT_COLUMNS columns x m] what a row without values adds to its distance, for sparse
                      rows whose nearest centre is looked for, else NULL; owned */
    float *norm;   /* [m] |image|^2, owned */
    float *low;    /* [m] norm minus what rounding may have added to it, owned */
    float *slack;  /* [m] slack * |u| is what rounding may have added to the product, owned */
    dc_km_rough rough;
} dc_km_centers;
/* Makes room for m centres of width d. */
DC_CHECKED dc_status dc_km_centers_init(dc_km_centers *c, int64_t m, int64_t d);
void dc_km_centers_release(dc_km_centers *c);
/* As dc_km_centers_init, for centres that dc_km_find_nearest() will compare in runs of `run`. */
DC_CHECKED dc_status dc_km_runs_init(dc_km_centers *c, const dc_km_tiles *t, int64_t m, int64_t run);
/* Sets the images and bounds of the m centres `at`. */
void dc_km_project(const dc_km_tiles *t, const float *at, int64_t m, dc_km_centers *c);
/* score[j*TILE + i] = -2 c_j . u_i for centres [first, first + m), m <= panel, and the rows of the tile. */
void dc_km_score(const dc_km_tiles *t, const dc_km_centers *c, int64_t first, int64_t m, const dc_km_tile *tile,
                 dc_km_scratch *s);
/* |x - c|^2 of row i of the tile and centre j, in double. */
double dc_km_distance_of(const dc_km_tiles *t, const dc_km_tile *tile, int64_t i, const dc_km_centers *c, int64_t j,
                         const dc_km_scratch *s);

/* Takes n <= DC_KM_FAST of the centres, center[n], as the only run of r. */
void dc_km_rough_take(const dc_km_tiles *t, const dc_km_centers *c, const int64_t *center, int64_t n, dc_km_rough *r);
/* lowest[n]: below the scores of all centres of c, which has one run of DC_KM_FAST, for n rows. */
void dc_km_rough_lowest(const dc_km_rough *c, int64_t n, const dc_km_rough_rows *x, float *lowest);
/* Sets c->rough after the images. Threaded. */
void dc_km_rough_project(const dc_km_tiles *t, dc_km_centers *c);

/* Block kernels for sum.h; ctx is a dc_km_tiles. */
/* leaf[d]: column sums. */
void dc_km_block_columns(void *ctx, const dc_block *block, int thread, double *leaf);
/* leaf[1]: sum of |x - shift|^2. */
void dc_km_block_squares(void *ctx, const dc_block *block, int thread, double *leaf);

/* ---- The same for sparse rows (kmeans_sparse_kern.c) ------------------------------------------------------------- */

enum { DC_KM_GROUP = 16 };
/* Blocks of DC_SOFT_COLUMNS columns. */
int64_t dc_km_sparse_blocks(int64_t d);
/* d[j][l] = squared distance of local row row[l], l < n <= DC_SOFT_LANES, to centre center[j], j < m, bit by bit that
 * of dc_soft_distances(). */
void dc_km_sparse_distances(const dc_km_tiles *t, const int64_t *row, int64_t n, const dc_km_centers *c,
                            const int64_t *center, int64_t m, dc_soft_lane *d);
void dc_km_sparse_load(const dc_km_tiles *t, const dc_km_tile *tile, const dc_km_scratch *s);
void dc_km_sparse_project(const dc_km_tiles *t, const float *at, int64_t m, dc_km_centers *c);
void dc_km_sparse_score(const dc_km_tiles *t, const dc_km_centers *c, int64_t first, int64_t m, const dc_km_tile *tile,
                        const dc_km_scratch *s);
double dc_km_sparse_distance(const dc_km_tiles *t, int64_t row, const dc_km_centers *c, int64_t j,
                             const dc_km_scratch *s);
void dc_km_sparse_columns(const dc_km_tiles *t, const dc_block *block, double *leaf);
/* sum[K x d] = columns [first, first + K) of total [d x m], transposed. */
void dc_km_sparse_turn(const double *total, int64_t d, int64_t m, int64_t first, int64_t K, double *sum);
void dc_km_sparse_squares(const dc_km_tiles *t, const dc_block *block, double *leaf);

/* ---- Nearest centres (kmeans_kern.c) ----------------------------------------------------------------------------- */

/* Sets s->label[n] to the nearest of the m <= panel centres [first, first + m), numbered from 0, for the rows of the
 * tile. If the centres are in runs, first and m are those of a run. */
void dc_km_find_nearest(const dc_km_tiles *t, const dc_km_centers *c, int64_t first, int64_t m, const dc_km_tile *tile,
                        dc_km_scratch *s);

/* What a restart knows of each row from the pass before: the nearest centre, and a distance that all others exceed. As
 * long as no centre has moved far, this proves that the label stays (Hamerly 2010). The few centres that have moved
 * farthest do not count; rows are compared with them. Distances are looked for in a sample of tiles, and everywhere as
 * long as they keep enough labels there. In units of the image. */
typedef struct {
    int32_t *label;   /* [n] local, owned */
    float *beyond;    /* [n] local, owned: other centres are farther than beyond - moved; -INFINITY: not looked for */
    float *last;      /* [K x d] centres of the last pass, owned */
    double *move;     /* [K] how far they have moved since, owned */
    bool *is_fast;    /* [K] whether a centre is one of the few, owned */
    int64_t n_fast;   /* how many they are */
    dc_km_rough fast; /* the few */
    double moved;     /* sum of the largest moves of the other centres in each iteration so far */
    float reach;      /* how far beyond the nearest centre others are looked for */
    bool known;       /* label and beyond are set */
    bool looked;      /* the pass before looked beyond the nearest centre */
    bool everywhere;  /* in all tiles, not only in the sample */
    int64_t asked;    /* rows of this pass of which a distance was known */
    int64_t stayed;   /* how many of them kept their labels by it */
} dc_km_stay;
DC_CHECKED dc_status dc_km_stay_init(dc_km_stay *y, int64_t n, int64_t K, int64_t d);
void dc_km_stay_release(dc_km_stay *y);
/* Takes the centres [first, first + K) of the next pass. Threaded. */
void dc_km_stay_move(dc_km_stay *y, const dc_km_tiles *t, const dc_km_centers *c, int64_t first);
/* After the pass: decides where the next one looks. This only changes how long it takes. */
void dc_km_stay_judge(dc_km_stay *y);

/* One Lloyd pass of `groups` restarts. leaf[groups*K*d]: sums of the rows nearest to each centre, then
 * leaf[groups*K]: how many rows those are. */
typedef struct {
    const dc_km_tiles *tiles;
    const dc_km_centers *centers; /* groups*K */
    int64_t groups;
    dc_km_stay *const *stay; /* [groups]; NULL: every label is looked for */
} dc_km_lloyd;
void dc_km_block_lloyd(void *ctx, const dc_block *block, int thread, double *leaf);

/* ---- Long passes (kmeans_watch.c) -------------------------------------------------------------------------------- */

typedef struct {
    const dc_kmeans_config *cfg;
    double interval_s, next_s; /* when the log gets the next line */
    double part;               /* products of a row with a centre's value that a thread computes in one part */
    bool steady;               /* the state keeps what the work needs to go on from here */
} dc_km_watch;
void dc_km_watch_init(dc_km_watch *w, const dc_kmeans_config *cfg);
/* Agrees on requests to save or to stop. Collective. Errors: those of state.h and wish.h. */
DC_CHECKED dc_status dc_km_poll(dc_comm *comm, const dc_kmeans_config *cfg);
/* A line in the log, if one is due. */
void dc_km_say(dc_km_watch *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Works on blocks [first, end) of this rank. */
typedef void (*dc_km_blocks)(void *ctx, size_t first, size_t end);
/* Has `run` work on all blocks, a part of them at a time, in order. Between the parts it polls (saves only if
 * w->steady) and says where the pass is; what: the pass. m: centres that each row is compared with. Collective. Errors:
 * those of dc_km_poll. */
DC_CHECKED dc_status dc_km_in_parts(dc_comm *comm, dc_km_watch *w, const dc_km_tiles *t, int64_t m, const char *what,
                                    dc_km_blocks run, void *ctx);

/* The labels of one Lloyd pass of `groups` restarts, and how many rows each cluster has. The sums of sparse rows are
 * formed column by column (csr_sum.h); dc_km_add_value is the addition. */
typedef struct {
    int64_t groups, K;
    int32_t *label;          /* [n x groups] local */
    int64_t *count;          /* [groups x K] of this rank */
    dc_km_stay *const *stay; /* [groups]; NULL: every label is looked for */
} dc_km_labels;
/* Labels the rows of blocks [first, end). Threaded. */
void dc_km_label_rows(const dc_km_tiles *t, const dc_km_centers *centers, size_t first, size_t end,
                      const dc_km_labels *out);
/* Counts all rows by their labels. Threaded. */
void dc_km_count_labels(int64_t n, const dc_km_labels *out);
void dc_km_add_value(const void *labels, int64_t column, int64_t row, float value, double *leaf);

/* Clusters [first, first + count) of rows that have labels. leaf[count*d]: sums of their rows. */
typedef struct {
    const dc_km_tiles *tiles;
    const int32_t *label; /* [n] local */
    int64_t first, count;
} dc_km_piece;
void dc_km_block_piece(void *ctx, const dc_block *block, int thread, double *leaf);

/* Finds the nearest of K centres for every row. leaf[0]: inertia, leaf[1 + k]: rows of cluster k. */
typedef struct {
    const dc_km_tiles *tiles;
    const dc_km_centers *centers; /* K */
    int32_t *label;               /* [n] local, NULL: not wanted */
    float *distance;              /* [n] local, squared, in units of the image; NULL: not wanted */
} dc_km_assign;
void dc_km_block_assign(void *ctx, const dc_block *block, int thread, double *leaf);

/* ---- Seeding by k-means++ (kmeans_init.c, kmeans_seed_kern.c) ---------------------------------------------------- */

/* Potentials of seeding candidates. leaf[r*trials + j] = sum over rows of min(d_min of restart r, distance to its
 * candidate j). Distances in units of the image. */
typedef struct {
    const dc_km_tiles *tiles;
    const dc_km_centers *candidates; /* restarts*trials */
    const float *d_min;              /* [restarts x n] local */
    int64_t restarts, trials;
} dc_km_potential;
void dc_km_block_potential(void *ctx, const dc_block *block, int thread, double *leaf);

/* Lowers d_min of each restart where its new centre is nearer, and stores the mass (sum of d_min) of every block in
 * mass[b*restarts + r]. Threaded. */
void dc_km_lower(const dc_km_tiles *tiles, const dc_km_centers *newest, int64_t restarts, float *d_min, double *mass);
/* Memory that dc_km_seed() itself allocates. Local. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_km_seed_bytes(const dc_km_tiles *tiles, const dc_kmeans_config *cfg, size_t *bytes);
/* Fills centers [n_init x K x d] with the rows chosen as seeds. Collective. Errors: DC_ERR_MEMORY, DC_STOPPED. */
DC_CHECKED dc_status dc_km_seed(dc_comm *comm, const dc_km_tiles *tiles, dc_km_watch *watch, float *centers);
/* The random number in [0, 1) for draw j of centre c of restart r. */
double dc_km_draw_unit(const dc_kmeans_config *cfg, int64_t r, int64_t c, int64_t j);
/* Fills out[d x count] with the rows that are drawn uniformly as centres [c, c + count) of restart r. Collective. */
void dc_km_draw_rows(dc_comm *comm, const dc_km_tiles *tiles, const dc_kmeans_config *cfg, int64_t r, int64_t c,
                     int64_t count, float *out);

/* ---- Seeding by k-means|| (kmeans_rounds.c, kmeans_pick.c, kmeans_pick_kern.c, kmeans_pick_rough_kern.c) --------- */

/* Returns the first index at which the running sum of mass[i*stride] exceeds *rest, and subtracts from *rest the sum
 * before that index. If rounding leaves no such index, returns the last index with mass; -1 if there is no mass. */
int64_t dc_km_walk(const double *mass, int64_t n, int64_t stride, double *rest);

/* Whether the seeds of this configuration for N rows are found by k-means||. */
bool dc_km_in_rounds(const dc_kmeans_config *cfg, dc_gidx N);
/* As dc_km_seed_bytes and dc_km_seed, by k-means||. While it runs, the state of watch->cfg keeps how far it is;
 * *state_bytes: how much that is. resumed: whether the run continues from a checkpoint; *seeded: whether the centres
 * were not complete in it. Errors: also those of state.h. */
DC_CHECKED dc_status dc_km_seed_rounds_bytes(const dc_km_tiles *tiles, const dc_kmeans_config *cfg, size_t *bytes,
                                             double *state_bytes);
DC_CHECKED dc_status dc_km_seed_rounds(dc_comm *comm, const dc_km_tiles *tiles, dc_km_watch *watch, bool resumed,
                                       float *centers, bool *seeded);

/* The nearest candidate of each row and its distance, in units of the image. leaf[0]: sum of d_min. */
typedef struct {
    const dc_km_tiles *tiles;
    const dc_km_centers *candidates; /* new ones */
    int64_t number;                  /* of the first of them */
    float *d_min;                    /* [n] local, lowered */
    int32_t *owner;                  /* [n] local, number of the nearest candidate (ties: lowest) */
} dc_km_owners;
void dc_km_block_owners(void *ctx, const dc_block *block, int thread, double *leaf);

/* Candidates are in blocks, whose parts are ruled out together; so many trials are compared at once. */
enum { DC_KM_PICK_BLOCK = 256, DC_KM_PICK_PART = 32, DC_KM_PICK_ALL = 255, DC_KM_PICK_TRIALS = 4 };
/* A trial as integers. */
typedef struct {
    float twice;  /* two scales */
    float square; /* of its length, or a little less */
    float lost;   /* what rounding to integers may have moved it by */
    int32_t start;
} dc_km_pick_trial;
/* The candidates of this rank as integers (kmeans_pick_rough_kern.c). */
typedef struct {
    bool on; /* else nothing is ruled out, and there are no arrays */
    int64_t d, quads;
    uint8_t *level;          /* [places / 64 x quads x 64 x 4] */
    float *scale;            /* [places] */
    float *square;           /* [places] of the length, or a little less; INFINITY if d_min is 0 */
    float *lost;             /* [places] what rounding to integers may have moved it by */
    float *reach;            /* [places] trials that are farther from the integers do not lower d_min */
    int8_t *trial_level;     /* [trials, rounded up x 4 quads] */
    dc_km_pick_trial *trial; /* [trials, rounded up] */
} dc_km_pick_rough;
DC_CHECKED dc_status dc_km_pick_rough_init(dc_km_pick_rough *r, int64_t blocks, int64_t trials, int64_t d);
void dc_km_pick_rough_release(dc_km_pick_rough *r);
/* Takes the candidate of place i, by its image. */
void dc_km_pick_rough_take(const dc_km_pick_rough *r, int64_t i, const float *image);
/* Takes d_min of places [i, i + n). */
void dc_km_pick_rough_reach(const dc_km_pick_rough *r, int64_t i, int64_t n, const float *d_min);
/* Takes the n trials [n x d]. */
void dc_km_pick_rough_trials(const dc_km_pick_rough *r, const float *trial, int64_t n);
/* Of the parts of block b of this rank: one bit for each where one of the trials [first, first + n), n <=
 * DC_KM_PICK_TRIALS, may be nearer to a candidate than d_min. */
unsigned dc_km_pick_rough_near(const dc_km_pick_rough *r, int64_t b, int64_t first, int64_t n);

/* Greedy k-means++ among weighted candidates, which all ranks hold; many of them are shared by the ranks. */
typedef struct {
    int64_t most; /* candidates there is room for */
    int64_t d, trials;
    int64_t share_from;         /* so many blocks are shared by the ranks */
    int64_t n_blocks;           /* of the candidates there are */
    int64_t block_lo, block_hi; /* those that this rank works on */
    size_t *counts;             /* [P] */
    float *turned;              /* [own blocks x d x BLOCK] images, column by column */
    double *weight;             /* [own blocks x BLOCK], 0 after the last candidate */
    float *d_min;               /* [own blocks x BLOCK] */
    dc_km_pick_rough rough;
    double *mass;      /* [blocks] sum of weight * d_min */
    double *potential; /* [blocks x trials] */
    double *left;      /* [trials] sums of the potentials */
    int64_t *drawn;    /* [trials] candidates */
    float *trial;      /* [trials x d] their images */
} dc_km_pick;
DC_CHECKED dc_status dc_km_pick_init(dc_km_pick *p, const dc_part *part, const dc_kmeans_config *cfg, int64_t d,
                                     int64_t most);
void dc_km_pick_release(dc_km_pick *p);
/* Takes m <= most candidates `at` [m x d] with their weights [m]. Local. */
void dc_km_pick_start(dc_km_pick *p, const dc_part *part, const dc_km_tiles *tiles, const float *at,
                      const int64_t *weight, int64_t m);
/* Lowers d_min where candidate `chosen` is nearer. Collective. */
void dc_km_pick_lower(dc_comm *comm, dc_km_pick *p, const dc_km_tiles *tiles, const float *at, int64_t chosen);
/* Draws `trials` candidates for centre c of restart r and returns the one that leaves the lowest potential (ties: the
 * first), or -1 if all candidates lie on centres. Collective. */
int64_t dc_km_pick_next(dc_comm *comm, dc_km_pick *p, const dc_km_tiles *tiles, const float *at,
                        const dc_kmeans_config *cfg, int64_t r, int64_t c);
/* potential[b x trials] of this rank's blocks: the sum of weight * min(d_min, distance) for each of the trials.
 * Threaded.
 */
void dc_km_pick_potentials(const dc_km_pick *p);
/* Lowers d_min where the first of the trials is nearer, and sets the masses of this rank's blocks. Threaded. */
void dc_km_pick_lower_blocks(const dc_km_pick *p);

/* Room for the result of K clusters. Local. */
DC_CHECKED dc_status dc_km_result_init(dc_kmeans_result *out, const dc_rows *rows, int64_t K);
/* What tests set lower. */
typedef struct {
    int64_t pass_doubles; /* most in one reduction; 0: DC_KM_PASS_DOUBLES */
    double part;          /* of dc_km_watch; 0: the usual one */
} dc_km_limits;
/* dc_kmeans() with these limits, and with the first centres `start` [n_init x K x d] unless that is NULL. */
DC_CHECKED dc_status dc_kmeans_from(dc_comm *comm, const dc_rows *rows, const dc_kmeans_config *cfg,
                                    dc_km_limits limits, const float *start, dc_kmeans_result *out);

/* ---- Restarts and their iterations (kmeans_lloyd.c) ------------------------------------------------------------- */

/* Holds int64_t only, because it is saved as part of the run's state. */
typedef struct {
    int64_t id, iterations, converged, finished;
} dc_km_slot;

/* A row that is far from its nearest centre. */
typedef struct {
    float distance; /* squared, in units of the image; not below the distance from the nearest centre */
    int64_t row;    /* local */
    int64_t seen;   /* so many of the moved centres are taken into account */
} dc_km_far_row;
/* The rows to which centres of empty clusters may move (kmeans_reseed.c). */
enum { DC_KM_FAR = 4096 };
typedef struct {
    dc_km_far_row *row; /* [room], owned */
    int64_t n, room;
    dc_km_far_row last; /* rows outside come after it */
    int64_t next_row;   /* the pool is being filled, and this row is the next; -1: it is filled */
    int64_t *moved;     /* [K] clusters whose centres have moved, owned */
} dc_km_far;

typedef struct {
    const dc_kmeans_config *cfg;
    dc_km_tiles tiles;
    int64_t K, d, R;
    double squares;        /* sum over all rows of |x - shift|^2 */
    double rounded;        /* what the rounding of an inertia is a share of: these, or for sparse rows sum |x|^2 */
    double tol;            /* limit on the squared shift of the centres of one restart */
    float *centers;        /* [R x K x d] by slot, in the coordinates of the rows */
    float *next;           /* [K x d] those of a slot whose empty clusters look for rows */
    dc_km_centers images;  /* images of the centres of one pass */
    dc_km_slot *slots;     /* [R] */
    int64_t active;        /* if a first part of them has done an iteration more, the others take their turns */
    int64_t pass_doubles;  /* most doubles in one reduction */
    int64_t per_pass;      /* restarts in one reduction */
    int64_t piece;         /* clusters summed together, if not all of a restart are, else 0 */
    dc_sum *sum;           /* [per_pass*K*(d+1)] or [piece*d]; NULL for sparse rows */
    dc_csr_sum *by_column; /* for sparse rows, per_pass*K sums; NULL for others */
    dc_km_labels labels;   /* for sparse rows or pieces, of a pass */
    double *turned;        /* [K x d] for sparse rows, the sums of a restart */
    double *total;         /* [per_pass*K*(d+1)], at least [d] */
    dc_km_stay *stay;      /* [R] by restart; NULL: not kept */
    dc_km_stay **stays;    /* [R] those of a pass */
    dc_sum *sum_assign;    /* [1 + K] */
    double *total_assign;  /* [1 + K] */
    float *distance;       /* [n] distance of every row to its nearest centre; used to re-seed empty clusters */
    dc_km_far far;
    int64_t reseeded;
    dc_km_watch watch;
} dc_km_restarts;
/* Sums [K x d] and counts [K] of the clusters of restart g of the last pass over `groups` restarts; valid until the
 * next call. */
typedef struct {
    const double *sum, *count;
} dc_km_sums;
dc_km_sums dc_km_sums_of(const dc_km_restarts *a, int64_t groups, int64_t g);
/* Centres [K x d] of slot s. */
float *dc_km_slot_centers(const dc_km_restarts *a, int64_t s);
/* Puts the sums and counts of slots [s, s + groups) into a->total. Collective. Errors: those of dc_km_poll. */
DC_CHECKED dc_status dc_km_lloyd_pass(dc_comm *comm, dc_km_restarts *a, int64_t s, int64_t groups);
/* A sum over all rows, a part of them at a time. m, what, errors: as in dc_km_in_parts. Collective. */
typedef struct {
    dc_sum *sum;
    dc_block_kernel kernel;
    void *ctx;
} dc_km_summing;
DC_CHECKED dc_status dc_km_sum_in_parts(dc_comm *comm, dc_km_restarts *a, int64_t m, const char *what, dc_km_summing s,
                                        double *total);
/* Finds the nearest of the centres [K x d] for every row; puts inertia and sizes into a->total_assign. what: for the
 * log; label, distance: as in dc_km_assign. Collective. Errors: those of dc_km_poll. */
DC_CHECKED dc_status dc_km_assign_pass(dc_comm *comm, dc_km_restarts *a, const float *centers, const char *what,
                                       int32_t *label, float *distance);
/* For each empty cluster of a restart, one after the other: moves its centre to the row that is then farthest from its
 * nearest centre (kmeans_reseed.c). *moved: how many; the rest stay if all rows lie on centres. a->distance holds the
 * distances of the rows to the centres [K x d]; counts[K]: sizes. Collective. Errors: those of dc_km_poll. */
DC_CHECKED dc_status dc_km_reseed(dc_comm *comm, dc_km_restarts *a, float *centers, const double *counts,
                                  int64_t *moved);
/* Inertia of one restart: sum |x|^2 - 2 sum c.S + sum n |c|^2, all relative to the shift. */
double dc_km_inertia(const dc_km_restarts *a, const float *centers, const dc_km_sums *sums);
/* Makes room for `restarts` restarts in one reduction, or for as many as fit. Local. */
DC_CHECKED dc_status dc_km_make_pass(dc_km_restarts *a, int64_t restarts);
/* The collective form of dc_km_make_pass(). */
DC_CHECKED dc_status dc_km_resize_pass(dc_comm *comm, dc_km_restarts *a, int64_t restarts);
/* Makes restarts of a checkpoint active again if they ended only because cfg->max_iter was lower then. */
void dc_km_wake(dc_km_restarts *a);
/* Iterates all restarts until they are finished, then ends the phase. Collective. Errors: those of state.h. */
DC_CHECKED dc_status dc_km_iterate_all(dc_comm *comm, dc_km_restarts *a);

#endif
