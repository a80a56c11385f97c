/* How stored values become the network's inputs: x -> (x - shift) * scale per column, from global statistics.
 *
 *   none      as stored
 *   unit      the whole matrix's [min, max] to [0, 1]; for uint8 0..255, whichever values occur (DEC-keras: x / 255)
 *   symmetric the same to [-1, 1]; for uint8 x / 127.5 - 1
 *   dec       one factor that makes the mean over the rows of ||x||^2 / D equal 1 (Xie et al. 2016, section 4.3)
 *   standard  each column to mean 0 and variance 1 (divided by N)
 *   sample    the same, divided by N - 1
 *   minmax    each column's [min, max] to [0, 1]
 *   robust    each column to median 0 and distance 1 between its quartiles (scikit-learn's RobustScaler)
 *   pca       each column to mean 0; then its principal components instead of the columns (pca.c)
 * A constant column is only shifted; with robust, so is a column whose quartiles are equal. The variance is summed
 * about the mean, in a second pass. Factors, scaled values and differences that single precision cannot hold are
 * refused. */
#include <float.h>
#include <math.h>

#include "data_priv.h"
#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/sum.h"
#include "sparse.h"

/* Smallest spread of scaled values that is accepted: 2^26 times the smallest normal float. */
static const double LEAST_SPREAD = 0x1p-100;

/* Sets *factor to 1/range, or to 1 if range is 0. Returns false if float cannot hold it. */
static bool factor_of(double range, float *factor)
{
    const double f = 1 / range;
    *factor = 1;
    if (range == 0) return true;
    if (!(f >= FLT_MIN && f <= FLT_MAX)) return false;
    *factor = (float)f;
    return true;
}

/* column: -1 for all columns together. */
static dc_status fail_range(const dc_dataset *d, int64_t column, double lo, double hi)
{
    char where[64] = "the data";
    if (column >= 0) snprintf(where, sizeof where, "column %lld", (long long)column);
    if (d->outlying[0])
        return DC_FAIL(
            DC_ERR_DATA,
            "%s: %s spans [%g, %g], a range that single precision cannot scale; there are values far outside "
            "(%s): correct them, or clip them (input.clip)",
            d->source, where, lo, hi, d->outlying);
    return DC_FAIL(DC_ERR_DATA,
                   "%s: %s spans [%g, %g], a range that single precision cannot scale; multiply the data by a constant "
                   "that brings them near 1",
                   d->source, where, lo, hi);
}

/* Sets one column; returns 1 if its offset is so large compared with its spread that float loses more than a hundredth
 * of the spread. */
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

/* [lo, hi] to [0, 1], or to [-1, 1] if symmetric. */
static dc_status scale_whole(dc_dataset *d, double lo, double hi, bool symmetric, int64_t *lost)
{
    float factor;
    const double range = hi - lo;
    if (!factor_of(symmetric ? range / 2 : range, &factor)) return fail_range(d, -1, lo, hi);
    *lost = set_all(d, symmetric ? lo + range / 2 : lo, factor);
    return DC_OK;
}

/* Prints a note if uint8 values use only a small part of 0..255: often they are bits or counts, not grey values. */
static void note_small_bytes(const dc_dataset *d)
{
    enum { BYTE_MAX = 255, SHARE = 5 };
    if (d->min == d->max || d->max >= (double)BYTE_MAX / SHARE) return;
    const bool symmetric = d->scale_kind == DC_SCALE_SYMMETRIC;
    dc_log_note("input.scale=%s takes uint8 for 0 to 255, but the data go from %g to %g only, so inputs stay "
                "below %.2g; input.scale=minmax scales each column by its own range",
                symmetric ? "symmetric" : "unit", d->min, d->max,
                symmetric ? 2 * d->max / BYTE_MAX - 1 : d->max / BYTE_MAX);
}

static dc_status scale_by_range(dc_dataset *d, int64_t *lost)
{
    const bool symmetric = d->scale_kind == DC_SCALE_SYMMETRIC;
    if (d->dtype != DC_U8) return scale_whole(d, d->min, d->max, symmetric, lost);
    note_small_bytes(d);
    return scale_whole(d, 0, 255, symmetric, lost);
}

static dc_status scale_minmax(dc_dataset *d, const dc_data_stats *s, int64_t *lost)
{
    float factor;
    for (int64_t c = 0; c < d->D; c++) {
        if (!factor_of(s->col_max[c] - s->col_min[c], &factor)) return fail_range(d, c, s->col_min[c], s->col_max[c]);
        *lost += set_column(d, c, s->col_min[c], factor);
    }
    return DC_OK;
}

static dc_status scale_dec(dc_dataset *d, const dc_data_stats *s, int64_t *lost)
{
    float factor;
    if (!factor_of(sqrt(s->sum_squares / ((double)d->part.N * (double)d->D)), &factor))
        return fail_range(d, -1, d->min, d->max);
    *lost = set_all(d, 0, factor);
    return DC_OK;
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

/* Of sparse rows only the stored values are added here; add_variance_of_zeros() adds the others. */
static void block_sparse_variance(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const variance_pass *p = ctx;
    const dc_csr *m = &p->data->csr;
    (void)thread;
    for (int64_t e = m->ptr[block->lo]; e < m->ptr[block->hi]; e++) {
        const int64_t c = m->col[e];
        double x = (double)m->val[e];
        dc_data_clip_f64(p->data, c, 1, &x);
        leaf[c] += (x - p->mean[c]) * (x - p->mean[c]);
    }
}

static void add_variance_of_zeros(const dc_dataset *d, const double *stored, const double *mean, double *variance)
{
    for (int64_t c = 0; c < d->D; c++) {
        double x = 0;
        dc_data_clip_f64(d, c, 1, &x);
        variance[c] += ((double)d->part.N - stored[c]) * (x - mean[c]) * (x - mean[c]);
    }
}

static dc_status scale_standard(dc_comm *comm, dc_dataset *d, const dc_data_stats *s, int64_t *lost)
{
    dc_status st = DC_OK;
    const size_t D = (size_t)d->D;
    const double N = (double)d->part.N, divisor = d->scale_kind == DC_SCALE_SAMPLE ? fmax(N - 1, 1) : N;
    double *work = NULL, *mean = NULL, *variance = NULL;
    dc_sum *sum = NULL;
    DC_TRY_ALL(comm, dc_mem_alloc(&work, dc_mul_size((size_t)dc_data_threads() + 2, D), sizeof *work, "variance"));
    DC_TRY_ALL(comm, dc_sum_create(&sum, &d->part, D));
    mean = work;
    variance = work + D;
    for (size_t c = 0; c < D; c++) mean[c] = s->col_sum[c] / N;
    variance_pass p = {.data = d, .mean = mean, .row = work + 2 * D};
    dc_sum_over_blocks(comm, sum, s->col_stored ? block_sparse_variance : block_variance, &p, variance);
    if (s->col_stored) add_variance_of_zeros(d, s->col_stored, mean, variance);
    for (size_t c = 0; c < D; c++) {
        const bool constant = s->col_min[c] == s->col_max[c]; /* rounding of the mean may leave a tiny variance */
        float factor;
        if (!factor_of(constant ? 0 : sqrt(variance[c] / divisor), &factor))
            DC_TRY(fail_range(d, (int64_t)c, s->col_min[c], s->col_max[c]));
        *lost += set_column(d, (int64_t)c, constant ? s->col_min[c] : mean[c], factor);
    }
out:
    dc_sum_destroy(&sum);
    dc_mem_free(&work);
    return st;
}

static void warn_of_quartiles(const dc_dataset *d, int64_t equal, int64_t first)
{
    if (equal > 0)
        dc_log_warning("input.scale=robust: %lld of %lld columns hold one value in half of their rows, so that their "
                       "quartiles are equal, the first is column %lld; they are shifted and not scaled: "
                       "input.scale=minmax or standard, with input.clip, suits such data",
                       (long long)equal, (long long)d->D, (long long)first);
}

static dc_status scale_robust(dc_comm *comm, dc_dataset *d, const dc_data_stats *s, int64_t *lost)
{
    enum { LOWER, MEDIAN, UPPER, N_QUANTILES };
    static const double p[N_QUANTILES] = {0.25, 0.5, 0.75};
    dc_status st = DC_OK;
    const int64_t D = d->D;
    double *q = NULL;
    int64_t equal = 0, first = D;
    DC_TRY_ALL(comm, dc_mem_alloc(&q, dc_mul_size(N_QUANTILES, (size_t)D), sizeof *q, "quartiles"));
    DC_TRY(dc_data_quantiles(comm, d, N_QUANTILES, p, q));
    for (int64_t c = 0; c < D; c++) {
        const double lo = q[LOWER * D + c], hi = q[UPPER * D + c];
        float factor;
        if (!factor_of(hi - lo, &factor)) DC_TRY(fail_range(d, c, lo, hi));
        if (hi == lo && s->col_min[c] < s->col_max[c] && equal++ == 0) first = c;
        *lost += set_column(d, c, q[MEDIAN * D + c], factor);
    }
    warn_of_quartiles(d, equal, first);
out:
    dc_mem_free(&q);
    return st;
}

/* Scaled values must fit float, and differ enough for float to tell them apart. */
static dc_status check_range(dc_dataset *d, const dc_data_stats *s)
{
    double spread = 0;
    d->scaled_min = INFINITY;
    d->scaled_max = -INFINITY;
    for (int64_t c = 0; c < d->D; c++) {
        const double lo = (s->col_min[c] - d->shift[c]) * d->scale[c], hi = (s->col_max[c] - d->shift[c]) * d->scale[c];
        if (!(fabs(lo) <= FLT_MAX && fabs(hi) <= FLT_MAX && isfinite(d->shift[c])))
            return fail_range(d, c, s->col_min[c], s->col_max[c]);
        d->scaled_min = fmin(d->scaled_min, lo);
        d->scaled_max = fmax(d->scaled_max, hi);
        spread = fmax(spread, hi - lo);
    }
    return spread == 0 || spread >= LEAST_SPREAD ? DC_OK : fail_range(d, -1, d->min, d->max);
}

void dc_data_warn_of_offsets(int64_t lost)
{
    if (lost > 0)
        dc_log_warning("%lld columns have offsets too large for single precision compared with their spread; subtract "
                       "the offsets in the data file",
                       (long long)lost);
}

/* Whether the zeros of sparse rows enter the network as zeros, so that the rows stay sparse. */
static bool keeps_zeros(const dc_dataset *d)
{
    for (int64_t c = 0; c < d->D; c++)
        if (d->shift[c] != 0 || (d->clip_lo && !(d->clip_lo[c] <= 0 && d->clip_hi[c] >= 0))) return false;
    return true;
}

void dc_dataset_set_csr(dc_dataset *d, const dc_csr *rows)
{
    d->csr = *rows;
    d->csr.scale = d->scale;
    d->zeros_stay = keeps_zeros(d);
    if (d->clip_lo) dc_data_csr_clip(&d->csr, d->clip_lo, d->clip_hi);
}

static void settle_sparse(dc_dataset *d)
{
    const dc_csr rows = d->csr;
    dc_dataset_set_csr(d, &rows);
    if (!d->zeros_stay)
        dc_log_note(
            "%s: the scaling moves zeros, so rows of %lld values are made dense in each step; input.scale = none "
            "or dec keeps them sparse",
            d->source, (long long)d->D);
}

static dc_status find_scaling(dc_comm *comm, dc_dataset *d, const dc_data_stats *s)
{
    dc_status st = DC_OK;
    int64_t lost = 0;
    switch (d->scale_kind) {
    case DC_SCALE_NONE:
        lost = set_all(d, 0, 1);
        break;
    case DC_SCALE_PCA:
        for (int64_t c = 0; c < d->D; c++) (void)set_column(d, c, s->col_sum[c] / (double)d->part.N, 1);
        break;
    case DC_SCALE_UNIT:
    case DC_SCALE_SYMMETRIC:
        DC_TRY(scale_by_range(d, &lost));
        break;
    case DC_SCALE_DEC:
        DC_TRY(scale_dec(d, s, &lost));
        break;
    case DC_SCALE_STANDARD:
    case DC_SCALE_SAMPLE:
        DC_TRY(scale_standard(comm, d, s, &lost));
        break;
    case DC_SCALE_MINMAX:
        DC_TRY(scale_minmax(d, s, &lost));
        break;
    case DC_SCALE_ROBUST:
        DC_TRY(scale_robust(comm, d, s, &lost));
        break;
    }
    dc_data_warn_of_offsets(lost);
out:
    return st;
}

dc_status dc_data_scaling(dc_comm *comm, dc_dataset *d, const dc_data_stats *s, const dc_data_given *given)
{
    dc_status st = DC_OK;
    if (!given) DC_TRY(find_scaling(comm, d, s));
    for (int64_t c = 0; given && c < d->D; c++) d->shift[c] = given->shift[c], d->scale[c] = given->scale[c];
    if (dc_dataset_is_sparse(d)) settle_sparse(d);
    st = check_range(d, s);
out:
    return st;
}
