/* Sums over rows: the bits of the recursive twin for every number of ranks and threads, short and long vectors, empty
 * ranks and shards; the error is not larger than that of a plain sum; no allocation after creation. Seed 1.
 * ranks: 1 2 3 5
 * threads: 1 2 */
#include <stdlib.h>

#include "../src/sum/sum_priv.h"
#include "check.h"
#include "ref/comm_ref.h"

enum { COLUMNS_MAX = 100000 };

/* Entry of the matrix that is summed: both signs, magnitudes over 30 binary orders, so that every change in the order
 * of additions shows. SplitMix64 of row and column. */
static double entry(int64_t row, size_t column)
{
    uint64_t z = ((uint64_t)row * COLUMNS_MAX + column + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return ldexp((double)(int64_t)z, -63 - (int)(z % 31));
}

/* Columns repeat after `period`, so that few twins are computed for a long vector. */
typedef struct {
    const dc_part *part;
    size_t m, period;
} table;

static void add_rows(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const table *t = ctx;
    (void)thread;
    for (int64_t i = block->lo; i < block->hi; i++)
        for (size_t c = 0; c < t->m; c++) leaf[c] += entry(t->part->row_lo + i, c % t->period);
}

/* Entries of total[m] whose bits differ from the twin's. */
static int wrong_bits(const double *total, const table *t)
{
    const int64_t N = t->part->N;
    double *column = malloc((size_t)(N + 1) * sizeof *column);
    int wrong = 0;
    for (size_t c = 0; c < DC_MIN(t->m, t->period); c++) {
        for (int64_t i = 0; i < N; i++) column[i] = entry(i, c);
        const double expected = ref_sum(column, N, t->part->V, DC_BLOCK_ROWS);
        for (size_t k = c; k < t->m; k += t->period) wrong += memcmp(&total[k], &expected, sizeof expected) != 0;
    }
    free(column);
    return wrong;
}

/* Sums the same table three times with one accumulator: all must have the bits of the twin. */
static int wrong_sums(dc_comm *comm, dc_gidx N, int V, size_t m, size_t period, size_t gather_limit)
{
    dc_part part;
    dc_sum *sum;
    double *total = malloc((m + 1) * sizeof *total);
    int wrong = 0;
    if (dc_part_init(&part, N, V, dc_comm_size(comm), dc_comm_rank(comm)) != DC_OK) abort();
    if (dc_sum_create_limit(&sum, &part, m, gather_limit, NULL) != DC_OK) abort();
    const uint64_t allocations = dc_mem_alloc_count();
    table t = {&part, m, period};
    for (int round = 0; round < (N > 1000 ? 1 : 3); round++) {
        for (size_t i = 0; i <= m; i++) total[i] = 1234;
        dc_sum_over_blocks(comm, sum, add_rows, &t, total);
        wrong += wrong_bits(total, &t) + (total[m] != 1234.0);
    }
    wrong += dc_mem_alloc_count() != allocations;
    dc_sum_destroy(&sum);
    free(total);
    return wrong;
}

static const size_t whole = SIZE_MAX, sliced = 0;

/* Every small N, so that ranks and shards without rows are met in all places. */
static void check_few_rows(dc_comm *comm)
{
    int wrong = 0;
    for (dc_gidx N = 0; N <= 40; N++)
        for (int V = 8; V <= 64; V *= 2)
            for (size_t m = 1; m <= 8; m += 7)
                wrong += wrong_sums(comm, N, V, m, m, whole) + wrong_sums(comm, N, V, m, m, sliced);
    CHECK_INT(wrong, 0);
}

static void check_many_rows(dc_comm *comm)
{
    CHECK_INT(wrong_sums(comm, 200003, 64, 3, 3, whole), 0);
    CHECK_INT(wrong_sums(comm, 200003, 8, 3, 3, sliced), 0);
    CHECK_INT(wrong_sums(comm, 7 * 4096 * 8, 8, 2, 2, whole), 0);
    CHECK_INT(wrong_sums(comm, 5000, 1024, 4, 4, sliced), 0);
}

/* Created by the public function, whose own limit applies: 1e5 doubles go in slices. No rank sends more than its roots
 * once and its slice of the total once. */
static void check_long_vector(dc_comm *comm)
{
    const uint64_t before = dc_comm_traffic_total(comm).bytes;
    dc_part part;
    dc_sum *sum;
    static double total[COLUMNS_MAX];
    if (dc_part_init(&part, 37, 16, dc_comm_size(comm), dc_comm_rank(comm)) != DC_OK) abort();
    if (dc_sum_create(&sum, &part, COLUMNS_MAX) != DC_OK) abort();
    CHECK(!sum->gathers);
    table t = {&part, COLUMNS_MAX, 97};
    dc_sum_over_blocks(comm, sum, add_rows, &t, total);
    CHECK_INT(wrong_bits(total, &t), 0);
    const size_t P = (size_t)part.P, sent = dc_comm_traffic_total(comm).bytes - before;
    const size_t slice = (COLUMNS_MAX + P - 1) / P * sizeof(double), roots = sum->roots[part.rank];
    CHECK(sent <= (P == 1 ? 0 : (roots * (P - 1) + 1) * slice));
    CHECK(roots <= 2 * 4 && (P != 2 || roots == 1));
    dc_sum_destroy(&sum);
}

/* Leaves handed in one by one and forgotten halfway do not count. */
static void check_push_and_reset(dc_comm *comm)
{
    dc_part part;
    dc_sum *sum;
    dc_block block = {0};
    double total = 0;
    if (dc_part_init(&part, 100000, 32, dc_comm_size(comm), dc_comm_rank(comm)) != DC_OK) abort();
    if (dc_sum_create(&sum, &part, 1) != DC_OK) abort();
    dc_sum_push(sum, part.shard_lo, &(double){77});
    dc_sum_reset(sum);
    while (dc_part_next_block(&part, &block)) dc_sum_push(sum, block.shard, &(double){(double)(block.hi - block.lo)});
    dc_sum_total(comm, sum, &total);
    CHECK_NEAR(total, 100000, 0);
    dc_sum_destroy(&sum);
}

/* N equal values of 0.1: a plain sum drifts, the tree does not. */
static void add_tenths(void *ctx, const dc_block *block, int thread, double *leaf)
{
    (void)ctx, (void)thread;
    for (int64_t i = block->lo; i < block->hi; i++) leaf[0] += 0.1;
}

static void check_error(dc_comm *comm)
{
    const dc_gidx N = 3000000;
    dc_part part;
    dc_sum *sum;
    double total = 0, plain = 0;
    if (dc_part_init(&part, N, 64, dc_comm_size(comm), dc_comm_rank(comm)) != DC_OK) abort();
    if (dc_sum_create(&sum, &part, 1) != DC_OK) abort();
    dc_sum_over_blocks(comm, sum, add_tenths, NULL, &total);
    for (dc_gidx i = 0; i < N; i++) plain += 0.1;
    const long double exact = (long double)0.1 * N;
    CHECK(fabsl(total - exact) <= fabsl(plain - exact));
    CHECK_NEAR(total, (double)exact, 3e-8);
    dc_sum_destroy(&sum);
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    check_few_rows(comm);
    check_many_rows(comm);
    check_long_vector(comm);
    check_push_and_reset(comm);
    check_error(comm);
    return check_done_all(&comm);
}
