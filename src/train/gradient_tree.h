/* Private to gradient_tree*.c. */
#ifndef DCMPI_TRAIN_GRADIENT_TREE_H
#define DCMPI_TRAIN_GRADIENT_TREE_H

#include "dcmpi/shard_tree.h"
#include "gradient_impl.h"

/* Tiles of the weight gradients. */
enum { DC_TREE_ROWS = 128, DC_TREE_COLUMNS = 512 };

/* Rows [row, row + rows) x columns of a weight gradient; rows = 0: of a bias gradient. */
typedef struct {
    int layer;
    int64_t row, rows, column, columns;
    size_t start; /* of the layer in a root's vector; one rank: in the gradient */
} dc_tree_tile;

typedef struct dc_tree_way {
    int *root_of;       /* [P+1] roots [root_of[r], root_of[r+1]) are those of rank r */
    dc_subtree *root;   /* of all ranks, in shard order */
    dc_tree_tile *tile; /* [n_tiles] */
    int64_t n_tiles;
    size_t floats;  /* gradient of all layers */
    float *partial; /* [own roots x floats]; NULL with one rank */
    int threads;
    float *scratch; /* [threads x scratch_floats] */
    size_t scratch_floats;
    dc_subtree *stack; /* [roots of all ranks] */
} dc_tree_way;

/* gradient_tree_kern.c */
int dc_tree_threads(void);
/* The sums at this rank's roots into t->partial, or into the gradient with one rank. */
void dc_tree_way_partials(dc_gradient *g, const dc_subtree *root, int n_roots);

#endif
