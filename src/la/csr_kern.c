/* Kernels on sparse rows. A product runs over the values of one row (or column) of the sparse matrix and adds rows of
 * the dense one, a strip of columns at a time, so that the sums stay in vector registers. The additions of an element
 * follow the order of the stored values. */
#include <omp.h>
#include <string.h>

#include "dcmpi/csr.h"

/* With fewer values than this, waking the threads does not pay off. */
enum { THREAD_VALUES = 1 << 12 };

/* Vectors of a strip. GCC splits them where the CPU's vectors are shorter. */
enum { LANES = 16, STRIP = 8 };
typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));

static int64_t values_of(const dc_csr *m, int64_t lo, int64_t n)
{
    return m->ptr[lo + n] - m->ptr[lo];
}

/* ---- Rows -------------------------------------------------------------------------------------------------------- */

static void densify(const dc_csr *m, int64_t i, float *out)
{
    memset(out, 0, (size_t)m->D * sizeof *out);
    for (int64_t e = m->ptr[i]; e < m->ptr[i + 1]; e++) out[m->col[e]] = dc_csr_value(m, i, e);
}

void dc_csr_rows(const dc_csr *m, int64_t lo, int64_t n, float *out)
{
#pragma omp parallel for schedule(static) if (n * m->D >= THREAD_VALUES)
    for (int64_t i = 0; i < n; i++) densify(m, lo + i, out + i * m->D);
}

static void copy_row(const dc_csr *m, int64_t i, int32_t *col, float *val)
{
    const int64_t first = m->ptr[i], n = m->ptr[i + 1] - first;
    memcpy(col, m->col + first, (size_t)n * sizeof *col);
    for (int64_t e = 0; e < n; e++) val[e] = dc_csr_value(m, i, first + e);
}

void dc_csr_copy(const dc_csr *m, const int64_t *rows, int64_t n, int64_t *ptr, int32_t *col, float *val)
{
    ptr[0] = 0;
    for (int64_t i = 0; i < n; i++) ptr[i + 1] = ptr[i] + (rows[i] < 0 ? 0 : m->ptr[rows[i] + 1] - m->ptr[rows[i]]);
#pragma omp parallel for schedule(static) if (ptr[n] >= THREAD_VALUES)
    for (int64_t i = 0; i < n; i++)
        if (rows[i] >= 0) copy_row(m, rows[i], col + ptr[i], val + ptr[i]);
}

/* ---- Rows times a dense matrix ----------------------------------------------------------------------------------- */

/* sum += v x[LANES]. */
static inline __attribute__((always_inline)) void add_lanes(lanes *sum, float v, const float *x)
{
    lanes w;
    memcpy(&w, x, sizeof w);
    *sum += v * w;
}

/* The same for the first count < LANES elements. */
static inline void add_some(lanes *sum, float v, const float *x, int64_t count)
{
    lanes w = {0};
    memcpy(&w, x, (size_t)count * sizeof *x);
    *sum += v * w;
}

/* Stores `vectors` vectors without their first `skipped` elements; y is the place of the first element stored. */
static inline __attribute__((always_inline)) void store(float *y, int vectors, int64_t skipped, const lanes *sum)
{
    memcpy(y, (const float *)sum + skipped, (size_t)(vectors * LANES - skipped) * sizeof *y);
}

/* sum += row i times `vectors` vectors of columns of W [D x k]; W points to the first column. */
static inline __attribute__((always_inline)) void row_strip(const dc_csr *m, int64_t i, const float *W, int64_t ldw,
                                                            int vectors, lanes *sum)
{
    const int64_t last = m->ptr[i + 1];
    for (int64_t e = m->ptr[i]; e < last; e++) {
        const float v = dc_csr_value(m, i, e), *w = W + m->col[e] * ldw;
        for (int q = 0; q < vectors; q++) add_lanes(&sum[q], v, w + q * LANES);
    }
}

static inline __attribute__((always_inline)) void row_strips(const dc_csr *m, int64_t i, const float *W, int64_t ldw,
                                                             int64_t k, int vectors, int64_t *j, float *y)
{
    for (; *j + vectors * LANES <= k; *j += vectors * LANES) {
        lanes sum[STRIP] = {0};
        row_strip(m, i, W + *j, ldw, vectors, sum);
        store(y + *j, vectors, 0, sum);
    }
}

static void row_narrow(const dc_csr *m, int64_t i, const float *W, int64_t ldw, int64_t k, float *y)
{
    lanes sum = {0};
    for (int64_t e = m->ptr[i]; e < m->ptr[i + 1]; e++) add_some(&sum, dc_csr_value(m, i, e), W + m->col[e] * ldw, k);
    memcpy(y, &sum, (size_t)k * sizeof *y);
}

/* The last columns are computed with the columns before them, which have been stored already: whole vectors are faster,
 * and the additions are the same. */
static void row_times(const dc_csr *m, int64_t i, const float *W, int64_t ldw, int64_t k, float *y)
{
    int64_t j = 0;
    if (k < LANES) {
        row_narrow(m, i, W, ldw, k, y);
        return;
    }
    row_strips(m, i, W, ldw, k, STRIP, &j, y);
    row_strips(m, i, W, ldw, k, 2, &j, y);
    row_strips(m, i, W, ldw, k, 1, &j, y);
    if (j == k) return;
    lanes sum = {0};
    row_strip(m, i, W + k - LANES, ldw, 1, &sum);
    store(y + j, 1, LANES - (k - j), &sum);
}

void dc_csr_times(const dc_csr *m, int64_t lo, int64_t n, const float *W, int64_t ldw, int64_t k, float *Y)
{
    const bool alone = omp_in_parallel() || n < 2 || values_of(m, lo, n) * k < THREAD_VALUES;
    for (int64_t i = 0; alone && i < n; i++) row_times(m, lo + i, W, ldw, k, Y + i * k);
    if (alone) return; /* even a region of one thread takes time, and tiles are small */
#pragma omp parallel for schedule(dynamic, 4)
    for (int64_t i = 0; i < n; i++) row_times(m, lo + i, W, ldw, k, Y + i * k);
}

/* ---- Columns ----------------------------------------------------------------------------------------------------- */

/* Counts the values of each column, adds the counts up to where each column ends, and puts the rows in from the last to
 * the first, so that each end moves down to the column's start. */
void dc_csc_set(dc_csc *c, const dc_csr *m)
{
    DC_ASSERT(m->n <= INT32_MAX && values_of(m, 0, m->n) <= c->capacity && m->D == c->D);
    memset(c->start, 0, (size_t)(c->D + 1) * sizeof *c->start);
    for (int64_t e = m->ptr[0]; e < m->ptr[m->n]; e++) c->start[m->col[e]]++;
    for (int64_t j = 1; j <= c->D; j++) c->start[j] += c->start[j - 1];
    for (int64_t i = m->n - 1; i >= 0; i--)
        for (int64_t e = m->ptr[i]; e < m->ptr[i + 1]; e++) {
            const int64_t at = --c->start[m->col[e]];
            c->row[at] = (int32_t)i;
            c->val[at] = dc_csr_value(m, i, e);
        }
}

/* sum += the values of column j times `vectors` vectors of columns of X [n x ldx]. */
static inline __attribute__((always_inline)) void column_strip(const dc_csc *c, int64_t j, const float *X, int64_t ldx,
                                                               int vectors, lanes *sum)
{
    const int64_t last = c->start[j + 1];
    for (int64_t e = c->start[j]; e < last; e++) {
        const float v = c->val[e], *x = X + c->row[e] * ldx;
        for (int q = 0; q < vectors; q++) add_lanes(&sum[q], v, x + q * LANES);
    }
}

static inline __attribute__((always_inline)) void column_strips(const dc_csc *c, int64_t column, const float *X,
                                                                int64_t ldx, int64_t k, int vectors, bool adds,
                                                                int64_t *j, float *y)
{
    for (; *j + vectors * LANES <= k; *j += vectors * LANES) {
        lanes sum[STRIP] = {0};
        if (adds) memcpy(sum, y + *j, (size_t)(vectors * LANES) * sizeof *y);
        column_strip(c, column, X + *j, ldx, vectors, sum);
        store(y + *j, vectors, 0, sum);
    }
}

static void column_narrow(const dc_csc *c, int64_t column, const float *X, int64_t ldx, int64_t k, bool adds, float *y)
{
    lanes sum = {0};
    if (adds) memcpy(&sum, y, (size_t)k * sizeof *y);
    for (int64_t e = c->start[column]; e < c->start[column + 1]; e++) add_some(&sum, c->val[e], X + c->row[e] * ldx, k);
    memcpy(y, &sum, (size_t)k * sizeof *y);
}

static void column_times(const dc_csc *c, int64_t column, const float *X, int64_t ldx, int64_t k, bool adds, float *y)
{
    int64_t j = 0;
    if (k < LANES) {
        column_narrow(c, column, X, ldx, k, adds, y);
        return;
    }
    column_strips(c, column, X, ldx, k, STRIP, adds, &j, y);
    column_strips(c, column, X, ldx, k, 2, adds, &j, y);
    column_strips(c, column, X, ldx, k, 1, adds, &j, y);
    if (j == k) return;
    lanes sum = {0};
    if (adds) memcpy(&sum, y + k - LANES, sizeof sum);
    column_strip(c, column, X + k - LANES, ldx, 1, &sum);
    store(y + j, 1, LANES - (k - j), &sum);
}

void dc_csc_times(const dc_csc *c, int64_t first, int64_t last, const float *X, int64_t ldx, int64_t k, bool adds,
                  float *Y, int64_t ldy)
{
#pragma omp parallel for schedule(dynamic, 64) if ((last - first) * k >= THREAD_VALUES)
    for (int64_t j = first; j < last; j++) {
        float *y = Y + (j - first) * ldy;
        if (c->start[j] < c->start[j + 1])
            column_times(c, j, X, ldx, k, adds, y);
        else if (!adds)
            memset(y, 0, (size_t)k * sizeof *y);
    }
}
