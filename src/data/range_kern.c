/* Loops over sampled columns and over the columns of suspects. Each column has one writer and only integers are summed,
 * so the results do not depend on threads. */
#include <math.h>
#include <stdlib.h>

#include "range.h"
#include "sparse.h"

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int64_t traits_of(const double *r, int64_t n, double v)
{
    const int64_t off = n * 5 / 100;
    bool counts = v == floor(v) && v >= 0 && r[0] >= 0;
    for (int64_t i = 0; i < n && counts; i++) counts = r[i] == floor(r[i]);
    return (r[off] < r[n - 1 - off] ? DC_RANGE_DENSE : 0) | (counts ? DC_RANGE_COUNTS : 0);
}

/* Describes one end of a column from its sorted sample x[n], leaving out values that are equal to the end or look like
 * a code. r: scratch of the same size. */
static void describe_end(dc_range_sketch *s, int64_t end, double v, double other, const double *x, int64_t n, double *r)
{
    int64_t m = 0, equal = 0;
    for (int64_t i = 0; i < n; i++) {
        equal += x[i] == v;
        if (x[i] != v && !dc_range_is_code(x[i])) r[m++] = x[i];
    }
    s->median[end] = m > 0 ? r[m / 2] + 0.0 : other;
    if (m == 0) return;
    const int64_t off = DC_MAX(DC_MIN(m / 10, (int64_t)3), m / 100);
    s->spread[end] = fmax(r[m - 1 - off] - r[m / 2], r[m / 2] - r[off]);
    s->traits[end] = traits_of(r, m, v) | (2 * equal < n ? DC_RANGE_MINORITY : 0);
}

static int bin_of(double distance)
{
    int exponent;
    frexp(distance, &exponent);
    return DC_MIN(DC_MAX(exponent + DC_RANGE_MAGNITUDES / 2, 0), DC_RANGE_MAGNITUDES - 1);
}

/* Counts, by magnitude, how far values are from the median. Leaves out values equal to it, codes, limits of types, and
 * a smallest or largest value that occurs once. */
static void count_distances(const dc_range_sketch *s, int64_t c, const double *x, int64_t n, int64_t *magnitude)
{
    const double median = s->median[DC_RANGE_ENDS * c + DC_RANGE_HIGH];
    const bool low = n > 1 && x[0] < x[1] && x[0] == s->min[c],
               high = n > 1 && x[n - 2] < x[n - 1] && x[n - 1] == s->max[c];
    for (int64_t i = low; i < n - high; i++)
        if (x[i] != median && !dc_range_is_code(x[i]) && !dc_range_is_type_limit(x[i]))
            magnitude[bin_of(x[i] - median)]++;
}

void dc_range_describe(dc_range_sketch *s, const double *sample, int64_t rows, int64_t c, int64_t width, int64_t first,
                       int64_t step)
{
    int64_t *magnitude = s->magnitude;
#pragma omp parallel for schedule(static) reduction(+ : magnitude[:DC_RANGE_MAGNITUDES])
    for (int64_t k = first; k < width; k += step) {
        double x[DC_RANGE_SAMPLE_MAX] = {0}, scratch[DC_RANGE_SAMPLE_MAX];
        const int64_t low = DC_RANGE_ENDS * (c + k) + DC_RANGE_LOW, high = DC_RANGE_ENDS * (c + k) + DC_RANGE_HIGH;
        const double min = s->min[c + k], max = s->max[c + k];
        for (int64_t i = 0; i < rows; i++) x[i] = sample[i * width + k];
        qsort(x, (size_t)rows, sizeof *x, ascending);
        describe_end(s, low, min, max, x, rows, scratch);
        describe_end(s, high, max, min, x, rows, scratch);
        count_distances(s, c + k, x, rows, magnitude);
    }
}

static void add_to_tail(dc_range_tail *t, int side, double x, int64_t count, int64_t row)
{
    const double inmost = t->x[DC_RANGE_EXTREMES - 1].value;
    if (t->n == DC_RANGE_EXTREMES && (side == DC_RANGE_HIGH ? x < inmost : x > inmost)) return;
    dc_range_tail_add(t, side, (dc_range_extreme){x + 0.0, count, row});
}

static int side_of(const dc_range_suspect *s)
{
    return (int)(s->end % DC_RANGE_ENDS);
}

enum { SHARE = 32 };

/* The tails of n <= SHARE suspects of sparse data. The zeros that are not stored are added at the end: their number,
 * and the first row that has one. */
static void find_sparse_tails(const dc_dataset *d, const dc_range_suspect *suspect, int n, dc_range_tail *tail)
{
    const dc_csr *m = &d->csr;
    int64_t stored[SHARE] = {0}, gap[SHARE] = {0};
    for (int64_t i = 0; i < m->n; i++) {
        int64_t e = dc_csr_find(m, i, suspect[0].end / DC_RANGE_ENDS);
        for (int k = 0; k < n; k++) {
            const int64_t c = suspect[k].end / DC_RANGE_ENDS;
            while (e < m->ptr[i + 1] && m->col[e] < c) e++;
            if (e == m->ptr[i + 1] || m->col[e] > c) continue;
            double x = (double)m->val[e];
            dc_data_clip_f64(d, c, 1, &x);
            add_to_tail(&tail[k], side_of(&suspect[k]), x, 1, d->part.row_lo + i);
            stored[k]++;
            gap[k] += gap[k] == i;
        }
    }
    for (int k = 0; k < n; k++) {
        double zero = 0;
        dc_data_clip_f64(d, suspect[k].end / DC_RANGE_ENDS, 1, &zero);
        if (stored[k] < m->n)
            add_to_tail(&tail[k], side_of(&suspect[k]), zero, m->n - stored[k], d->part.row_lo + gap[k]);
    }
}

static void sparse_tails(const dc_dataset *data, const dc_range_suspect *suspect, int n, dc_range_tail *tail)
{
#pragma omp parallel for schedule(dynamic, 1)
    for (int k = 0; k < n; k += SHARE) find_sparse_tails(data, suspect + k, DC_MIN(n - k, (int)SHARE), tail + k);
}

/* Adds rows [lo, hi) of dense data. */
static void find_tail(const dc_dataset *d, int64_t lo, int64_t hi, const dc_range_suspect *suspect, dc_range_tail *tail)
{
    const int64_t c = suspect->end / DC_RANGE_ENDS;
    for (int64_t i = lo; i < hi; i++) {
        double x;
        dc_data_piece_f64(d, i, c, 1, &x);
        dc_data_clip_f64(d, c, 1, &x);
        add_to_tail(tail, side_of(suspect), x, 1, d->part.row_lo + i);
    }
}

void dc_range_tails(const dc_dataset *data, const dc_range_suspect *suspect, int n, dc_range_tail *tail)
{
    const int64_t rows = dc_part_rows(&data->part), tile = dc_data_stored_tile(data);
    if (dc_dataset_is_sparse(data)) {
        sparse_tails(data, suspect, n, tail);
        return;
    }
#pragma omp parallel
    for (int64_t lo = 0; lo < rows; lo += tile) {
#pragma omp for schedule(static) nowait /* so a suspect has the same thread in all tiles */
        for (int k = 0; k < n; k++) find_tail(data, lo, DC_MIN(lo + tile, rows), &suspect[k], &tail[k]);
    }
}
