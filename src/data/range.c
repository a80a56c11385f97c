/* The rule that decides which values are far outside their columns. It uses only numbers that do not depend on the
 * number of ranks.
 *
 * The outermost distinct values at one end of a column (at most 3 of them, or N/1000 if that is more, but always fewer
 * than DC_RANGE_EXTREMES) are far outside if all of these hold:
 *   - The distance of the innermost of them from the median is more than LIMIT times that of the next value on the same
 *     side, and more than LIMIT times the spread (range.h).
 *   - Such a gap is unlikely to be chance, even in a column with a heavy tail: by the tail index of the other values
 *     (Hill's estimator, Ann. Stat. 3, 1975), its probability over all columns is at most CHANCE. Codes are exempt, and
 *     so is a single value that recurs, because a tail does not repeat one value.
 *   - Where the column alone cannot tell (nearly all its values are equal, or at least half of them equal the outermost
 *     one; it holds counts, which come in bursts; the outermost value is the limit of an integer type, or zero in many
 *     rows), their distance from the median is also more than LIMIT times the usual distance. That is the distance from
 *     the median of their column within which 999 in 1000 sampled values of all columns lie (without values equal to
 *     the median and without likely suspects, see range_kern.c).
 *
 * If there is only one outermost value, and it is a code that people write for a missing value (-9999, 999 ...) or the
 * limit of an integer type, CODE_LIMIT takes the place of LIMIT. With fewer than FEW_ROWS rows only codes are reported.
 * In sparse data nearly all values are equal, to 0, so only codes are reported if no usual distance is known either, as
 * in rows of rare words. So pictures, counts and heavy tails are not reported, but a wild cell or a fill value is. */
#include "range.h"

#include <math.h>
#include <stdlib.h>

#include "dcmpi/mem.h"

static const double LIMIT = 10, CODE_LIMIT = 3;
static const double CHANCE = 1e-3;
enum { SAMPLE_VALUES = 1 << 22, SAMPLE_MIN = 64, BLOCK_VALUES = 1 << 20, TAIL_ROWS = 16, FEW_ROWS = 8 };

/* ---- Sketch ------------------------------------------------------------------------------------------------------ */

dc_status dc_range_sketch_create(int64_t N, int64_t D, bool sparse, const double *min, const double *max,
                                 dc_range_sketch *s)
{
    dc_status st = DC_OK;
    const size_t ends = (size_t)D * DC_RANGE_ENDS;
    *s = (dc_range_sketch){.N = N, .D = D, .sparse = sparse, .min = min, .max = max};
    DC_TRY(dc_mem_alloc(&s->median, ends, sizeof *s->median, "ranges of columns"));
    DC_TRY(dc_mem_alloc(&s->spread, ends, sizeof *s->spread, "ranges of columns"));
    DC_TRY(dc_mem_alloc(&s->traits, ends, sizeof *s->traits, "ranges of columns"));
out:
    return st;
}

void dc_range_sketch_release(dc_range_sketch *s)
{
    dc_mem_free(&s->median);
    dc_mem_free(&s->spread);
    dc_mem_free(&s->traits);
}

int64_t dc_range_sample_rows(int64_t N, int64_t D)
{
    const int64_t fit = DC_MIN(DC_MAX(SAMPLE_VALUES / D, (int64_t)SAMPLE_MIN), (int64_t)DC_RANGE_SAMPLE_MAX);
    return DC_MIN(fit, N);
}

/* Rows are evenly spread: (k + 1/2) N / rows, rounded down in two parts so that nothing overflows. */
int64_t dc_range_sample_row(int64_t N, int64_t rows, int64_t k)
{
    const int64_t whole = N / rows, left = N % rows;
    return k * whole + whole / 2 + (2 * k + 1) * left / (2 * rows);
}

int64_t dc_range_block(int64_t D, int64_t rows)
{
    return DC_MIN(D, DC_MAX(BLOCK_VALUES / rows, (int64_t)1));
}

/* ---- Codes ------------------------------------------------------------------------------------------------------- */

/* -99, -777, -888, -7777, -8888; three to twelve nines (999, -999, 9999 ...); fill values such as 1e20, 9.96921e36,
 * -3.4e38. */
bool dc_range_is_code(double v)
{
    const double a = fabs(v);
    if (a >= 1e20 || v == -99 || v == -888 || v == -777 || v == -8888 || v == -7777) return true;
    for (int64_t p = 1000; p <= INT64_C(1000000000000); p *= 10)
        if (a == (double)(p - 1)) return true;
    return false;
}

bool dc_range_is_type_limit(double v)
{
    static const double limits[] = {255, 65535, 32767, -32768, 2147483647, -2147483648.0, 4294967295, -0x1p63, 0x1p63};
    for (size_t i = 0; i < DC_COUNT_OF(limits); i++)
        if (v == limits[i]) return true;
    return false;
}

static double limit_of(double v)
{
    return dc_range_is_code(v) || dc_range_is_type_limit(v) ? CODE_LIMIT : LIMIT;
}

/* ---- Suspects ---------------------------------------------------------------------------------------------------- */

static double value_of_end(const dc_range_sketch *s, int64_t end)
{
    return end % DC_RANGE_ENDS == DC_RANGE_HIGH ? s->max[end / DC_RANGE_ENDS] : s->min[end / DC_RANGE_ENDS];
}

/* The distance from the median within which 999 in 1000 of the values counted in s->magnitude lie, rounded up to a
 * power of two; 0 if none were counted. */
static double usual_distance(const dc_range_sketch *s)
{
    int64_t all = 0, sum = 0;
    for (int i = 0; i < DC_RANGE_MAGNITUDES; i++) all += s->magnitude[i];
    for (int i = 0; i < DC_RANGE_MAGNITUDES; i++) {
        sum += s->magnitude[i];
        if (all > 0 && (double)sum >= 0.999 * (double)all) return ldexp(1, i - DC_RANGE_MAGNITUDES / 2);
    }
    return 0;
}

static bool needs_context(const dc_range_sketch *s, int64_t end, double v)
{
    const int64_t wanted = DC_RANGE_DENSE | DC_RANGE_MINORITY;
    return (s->traits[end] & wanted) != wanted || (dc_range_is_type_limit(v) && !dc_range_is_code(v));
}

static bool is_suspect(const dc_range_sketch *s, int64_t end, double usual, double *severity)
{
    const double v = value_of_end(s, end), distance = fabs(v - s->median[end]), spread = s->spread[end];
    if (s->min[end / DC_RANGE_ENDS] == s->max[end / DC_RANGE_ENDS]) return false;
    if (s->N < FEW_ROWS && !dc_range_is_code(v)) return false;
    if (!(distance > limit_of(v) * spread)) return false;
    if (needs_context(s, end, v) && !(distance > limit_of(v) * usual)) return false;
    if (s->sparse && usual == 0 && !dc_range_is_code(v)) return false;
    *severity = distance / (spread > 0 ? spread : usual > 0 ? usual : 1);
    return true;
}

static int compare_severity(const void *a, const void *b)
{
    const dc_range_suspect *x = a, *y = b;
    if (x->severity != y->severity) return x->severity < y->severity ? 1 : -1;
    return (x->end > y->end) - (x->end < y->end);
}

static int compare_end(const void *a, const void *b)
{
    const dc_range_suspect *x = a, *y = b;
    return (x->end > y->end) - (x->end < y->end);
}

/* Moves list[at], in a heap of n whose root is the least severe, down to its place. */
static void sift_down(dc_range_suspect *list, int n, int at)
{
    for (int child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && compare_severity(&list[child + 1], &list[child]) > 0) child++;
        if (compare_severity(&list[child], &list[at]) <= 0) return;
        const dc_range_suspect moved = list[at];
        list[at] = list[child];
        list[child] = moved;
    }
}

int dc_range_suspects(const dc_range_sketch *s, dc_range_suspect *list)
{
    const double usual = usual_distance(s);
    int n = 0;
    for (int64_t end = 0; end < DC_RANGE_ENDS * s->D; end++) {
        dc_range_suspect x = {.end = end};
        if (!is_suspect(s, end, usual, &x.severity)) continue;
        if (n < DC_RANGE_SUSPECTS_MAX) {
            list[n++] = x;
            for (int i = n / 2 - 1; n == DC_RANGE_SUSPECTS_MAX && i >= 0; i--) sift_down(list, n, i);
        } else if (compare_severity(&x, &list[0]) < 0) { /* the list is full: drop the least severe */
            list[0] = x;
            sift_down(list, n, 0);
        }
    }
    qsort(list, (size_t)n, sizeof *list, compare_end);
    return n;
}

/* ---- Tails ------------------------------------------------------------------------------------------------------- */

static bool is_outer(int side, double a, double b)
{
    return side == DC_RANGE_HIGH ? a > b : a < b;
}

void dc_range_tail_add(dc_range_tail *t, int side, dc_range_extreme x)
{
    int64_t at = t->n;
    while (at > 0 && !is_outer(side, t->x[at - 1].value, x.value)) at--;
    if (at < t->n && t->x[at].value == x.value) {
        t->x[at].count += x.count;
        t->x[at].row = DC_MIN(t->x[at].row, x.row);
        return;
    }
    if (at == DC_RANGE_EXTREMES) return;
    if (t->n < DC_RANGE_EXTREMES) t->n++;
    for (int64_t i = t->n - 1; i > at; i--) t->x[i] = t->x[i - 1];
    t->x[at] = x;
}

/* ---- Judgement --------------------------------------------------------------------------------------------------- */

/* Distance of the i-th extreme from the median; 0 if there is no such extreme, or if it lies on the other side. */
static double distance_of(const dc_range_tail *t, int64_t i, int side, double median)
{
    if (i >= t->n || !is_outer(side, t->x[i].value, median)) return 0;
    return fabs(t->x[i].value - median);
}

/* Hill's estimate of 1/(tail index), from about TAIL_ROWS rows with values from the i-th on; 0 if they hold fewer than
 * two values. */
static double tail_weight(const dc_range_tail *t, int64_t i, int side, double median)
{
    int64_t rows = 0, last = i;
    for (; last < t->n && rows < TAIL_ROWS && distance_of(t, last, side, median) > 0; last++) rows += t->x[last].count;
    if (last - i < 2) return 0;
    const double base = distance_of(t, last - 1, side, median);
    double sum = 0;
    for (int64_t k = i; k < last; k++) sum += (double)t->x[k].count * log(distance_of(t, k, side, median) / base);
    return sum / (double)rows;
}

/* Number of outermost values, at most `most`, that the widest gap cuts off; *times: ratio of distances across it. */
static int64_t widest_gap(const dc_range_tail *t, int side, double median, double spread, int64_t most, double *times)
{
    int64_t best = 0;
    *times = 0;
    /* The last value of a full list has no known neighbour. */
    most = DC_MIN(most, t->n < DC_RANGE_EXTREMES ? t->n : t->n - 1);
    for (int64_t j = 1; j <= most; j++) {
        const double rest = fmax(spread, distance_of(t, j, side, median)), is = distance_of(t, j - 1, side, median);
        const double gap = rest > 0 ? is / rest : is > 0 ? INFINITY : 0;
        if (gap > *times) best = j, *times = gap;
    }
    return best;
}

static void describe(const dc_range_tail *t, int64_t n, dc_range_finding *f)
{
    const dc_range_extreme *first = &t->x[0];
    f->count = 0;
    for (int64_t i = 0; i < n; i++) {
        f->count += t->x[i].count;
        if (t->x[i].row < first->row) first = &t->x[i];
    }
    f->distinct = (int)n;
    f->row = first->row;
    f->value = first->value;
    f->last = t->x[n - 1].value;
}

bool dc_range_judge(const dc_range_sketch *s, const dc_range_suspect *suspect, const dc_range_tail *t,
                    dc_range_finding *f)
{
    const int64_t end = suspect->end, N = s->N;
    const int side = (int)(end % DC_RANGE_ENDS);
    const double median = s->median[end], spread = s->spread[end], v = t->x[0].value, least = limit_of(v);
    double times;
    const int64_t n = widest_gap(t, side, median, spread, DC_MAX((int64_t)3, N / 1000), &times);
    if (n == 0 || !(times > (n == 1 ? least : LIMIT))) return false;
    const bool recurs = n == 1 && t->x[0].count >= DC_MAX((int64_t)3, N / 1000);
    const double weight = tail_weight(t, n, side, median);
    const bool chance = weight > 0 && 2 * (double)s->D * pow(times, -1 / weight) > CHANCE;
    if (chance && !recurs && !dc_range_is_code(v)) return false;
    describe(t, n, f);
    const bool bursts = (s->traits[end] & DC_RANGE_COUNTS) && !recurs && !dc_range_is_code(v);
    const bool zeros = v == 0 && 100 * f->count > N;
    if ((needs_context(s, end, v) || bursts || zeros) &&
        !(distance_of(t, n - 1, side, median) > (n == 1 ? least : LIMIT) * usual_distance(s)))
        return false;
    f->column = end / DC_RANGE_ENDS;
    f->median = median;
    f->times = times;
    f->rest = n < t->n ? t->x[n].value : median;
    f->constant = false;
    return true;
}

int dc_range_coded_columns(const dc_range_sketch *s, dc_range_finding *list, int cap)
{
    int n = 0;
    double largest = 0;
    for (int64_t c = 0; c < s->D; c++)
        if (s->min[c] < s->max[c]) largest = fmax(largest, fmax(fabs(s->min[c]), fabs(s->max[c])));
    for (int64_t c = 0; c < s->D && n < cap; c++) {
        const double v = s->min[c];
        if (v != s->max[c] || !dc_range_is_code(v) || !(fabs(v) > LIMIT * largest)) continue;
        list[n++] = (dc_range_finding){
            .column = c, .count = s->N, .distinct = 1, .value = v, .last = v, .rest = v, .constant = true};
    }
    return n;
}
