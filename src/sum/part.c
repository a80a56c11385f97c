/* Assigns rows to shards and shards to ranks: pure integer arithmetic.
 *
 * Shard s has floor(N/V) rows, and one more if bitrev(s) < N mod V: this spreads the longer shards evenly, so that any
 * rank's contiguous range of shards has nearly its fair share of rows. The first row of a shard is found by counting,
 * bit by bit, the longer shards before it. */
#include "dcmpi/part.h"

unsigned dc_bitrev(unsigned s, int V)
{
    unsigned reversed = 0;
    for (unsigned bit = 1; bit < (unsigned)V; bit <<= 1) {
        reversed = (reversed << 1) | (s & 1);
        s >>= 1;
    }
    return reversed;
}

/* Number of shards t < s with bitrev(t) < r. The shards below s form aligned ranges, one for each bit that is set in s.
 * In a range, the bits above that bit are those of s, that bit is 0, and the lower bits are free. The reversed numbers
 * of such a range of 2^b shards are c, c + V/2^b, c + 2V/2^b, ..., where c < V/2^b is the reversed upper bits. */
static int64_t long_shards_before(int s, int64_t r, int V)
{
    if (s == V) return r;
    int64_t count = 0;
    for (int size = 1; size < V; size <<= 1) {
        if (!(s & size)) continue;
        const unsigned first = (unsigned)s & ~(unsigned)(2 * size - 1);
        const int64_t c = dc_bitrev(first, V), stride = V / size;
        if (r > c) count += (r - c + stride - 1) / stride;
    }
    return count;
}

dc_gidx dc_part_shard_begin(const dc_part *part, int s)
{
    const int V = part->V;
    return s * (part->N / V) + long_shards_before(s, part->N % V, V);
}

int dc_part_rank_shard(const dc_part *part, int r)
{
    return (int)((int64_t)r * part->V / part->P);
}

dc_gidx dc_part_rank_begin(const dc_part *part, int r)
{
    return dc_part_shard_begin(part, dc_part_rank_shard(part, r));
}

int64_t dc_part_rank_rows(const dc_part *part, int r)
{
    return dc_part_rank_begin(part, r + 1) - dc_part_rank_begin(part, r);
}

int dc_part_owner(const dc_part *part, const dc_gidx *begin, dc_gidx row)
{
    int lo = 0, hi = part->P - 1;
    while (lo < hi) {
        const int middle = lo + (hi - lo + 1) / 2;
        if (begin[middle] <= row)
            lo = middle;
        else
            hi = middle - 1;
    }
    return lo;
}

static int64_t blocks_of(int64_t rows)
{
    return (rows + DC_BLOCK_ROWS - 1) / DC_BLOCK_ROWS;
}

/* Number of blocks in this rank's shards [shard_lo, s); each shard has one of two lengths. */
static int64_t blocks_before(const dc_part *part, int s)
{
    const int64_t length = part->N / part->V, shards = s - part->shard_lo;
    const int64_t longer = dc_part_shard_begin(part, s) - part->row_lo - shards * length;
    return longer * blocks_of(length + 1) + (shards - longer) * blocks_of(length);
}

dc_status dc_part_init(dc_part *part, dc_gidx N, int V, int P, int rank)
{
    DC_ASSERT(N >= 0 && P >= 1 && rank >= 0 && rank < P);
    if (V < 1 || V > DC_MAX_SHARDS || (V & (V - 1)))
        return DC_FAIL(DC_ERR_USAGE, "parallel.shards=%d is not a power of two between 1 and %d", V, DC_MAX_SHARDS);
    if (P > V)
        return DC_FAIL(DC_ERR_USAGE,
                       "%d ranks but parallel.shards=%d: start at most %d ranks or raise parallel.shards "
                       "(which changes the results in their last digits)",
                       P, V, V);
    *part = (dc_part){.N = N, .V = V, .P = P, .rank = rank};
    part->shard_lo = dc_part_rank_shard(part, rank);
    part->shard_hi = dc_part_rank_shard(part, rank + 1);
    part->row_lo = dc_part_shard_begin(part, part->shard_lo);
    part->row_hi = dc_part_shard_begin(part, part->shard_hi);
    part->n_blocks = (size_t)blocks_before(part, part->shard_hi);
    return DC_OK;
}

/* Sets the rows of `block`: from local row lo on, but not beyond its shard. */
static void cut_block(const dc_part *part, dc_block *block, int64_t lo)
{
    const int64_t shard_end = dc_part_shard_begin(part, block->shard + 1) - part->row_lo;
    block->lo = lo;
    block->hi = DC_MIN(lo + DC_BLOCK_ROWS, shard_end);
}

bool dc_part_next_block(const dc_part *part, dc_block *block)
{
    const int64_t lo = block->started ? block->hi : 0;
    if (lo >= dc_part_rows(part)) return false;
    if (!block->started)
        block->shard = part->shard_lo;
    else
        block->index++;
    block->started = true;
    cut_block(part, block, lo);
    while (block->lo == block->hi) { /* the shard has no rows left */
        block->shard++;
        cut_block(part, block, lo);
    }
    return true;
}

dc_block dc_part_block(const dc_part *part, size_t index)
{
    DC_ASSERT(index < part->n_blocks);
    int lo = part->shard_lo, hi = part->shard_hi;
    while (hi - lo > 1) { /* blocks_before(lo) <= index < blocks_before(hi) */
        const int middle = lo + (hi - lo) / 2;
        if (blocks_before(part, middle) <= (int64_t)index)
            lo = middle;
        else
            hi = middle;
    }
    dc_block block = {.shard = lo, .index = index, .started = true};
    const int64_t within = (int64_t)index - blocks_before(part, lo);
    cut_block(part, &block, dc_part_shard_begin(part, lo) - part->row_lo + within * DC_BLOCK_ROWS);
    return block;
}

int dc_part_root_size(int s, int end)
{
    int size = s == 0 ? DC_MAX_SHARDS : s & -s;
    while (size > end - s) size >>= 1;
    return size;
}
