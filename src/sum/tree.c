/* The summation tree behind sum.c: see tree.h. Pairwise summation has an error of O(log n) instead of O(n); Higham,
 * Accuracy and Stability of Numerical Algorithms, 2nd ed., section 4.2. No allocation, no communication. */
#include "tree.h"

#include <string.h>

void dc_tree_init(dc_tree *tree, double *slab, int capacity, size_t m, const dc_tree_rule *rule)
{
    DC_ASSERT(capacity <= DC_TREE_DEPTH_MAX);
    tree->rule = rule;
    tree->slab = slab;
    tree->capacity = capacity;
    tree->m = m;
    tree->depth = 0;
}

void dc_tree_clear(dc_tree *tree)
{
    tree->depth = 0;
}

static double *vector(const dc_tree *tree, int i)
{
    return tree->slab + (size_t)i * tree->m;
}

/* Adds `right` to the i-th vector and returns that; if one of them has no rows, only returns the other. */
static const double *plus(const dc_tree *tree, int i, const double *right)
{
    double *left = vector(tree, i);
    if (tree->node[i].empty) return right;
    if (right == NULL) return left;
    if (tree->rule)
        tree->rule->join(tree->rule->ctx, left, right);
    else
        for (size_t j = 0; j < tree->m; j++) left[j] += right[j];
    return left;
}

static bool is_other_half(const dc_tree_node *left, int64_t first, int64_t size)
{
    return left->size == size && left->first + size == first && left->first % (2 * size) == 0;
}

void dc_tree_append(dc_tree *tree, int64_t first, int64_t size, const double *v)
{
    while (tree->depth > 0 && is_other_half(&tree->node[tree->depth - 1], first, size)) {
        const int i = --tree->depth;
        v = plus(tree, i, v);
        first -= size;
        size *= 2;
    }
    const int top = tree->depth++;
    DC_ASSERT(top < tree->capacity);
    tree->node[top] = (dc_tree_node){.first = first, .size = size, .empty = v == NULL};
    if (v != NULL && v != vector(tree, top) && tree->m > 0) memcpy(vector(tree, top), v, tree->m * sizeof *v);
}

const double *dc_tree_fold(dc_tree *tree)
{
    const double *sum = NULL;
    while (tree->depth > 0) {
        const int i = --tree->depth;
        sum = plus(tree, i, sum);
    }
    return sum;
}

double *dc_tree_pack(const dc_tree *tree, double *out, size_t begin, size_t length)
{
    for (int i = 0; i < tree->depth; i++) {
        if (tree->node[i].empty || length == 0) continue;
        memcpy(out, vector(tree, i) + begin, length * sizeof *out);
        out += length;
    }
    return out;
}

int dc_tree_depth(int64_t lo, int64_t hi)
{
    dc_tree probe;
    int deepest = 0;
    dc_tree_init(&probe, NULL, DC_TREE_DEPTH_MAX, 0, NULL);
    for (int64_t leaf = lo; leaf < hi; leaf++) {
        dc_tree_append(&probe, leaf, 1, NULL);
        deepest = DC_MAX(deepest, probe.depth);
    }
    return deepest;
}
