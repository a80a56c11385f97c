/* The table of counts, classes against clusters, that every score is computed from.
 *
 * Counts are integers, so their sum over ranks is exact in any order. */
#include "dcmpi/metrics.h"

#include <string.h>

#include "dcmpi/comm.h"

void dc_contingency_local(const int32_t *labels, const int32_t *y, int64_t n, int64_t K, int64_t C, int64_t *table)
{
    memset(table, 0, (size_t)(K * C) * sizeof *table);
    for (int64_t i = 0; i < n; i++) {
        DC_ASSERT(labels[i] >= 0 && labels[i] < K && y[i] >= -1 && y[i] < C);
        if (y[i] >= 0) table[y[i] * K + labels[i]]++;
    }
}

void dc_contingency(dc_comm *comm, const int32_t *labels, const int32_t *y, int64_t n, int64_t K, int64_t C,
                    int64_t *table)
{
    dc_contingency_local(labels, y, n, K, C, table);
    dc_comm_sum_i64(comm, table, (size_t)(K * C));
}
