/* Norms of rows. */
#include <float.h>
#include <math.h>
#include <omp.h>

#include "data_priv.h"
#include "dcmpi/la.h"

/* x = the values of row i that may differ from 0; returns their number. */
static int64_t read_row(const dc_dataset *d, int64_t i, float *x)
{
    const dc_csr *m = dc_dataset_csr(d);
    if (!m) {
        dc_data_scaled_row(d, i, x);
        return d->D;
    }
    for (int64_t e = m->ptr[i]; e < m->ptr[i + 1]; e++) x[e - m->ptr[i]] = dc_csr_value(m, i, e);
    return m->ptr[i + 1] - m->ptr[i];
}

dc_zero_rows dc_data_norms(const dc_dataset *d, dc_row_norm norm, int64_t n, float *x, float *row_scale, double most[2])
{
    int64_t zeros = 0, first = INT64_MAX;
    double low = most[0], high = most[1];
#pragma omp parallel for schedule(dynamic, DC_ROW_TILE) reduction(+ : zeros) reduction(max : low, high) \
    reduction(min : first)
    for (int64_t i = 0; i < n; i++) {
        float *row = x + omp_get_thread_num() * d->D;
        const int64_t width = read_row(d, i, row);
        const float factor = (float)(1 / dc_data_norm(norm, row, width));
        const bool is_zero = !(factor <= FLT_MAX);
        row_scale[i] = is_zero ? 1 : factor;
        zeros += is_zero;
        if (is_zero && i < first) first = i;
        if (width < d->D) low = fmax(low, 0), high = fmax(high, 0);
        for (int64_t c = 0; c < width; c++) {
            low = fmax(low, -(double)(row[c] * row_scale[i]));
            high = fmax(high, (double)(row[c] * row_scale[i]));
        }
    }
    most[0] = low;
    most[1] = high;
    return (dc_zero_rows){zeros, first};
}
