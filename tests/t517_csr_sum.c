/* Sums over all rows by column of sparse rows: the bits of the same sums over the dense rows (sum.h), on any number of
 * ranks and threads; with blocks within shards, shards and ranks without rows, no rows at all. Seed 517.
 * ranks: 1 2 3
 * ranks_long: 5
 * threads: 2 */
#include "check.h"
#include "dcmpi/csr_sum.h"
#include "dcmpi/sum.h"
#include "t51_sparse.h"

typedef struct {
    const float *X, *Y;
    int64_t D, k;
} dense;

/* leaf[c * k + j] += X[i][c] Y[i][j]. */
static void add_block(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const dense *a = ctx;
    (void)thread;
    for (int64_t i = block->lo; i < block->hi; i++)
        for (int64_t c = 0; c < a->D; c++)
            for (int64_t j = 0; j < a->k; j++)
                leaf[c * a->k + j] += (double)a->X[i * a->D + c] * (double)a->Y[i * a->k + j];
}

/* leaf[j] += X[row][column] Y[row][j]. */
static void add_value(const void *ctx, int64_t column, int64_t row, float value, double *leaf)
{
    const dense *a = ctx;
    (void)column;
    for (int64_t j = 0; j < a->k; j++) leaf[j] += (double)value * (double)a->Y[row * a->k + j];
}

static void compare(dc_comm *comm, int64_t N, int64_t D, int64_t k, int V)
{
    dc_part part;
    dc_sum *sum;
    dc_csr_sum *by_column;
    t51_rows r = t51_make(N, D, 4, 3, true, 517);
    float *Y = t51_alloc(N * k, sizeof *Y);
    double *expected = t51_alloc(D * k, sizeof *expected), *total = t51_alloc(D * k, sizeof *total);
    dc_rng_fill_uniform(Y, (size_t)(N * k), 517, 1, 1);
    CHECK_OK(dc_part_init(&part, N, V, dc_comm_size(comm), dc_comm_rank(comm)));
    const dc_csr own = t51_of(&r, &part);
    dense a = {r.dense + part.row_lo * D, Y + part.row_lo * k, D, k};
    CHECK_OK(dc_sum_create(&sum, &part, (size_t)(D * k)));
    dc_sum_over_blocks(comm, sum, add_block, &a, expected);
    CHECK_OK(dc_csr_sum_create(&by_column, &part, &own, (size_t)k));
    for (int time = 0; time < 2; time++) {
        dc_csr_sum_total(comm, by_column, (size_t)k, add_value, &a, total);
        CHECK(memcmp(total, expected, (size_t)(D * k) * sizeof *total) == 0);
    }
    dc_csr_sum_destroy(&by_column);
    dc_sum_destroy(&sum);
    t51_free(&r);
    free(Y), free(expected), free(total);
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    compare(comm, 0, 5, 2, 8);
    compare(comm, 1, 5, 2, 8);
    compare(comm, 6, 3, 1, 8);
    compare(comm, 500, 41, 3, 8);
    compare(comm, 999, 17, 1, 64);
    compare(comm, 40000, 11, 2, 4); /* three blocks in a shard */
    return check_done_all(&comm);
}
