/* How stored values become the network's inputs: x -> (x - shift) * scale per column, from global statistics.
 *
 *   none      as stored
 *   unit      the whole matrix's [min, max] to [0, 1]; for uint8 0..255, whatever occurs (DEC-keras: x / 255)
 *   dec       one factor that makes the mean over the rows of ||x||^2 / D equal 1 (Xie et al. 2016, section 4.3)
 *   standard  each column to mean 0 and variance 1 (divided by N)
 *   minmax    each column's [min, max] to [0, 1]
 * A column with one value is only shifted. The variance is summed about the mean, in a second pass. */
#include <float.h>
#include <math.h>

#include "data_priv.h"
#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/sum.h"

/* 1/range where float can say it, else 1: such a column counts as constant. */
static float factor_of(double range)
{
    const double f = 1 / range;
    return range > 0 && f >= FLT_MIN && f <= FLT_MAX ? (float)f : 1.0F;
}

/* Sets one column; returns 1 if its offset is so large beside its spread that float loses more than a hundredth of it.
 */
static int64_t set_column(dc_dataset *d, int64_t c, double shift, float scale)
{
    d->shift[c] = (float)shift;
    d->scale[c] = scale;
    return fabs(shift - (double)d->shift[c]) * (double)scale > 0.01;
}

static int64_t set_all(dc_dataset *d, double shift, float scale)
{
    int64_t lost = 0;
    for (int64_t c = 0; c < d->D; c++) lost += set_column(d, c, shift, scale);
    return lost;
}

static int64_t scale_unit(dc_dataset *d)
{
    if (d->dtype == DC_U8) return set_all(d, 0, factor_of(255));
    return set_all(d, d->min, factor_of(d->max - d->min));
}

static int64_t scale_minmax(dc_dataset *d, const dc_data_stats *s)
{
    int64_t lost = 0;
    for (int64_t c = 0; c < d->D; c++)
        lost += set_column(d, c, s->col_min[c], factor_of(s->col_max[c] - s->col_min[c]));
    return lost;
}

static float dec_factor(const dc_dataset *d, const dc_data_stats *s)
{
    return factor_of(sqrt(s->sum_squares / ((double)d->part.N * (double)d->D)));
}

typedef struct {
    const dc_dataset *data;
    const double *mean;
    double *row; /* [threads x D] */
} variance_pass;

static void block_variance(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const variance_pass *p = ctx;
    const int64_t D = p->data->D;
    double *restrict x = p->row + (int64_t)thread * D;
    for (int64_t i = block->lo; i < block->hi; i++) {
        dc_data_row_f64(p->data, i, x);
        for (int64_t c = 0; c < D; c++) leaf[c] += (x[c] - p->mean[c]) * (x[c] - p->mean[c]);
    }
}

static dc_status scale_standard(dc_comm *comm, dc_dataset *d, const dc_data_stats *s, int64_t *lost)
{
    dc_status st = DC_OK;
    const size_t D = (size_t)d->D;
    const double N = (double)d->part.N;
    double *work = NULL, *mean = NULL, *variance = NULL;
    dc_sum *sum = NULL;
    DC_TRY_ALL(comm, dc_mem_alloc(&work, dc_mul_size((size_t)dc_data_threads() + 2, D), sizeof *work, "variance"));
    DC_TRY_ALL(comm, dc_sum_create(&sum, &d->part, D));
    mean = work;
    variance = work + D;
    for (size_t c = 0; c < D; c++) mean[c] = s->col_sum[c] / N;
    variance_pass p = {.data = d, .mean = mean, .row = work + 2 * D};
    dc_sum_over_blocks(comm, sum, block_variance, &p, variance);
    for (size_t c = 0; c < D; c++) {
        const bool constant = s->col_min[c] == s->col_max[c]; /* rounding of the mean may leave a tiny variance */
        const double shift = constant ? s->col_min[c] : mean[c];
        *lost += set_column(d, (int64_t)c, shift, constant ? 1.0F : factor_of(sqrt(variance[c] / N)));
    }
out:
    dc_sum_destroy(&sum);
    dc_mem_free(&work);
    return st;
}

/* Statistics and scaled values must be numbers that float holds. */
static dc_status check_range(const dc_dataset *d, const dc_data_stats *s)
{
    for (int64_t c = 0; c < d->D; c++) {
        const double lo = (s->col_min[c] - d->shift[c]) * d->scale[c], hi = (s->col_max[c] - d->shift[c]) * d->scale[c];
        if (fabs(lo) <= FLT_MAX && fabs(hi) <= FLT_MAX && isfinite(d->shift[c])) continue;
        return DC_FAIL(DC_ERR_DATA,
                       "%s: column %lld spans [%g, %g], too far for single precision; rescale the data or choose "
                       "input.scale minmax",
                       d->source, (long long)c, s->col_min[c], s->col_max[c]);
    }
    return DC_OK;
}

dc_status dc_data_scaling(dc_comm *comm, dc_dataset *d, const dc_data_stats *s)
{
    dc_status st = DC_OK;
    int64_t lost = 0;
    switch (d->scale_kind) {
    case DC_SCALE_NONE:
        lost = set_all(d, 0, 1);
        break;
    case DC_SCALE_UNIT:
        lost = scale_unit(d);
        break;
    case DC_SCALE_DEC:
        lost = set_all(d, 0, dec_factor(d, s));
        break;
    case DC_SCALE_STANDARD:
        DC_TRY(scale_standard(comm, d, s, &lost));
        break;
    case DC_SCALE_MINMAX:
        lost = scale_minmax(d, s);
        break;
    }
    if (lost > 0)
        dc_log_warning(
            "%lld columns have offsets too large for single precision beside their spread; subtract the offsets "
            "in the data file",
            (long long)lost);
    st = check_range(d, s);
out:
    return st;
}
