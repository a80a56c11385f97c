/* Private to outer_tree*.c. */
#ifndef DCMPI_OUTER_TREE_H
#define DCMPI_OUTER_TREE_H

#include "dcmpi/shard_tree.h"
#include "outer_priv.h"

/* Size of a tile of a product. */
enum { DC_TREE_ROWS = 128, DC_TREE_COLUMNS = 512 };

/* Rows [row, row + rows) and columns [column, column + columns) of an item's product. If rows is 0, the columns are
 * those of its bias. */
typedef struct {
    int item;
    int64_t row, rows, column, columns;
    size_t start; /* where the item starts in a root's vector (with one rank: in the gradient) */
} dc_tree_tile;

typedef struct {
    int *root_of;       /* [P+1] roots [root_of[r], root_of[r+1]) are those of rank r */
    dc_subtree *root;   /* the roots of all ranks, in shard order */
    dc_tree_tile *tile; /* [n_tiles] */
    int64_t n_tiles;
    size_t floats; /* number of floats of all items */
    int threads;
    float *scratch; /* [threads x scratch_floats] partial tiles, then patches */
    size_t scratch_floats, tile_floats;
    /* Only with several ranks: */
    float *partial;                  /* [own roots x floats] */
    float *packed, *received;        /* [own roots x floats], [roots of all ranks x own floats] */
    size_t *send_bytes, *recv_bytes; /* [P] */
    dc_subtree *stack;               /* [roots of all ranks] */
} dc_outer_tree;

/* Images whose patches are formed at once. */
static inline int64_t dc_tree_images(const dc_window *w)
{
    enum { PLACES = 512 };
    return DC_MAX(PLACES / dc_window_places(w), (int64_t)1);
}

/* outer_tree_kern.c */
int dc_outer_tree_threads(void);
/* Writes the sums at this rank's roots to `partial` of the tree; with one rank, to the gradient. */
void dc_outer_tree_partials(dc_outer *o, const dc_subtree *root, int n_roots);

#endif
