/* Exact quantiles of columns over all ranks, by selection on the bytes of the values: count the first bytes of all
 * values, keep the values whose first byte is that of the wanted value, count their second bytes, and so on. This takes
 * one pass over the rows per byte. Columns are done in blocks, so memory grows neither with the rows nor with the
 * columns. Counts are integers, so the result is the same for every number of ranks and threads. */
#include <math.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "quantiles.h"

enum { COUNTS_MAX = 1 << 20 };

static int64_t block_width(int64_t D, int n)
{
    return DC_MIN(D, (int64_t)(COUNTS_MAX / (2 * n * DC_BYTE_VALUES)));
}

dc_status dc_selection_take(int n, int64_t D, dc_selection *s)
{
    *s = (dc_selection){.n = 2 * n, .width = block_width(D, n)};
    const size_t targets = (size_t)(s->width * s->n);
    const dc_status st = dc_mem_alloc(&s->target, targets, sizeof *s->target, "quantiles");
    return st == DC_OK ? dc_mem_alloc(&s->count, targets * DC_BYTE_VALUES, sizeof *s->count, "counts of quantiles")
                       : st;
}

void dc_selection_release(dc_selection *s)
{
    dc_mem_free(&s->target);
    dc_mem_free(&s->count);
}

static double position_of(dc_gidx N, double p)
{
    return p * (double)(N - 1);
}

int64_t dc_selection_rank(dc_gidx N, const double *p, int t)
{
    const int64_t below = (int64_t)floor(position_of(N, p[t / 2]));
    return DC_MIN(below + t % 2, N - 1);
}

/* Targets whose bytes so far are equal share the counts of the first such target. */
void dc_selection_narrow(dc_selection *s, int64_t column, int shift)
{
    dc_order_target *target = s->target + column * s->n;
    const int64_t *count = s->count + column * s->n * DC_BYTE_VALUES;
    uint64_t before = 0;
    for (int t = 0, from = 0; t < s->n; t++) {
        if (t > 0 && target[t].key != before) from = t;
        before = target[t].key;
        int64_t rank = target[t].rank;
        int byte = 0;
        while (byte < DC_BYTE_VALUES - 1 && rank >= count[from * DC_BYTE_VALUES + byte])
            rank -= count[from * DC_BYTE_VALUES + byte++];
        target[t] = (dc_order_target){before | (uint64_t)byte << shift, rank};
    }
}

/* numpy's form, exact at both ends. */
static double between(double a, double b, double t)
{
    return t < 0.5 ? a + (b - a) * t : b - (b - a) * (1 - t);
}

void dc_selection_finish(const dc_dataset *d, int64_t c, const double *p, const double *value, int n, double *out)
{
    for (int i = 0; i < n; i++) {
        const double at = position_of(d->part.N, p[i]);
        double side[2] = {value[2 * i] + 0.0, value[2 * i + 1] + 0.0}; /* -0 becomes 0 */
        dc_data_clip_f64(d, c, 1, &side[0]);
        dc_data_clip_f64(d, c, 1, &side[1]);
        out[i * d->D + c] = side[0] == side[1] ? side[0] : between(side[0], side[1], at - floor(at));
    }
}

/* ---- Dense columns ----------------------------------------------------------------------------------------------- */

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
    if (dc_dataset_is_sparse(d)) return dc_sparse_quantiles(comm, d, n, p, out);
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

double dc_data_quantiles_bytes(int64_t D, int n)
{
    const double targets = (double)(2 * n * block_width(D, n));
    return targets * (sizeof(dc_order_target) + DC_BYTE_VALUES * sizeof(int64_t)) + 8.0 * n * (double)D;
}
