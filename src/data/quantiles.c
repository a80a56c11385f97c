/* Exact quantiles of columns over all ranks, by selection on the bytes of the values: count the first bytes of all
 * values, keep the values whose first byte is that of the wanted value, count their second bytes, and so on. This takes
 * one pass over the rows per byte. Columns are done in blocks, so memory grows neither with the rows nor with the
 * columns. Counts are integers, so the result is the same for every number of ranks and threads. */
#include <string.h>

#include "dcmpi/comm.h"
#include "quantiles.h"

static void begin(const dc_dataset *d, const double *p, int64_t width, dc_selection *s)
{
    for (int64_t k = 0; k < width; k++)
        for (int t = 0; t < s->n; t++)
            s->target[k * s->n + t] = (dc_order_target){.rank = dc_selection_rank(d->part.N, p, t)};
}

static void select_block(dc_comm *comm, const dc_dataset *d, int64_t c, int64_t width, dc_selection *s)
{
    const size_t counts = (size_t)(width * s->n) * DC_BYTE_VALUES;
    for (int shift = 8 * ((int)dc_dtype_bytes(d->dtype) - 1); shift >= 0; shift -= 8) {
        memset(s->count, 0, counts * sizeof *s->count);
        dc_data_count_bytes(d, c, width, s->n, s->target, shift, s->count);
        dc_comm_sum_i64(comm, s->count, counts);
        for (int64_t k = 0; k < width; k++) dc_selection_narrow(s, k, shift);
    }
}

static void finish(const dc_dataset *d, int64_t c, const double *p, const dc_order_target *target, int n, double *out)
{
    enum { TARGETS_MAX = 8 };
    double value[TARGETS_MAX];
    DC_ASSERT(2 * n <= TARGETS_MAX);
    for (int t = 0; t < 2 * n; t++) value[t] = dc_data_value_of_key(d->dtype, target[t].key);
    dc_selection_finish(d, c, p, value, n, out);
}

dc_status dc_data_quantiles(dc_comm *comm, const dc_dataset *d, int n, const double *p, double *out)
{
    dc_status st = DC_OK;
    dc_selection s = {0};
    if (dc_dataset_is_sparse(d)) return dc_data_csr_quantiles(comm, d, n, p, out);
    DC_TRY_ALL(comm, dc_selection_take(n, d->D, &s));
    for (int64_t c = 0; c < d->D; c += s.width) {
        const int64_t width = DC_MIN(s.width, d->D - c);
        begin(d, p, width, &s);
        select_block(comm, d, c, width, &s);
        for (int64_t k = 0; k < width; k++) finish(d, c + k, p, s.target + k * s.n, n, out);
    }
out:
    dc_selection_release(&s);
    return st;
}
