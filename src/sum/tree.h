/* Private to sum/: a binary tree of vector sums, built from left to right on a stack (a binary counter). Instead of a
 * sum, it can be another operation that makes one vector of two.
 *
 * Leaves are numbered. A subtree covers `size` leaves from `first` on; size is a power of two that divides first. Two
 * neighbours that are the halves of an aligned subtree are merged at once, so the order of additions follows from the
 * leaf numbers alone and the stack holds at most 2*log2(leaves) vectors. A subtree without rows has no vector: it
 * counts as an exact zero and costs nothing. */
#ifndef DCMPI_TREE_H
#define DCMPI_TREE_H

#include "dcmpi/base.h"

enum { DC_TREE_DEPTH_MAX = 128 };

typedef struct {
    int64_t first, size;
    bool empty;
} dc_tree_node;

/* Joins right[m] to left[m], for vectors that are not added. */
typedef struct {
    void (*join)(void *ctx, double *left, const double *right);
    void *ctx;
} dc_tree_rule;

typedef struct {
    const dc_tree_rule *rule; /* NULL: addition; borrowed */
    dc_tree_node node[DC_TREE_DEPTH_MAX];
    int depth, capacity; /* vectors in use, vectors in the slab */
    size_t m;            /* length of a vector */
    double *slab;        /* [capacity*m], borrowed; vector i belongs to node[i] */
} dc_tree;

void dc_tree_init(dc_tree *tree, double *slab, int capacity, size_t m, const dc_tree_rule *rule);
void dc_tree_clear(dc_tree *tree);
/* Appends the subtree of `size` leaves from `first` on, to the right of all others. v[m] is copied; NULL: no rows. */
void dc_tree_append(dc_tree *tree, int64_t first, int64_t size, const double *v);
/* Adds up what is left on the stack, from the right; the sum (NULL if there are no rows) is valid until the next call.
 * The stack is empty afterwards. */
const double *dc_tree_fold(dc_tree *tree);
/* Copies values [begin, begin+length) of each vector on the stack to `out`, leaving out subtrees without rows; returns
 * the end of what it wrote. */
double *dc_tree_pack(const dc_tree *tree, double *out, size_t begin, size_t length);
/* Number of vectors that the stack needs if leaves [lo, hi) are appended one by one. */
int dc_tree_depth(int64_t lo, int64_t hi);

#endif
