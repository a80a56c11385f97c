/* The checksum of rows: a sum, so that threads may share the rows in any way. */
#include <omp.h>
#include <xxhash.h>

#include "dcmpi/h5.h"

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
