/* Sums over all N rows that have the same bits for every number of ranks and threads.
 *
 * A kernel makes one partial vector of m doubles per block of rows (part.h), in a fixed order inside the block. The
 * partials of a shard are added by a fixed binary tree over the shard's blocks (a binary counter), the V shard sums by
 * the perfect binary tree over the shards. A rank's shards are a union of aligned subtrees; only their roots travel. */
#ifndef DCMPI_SUM_H
#define DCMPI_SUM_H

#include "dcmpi/comm.h"
#include "dcmpi/part.h"

typedef struct dc_sum dc_sum;

/* An accumulator of m doubles; `part` is borrowed and must outlive it. All memory is taken here. */
DC_CHECKED dc_status dc_sum_create(dc_sum **out, const dc_part *part, size_t m);
void dc_sum_destroy(dc_sum **sum);
/* Forget everything, m may shrink. */
void dc_sum_reset(dc_sum *sum);
/* Add the partial of the next block. Local; call for this rank's blocks in order, all of them, before the total. */
void dc_sum_push(dc_sum *sum, int shard, const double *leaf);
/* total[m], equal on all ranks. Collective; afterwards the accumulator is empty. */
void dc_sum_total(dc_comm *comm, dc_sum *sum, double *total);

/* Runs `kernel(ctx, block, leaf)` for all blocks of this rank, blocks shared out over the threads, and pushes the leaves
 * in order; leaf[m] comes zeroed. `kernel` must not depend on the thread it runs in. Local. */
typedef void (*dc_block_kernel)(void *ctx, const dc_block *block, int thread, double *leaf);
void dc_sum_blocks(dc_sum *sum, dc_block_kernel kernel, void *ctx);
/* The two together. Collective. */
void dc_sum_over_blocks(dc_comm *comm, dc_sum *sum, dc_block_kernel kernel, void *ctx, double *total);

#endif
