/* Distances of rows from the centres of their clusters: in double, each row in one order by one thread. */
#include <omp.h>

#include "dcmpi/csr.h"
#include "dcmpi/la.h"
#include "topics_impl.h"

void dc_topic_distances(const dc_rows *rows, const int32_t *label, const float *centers, const double *norm,
                        float *tile, double *square)
{
    const int64_t n = dc_part_rows(rows->part), d = rows->d;
#pragma omp parallel for schedule(static)
    for (int64_t lo = 0; lo < n; lo += DC_TOPIC_TILE) {
        const int64_t hi = DC_MIN(lo + DC_TOPIC_TILE, n);
        float *x = tile + (int64_t)omp_get_thread_num() * DC_TOPIC_TILE * d;
        const bool copied = !rows->csr && !rows->X;
        if (copied) rows->rows(rows->ctx, lo, hi - lo, x);
        for (int64_t i = lo; i < hi; i++) {
            const float *m = centers + (int64_t)label[i] * d;
            square[i] = rows->csr ? dc_csr_square_distance(rows->csr, i, m, norm[label[i]])
                                  : dc_square_distance(copied ? x + (i - lo) * d : rows->X + i * d, m, d);
        }
    }
}
