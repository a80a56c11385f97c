/* Sums over the rows of a step and over all ranks: gradients that are (sums of) products A'D of two row buffers, and
 * small vectors to which each shard contributes (losses, gradients of centres). This module does not know what the rows
 * mean.
 *
 * parallel.reproducible and the batch size select one way for the whole run:
 *   gather     Strict, batches up to parallel.gather_rows. D of the batch goes to all ranks and A to those who need it;
 *              each rank computes its own slice of the gradients as full-depth products on fixed tiles.
 *   tree       Strict, larger batches. One product per shard, padded to ceil(B/V) rows; the products are added by a
 *              fixed binary tree, tile by tile; the sums at the roots of a rank's shards go to the owners of slices,
 *              who finish the tree.
 *   allreduce  Not strict. Each rank forms the products of its own rows; one allreduce adds them in an order that
 *              the MPI library chooses.
 * Products of patches (window.h) are always formed by the tree, each over the rows that the shard has in the step: to
 * gather the patches of a batch would move many times their gradient.
 *
 * Products with a sparse A run over its values alone: with "gather" the sparse rows of the batch go to all ranks
 * instead of columns of A, with "tree" a shard adds to those rows of the product that its values touch.
 *
 * Strict gives the same bits for every number of ranks and threads. Both strict ways, including the allgather of the
 * updated values (dc_outer_share), need less traffic than an allreduce. With every way, the small vectors are summed
 * over the shards in canonical order (sum.h).
 *
 * A step: dc_places_set(), write the rows of A and D, dc_outer_begin(), dc_outer_leaf() for each shard,
 * dc_outer_sync(), update what this rank owns, dc_outer_share(). No step allocates memory. */
#ifndef DCMPI_OUTER_H
#define DCMPI_OUTER_H

#include "dcmpi/csr.h"
#include "dcmpi/part.h"
#include "dcmpi/window.h"

typedef struct dc_comm dc_comm;

typedef enum { DC_OUTER_GATHER, DC_OUTER_TREE, DC_OUTER_ALLREDUCE } dc_outer_way;
/* The way for batches of B rows over all ranks. */
dc_outer_way dc_outer_choose(bool strict, int64_t gather_rows, int64_t B);

/* ---- Places ------------------------------------------------------------------------------------------------------ */

/* Rows of one shard in a step. */
typedef struct {
    const int64_t *rows; /* [n] local row numbers, n > 0 */
    int64_t n;
    int64_t at; /* place of its first row */
    int shard;
} dc_leaf;

/* Where the rows of a step lie in buffers [max_rows x width]: each row has the same place in its tile of DC_ROW_TILE
 * rows on any number of ranks. Shards follow each other; with the way "tree", each shard gets as many places as the
 * longest shard may need, so gaps may follow its rows. `part` is borrowed. */
typedef struct {
    const dc_part *part;
    dc_outer_way way;
    int64_t B;            /* rows of the largest batch, over all ranks */
    int64_t capacity;     /* the most rows of a batch on this rank */
    int64_t shard_places; /* places of every shard; 0: each shard has as many places as rows */
    int64_t max_rows;     /* of a buffer: whole tiles */
    int max_leaves;
    /* Of this step: */
    int64_t step;        /* its number */
    int64_t n, n_global; /* rows of this rank, of all ranks */
    int64_t *offset;     /* [P+1] for each rank, the rows on all ranks below it */
    int64_t pad;         /* places before the first shard */
    int64_t used;        /* places that passes must cover: whole tiles */
    int n_leaves;
    dc_leaf *leaf; /* [n_leaves] the shards with rows, in order */
} dc_places;

/* For batches of at most B rows, at most `capacity` of them on this rank, and at most `reach` with those of lower ranks
 * in the same tile. Local. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_places_init(dc_places *p, const dc_part *part, dc_outer_way way, int64_t B, int64_t capacity,
                                    int64_t reach);
void dc_places_release(dc_places *p);
/* Sets the rows of step `step`. rows[n]: local row numbers in shard order (borrowed until the next call);
 * shard_rows[shard_hi - shard_lo]: how many of them each shard of this rank has; offset[P+1]: for each rank, how many
 * rows all ranks below it have. Local. */
void dc_places_set(dc_places *p, int64_t step, const int64_t *rows, const int64_t *shard_rows, const int64_t *offset);
/* Writes zeros into X [max_rows x width] at the places that have no row but are read by a product. Call it for D of
 * each item in each step, before or after the rows are written. */
void dc_places_clear(const dc_places *p, float *X, int64_t width);

/* ---- Products and sums ------------------------------------------------------------------------------------------- */

/* A'D over the rows of a step. In gaps, one of A and D must be zero and the other finite. */
typedef struct {
    const float *A, *D; /* buffers [max_rows x a], [max_rows x d]; borrowed */
    bool bias;          /* add the column sums of D to the bias; D must be zero in gaps */
    /* Not NULL: a row of A is an image and one of D has d values for each place of this window; the product is that of
     * all patches with these values. All pairs of an item or none; no rule for gaps. Borrowed. */
    const dc_window *window;
    /* Not NULL: A is sparse, its rows are those at the places [0, used), and those in gaps have no values; `A` is NULL.
     * csr->n and the arrays may change from step to step, D, longest and total may not. All pairs of an item or none,
     * and the same for all items. Borrowed. */
    const dc_csr *csr;
} dc_outer_pair;

/* grad[at ..) [a x d] = the sum of all pairs; with `bias`, the column sums [d] of D follow, summed over the pairs that
 * have `bias`. Each product, whether over all rows, the rows of a shard or those of a rank, adds its pairs in order,
 * starting with the first. */
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
    const dc_outer_item *item; /* [n_items] copied; their ranges in grad must not overlap */
    int n_items;
    size_t n_values; /* doubles per leaf */
    float *grad;     /* borrowed */
} dc_outer_config;

typedef struct dc_outer dc_outer;
/* Local; the configuration must be equal on all ranks except for the pointers. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_outer_create(dc_outer **out, const dc_outer_config *cfg);
void dc_outer_destroy(dc_outer **o);

/* Begins a step. wish: a number of this rank; it is summed over the ranks along with the rest (wish.h). */
void dc_outer_begin(dc_outer *o, double wish);
/* Adds values[n_values] of a shard of this rank; call it in shard order. Omitted shards count as zeros. */
void dc_outer_leaf(dc_outer *o, int shard, const double *values);
/* Collective: sets total[n_values], equal on all ranks, and the part of grad that this rank owns; the rest of grad is
 * undefined. Returns the sum of the wishes. */
double dc_outer_sync(dc_comm *comm, dc_outer *o, double *total);
/* Seconds that this rank spent on products, not messages, in the last sync. */
double dc_outer_product_s(const dc_outer *o);

/* What a step of the largest batch costs this rank, known from the shapes. */
typedef struct {
    double sent_bytes;    /* to other ranks in dc_outer_sync() and dc_outer_share(), counting each byte once; a ring
                             allreduce sends 2 (P-1)/P of its floats */
    double mpi_bytes;     /* memory that the MPI library needs for messages in transit */
    double squares_bytes; /* sent to other ranks in dc_outer_squares() */
} dc_outer_costs;
dc_outer_costs dc_outer_costs_of(const dc_outer *o);

/* Sum of the squares of all items of grad, in double, equal on all ranks. Each unit with one owner (a panel of rows of
 * a product, or its bias) is summed in a fixed order; then the units are added in the order of the items. So the strict
 * ways give the same bits for every number of ranks and threads. Call it after dc_outer_sync(), when each owner has its
 * slice. It sends one double per unit, or nothing with allreduce. Collective. */
double dc_outer_squares(dc_comm *comm, dc_outer *o);
/* The same for x[n], which all ranks hold, as one unit. Local. */
double dc_squares(const float *x, size_t n);

/* sum[j] = sum_i X[i][j] for X [n x width], rows added in order; with `adds`, added to the old sum[j]. The same bits
 * for every number of threads. */
void dc_column_sums(const float *X, int64_t n, int64_t width, bool adds, float *sum);

/* ---- Who owns what ----------------------------------------------------------------------------------------------- */

/* Slabs are arrays with the layout of grad: values, moments of an optimizer. This rank updates floats [*lo, *hi) of an
 * item: a slice with the strict ways, the whole item with allreduce. */
void dc_outer_owned(const dc_outer *o, int item, size_t *lo, size_t *hi);
/* Collective: each rank contributes the parts of all items that it owns; afterwards `slab` is equal on all ranks. */
void dc_outer_share(dc_comm *comm, const dc_outer *o, float *slab);
/* Collective: gathers floats [first, first + n) of `slab` from their owners into piece[n] on rank 0 (NULL on other
 * ranks). Floats outside all items are left alone. */
void dc_outer_collect(dc_comm *comm, const dc_outer *o, const float *slab, size_t first, size_t n, float *piece);
/* Copies those floats of piece[n] that this rank owns into slab[]; the rest is left alone. Local. */
void dc_outer_take(const dc_outer *o, const float *piece, size_t first, size_t n, float *slab);

#endif
