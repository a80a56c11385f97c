/* Distances of rows from the centres of their clusters: in double, each row in one order by one thread. */
#include <omp.h>

#include "topics_impl.h"

static double dense_square(const float *x, const float *m, int64_t d)
{
    double sum = 0;
    for (int64_t c = 0; c < d; c++) {
        const double t = (double)x[c] - (double)m[c];
        sum += t * t;
    }
    return sum;
}

/* |m|^2 and what the values of the row, few of which are not zero, change of it. */
static double sparse_square(const dc_csr *x, int64_t i, const float *m, double norm)
{
    double sum = norm;
    for (int64_t e = x->ptr[i]; e < x->ptr[i + 1]; e++) {
        const double v = (double)dc_csr_value(x, i, e);
        sum += v * (v - 2 * (double)m[x->col[e]]);
    }
    return sum > 0 ? sum : 0;
}

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
            square[i] = rows->csr ? sparse_square(rows->csr, i, m, norm[label[i]])
                                  : dense_square(copied ? x + (i - lo) * d : rows->X + i * d, m, d);
        }
    }
}
