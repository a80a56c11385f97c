/* The checksum of rows: a sum, so that threads may share the rows in any way. */
#define XXH_STATIC_LINKING_ONLY /* for states on the stack */
#include <omp.h>
#include <xxhash.h>

#include "dcmpi/h5_sparse.h"

/* It is not worth waking the threads for fewer bytes than this. */
enum { THREAD_BYTES = 1 << 20 };

uint64_t dc_h5_hash_rows(size_t row_bytes, dc_gidx first, dc_gidx n, const void *rows)
{
    uint64_t sum = 0;
#pragma omp parallel for schedule(static) reduction(+ : sum)                                                           \
    if (!omp_in_parallel() && dc_mul_size((size_t)n, row_bytes) >= THREAD_BYTES)
    for (dc_gidx i = 0; i < n; i++)
        sum += XXH3_64bits_withSeed((const char *)rows + (size_t)i * row_bytes, row_bytes, (uint64_t)(first + i));
    return sum;
}

/* Columns [entries] and then values [entries x value_bytes] of one row. */
static uint64_t hash_sparse_row(size_t value_bytes, dc_gidx row, size_t entries, const int32_t *col, const char *val)
{
    XXH3_state_t state;
    XXH3_INITSTATE(&state);
    XXH3_64bits_reset_withSeed(&state, (uint64_t)row);
    XXH3_64bits_update(&state, col, entries * sizeof *col);
    XXH3_64bits_update(&state, val, entries * value_bytes);
    return XXH3_64bits_digest(&state);
}

uint64_t dc_h5_hash_sparse(size_t value_bytes, dc_gidx first, dc_gidx n, const int64_t *ptr, const int32_t *col,
                           const void *val)
{
    uint64_t sum = 0;
    const int64_t base = n > 0 ? ptr[0] : 0, entries = n > 0 ? ptr[n] - base : 0;
#pragma omp parallel for schedule(static) reduction(+ : sum)                                                           \
    if (!omp_in_parallel() && dc_mul_size((size_t)entries, value_bytes + sizeof *col) >= THREAD_BYTES)
    for (dc_gidx i = 0; i < n; i++)
        sum += hash_sparse_row(value_bytes, first + i, (size_t)(ptr[i + 1] - ptr[i]), col + (ptr[i] - base),
                               (const char *)val + (size_t)(ptr[i] - base) * value_bytes);
    return sum;
}
