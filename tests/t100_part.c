/* Row partition against counting by hand: shards, ranks and blocks cover the rows once, in order, for many N, V, P.
 */
#include <stdlib.h>

#include "check.h"
#include "dcmpi/part.h"
#include "ref/comm_ref.h"

static const dc_gidx row_counts[] = {0,    1,    2,    3,    5,     7,     31,     63,     64,     65,      97,
                                     1000, 4095, 4096, 4097, 65537, 70000, 262143, 262144, 262145, 10000019};
static const int shard_counts[] = {1, 2, 4, 8, 64, 256, 1024};

static dc_part part_of(dc_gidx N, int V, int P, int rank)
{
    dc_part part;
    if (dc_part_init(&part, N, V, P, rank) != DC_OK) abort();
    return part;
}

/* Number of shards whose begin or length differs from counting. */
static int wrong_shards(dc_gidx N, int V)
{
    const dc_part part = part_of(N, V, 1, 0);
    int64_t begin = 0;
    int wrong = 0;
    for (int s = 0; s <= V; s++) {
        wrong += dc_part_shard_begin(&part, s) != begin;
        if (s < V) begin += ref_shard_rows(N, V, s);
    }
    return wrong + (begin != N);
}

/* Number of blocks that do not begin where the last one ended, cross a shard, or are empty or short without reason. */
static int wrong_blocks(const dc_part *part)
{
    dc_block block = {0};
    int64_t at = 0;
    size_t count = 0;
    int wrong = 0;
    while (dc_part_next_block(part, &block)) {
        const int64_t begin = dc_part_shard_begin(part, block.shard) - part->row_lo;
        const int64_t end = dc_part_shard_begin(part, block.shard + 1) - part->row_lo;
        const dc_block direct = dc_part_block(part, count);
        wrong += block.index != count || block.lo != at || block.hi <= block.lo || block.lo < begin || block.hi > end;
        wrong += (block.lo - begin) % DC_BLOCK_ROWS != 0;
        wrong += block.hi != end && block.hi - block.lo != DC_BLOCK_ROWS;
        wrong += direct.shard != block.shard || direct.lo != block.lo || direct.hi != block.hi || direct.index != count;
        at = block.hi;
        count++;
    }
    return wrong + (at != dc_part_rows(part)) + (count != part->n_blocks) + dc_part_next_block(part, &block);
}

/* The ranks' shards and rows follow each other, every block is right, no rank has over one shard more than its share.
 */
static int wrong_ranks(dc_gidx N, int V, int P)
{
    int shard = 0, wrong = 0;
    dc_gidx row = 0;
    for (int r = 0; r < P; r++) {
        const dc_part part = part_of(N, V, P, r);
        const int shards = part.shard_hi - part.shard_lo;
        wrong += part.shard_lo != shard || part.row_lo != row || shards < V / P || shards > (V + P - 1) / P;
        wrong += part.row_lo != dc_part_shard_begin(&part, shard) || part.shard_hi != dc_part_rank_shard(&part, r + 1);
        wrong += wrong_blocks(&part);
        shard = part.shard_hi;
        row = part.row_hi;
    }
    return wrong + (shard != V) + (row != N);
}

static void check_all_partitions(void)
{
    int shards = 0, ranks = 0;
    for (size_t i = 0; i < DC_COUNT_OF(row_counts); i++) {
        for (size_t j = 0; j < DC_COUNT_OF(shard_counts); j++) {
            const dc_gidx N = row_counts[i];
            const int V = shard_counts[j];
            shards += wrong_shards(N, V);
            for (int P = 1; P <= V && P <= 70; P++) {
                const int wrong = wrong_ranks(N, V, P);
                if (wrong && !ranks) printf("# first wrong: N=%lld V=%d P=%d\n", (long long)N, V, P);
                ranks += wrong;
            }
        }
    }
    CHECK_INT(shards, 0);
    CHECK_INT(ranks, 0);
}

static void check_bitrev(void)
{
    int wrong = 0;
    for (int V = 1; V <= 4096; V *= 2)
        for (unsigned s = 0; s < (unsigned)V; s++)
            wrong += dc_bitrev(dc_bitrev(s, V), V) != s || dc_bitrev(s, V) >= (unsigned)V;
    CHECK_INT(wrong, 0);
    CHECK_INT(dc_bitrev(1, 64), 32);
    CHECK_INT(dc_bitrev(6, 8), 3);
    CHECK_INT(dc_bitrev(0, 1), 0);
}

/* Rows beyond 2^31 and 2^40: no rows are made, only counted. */
static void check_huge(void)
{
    const dc_gidx N = ((dc_gidx)1 << 40) + 12345;
    dc_gidx row = 0;
    for (int r = 0; r < 1000; r++) {
        const dc_part part = part_of(N, DC_MAX_SHARDS, 1000, r);
        if (part.row_lo != row) CHECK_INT(part.row_lo, row);
        row = part.row_hi;
    }
    CHECK_INT(row, N);
    const dc_part part = part_of(N, 1, 1, 0);
    CHECK_INT(part.n_blocks, (N + DC_BLOCK_ROWS - 1) / DC_BLOCK_ROWS);
    CHECK_INT(dc_part_block(&part, part.n_blocks - 1).hi, N);
}

static void check_refusals(void)
{
    dc_part part;
    const int bad[] = {0, -1, 3, 63, 65, 2 * DC_MAX_SHARDS};
    for (size_t i = 0; i < DC_COUNT_OF(bad); i++) {
        dc_error_clear();
        CHECK_STATUS(dc_part_init(&part, 100, bad[i], 1, 0), DC_ERR_USAGE);
        CHECK_TEXT_HAS(dc_error_text(), "parallel.shards");
    }
    dc_error_clear();
    CHECK_STATUS(dc_part_init(&part, 100, 4, 5, 0), DC_ERR_USAGE);
    CHECK_TEXT_HAS(dc_error_text(), "5 ranks but parallel.shards=4");
    dc_error_clear();
}

int main(void)
{
    check_all_partitions();
    check_bitrev();
    check_huge();
    check_refusals();
    return check_done();
}
