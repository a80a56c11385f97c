/* Sums float vectors over shards by a perfect binary tree, so that the bits of the sum do not depend on which rank or
 * thread adds which part. A leaf is the vector of one shard. */
#ifndef DCMPI_SHARD_TREE_H
#define DCMPI_SHARD_TREE_H

#include "dcmpi/base.h"

/* Shards [first, first + size), size a power of two that divides first. */
typedef struct {
    int first, size;
    float *sum; /* borrowed */
} dc_subtree;

/* Splits shards [lo, hi) into the largest possible subtrees, in shard order. Writes each subtree's shards to out unless
 * out is NULL; returns the number of subtrees. */
int dc_tree_roots(int lo, int hi, dc_subtree *out);

/* Writes the leaf of a shard, n floats. */
typedef void (*dc_tree_leaf)(const void *ctx, int shard, float *out);
/* Sum over a subtree into scratch[0 .. n); scratch has n * dc_tree_scratch(size) floats. Called by one thread. */
void dc_tree_sum(dc_tree_leaf leaf, const void *ctx, int64_t n, int first, int size, float *scratch);
int dc_tree_scratch(int size);

/* Sum over all shards, from the sums of subtrees that cover them in shard order. Threaded; overwrites `subtree` and the
 * vectors; returns one of the vectors. */
const float *dc_tree_finish(dc_subtree *subtree, int count, size_t n);

#endif
