/* Which rows a training step takes, as a function of (seed, epoch, N, V, B) alone.
 *
 * Position j of an epoch, 0 <= j < N, is row j div V of shard bitrev(j mod V) in the order of the shard; step t of the
 * epoch takes positions tB .. min((t+1)B, N)-1 and lays its rows out in shard order. This is a bijection between
 * positions and rows: shard s holds floor(N/V) rows and one more if bitrev(s) < N mod V, which are exactly the
 * positions j < N with j mod V = bitrev(s). So every epoch visits every row once, the short last batch is kept, any two
 * shards differ by at most one row in every batch, and consecutive positions jump across the file, so that sorted files
 * are mixed.
 *
 * The order of a shard of at most DC_POOL_ROWS rows is a keyed permutation. A longer one is a ring that is cut, at a
 * place that depends on the epoch, into blocks of DC_SHUFFLE_ROWS rows (the last one may be shorter and stays last);
 * the blocks are permuted, DC_POOL_ROWS rows of successive blocks make a pool, and the rows of each pool are permuted.
 * So every batch takes its rows from V pools, and each pool from places all over its shard, but whoever has the blocks
 * of a pool in memory needs no other row of the shard for a while.
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

/* ---- Order of a shard -------------------------------------------------------------------------------------------- */

typedef struct {
    const dc_batcher *b;
    uint64_t epoch, shard;
    int64_t n;      /* rows of the shard */
    int64_t first;  /* row at which its blocks begin */
    dc_perm blocks; /* of the whole blocks; with one pool it is not used */
    dc_perm rows;   /* of pool `pool` */
    int64_t pool;   /* -1: none yet */
} order;

static order order_of(const dc_batcher *b, int64_t epoch, int shard, int64_t n)
{
    order o = {.b = b, .epoch = (uint64_t)epoch, .shard = (uint64_t)shard, .n = n, .pool = -1};
    uint32_t w[4];
    if (n <= DC_POOL_ROWS) return o;
    dc_rng4(b->seed, DC_STREAM_BLOCKS, o.epoch, o.shard + (UINT64_C(1) << 32), w);
    o.first = (int64_t)(((uint64_t)w[0] << 31 | w[1] >> 1) % (uint64_t)n);
    dc_perm_init(&o.blocks, b->seed, DC_STREAM_BLOCKS, o.epoch, o.shard, (uint64_t)(n / DC_SHUFFLE_ROWS));
    return o;
}

/* Number, within the ring, of the block that comes at place q. */
static int64_t block_at(const order *o, int64_t q)
{
    const bool moves = o->n > DC_POOL_ROWS && q < o->n / DC_SHUFFLE_ROWS;
    return moves ? (int64_t)dc_perm_at(&o->blocks, (uint64_t)q) : q;
}

static void enter_pool(order *o, int64_t pool)
{
    const int64_t n = DC_MIN((int64_t)DC_POOL_ROWS, o->n - pool * DC_POOL_ROWS);
    const uint64_t number = o->n > DC_POOL_ROWS ? (uint64_t)pool + 1 : 0;
    dc_perm_init(&o->rows, o->b->seed, DC_STREAM_SHUFFLE, o->epoch, o->shard + (number << 32), (uint64_t)n);
    o->pool = pool;
}

/* Row i in the order of the shard. */
static int64_t row_at(order *o, int64_t i)
{
    const int64_t pool = i / DC_POOL_ROWS;
    if (pool != o->pool) enter_pool(o, pool);
    const int64_t j = pool * DC_POOL_ROWS + (int64_t)dc_perm_at(&o->rows, (uint64_t)(i % DC_POOL_ROWS));
    const int64_t at = o->first + block_at(o, j / DC_SHUFFLE_ROWS) * DC_SHUFFLE_ROWS + j % DC_SHUFFLE_ROWS;
    return at < o->n ? at : at - o->n;
}

/* ---- Batches ----------------------------------------------------------------------------------------------------- */

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

int64_t dc_batcher_reach(const dc_batcher *b, int64_t tile)
{
    /* Whole batches that begin at the same position modulo V have the same counts. */
    const int64_t last = b->steps_per_epoch - 1, whole = DC_MIN(last, (int64_t)b->part->V);
    int64_t most = 0;
    for (int64_t i = 0; i <= whole; i++) {
        const int64_t step = i < whole ? i : last, below = dc_batcher_offset(b, step, b->part->rank);
        most = DC_MAX(most, below % tile + dc_batcher_offset(b, step, b->part->rank + 1) - below);
    }
    return most;
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
            order o = order_of(b, epoch, s, shard_rows);
            for (int64_t i = first; i < last; i++) rows[count++] = shard_row + row_at(&o, i);
        }
        shard_row += shard_rows;
    }
    *n = count;
    *n_global = hi - lo;
    if (offset) *offset = positions_below(part, lo, hi, part->shard_lo);
}

/* ---- Reading ahead ----------------------------------------------------------------------------------------------- */

typedef struct {
    dc_rows_expect *call;
    const void *ctx;
    int64_t shard_row; /* first local row of the shard */
} expectation;

/* The rows of the block at place q, which may lie on both sides of the end of the shard. */
static void expect_block(const order *o, int64_t q, const expectation *e)
{
    const int64_t in_ring = block_at(o, q) * DC_SHUFFLE_ROWS, n = DC_MIN((int64_t)DC_SHUFFLE_ROWS, o->n - in_ring);
    const int64_t lo = (o->first + in_ring) % o->n, before_end = DC_MIN(n, o->n - lo);
    e->call(e->ctx, e->shard_row + lo, before_end);
    if (before_end < n) e->call(e->ctx, e->shard_row, n - before_end);
}

/* Blocks that begin before place i. */
static int64_t blocks_before(int64_t i)
{
    return (i + DC_SHUFFLE_ROWS - 1) / DC_SHUFFLE_ROWS;
}

/* The blocks at places [from, to), counted on into the next epoch. */
static void expect_blocks(const order *now, const order *next, int64_t from, int64_t to, const expectation *e)
{
    const int64_t blocks = blocks_before(now->n);
    for (int64_t q = from; q < to; q++)
        if (q < blocks)
            expect_block(now, q, e);
        else
            expect_block(next, q - blocks, e);
}

void dc_batcher_ahead(const dc_batcher *b, int64_t step, bool all, dc_rows_expect *expect, const void *ctx)
{
    enum { POOL_BLOCKS = DC_POOL_ROWS / DC_SHUFFLE_ROWS };
    const dc_part *part = b->part;
    const int64_t epoch = step / b->steps_per_epoch;
    const int64_t lo = step % b->steps_per_epoch * b->B, hi = DC_MIN(lo + b->B, part->N);
    expectation e = {expect, ctx, 0};
    for (int s = part->shard_lo; s < part->shard_hi; s++) {
        const int64_t u = dc_bitrev((unsigned)s, part->V), n = count_congruent(part->N, u, part->V);
        const int64_t first = count_congruent(lo, u, part->V), last = count_congruent(hi, u, part->V);
        /* Blocks that begin among the places of this step stand for those that come a pool later. */
        const int64_t ahead = DC_MIN(blocks_before(n), (int64_t)POOL_BLOCKS);
        int64_t from = blocks_before(first) + ahead;
        const int64_t to = blocks_before(last) + ahead;
        if (all) from = first / DC_POOL_ROWS * POOL_BLOCKS;
        if (n > 0 && from < to) {
            const order now = order_of(b, epoch, s, n), next = order_of(b, epoch + 1, s, n);
            expect_blocks(&now, &next, from, to, &e);
        }
        e.shard_row += n;
    }
}
