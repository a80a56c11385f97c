/* Who owns which rows. Rows are cut into V contiguous virtual shards; shard s holds floor(N/V) rows, and one more if
 * bitrev(s) < N mod V. A rank owns whole contiguous shards. Shards, blocks and batches depend only on N and V, so
 * results do not depend on the number of ranks (README, "The same result on any number of ranks").
 *
 * A block is at most DC_BLOCK_ROWS consecutive rows of one shard. All sums over N rows are sums over blocks (sum.h). No
 * communication here. */
#ifndef DCMPI_PART_H
#define DCMPI_PART_H

#include "dcmpi/base.h"

enum { DC_BLOCK_ROWS = 4096, DC_MAX_SHARDS = 1 << 20 };

typedef struct {
    dc_gidx N; /* rows over all ranks */
    int V;     /* virtual shards, a power of two */
    int P, rank;
    int shard_lo, shard_hi; /* this rank's shards [lo, hi) */
    dc_gidx row_lo, row_hi; /* this rank's rows [lo, hi) */
    size_t n_blocks;        /* blocks of this rank's rows */
} dc_part;

/* Sets *part for rank `rank` of P: N >= 0 rows in V shards. Holds no memory. Errors: DC_ERR_USAGE if V is not a power
 * of two in 1..DC_MAX_SHARDS or P > V; the message names parallel.shards. */
DC_CHECKED dc_status dc_part_init(dc_part *part, dc_gidx N, int V, int P, int rank);
static inline int64_t dc_part_rows(const dc_part *part)
{
    return part->row_hi - part->row_lo;
}
/* First global row of shard s, 0 <= s <= V (V gives N). O(log^2 V). */
dc_gidx dc_part_shard_begin(const dc_part *part, int s);
/* First shard of rank r: floor(r*V/P), 0 <= r <= P. Rank r has shards [dc_part_rank_shard(r), dc_part_rank_shard(r+1)).
 */
int dc_part_rank_shard(const dc_part *part, int r);
/* First global row of rank r, 0 <= r <= P (P gives N). */
dc_gidx dc_part_rank_begin(const dc_part *part, int r);
/* Number of rows of rank r, 0 <= r < P. */
int64_t dc_part_rank_rows(const dc_part *part, int r);
/* Rank that has a row, 0 <= row < N; begin[P + 1]: dc_part_rank_begin() of 0..P, which would be slow for each row. */
int dc_part_owner(const dc_part *part, const dc_gidx *begin, dc_gidx row);
/* The log2(V) bits of s in reverse order, 0 <= s < V. */
unsigned dc_bitrev(unsigned s, int V);
/* Size of the largest aligned subtree of shards that starts at shard s and ends at or before `end`. */
int dc_part_root_size(int s, int end);

/* Block `index` of this rank, 0 <= index < n_blocks; never empty. Local row 0 is global row row_lo. */
typedef struct {
    int shard;      /* shard of the block */
    int64_t lo, hi; /* local rows of the block */
    size_t index;   /* number of the block within this rank */
    bool started;   /* used by dc_part_next_block() */
} dc_block;
/* Goes through all blocks in order: start with {0} and call until it returns false. */
bool dc_part_next_block(const dc_part *part, dc_block *block);
/* Returns a block by its number, for threads that share the blocks. */
dc_block dc_part_block(const dc_part *part, size_t index);

/* Rows for an algorithm that reads them in pieces: `rows` writes local rows [lo, lo+n) as floats [n x d] to out and
 * must be safe to call from several threads. Data of any stored type thus streams through tiles of a few hundred rows.
 * If X is not NULL, it holds the rows [n x d] and `rows` is not called. If csr is not NULL, it holds the same rows, and
 * an algorithm that has a faster way for sparse rows takes it. Everything is borrowed. */
typedef struct {
    const dc_part *part;
    int64_t d;
    void (*rows)(const void *ctx, int64_t lo, int64_t n, float *out);
    const void *ctx;
    const float *X;
    const struct dc_csr *csr;
} dc_rows;

#endif
