/* Which rows a training step takes, as a function of (seed, epoch, N, V, B) alone.
 *
 * Position j of an epoch, 0 <= j < N, is row j div V of the keyed permutation of shard bitrev(j mod V); step t of the
 * epoch takes positions tB .. min((t+1)B, N)-1 and lays its rows out in shard order. This is a bijection between
 * positions and rows: shard s holds floor(N/V) rows and one more if bitrev(s) < N mod V, which are exactly the
 * positions j < N with j mod V = bitrev(s). So every epoch visits every row once, the short last batch is kept, any two
 * shards differ by at most one row in every batch, and consecutive positions jump across the file, so that sorted files
 * are mixed.
 *
 * Nothing here knows the number of ranks: a rank computes the part of each batch that lies in its own shards. */
#include "dcmpi/data.h"
#include "dcmpi/rng.h"

/* How many i >= 0 have i*m + u < end, for 0 <= u < m. */
static int64_t count_congruent(int64_t end, int64_t u, int64_t m)
{
    return end > u ? (end - u - 1) / m + 1 : 0;
}

/* How many positions in [lo, hi) have a shard below S. The positions of an aligned block of 2^k shards are one residue
 * class modulo V/2^k, because the shards share their upper bits, which bit reversal turns into the lower ones. Takes
 * O(log V). */
static int64_t positions_below(const dc_part *part, int64_t lo, int64_t hi, int S)
{
    int64_t count = 0;
    int first = 0;
    for (int size = part->V; size > 0; size /= 2) {
        if (size > S - first) continue;
        const int classes = part->V / size;
        const int64_t u = dc_bitrev((unsigned)(first / size), classes);
        count += count_congruent(hi, u, classes) - count_congruent(lo, u, classes);
        first += size;
    }
    return count;
}

dc_status dc_batcher_init(dc_batcher *b, const dc_part *part, uint64_t seed, int64_t B)
{
    if (part->N < 1) return DC_FAIL(DC_ERR_DATA, "no rows to take batches from");
    if (B < 1) return DC_FAIL(DC_ERR_USAGE, "a batch of %lld rows; at least 1 is needed", (long long)B);
    b->part = part;
    b->seed = seed;
    b->B = DC_MIN(B, part->N);
    b->steps_per_epoch = (part->N - 1) / b->B + 1;
    const int64_t own_shards = part->shard_hi - part->shard_lo, per_shard = (b->B - 1) / part->V + 1;
    b->capacity = DC_MIN(DC_MIN(own_shards * per_shard, b->B), dc_part_rows(part));
    return DC_OK;
}

int64_t dc_batcher_offset(const dc_batcher *b, int64_t step, int rank)
{
    const int64_t lo = step % b->steps_per_epoch * b->B, hi = DC_MIN(lo + b->B, b->part->N);
    return positions_below(b->part, lo, hi, dc_part_rank_shard(b->part, rank));
}

int64_t dc_batcher_shard_rows(const dc_batcher *b, int64_t step, int shard)
{
    const dc_part *part = b->part;
    const int64_t lo = step % b->steps_per_epoch * b->B, hi = DC_MIN(lo + b->B, part->N);
    const int64_t u = dc_bitrev((unsigned)shard, part->V);
    return count_congruent(hi, u, part->V) - count_congruent(lo, u, part->V);
}

void dc_batcher_step(const dc_batcher *b, int64_t step, int64_t *rows, int64_t *n, int64_t *n_global, int64_t *offset)
{
    const dc_part *part = b->part;
    const int64_t epoch = step / b->steps_per_epoch;
    const int64_t lo = step % b->steps_per_epoch * b->B, hi = DC_MIN(lo + b->B, part->N);
    int64_t shard_row = 0, count = 0;
    for (int s = part->shard_lo; s < part->shard_hi; s++) {
        const int64_t u = dc_bitrev((unsigned)s, part->V);
        const int64_t shard_rows = count_congruent(part->N, u, part->V);
        const int64_t first = count_congruent(lo, u, part->V), last = count_congruent(hi, u, part->V);
        if (last > first) {
            dc_perm perm;
            dc_perm_init(&perm, b->seed, DC_STREAM_SHUFFLE, (uint64_t)epoch, (uint64_t)s, (uint64_t)shard_rows);
            for (int64_t i = first; i < last; i++) rows[count++] = shard_row + (int64_t)dc_perm_at(&perm, (uint64_t)i);
        }
        shard_row += shard_rows;
    }
    *n = count;
    *n_global = hi - lo;
    if (offset) *offset = positions_below(part, lo, hi, part->shard_lo);
}
