/* Private to sum/csr_sum*.c. */
#ifndef DCMPI_CSR_SUM_PRIV_H
#define DCMPI_CSR_SUM_PRIV_H

#include "dcmpi/csr_sum.h"
#include "dcmpi/shard_tree.h"

/* A block of rows as a leaf of the tree. In the perfect binary tree over all keys, the blocks of a shard form a
 * subtree, added as in sum.h, and the shards are as there. */
typedef struct {
    int64_t lo, hi; /* local rows */
    int64_t key;    /* shard * 2^block_bits + number of the block within its shard */
} dc_csr_leaf;

struct dc_csr_sum {
    const dc_part *part;
    dc_csc columns; /* this rank's rows */
    size_t m;
    int threads, depth;
    int block_bits;
    dc_csr_leaf *leaf; /* [part->n_blocks] */
    double *stack;     /* [threads x depth x m] partial sums of a column */
    int *root_of;      /* [P+1] roots [root_of[r], root_of[r+1]) are those of rank r */
    dc_subtree *root;  /* the roots of all ranks, in shard order */
    /* Only with several ranks: */
    double *partial;                 /* [own roots x D x m] */
    double *packed, *received;       /* the same, slice by slice; [roots of all ranks x own slice x m] */
    double **sum;                    /* [roots of all ranks] */
    size_t *send_bytes, *recv_bytes; /* [P] */
};

/* Levels of a perfect binary tree below which keys a < b differ. */
static inline int dc_csr_joint(int64_t a, int64_t b)
{
    return 64 - __builtin_clzll((unsigned long long)(a ^ b));
}

/* out[D x m] = the sums over the rows of shards [root->first, root->first + root->size). */
void dc_csr_sum_root(const dc_csr_sum *s, const dc_subtree *root, size_t m, dc_csr_add add, const void *ctx,
                     double *out);
/* a[n] += b[n]. */
void dc_csr_sum_join(double *a, const double *b, size_t n);
int dc_csr_sum_threads(void);

#endif
