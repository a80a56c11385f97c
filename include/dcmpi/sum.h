/* Sums over all N rows, with the same bits for every number of ranks and threads.
 *
 * A kernel sums each block of rows (part.h) in a fixed order into one partial vector of m doubles. A fixed binary tree
 * over a shard's blocks (a binary counter) adds the shard's partials; a perfect binary tree over the shards adds the V
 * shard sums. A rank's shards form a union of aligned subtrees; only their roots are sent. */
#ifndef DCMPI_SUM_H
#define DCMPI_SUM_H

#include "dcmpi/part.h"

typedef struct dc_comm dc_comm;

typedef struct dc_sum dc_sum;

/* *out: an accumulator of m >= 0 doubles; `part` is borrowed and must outlive it. From here on the number of OpenMP
 * threads must not grow. All memory is allocated here: one leaf per thread and about log2(blocks) + 2*log2(V) vectors.
 * m must be equal on all ranks. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_sum_create(dc_sum **out, const dc_part *part, size_t m);
void dc_sum_destroy(dc_sum **sum);
/* Memory that dc_sum_create() would allocate. */
double dc_sum_bytes(const dc_part *part, size_t m);
/* Bytes that this rank sends to others for one total, counting each byte once. */
double dc_sum_sent_bytes(const dc_sum *sum);
/* Forgets everything that was pushed. */
void dc_sum_reset(dc_sum *sum);
/* Adds the partial of the next block; leaf[m] is copied. Local; call it for all blocks of this rank, in order, before
 * dc_sum_total(). */
void dc_sum_push(dc_sum *sum, int shard, const double *leaf);
/* total[m], equal on all ranks; zeros if N is 0. Collective; afterwards the accumulator is empty. */
void dc_sum_total(dc_comm *comm, dc_sum *sum, double *total);

/* Runs `kernel(ctx, block, thread, leaf)` for all blocks of this rank, distributed over the threads, and pushes the
 * leaves in order; leaf[m] is zero on entry. What a kernel writes must not depend on the thread that runs it; `thread`,
 * 0 <= thread < omp_get_max_threads() at creation, only selects scratch memory. Local. */
typedef void (*dc_block_kernel)(void *ctx, const dc_block *block, int thread, double *leaf);
void dc_sum_blocks(dc_sum *sum, dc_block_kernel kernel, void *ctx);
/* The same for blocks [first, end) of this rank; all must have their turn, in order. */
void dc_sum_some_blocks(dc_sum *sum, size_t first, size_t end, dc_block_kernel kernel, void *ctx);
/* dc_sum_blocks() and dc_sum_total() together. Collective. */
static inline void dc_sum_over_blocks(dc_comm *comm, dc_sum *sum, dc_block_kernel kernel, void *ctx, double *total)
{
    dc_sum_blocks(sum, kernel, ctx);
    dc_sum_total(comm, sum, total);
}

#ifdef DC_HERE
#define dc_sum_total(comm, sum, total) dc_sum_total(DC_HERE(comm), sum, total)
#define dc_sum_over_blocks(comm, sum, kernel, ctx, total) dc_sum_over_blocks(DC_HERE(comm), sum, kernel, ctx, total)
#endif

#endif
