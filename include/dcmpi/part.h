/* Who owns which rows. Rows are cut into V contiguous virtual shards; shard s holds floor(N/V) rows, one more if
 * bitrev(s) < N mod V. A rank owns whole contiguous shards. Shards, blocks and batches depend on N and V alone, never
 * on the number of ranks: that is what makes results independent of it (README, "The same result on any number of
 * ranks").
 *
 * A block is at most DC_BLOCK_ROWS consecutive rows and starts anew at each shard; all sums over N rows are sums over
 * blocks (sum.h). No communication here. */
#ifndef DCMPI_PART_H
#define DCMPI_PART_H

#include "dcmpi/base.h"

enum { DC_BLOCK_ROWS = 4096, DC_MAX_SHARDS = 1 << 20 };

typedef struct {
    dc_gidx N;         /* rows over all ranks */
    int V;             /* virtual shards, a power of two */
    int P, rank;
    int shard_lo, shard_hi; /* this rank's shards [lo, hi) */
    dc_gidx row_lo, row_hi; /* this rank's rows [lo, hi) */
    size_t n_blocks;        /* blocks of this rank's rows */
} dc_part;

/* Errors: DC_ERR_USAGE if V is no power of two or P > V (names parallel.shards). No memory is held. */
DC_CHECKED dc_status dc_part_init(dc_part *part, dc_gidx N, int V, int P, int rank);
static inline int64_t dc_part_rows(const dc_part *part) { return part->row_hi - part->row_lo; }
/* First global row of shard s, 0 <= s <= V (V gives N). O(log V). */
dc_gidx dc_part_shard_begin(const dc_part *part, int s);
/* Shards of rank r are [dc_part_rank_shard(r), dc_part_rank_shard(r+1)). */
int dc_part_rank_shard(const dc_part *part, int r);
unsigned dc_bitrev(unsigned s, int V);

/* Block b of this rank, 0 <= b < n_blocks: local rows [lo, hi) (0 is row_lo). Iterate in order; O(1) amortised through
 * the cursor: start with {0} and call until it returns false. */
typedef struct {
    int shard;     /* shard of the current block */
    int64_t lo, hi; /* local rows of the current block */
    size_t index;  /* number of the current block within this rank */
    bool started;
} dc_block;
bool dc_part_next_block(const dc_part *part, dc_block *block);

#endif
