/* Tells the user about outlying values: which, where, how many, how they affect the scaling, and what helps. Equal
 * values in several columns share a line, and so do values in several columns of one row. */
#include <math.h>
#include <string.h>

#include "dcmpi/log.h"
#include "range.h"

enum { LINES_MAX = 5, NAME_MAX = 48, TEXT_MAX = 512 + DC_FILES_ROW_MAX };
static const double SHARE_TOLD = 0.5;

typedef struct {
    const dc_range_sketch *s;
    const dc_range_context *with;
    const dc_range_finding *list;
    int n;
    double lo, hi; /* range of all values except the outlying ones */
} report;

/* ---- Facts ------------------------------------------------------------------------------------------------------- */

static bool is_high(const dc_range_finding *f)
{
    return f->value > f->median;
}

static void find_rest(report *r)
{
    const dc_range_sketch *s = r->s;
    int k = 0;
    r->lo = INFINITY;
    r->hi = -INFINITY;
    for (int64_t c = 0; c < s->D; c++) {
        double lo = s->min[c], hi = s->max[c];
        for (; k < r->n && r->list[k].column == c && !r->list[k].constant; k++) {
            if (is_high(&r->list[k]))
                hi = r->list[k].rest;
            else
                lo = r->list[k].rest;
        }
        if (lo == hi && dc_range_is_code(lo)) continue;
        r->lo = fmin(r->lo, lo);
        r->hi = fmax(r->hi, hi);
    }
}

/* " ('pressure')", or "". */
static void format_name(const char *names, int64_t column, char out[NAME_MAX + 8])
{
    out[0] = '\0';
    for (int64_t c = 0; names && c < column; c++) {
        names = strchr(names, '\n');
        if (names) names++;
    }
    if (names && strcspn(names, "\n") > 0)
        snprintf(out, NAME_MAX + 8, " ('%.*s')", (int)DC_MIN(strcspn(names, "\n"), (size_t)NAME_MAX), names);
}

/* "3.1e+04 times as far from the column's median 0.3 as the others" */
static void format_distance(const dc_range_finding *f, char *out, size_t cap)
{
    if (isfinite(f->times))
        snprintf(out, cap, "%.3g times as far from the column's median %.4g as the others", f->times, f->median);
    else
        snprintf(out, cap, "far from the others, which are about %.4g", f->median);
}

/* ---- Lines ------------------------------------------------------------------------------------------------------- */

/* Findings that share one line; f: the first of them. */
typedef struct {
    const dc_range_finding *f;
    int columns;
    int64_t count;
} group;

static group same_value(const report *r, int i, bool *told)
{
    const dc_range_finding *f = &r->list[i];
    group g = {.f = f};
    for (int k = i; k < r->n; k++) {
        const dc_range_finding *x = &r->list[k];
        const bool same = k == i || (x->value == f->value && x->distinct == 1 && f->distinct == 1);
        if (told[k] || !same || x->constant != f->constant) continue;
        told[k] = true;
        g.columns++;
        g.count += x->count;
        if (x->row < g.f->row) g.f = x;
    }
    return g;
}

static int same_row(const report *r, const dc_range_finding *f, bool *told)
{
    int columns = 0;
    for (int k = 0; k < r->n; k++) {
        if (told[k] || r->list[k].count != 1 || r->list[k].row != f->row) continue;
        told[k] = true;
        columns++;
    }
    return columns;
}

static void format_group(const report *r, const group *g, bool *told, char out[TEXT_MAX])
{
    const dc_range_finding *f = g->f;
    char name[NAME_MAX + 8], distance[160], place[DC_FILES_ROW_MAX];
    const long long row = (long long)f->row, column = (long long)f->column, count = (long long)g->count;
    format_name(r->with->names, f->column, name);
    format_distance(f, distance, sizeof distance);
    (void)dc_files_row(r->with->files, f->row, place);
    const int others = g->columns == 1 && f->count == 1 ? same_row(r, f, told) : 0;
    if (f->constant && g->columns == 1)
        snprintf(out, TEXT_MAX, "column %lld%s is %.9g in every row", column, name, f->value);
    else if (f->constant)
        snprintf(out, TEXT_MAX, "%d columns, the first is column %lld%s, are %.9g in every row", g->columns, column,
                 name, f->value);
    else if (g->columns > 1)
        snprintf(out, TEXT_MAX, "%.9g occurs in %d columns, %lld times in all, first in row %lld%s, column %lld%s: %s",
                 f->value, g->columns, count, row, place, column, name, distance);
    else if (others > 0)
        snprintf(out, TEXT_MAX, "row %lld%s is far outside in %d columns, first in column %lld%s: %.9g, %s", row, place,
                 others + 1, column, name, f->value, distance);
    else if (f->count == 1)
        snprintf(out, TEXT_MAX, "row %lld%s, column %lld%s: %.9g is %s", row, place, column, name, f->value, distance);
    else if (f->distinct == 1)
        snprintf(out, TEXT_MAX, "column %lld%s holds %.9g in %lld rows, first in row %lld%s: %s", column, name,
                 f->value, count, row, place, distance);
    else
        snprintf(out, TEXT_MAX, "column %lld%s holds %lld values, the first %.9g in row %lld%s, that are %s", column,
                 name, count, f->value, row, place, distance);
}

/* ---- What they do, and what helps -------------------------------------------------------------------------------- */

static double share_of_variance(const report *r, const dc_range_finding *f)
{
    static const double SPREAD_TO_DEVIATION = 2.3; /* the 0.99 quantile of a normal distribution */
    const double far = fabs(f->value - f->median), near = far / f->times / SPREAD_TO_DEVIATION;
    const double k = (double)f->count, N = (double)r->s->N;
    return k * far * far / (k * far * far + (N - k) * near * near);
}

static double sum_of_squares(const report *r)
{
    double sum = 0;
    for (int i = 0; i < r->n; i++) sum += (double)r->list[i].count * r->list[i].value * r->list[i].value;
    return sum;
}

static void format_effect(const report *r, const dc_range_finding *f, char *out, size_t cap)
{
    const dc_range_sketch *s = r->s;
    double lo = INFINITY, hi = -INFINITY;
    out[0] = '\0';
    for (int64_t c = 0; c < s->D; c++) lo = fmin(lo, s->min[c]), hi = fmax(hi, s->max[c]);
    const double squares = sum_of_squares(r) / r->with->sum_squares, unit = (r->hi - r->lo) / (hi - lo);
    const double column =
        fabs(f->rest - (is_high(f) ? s->min[f->column] : s->max[f->column])) / (s->max[f->column] - s->min[f->column]);
    if (r->with->scale == DC_SCALE_UNIT && r->with->dtype != DC_U8 && unit < SHARE_TOLD)
        snprintf(out, cap, "; input.scale=unit then leaves %.2g %% of [0, 1] to all other values", 100 * unit);
    if (r->with->scale == DC_SCALE_SYMMETRIC && r->with->dtype != DC_U8 && unit < SHARE_TOLD)
        snprintf(out, cap, "; input.scale=symmetric then leaves %.2g %% of [-1, 1] to all other values", 100 * unit);
    if (r->with->scale == DC_SCALE_MINMAX && column < SHARE_TOLD)
        snprintf(out, cap, "; input.scale=minmax then leaves %.2g %% of [0, 1] to the others of the column",
                 100 * column);
    if ((r->with->scale == DC_SCALE_STANDARD || r->with->scale == DC_SCALE_SAMPLE) && !f->constant &&
        share_of_variance(r, f) > SHARE_TOLD)
        snprintf(out, cap, "; it makes about %.4g %% of the variance that input.scale=standard divides by",
                 100 * share_of_variance(r, f));
    if (r->with->scale == DC_SCALE_PCA && !f->constant && share_of_variance(r, f) > SHARE_TOLD)
        snprintf(
            out, cap,
            "; it makes about %.4g %% of the variance of its column, and input.scale=pca follows the largest variance",
            100 * share_of_variance(r, f));
    if (r->with->scale == DC_SCALE_DEC && squares > SHARE_TOLD)
        snprintf(out, cap, "; such values make %.4g %% of the sum of squares that input.scale=dec divides by",
                 100 * squares);
}

/* Smallest round quantile beyond which all findings lie; 0 if there is none. */
static double quantile_for(const report *r)
{
    static const double round[] = {0.001, 0.002, 0.005, 0.01, 0.02, 0.05};
    double share = 0;
    for (int i = 0; i < r->n; i++)
        share = fmax(share, r->list[i].constant ? 1 : (double)r->list[i].count / (double)(r->s->N - 1));
    for (size_t i = 0; i < DC_COUNT_OF(round); i++)
        if (round[i] >= share) return round[i];
    return 0;
}

static bool range_helps(const report *r)
{
    bool beyond = r->lo < r->hi;
    for (int i = 0; i < r->n; i++) beyond = beyond && (r->list[i].last < r->lo || r->list[i].last > r->hi);
    return beyond;
}

static void format_cure(const report *r, char *out, size_t cap)
{
    char quantile[64] = "", range[96] = "";
    const double q = quantile_for(r);
    const bool helps = range_helps(r);
    if (q > 0) snprintf(quantile, sizeof quantile, " input.clip=%g", q);
    if (helps) snprintf(range, sizeof range, "%s input.clip=[%.6g, %.6g]", q > 0 ? " or" : "", r->lo, r->hi);
    snprintf(out, cap,
             "; correct them in the data%s%s%s; if they stand for missing values, write NA and use dcmpi convert "
             "--missing%s (rows and columns count from 0)",
             q > 0 || helps ? ", or clip them:" : "", quantile, range,
             r->with->scale == DC_SCALE_ROBUST ? "" : "; single ones do not move input.scale=robust");
}

/* ---- All of it --------------------------------------------------------------------------------------------------- */

static void format_about(const dc_range_finding *f, char *out, size_t cap)
{
    if (f->constant)
        snprintf(out, cap, "column %lld is %.9g throughout", (long long)f->column, f->value);
    else if (f->count == 1)
        snprintf(out, cap, "row %lld, column %lld: %.9g", (long long)f->row, (long long)f->column, f->value);
    else
        snprintf(out, cap, "column %lld: %.9g and %lld more, first in row %lld", (long long)f->column, f->value,
                 (long long)f->count - 1, (long long)f->row);
}

void dc_range_tell(const dc_range_sketch *s, const dc_range_context *with, const dc_range_finding *list, int n,
                   char *about, size_t cap)
{
    report r = {.s = s, .with = with, .list = list, .n = n};
    bool told[DC_RANGE_FINDINGS_MAX] = {false};
    char text[TEXT_MAX], effect[160], cure[TEXT_MAX];
    int lines = 0, left = 0;
    about[0] = '\0';
    if (n == 0) return;
    find_rest(&r);
    format_cure(&r, cure, sizeof cure);
    for (int i = 0; i < n; i++) {
        if (told[i]) continue;
        if (lines == LINES_MAX) {
            left++;
            continue;
        }
        const group g = same_value(&r, i, told);
        format_group(&r, &g, told, text);
        format_effect(&r, g.f, effect, sizeof effect);
        dc_log_warning("%s: %s%s%s", with->source, text, effect, lines == 0 ? cure : "");
        if (lines++ == 0) format_about(g.f, about, cap);
    }
    if (left > 0) dc_log_warning("%s: %d more columns have values far outside", with->source, left);
}
