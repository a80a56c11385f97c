/* What kmeans_tiles_kern.c does, for sparse rows: products run over the stored values of a row and over all centres of
 * a panel, so the time follows the number of values. The rows are not shifted.
 *
 * Distances are in double, |x - c|^2 = sum (x_j^2 - 2 x_j c_j) + |c|^2 over the row's values. Where this is a small
 * share of |x|^2 + |c|^2, so that cancellation could be seen, the row is filled up and the differences are summed; so a
 * copy of a centre has the distance 0.
 *
 * Rows whose nearest centre is not clear are decided by the same sums as dense rows, in which blocks of columns without
 * a value are known before. So the labels are those of the dense rows, whatever rounding does to near ties. */
#include "kmeans_impl.h"

#include <math.h>
#include <string.h>

/* Lengths are near 1. A product of m terms has a rounding error of at most m/d of that of a dense product; so m is part
 * of the row's `reach` and not of the centre's slack. */
void dc_km_sparse_load(const dc_km_tiles *t, const dc_km_tile *tile, const dc_km_scratch *s)
{
    const dc_csr *m = t->csr;
    const double unit = (double)t->unit;
    memset(s->length, 0, DC_KM_TILE * sizeof *s->length);
    memset(s->reach, 0, DC_KM_TILE * sizeof *s->reach);
    for (int64_t i = 0; i < tile->n; i++) {
        const int64_t row = tile->lo + i;
        double squares = 0;
        for (int64_t e = m->ptr[row]; e < m->ptr[row + 1]; e++) {
            const double u = (double)dc_csr_value(m, row, e) * unit;
            squares += u * u;
        }
        s->length[i] = (float)sqrt(squares);
        s->reach[i] = s->length[i] * (float)(2 * (m->ptr[row + 1] - m->ptr[row]) + 8);
    }
}

/* As in set_bounds of kmeans_tiles_kern.c, for rows whose products have at most `longest` terms. */
static void set_bounds(const dc_km_tiles *t, dc_km_centers *c, int64_t k, double squares)
{
    const double e = 0x1p-24, longest = (double)dc_csr_longest(t->csr), margin = 1.01 + 2 * longest * e;
    const double tiny = (double)t->d * 0x1p-124;
    c->norm[k] = (float)squares;
    c->low[k] = (float)(squares - margin * (6 * e * squares + tiny));
    c->slack[k] = (float)(margin * (e * sqrt(squares) + tiny));
}

int64_t dc_km_sparse_blocks(int64_t d)
{
    return (d + DC_SOFT_COLUMNS - 1) / DC_SOFT_COLUMNS;
}

/* Sets c->zeros of centre k. */
static void sum_zeros(const dc_km_tiles *t, const float *center, int64_t k, const dc_km_centers *c)
{
    const dc_soft_lane z[DC_SOFT_COLUMNS] = {{0}};
    for (int64_t b = 0, at = 0; at < t->d; b++, at += DC_SOFT_COLUMNS) {
        dc_soft_lane sum = {0};
        dc_soft_add_squares(z, center + at, DC_MIN(t->d - at, (int64_t)DC_SOFT_COLUMNS), sum);
        c->zeros[b * c->m + k] = sum[0];
    }
}

/* Sets z to the columns [lo, lo + width) of n rows, whose values from next[n] on are not yet taken. False if these rows
 * have no values there. */
static bool take_block(const dc_csr *m, const int64_t *row, int64_t n, int64_t lo, int64_t width, int64_t *next,
                       dc_soft_lane *z)
{
    bool any = false;
    for (int64_t l = 0; l < n; l++)
        for (; next[l] < m->ptr[row[l] + 1] && m->col[next[l]] < lo + width; next[l]++) {
            if (!any) memset(z, 0, DC_SOFT_COLUMNS * sizeof *z);
            any = true;
            z[m->col[next[l]] - lo][l] = (double)dc_csr_value(m, row[l], next[l]);
        }
    return any;
}

void dc_km_sparse_distances(const dc_km_tiles *t, const int64_t *row, int64_t n, const dc_km_centers *c,
                            const int64_t *center, int64_t m, dc_soft_lane *d)
{
    int64_t next[DC_SOFT_LANES];
    dc_soft_lane z[DC_SOFT_COLUMNS];
    for (int64_t l = 0; l < n; l++) next[l] = t->csr->ptr[row[l]];
    memset(d, 0, (size_t)m * sizeof *d);
    for (int64_t b = 0, at = 0; at < t->d; b++, at += DC_SOFT_COLUMNS) {
        const int64_t width = DC_MIN(t->d - at, (int64_t)DC_SOFT_COLUMNS);
        const double *zeros = c->zeros + b * c->m;
        if (take_block(t->csr, row, n, at, width, next, z)) {
            for (int64_t j = 0; j < m; j++) dc_soft_add_squares(z, c->at + center[j] * t->d + at, width, d[j]);
            continue;
        }
        for (int64_t j = 0; j < m; j++)
            for (int l = 0; l < DC_SOFT_LANES; l++) d[j][l] += zeros[center[j]];
    }
}

void dc_km_sparse_project(const dc_km_tiles *t, const float *at, int64_t m, dc_km_centers *c)
{
    const int64_t d = t->d;
    const double unit = (double)t->unit;
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < m; k++) {
        double squares = 0;
        for (int64_t i = 0; i < d; i++) squares += (double)at[k * d + i] * (double)at[k * d + i];
        c->square[k] = squares;
        set_bounds(t, c, k, squares * unit * unit);
        if (c->zeros) sum_zeros(t, at + k * d, k, c);
    }
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < d; i++)
        for (int64_t k = 0; k < m; k++) c->image[i * m + k] = at[k * d + i] * t->unit;
}

/* Rows [lo, lo + n), n <= GROUP, times unit. */
static dc_csr take_group(const dc_km_tiles *t, int64_t lo, int64_t n, const dc_km_scratch *s)
{
    const dc_csr *m = t->csr;
    const int64_t first = m->ptr[lo];
    for (int64_t i = 0; i <= n; i++) s->ptr[i] = m->ptr[lo + i] - first;
    for (int64_t i = 0; i < n; i++)
        for (int64_t e = s->ptr[i]; e < s->ptr[i + 1]; e++) s->val[e] = dc_csr_value(m, lo + i, first + e) * t->unit;
    return (dc_csr){.n = n, .D = m->D, .ptr = s->ptr, .col = m->col + first, .val = s->val};
}

void dc_km_sparse_score(const dc_km_tiles *t, const dc_km_centers *c, int64_t first, int64_t m, const dc_km_tile *tile,
                        const dc_km_scratch *s)
{
    for (int64_t lo = 0; lo < DC_KM_TILE; lo += DC_KM_GROUP) {
        const int64_t n = DC_MAX(DC_MIN(tile->n - lo, (int64_t)DC_KM_GROUP), (int64_t)0);
        if (n > 0) {
            const dc_csr rows = take_group(t, tile->lo + lo, n, s);
            dc_csr_times(&rows, 0, n, c->image + first, c->m, m, s->row_score);
        }
        memset(s->row_score + n * m, 0, (size_t)((DC_KM_GROUP - n) * m) * sizeof *s->row_score);
        for (int64_t j = 0; j < m; j++)
            for (int64_t i = 0; i < DC_KM_GROUP; i++) s->score[j * DC_KM_TILE + lo + i] = -2 * s->row_score[i * m + j];
    }
}

double dc_km_sparse_distance(const dc_km_tiles *t, int64_t row, const dc_km_centers *c, int64_t j,
                             const dc_km_scratch *s)
{
    const dc_csr *m = t->csr;
    const float *center = c->at + j * t->d;
    double squares = 0, product = 0;
    for (int64_t e = m->ptr[row]; e < m->ptr[row + 1]; e++) {
        const double v = (double)dc_csr_value(m, row, e);
        squares += v * v;
        product += v * (double)center[m->col[e]];
    }
    const double distance = squares - 2 * product + c->square[j];
    if (distance > 0x1p-10 * (squares + c->square[j])) return distance;
    dc_csr_rows(m, row, 1, s->doubtful);
    return dc_km_distance(s->doubtful, center, t->d);
}

void dc_km_sparse_turn(const double *total, int64_t d, int64_t m, int64_t first, int64_t K, double *sum)
{
    enum { COLUMNS = 64 };
#pragma omp parallel for schedule(static)
    for (int64_t lo = 0; lo < d; lo += COLUMNS)
        for (int64_t k = 0; k < K; k++)
            for (int64_t c = lo; c < DC_MIN(lo + COLUMNS, d); c++) sum[k * d + c] = total[c * m + first + k];
}

void dc_km_sparse_columns(const dc_km_tiles *t, const dc_block *block, double *leaf)
{
    const dc_csr *m = t->csr;
    for (int64_t i = block->lo; i < block->hi; i++)
        for (int64_t e = m->ptr[i]; e < m->ptr[i + 1]; e++) leaf[m->col[e]] += (double)dc_csr_value(m, i, e);
}

void dc_km_sparse_squares(const dc_km_tiles *t, const dc_block *block, double *leaf)
{
    const dc_csr *m = t->csr;
    double of_shift = 0;
    for (int64_t c = 0; c < t->d; c++) of_shift += (double)t->shift[c] * (double)t->shift[c];
    for (int64_t i = block->lo; i < block->hi; i++) {
        double sum = 0;
        for (int64_t e = m->ptr[i]; e < m->ptr[i + 1]; e++) {
            const double v = (double)dc_csr_value(m, i, e);
            sum += v * (v - 2 * (double)t->shift[m->col[e]]);
        }
        leaf[0] += sum + of_shift;
    }
}
