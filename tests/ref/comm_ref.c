/* Naive twins of comm/: see comm_ref.h. */
#include "comm_ref.h"

#include <math.h>

int64_t ref_shard_rows(int64_t N, int V, int s)
{
    int reversed = 0;
    for (int bit = 1, mirror = V / 2; bit < V; bit *= 2, mirror /= 2)
        if (s & bit) reversed += mirror;
    return N / V + (reversed < N % V);
}

/* Splits n leaves into the largest power of two below n, and the rest. */
static double sum_blocks(const double *x, int64_t rows, int64_t block_rows)
{
    int64_t blocks = (rows + block_rows - 1) / block_rows, left = 1;
    double sum = 0;
    if (blocks <= 1) {
        for (int64_t i = 0; i < rows; i++) sum += x[i];
        return sum;
    }
    while (2 * left < blocks) left *= 2;
    left *= block_rows;
    return sum_blocks(x, left, block_rows) + sum_blocks(x + left, rows - left, block_rows);
}

/* Sum over the shards [s, s+size), NAN if they have no rows; *x moves on by their rows. */
static double sum_shards(const double **x, int64_t N, int V, int s, int size, int64_t block_rows)
{
    if (size == 1) {
        const int64_t rows = ref_shard_rows(N, V, s);
        const double sum = rows == 0 ? (double)NAN : sum_blocks(*x, rows, block_rows);
        *x += rows;
        return sum;
    }
    const double left = sum_shards(x, N, V, s, size / 2, block_rows);
    const double right = sum_shards(x, N, V, s + size / 2, size / 2, block_rows);
    return isnan(left) ? right : isnan(right) ? left : left + right;
}

double ref_sum(const double *x, int64_t N, int V, int64_t block_rows)
{
    const double sum = sum_shards(&x, N, V, 0, V, block_rows);
    return isnan(sum) ? 0 : sum;
}
