/* Which columns vary most, by scanpy's rules. The dispersion of a column is its variance divided by its mean; columns
 * with similar means share a bin; the normalised dispersion is the distance from the middle of the bin in units of its
 * spread.
 *
 *   seurat       logarithm of the dispersion; 20 bins of equal width of log(1 + mean); mean and standard deviation of
 * the bin; a column alone in its bin gets 1, one that does not vary gets none cell_ranger  the dispersion; bins between
 * the percentiles 10, 15, ... 100 of the means; median, and median absolute deviation divided by the third quartile of
 * the normal distribution
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "counts.h"
#include "dcmpi/mem.h"

enum { SEURAT_BINS = 20, PERCENTILES = 19 };
static const double NORMAL_QUARTILE = 0.6744897501960817;

/* One column. */
typedef struct {
    double mean, dispersion; /* NAN: none */
    double score;            /* normalised; NAN: none */
    int bin;
    int32_t number;
} candidate;

static int by_mean(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    return (x->mean > y->mean) - (x->mean < y->mean);
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Columns without a score come last; of equal ones the first comes first. */
static int by_score(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    const int none = isnan(x->score) - isnan(y->score);
    if (none != 0) return none;
    if (x->score != y->score && !isnan(x->score)) return x->score > y->score ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

static int by_number(const void *a, const void *b)
{
    return (*(const int32_t *)a > *(const int32_t *)b) - (*(const int32_t *)a < *(const int32_t *)b);
}

/* The bin (edge[i], edge[i+1]] of a value. */
static int bin_of(double v, int n_edges, const double *edge)
{
    int i = 0;
    while (i < n_edges && edge[i] < v) i++;
    return i - 1;
}

/* ---- seurat ------------------------------------------------------------------------------------------------------ */

static void cut_evenly(int64_t D, candidate *c)
{
    double edge[SEURAT_BINS + 1], lo = INFINITY, hi = -INFINITY;
    for (int64_t i = 0; i < D; i++) lo = fmin(lo, c[i].mean), hi = fmax(hi, c[i].mean);
    const bool same = lo == hi;
    const double margin = same ? lo != 0 ? 0.001 * fabs(lo) : 0.001 : 0, first = (hi - lo) * 0.001;
    lo -= margin, hi += margin;
    for (int i = 0; i <= SEURAT_BINS; i++) edge[i] = (double)i * ((hi - lo) / SEURAT_BINS) + lo;
    edge[SEURAT_BINS] = hi;
    if (!same) edge[0] -= first;
    for (int64_t i = 0; i < D; i++) c[i].bin = bin_of(c[i].mean, SEURAT_BINS + 1, edge);
}

static void score_seurat(int64_t D, candidate *c)
{
    double n[SEURAT_BINS] = {0}, mean[SEURAT_BINS] = {0}, spread[SEURAT_BINS] = {0};
    for (int64_t i = 0; i < D; i++) {
        c[i].dispersion = c[i].dispersion == 0 ? NAN : log(c[i].dispersion);
        c[i].mean = log1p(c[i].mean);
    }
    cut_evenly(D, c);
    for (int64_t i = 0; i < D; i++)
        if (!isnan(c[i].dispersion)) n[c[i].bin]++, mean[c[i].bin] += c[i].dispersion;
    for (int b = 0; b < SEURAT_BINS; b++) mean[b] /= n[b];
    for (int64_t i = 0; i < D; i++)
        if (!isnan(c[i].dispersion)) spread[c[i].bin] += pow(c[i].dispersion - mean[c[i].bin], 2);
    for (int64_t i = 0; i < D; i++) {
        const int b = c[i].bin;
        c[i].score = isnan(c[i].dispersion) ? NAN
                     : n[b] == 1            ? 1
                                            : (c[i].dispersion - mean[b]) / sqrt(spread[b] / (n[b] - 1));
    }
}

/* ---- cell_ranger ------------------------------------------------------------------------------------------------- */

/* numpy's percentile, of sorted means. */
static double percentile(int64_t D, const candidate *c, double p)
{
    const double at = (double)(D - 1) * (p / 100), below = floor(at), t = at - below;
    const double a = c[(int64_t)below].mean, b = c[DC_MIN((int64_t)below + 1, D - 1)].mean;
    return t >= 0.5 ? b - (b - a) * (1 - t) : a + (b - a) * t;
}

/* x[n] gets sorted. */
static double median(int64_t n, double *x)
{
    qsort(x, (size_t)n, sizeof *x, by_value);
    return n % 2 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2;
}

/* c is sorted by mean, so a bin is a stretch [lo, hi); x: scratch. */
static void score_bin(candidate *c, int64_t lo, int64_t hi, double *x)
{
    for (int64_t i = lo; i < hi; i++) x[i - lo] = c[i].dispersion;
    const double middle = median(hi - lo, x);
    for (int64_t i = lo; i < hi; i++) x[i - lo] = fabs(c[i].dispersion - middle);
    const double spread = median(hi - lo, x) / NORMAL_QUARTILE;
    for (int64_t i = lo; i < hi; i++) c[i].score = (c[i].dispersion - middle) / spread;
}

static void score_cell_ranger(int64_t D, candidate *c, double *x)
{
    double edge[PERCENTILES + 1] = {-INFINITY};
    qsort(c, (size_t)D, sizeof *c, by_mean);
    for (int i = 0; i < PERCENTILES; i++) edge[i + 1] = percentile(D, c, 10 + 5 * i);
    for (int64_t i = 0; i < D; i++) c[i].bin = bin_of(c[i].mean, PERCENTILES + 1, edge);
    for (int64_t lo = 0, hi; lo < D; lo = hi) {
        for (hi = lo + 1; hi < D && c[hi].bin == c[lo].bin;) hi++;
        score_bin(c, lo, hi, x);
    }
}

/* ------------------------------------------------------------------------------------------------------------------ */

dc_status dc_data_choose_variable(dc_variable_flavor flavor, int64_t D, const double *mean, const double *variance,
                                  int64_t M, int32_t *column, int64_t *found)
{
    dc_status st = DC_OK;
    candidate *c = NULL;
    double *x = NULL;
    DC_TRY(dc_mem_alloc(&c, (size_t)D, sizeof *c, "dispersions"));
    DC_TRY(dc_mem_alloc(&x, (size_t)D, sizeof *x, "dispersions"));
    for (int64_t i = 0; i < D; i++) {
        const double m = mean[i] == 0 ? 1e-12 : mean[i];
        c[i] = (candidate){.mean = m, .dispersion = variance[i] / m, .number = (int32_t)i};
    }
    if (flavor == DC_VARIABLE_SEURAT)
        score_seurat(D, c);
    else
        score_cell_ranger(D, c, x);
    qsort(c, (size_t)D, sizeof *c, by_score);
    *found = 0;
    while (*found < D && !isnan(c[*found].score)) ++*found;
    if (*found < M) goto out;
    for (int64_t i = 0; i < M; i++) column[i] = c[i].number;
    qsort(column, (size_t)M, sizeof *column, by_number);
out:
    dc_mem_free(&c);
    dc_mem_free(&x);
    return st;
}
