/* Sums over the rows of a step, over all ranks: gradients that are products A'D of two buffers of rows, or sums of such
 * products, and small vectors of which each shard has a part (losses, gradients of centres). Nothing here knows what
 * the rows are.
 *
 * parallel.reproducible and the batch choose the way, once:
 *   gather     Strict, batches up to parallel.gather_rows. D of the batch goes to all ranks and A to those who need it;
 *              each rank computes its own slice of the gradients as full-depth products on fixed tiles.
 *   tree       Strict, larger batches. One product per shard, padded to ceil(B/V) rows; the products are added by a
 *              fixed binary tree, tile by tile; the sums at the roots of a rank's shards go to the owners of slices,
 *              who finish the tree.
 *   allreduce  Not strict. Each rank has the products of its own rows, one allreduce adds them in the order of the MPI
 *              library.
 * Strict gives the same bits for every number of ranks and threads, and both its ways need less traffic than an
 * allreduce has, with the allgather of the updated values (dc_outer_share). The small vectors are a canonical sum over
 * the shards (sum.h) in all ways.
 *
 * A step: dc_places_set(), the rows of A and D are written, dc_outer_begin(), dc_outer_leaf() for the shards,
 * dc_outer_sync(), an update of what this rank owns, dc_outer_share(). No step allocates memory. */
#ifndef DCMPI_OUTER_H
#define DCMPI_OUTER_H

#include "dcmpi/part.h"

typedef struct dc_comm dc_comm;

typedef enum { DC_OUTER_GATHER, DC_OUTER_TREE, DC_OUTER_ALLREDUCE } dc_outer_way;
/* For batches of B rows over all ranks. */
dc_outer_way dc_outer_choose(bool strict, int64_t gather_rows, int64_t B);
const char *dc_outer_name(dc_outer_way way);

/* ---- Places ------------------------------------------------------------------------------------------------------ */

/* Rows of one shard in a step. */
typedef struct {
    const int64_t *rows; /* [n] local row numbers, n > 0 */
    int64_t n;
    int64_t at; /* place of the first */
    int shard;
} dc_leaf;

/* Where the rows of a step lie in buffers [max_rows x width]: each row at the same place of its tile of DC_ROW_TILE
 * rows whatever the ranks are. Shards follow each other; in the tree each shard has as many places as the longest may
 * need, so gaps follow its rows. Borrowed: part. */
typedef struct {
    const dc_part *part;
    dc_outer_way way;
    int64_t B;            /* rows of the largest batch, over all ranks, */
    int64_t capacity;     /* and on this rank */
    int64_t shard_places; /* of every shard; 0: as many as it has rows in the step */
    int64_t max_rows;     /* of a buffer: whole tiles */
    int max_leaves;
    /* Of this step: */
    int64_t step;        /* its number */
    int64_t n, n_global; /* rows of this rank, of all ranks */
    int64_t *offset;     /* [P+1] rows on the ranks below */
    int64_t pad;         /* places before the first shard */
    int64_t used;        /* places that passes must cover: whole tiles */
    int n_leaves;
    dc_leaf *leaf; /* [n_leaves] the shards with rows, in order */
} dc_places;

/* Batches of at most B rows, `capacity` of them on this rank. Local. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_places_init(dc_places *p, const dc_part *part, dc_outer_way way, int64_t B, int64_t capacity);
void dc_places_release(dc_places *p);
/* The rows of step `step`: local numbers rows[n] in shard order (borrowed until the next call), how many there are in
 * each shard of this rank, shard_rows[shard_hi - shard_lo], and on the ranks below each rank, offset[P+1]. Local. */
void dc_places_set(dc_places *p, int64_t step, const int64_t *rows, const int64_t *shard_rows, const int64_t *offset);
/* Writes zeros into X [max_rows x width] at each place without a row that a product would read. Call it for D of each
 * item in each step, before or after the rows are written. */
void dc_places_clear(const dc_places *p, float *X, int64_t width);

/* ---- Products and sums ------------------------------------------------------------------------------------------- */

/* A'D over the rows of a step. Of the gaps of A and D one has zeros, the other is finite. */
typedef struct {
    const float *A, *D; /* buffers [max_rows x a], [max_rows x d]; borrowed */
    bool bias;          /* its D counts in the bias; the gaps of D are zero */
} dc_outer_pair;

/* grad[at ..) [a x d] = the sum of all pairs; with `bias` the column sums [d] of D behind it, of the pairs that say so.
 * Pairs are added in their order: where a product is formed (all rows, those of a shard, those of a rank) it begins
 * with the first pair, the next one is added to it, and so on. */
enum { DC_OUTER_PAIRS = 8 };
typedef struct {
    int64_t a, d;
    size_t at;
    bool bias;
    int n_pairs; /* 1 or more */
    dc_outer_pair pair[DC_OUTER_PAIRS];
} dc_outer_item;

typedef struct {
    const dc_places *places;   /* borrowed */
    const dc_outer_item *item; /* [n_items] copied; their ranges of grad do not overlap */
    int n_items;
    size_t n_values; /* doubles per leaf */
    float *grad;     /* borrowed */
} dc_outer_config;

typedef struct dc_outer dc_outer;
/* Local; the configuration is equal on all ranks but for the pointers. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_outer_create(dc_outer **out, const dc_outer_config *cfg);
void dc_outer_destroy(dc_outer **o);

/* A step begins. wish: a number of this rank that is summed with the rest (wish.h). */
void dc_outer_begin(dc_outer *o, double wish);
/* values[n_values] of a shard of this rank, in shard order. Shards left out count as zeros. */
void dc_outer_leaf(dc_outer *o, int shard, const double *values);
/* Collective: total[n_values], equal on all ranks; what this rank owns of grad is complete, the rest is undefined.
 * Returns the sum of the wishes. */
double dc_outer_sync(dc_comm *comm, dc_outer *o, double *total);
/* Seconds of the last sync that were products of this rank, not messages. */
double dc_outer_product_s(const dc_outer *o);

/* What a step of the largest batch costs this rank, known from the shapes. */
typedef struct {
    double sent_bytes;    /* to other ranks by dc_outer_sync() and dc_outer_share(), if no byte travels twice; a ring
                             allreduce sends 2 (P-1)/P of its floats */
    double library_bytes; /* that the MPI library takes for messages on their way */
} dc_outer_costs;
dc_outer_costs dc_outer_costs_of(const dc_outer *o);

/* Sum of the squares of all items of grad, in double, equal on all ranks: each unit that has one owner (a panel of rows
 * of a product, or its bias) is summed in a fixed order, and the units in the order of the items, so that the strict
 * ways give the same bits for every number of ranks and threads. After dc_outer_sync(), which leaves each owner its
 * slice; one message of a double per unit, none with allreduce. Collective. */
double dc_outer_squares(dc_comm *comm, dc_outer *o);
/* The same for x[n], which all ranks have: one unit. Local. */
double dc_squares(const float *x, size_t n);

/* sum[j] = sum_i X[i][j] for X [n x width], rows added in order, with `adds` to what is there; the same bits for every
 * number of threads. */
void dc_column_sums(const float *X, int64_t n, int64_t width, bool adds, float *sum);

/* ---- Who owns what ----------------------------------------------------------------------------------------------- */

/* Slabs are arrays laid out as grad: values, moments of an optimizer. This rank updates floats [*lo, *hi) of an item:
 * a slice with the strict ways, all of it with allreduce. */
void dc_outer_owned(const dc_outer *o, int item, size_t *lo, size_t *hi);
/* Collective: all items of `slab`, each rank having brought what it owns, equal on all ranks. */
void dc_outer_share(dc_comm *comm, const dc_outer *o, float *slab);
/* Collective: floats [first, first + n) of `slab`, brought together from their owners into piece[n] on rank 0; NULL
 * elsewhere. What is no item is left alone. */
void dc_outer_collect(dc_comm *comm, const dc_outer *o, const float *slab, size_t first, size_t n, float *piece);
/* What this rank owns of them, from piece[n] into slab[]; the rest is left alone. Local. */
void dc_outer_take(const dc_outer *o, const float *piece, size_t first, size_t n, float *slab);

#endif
