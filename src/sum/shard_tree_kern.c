/* Sums over shards by a binary tree. The error of a sum of V terms grows with log V instead of V (pairwise summation;
 * Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 4.2), and any rank may add up any aligned
 * part of the tree. Two levels are added in one pass over memory. */
#include "dcmpi/shard_tree.h"

#include "dcmpi/part.h"

int dc_tree_roots(int lo, int hi, dc_subtree *out)
{
    int count = 0;
    for (int s = lo, size; s < hi; s += size) {
        size = dc_part_root_size(s, hi);
        if (out) out[count] = (dc_subtree){.first = s, .size = size};
        count++;
    }
    return count;
}

/* How many subtrees of a tree with `size` leaves are added at once: 4 (two levels), or 2 if there is only one level. */
static int fan_in(int size)
{
    return DC_MIN(size, 4);
}

int dc_tree_scratch(int size)
{
    return size == 1 ? 1 : fan_in(size) - 1 + dc_tree_scratch(size / fan_in(size));
}

/* x[0 .. n) = (x0 + x1) + (x2 + x3), or x0 + x1, where x0, x1, ... are consecutive arrays of n floats in x. */
static void add_parts(int parts, int64_t n, float *x)
{
    const float *x1 = x + n, *x2 = x1 + n, *x3 = x2 + n;
    if (parts == 2) {
#pragma omp simd
        for (int64_t i = 0; i < n; i++) x[i] += x1[i];
    } else {
#pragma omp simd
        for (int64_t i = 0; i < n; i++) x[i] = (x[i] + x1[i]) + (x2[i] + x3[i]);
    }
}

void dc_tree_sum(dc_tree_leaf leaf, const void *ctx, int64_t n, int first, int size, float *scratch)
{
    if (size == 1) {
        leaf(ctx, first, scratch);
        return;
    }
    const int parts = fan_in(size), part = size / parts;
    for (int p = 0; p < parts; p++) dc_tree_sum(leaf, ctx, n, first + p * part, part, scratch + p * n);
    add_parts(parts, n, scratch);
}

/* a += b. */
static void add(float *a, const float *b, size_t n)
{
    enum { THREAD_FLOATS = 1 << 15 }; /* fewer are not worth waking the threads for */
#pragma omp parallel for simd schedule(static) if (n >= THREAD_FLOATS)
    for (size_t i = 0; i < n; i++) a[i] += b[i];
}

/* The front of the array is a stack of subtrees that wait for their other half. They cover the first shards in order,
 * and each is smaller than the one before it. When the last two have equal size, they are the halves of one subtree and
 * are added. */
const float *dc_tree_finish(dc_subtree *subtree, int count, size_t n)
{
    int depth = 0;
    for (int k = 0; k < count; k++) {
        subtree[depth++] = subtree[k];
        while (depth > 1 && subtree[depth - 2].size == subtree[depth - 1].size) {
            add(subtree[depth - 2].sum, subtree[depth - 1].sum, n);
            subtree[depth - 2].size *= 2;
            depth--;
        }
    }
    DC_ASSERT(depth == 1);
    return subtree[0].sum;
}
