/* The parallel loop over blocks of rows: each idle thread takes the next block. Partial sums are passed on in block
 * order, so that the tree sees the same leaves in the same order for every number of threads. */
#include <omp.h>
#include <string.h>

#include "sum_priv.h"

void dc_sum_some_blocks(dc_sum *sum, size_t first, size_t end, dc_block_kernel kernel, void *ctx)
{
#pragma omp parallel for ordered schedule(dynamic, 1) num_threads(sum->threads) if (end > first + 1)
    for (int64_t b = (int64_t)first; b < (int64_t)end; b++) {
        const int thread = omp_get_thread_num();
        const dc_block block = dc_part_block(sum->part, (size_t)b);
        double *leaf = sum->leaves + (size_t)thread * sum->leaf_stride;
        memset(leaf, 0, sum->m * sizeof *leaf);
        kernel(ctx, &block, thread, leaf);
#pragma omp ordered
        dc_sum_push(sum, block.shard, leaf);
    }
}

void dc_sum_blocks(dc_sum *sum, dc_block_kernel kernel, void *ctx)
{
    dc_sum_some_blocks(sum, 0, sum->part->n_blocks, kernel, ctx);
}
