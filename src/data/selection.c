/* The steps of selecting quantiles that dense and sparse columns share: memory, ranks, one byte of the wanted values,
 * the values between two. */
#include <math.h>

#include "dcmpi/mem.h"
#include "quantiles.h"

enum { COUNTS_MAX = 1 << 20 };

/* Columns of a block. */
static int64_t block_width(int n, int64_t D)
{
    return DC_MIN(D, (int64_t)(COUNTS_MAX / (2 * n * DC_BYTE_VALUES)));
}

dc_status dc_selection_take(int n, int64_t D, dc_selection *s)
{
    *s = (dc_selection){.n = 2 * n, .width = block_width(n, D)};
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

double dc_data_quantiles_bytes(int64_t D, int n)
{
    const double targets = (double)(2 * n * block_width(n, D));
    return targets * (sizeof(dc_order_target) + DC_BYTE_VALUES * sizeof(int64_t)) + 8.0 * n * (double)D;
}
