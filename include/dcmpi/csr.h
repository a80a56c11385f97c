/* Rows of which few values are not zero: compressed sparse rows (CSR), on one rank, and what is computed with them.
 *
 * Functions called outside a parallel region start their own threads; called inside one they run in the calling thread.
 * Results depend neither on the number of threads nor on where a row lies. Nothing here communicates (sums over the
 * rows of all ranks: csr_sum.h). */
#ifndef DCMPI_CSR_H
#define DCMPI_CSR_H

#include "dcmpi/base.h"

/* Row i has values at ptr[i] <= e < ptr[i+1]: in column col[e], dc_csr_value(m, i, e). Columns ascend within a row and
 * do not repeat; stored zeros are legal. All arrays are borrowed. ptr[0] need not be 0, so rows [lo, lo + n) are a
 * dc_csr, too. Before the data are read (rehearsals, mem.h), ptr is NULL and longest and total are what a header says.
 */
typedef struct dc_csr {
    int64_t n;              /* rows */
    int64_t D;              /* columns, at most INT32_MAX */
    const int64_t *ptr;     /* [n+1] */
    const int32_t *col;     /* [ptr[n]] */
    const float *val;       /* [ptr[n]] */
    const float *scale;     /* [D] factor of a column, NULL: 1 */
    const float *row_scale; /* [n] factor of a row, NULL: 1 */
    int64_t longest;        /* most values of a row, over all ranks; 0: unknown, at most D; global */
    int64_t total;          /* values of all rows of all ranks; 0: unknown; global */
} dc_csr;

/* Value e of row i. */
static inline float dc_csr_value(const dc_csr *m, int64_t i, int64_t e)
{
    float v = m->val[e];
    if (m->scale) v *= m->scale[m->col[e]];
    if (m->row_scale) v *= m->row_scale[i];
    return v;
}

/* Rows [lo, lo + n) of m, as a matrix; borrows its arrays. */
static inline dc_csr dc_csr_view(const dc_csr *m, int64_t lo, int64_t n)
{
    dc_csr v = *m;
    v.n = n;
    v.ptr = m->ptr + lo;
    v.row_scale = m->row_scale ? m->row_scale + lo : NULL;
    return v;
}

/* The first value of a row in a column >= c; m->ptr[row + 1] if there is none. */
static inline int64_t dc_csr_find(const dc_csr *m, int64_t row, int64_t c)
{
    int64_t lo = m->ptr[row], hi = m->ptr[row + 1];
    while (lo < hi) {
        const int64_t mid = lo + (hi - lo) / 2;
        if (m->col[mid] < c)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Most values of a row. */
static inline int64_t dc_csr_longest(const dc_csr *m)
{
    return m->longest > 0 && m->longest < m->D ? m->longest : m->D;
}

/* The most values that `rows` different rows can have. */
static inline int64_t dc_csr_room(const dc_csr *m, int64_t rows)
{
    const int64_t longest = dc_csr_longest(m);
    return m->total > 0 && m->total / longest < rows ? m->total : rows * longest;
}

/* Values per row on average over all ranks' N rows; D if that is unknown. */
static inline double dc_csr_per_row(const dc_csr *m, dc_gidx N)
{
    return m->total > 0 && N > 0 ? (double)m->total / (double)N : (double)m->D;
}

/* Whether there are so few values that a product with all of them is faster than one with the dense rows. The same on
 * all ranks. */
static inline bool dc_csr_pays(const dc_csr *m, dc_gidx N)
{
    enum { SHARE = 8 };
    return dc_csr_per_row(m, N) * SHARE <= (double)m->D;
}

/* ---- Rows -------------------------------------------------------------------------------------------------------- */

/* |x - y|^2 of row i and y[D], in double, in time that follows the values of the row; y_square: |y|^2. Where the two
 * are so near that its terms cancel, it is the sum of all squared differences. */
double dc_csr_square_distance(const dc_csr *m, int64_t i, const float *y, double y_square);
/* out[n x D]: rows [lo, lo + n) with their zeros. */
void dc_csr_rows(const dc_csr *m, int64_t lo, int64_t n, float *out);
/* Y[n x k] = rows [lo, lo + n) times W [D x k], of which rows begin ldw values apart. Each value is a sum over the
 * row's columns, in ascending order. */
void dc_csr_times(const dc_csr *m, int64_t lo, int64_t n, const float *W, int64_t ldw, int64_t k, float *Y);
/* Copies given rows, in any order and with repeats, with the factors in their values; a negative number gives a row
 * without values. Row i goes to ptr[i] <= e < ptr[i+1] of col and val; ptr[0] is 0. */
void dc_csr_copy(const dc_csr *m, const int64_t *rows, int64_t n, int64_t *ptr, int32_t *col, float *val);

/* ---- Columns ----------------------------------------------------------------------------------------------------- */

/* The same values by column (CSC): column c has start[c] <= e < start[c+1], val[e] in row row[e]; rows ascend. The
 * arrays are owned. The values have their factors in them. */
typedef struct {
    int64_t D, capacity;
    int64_t *start; /* [D+1] */
    int32_t *row;   /* [capacity] */
    float *val;     /* [capacity] */
} dc_csc;

/* Room for `capacity` values in D columns; takes memory only as far as it is used. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_csc_create(dc_csc *c, int64_t D, int64_t capacity);
void dc_csc_release(dc_csc *c);
/* Sets *c to all rows of m, n <= INT32_MAX, which have at most `capacity` values. */
void dc_csc_set(dc_csc *c, const dc_csr *m);
/* Rows [first, last) of Y[D x k] = the transposed matrix times X [n x k], or of Y += that if `adds`; Y points to row
 * `first`. Each value is a sum over the column's rows, in ascending order. ldx, ldy: leading dimensions. */
void dc_csc_times(const dc_csc *c, int64_t first, int64_t last, const float *X, int64_t ldx, int64_t k, bool adds,
                  float *Y, int64_t ldy);

#endif
