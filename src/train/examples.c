/* Typical and doubtful members of each cluster: the m rows with the highest confidence and the m rows with the
 * lowest. */
#include "dcmpi/topics.h"
#include "dcmpi/train.h"

static double highest_first(const void *confidence, int64_t i)
{
    return -(double)((const float *)confidence)[i];
}

static double lowest_first(const void *confidence, int64_t i)
{
    return (double)((const float *)confidence)[i];
}

double dc_cluster_examples_bytes(int P, int64_t K, int64_t m)
{
    return dc_lowest_rows_bytes(P, K, m);
}

dc_status dc_cluster_examples(dc_comm *comm, const dc_part *part, const int32_t *labels, const float *confidence,
                              int64_t K, int64_t m, int64_t *nearest, int64_t *border)
{
    const dc_status st = dc_lowest_rows(comm, part, labels, K, m, highest_first, confidence, nearest, NULL);
    return st == DC_OK ? dc_lowest_rows(comm, part, labels, K, m, lowest_first, confidence, border, NULL) : st;
}
