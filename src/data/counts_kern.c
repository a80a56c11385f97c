/* Loops over the rows of counts. What a value becomes depends on its row alone, so threads do not matter. */
#include "counts.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "dcmpi/mem.h"

static bool is_count(double v)
{
    return v >= 0 && v <= DBL_MAX;
}

/* What the values of a row with this sum are multiplied with; a row of zeros stays one. */
static double factor_of(const dc_count_map *map, double sum)
{
    return map->normalize_total > 0 && sum > 0 ? map->normalize_total / sum : 1;
}

static double value_of(double x, double factor, bool logs)
{
    x *= factor;
    return logs ? log1p(x) : x;
}

/* The sum of a row, in the order of its columns, and its first value that is not a count (their number: there is none).
 */
static double sum_dense_row(const dc_dataset *d, int64_t row, int64_t *bad)
{
    enum { PIECE = 1024 };
    double x[PIECE], sum = 0;
    *bad = d->D;
    for (int64_t c = 0; c < d->D; c += PIECE) {
        const int64_t n = DC_MIN(d->D - c, (int64_t)PIECE);
        dc_data_piece_f64(d, row, c, n, x);
        for (int64_t k = 0; k < n; k++) {
            sum += x[k];
            if (!is_count(x[k]) && *bad == d->D) *bad = c + k;
        }
    }
    return sum;
}

static double sum_sparse_row(const dc_csr *m, int64_t row, int64_t *bad)
{
    double sum = 0;
    *bad = m->D;
    for (int64_t e = m->ptr[row]; e < m->ptr[row + 1]; e++) {
        sum += (double)m->val[e];
        if (!is_count((double)m->val[e]) && *bad == m->D) *bad = m->col[e];
    }
    return sum;
}

int64_t dc_data_row_sums(const dc_dataset *d, int64_t n, double *sum)
{
    const bool sparse = dc_dataset_is_sparse(d);
    int64_t first = INT64_MAX;
#pragma omp parallel for schedule(dynamic, 64) reduction(min : first)
    for (int64_t i = 0; i < n; i++) {
        int64_t bad;
        sum[i] = sparse ? sum_sparse_row(&d->csr, i, &bad) : sum_dense_row(d, i, &bad);
        if (bad < d->D) first = DC_MIN(first, i * d->D + bad);
    }
    return first;
}

/* ---- Moments of columns ------------------------------------------------------------------------------------------ */

static void add_moment(double v, int64_t c, const double *mean, double *total, double *stored)
{
    total[c] += mean ? (v - mean[c]) * (v - mean[c]) : v;
    if (stored) stored[c]++;
}

void dc_data_count_moments(const dc_dataset *d, const dc_count_map *map, const double *sum, const dc_block *block,
                           bool logs, const double *mean, double *x, double *total, double *stored)
{
    const dc_csr *m = &d->csr;
    for (int64_t i = block->lo; i < block->hi; i++) {
        const double factor = factor_of(map, sum[i]);
        if (dc_dataset_is_sparse(d)) {
            for (int64_t e = m->ptr[i]; e < m->ptr[i + 1]; e++)
                add_moment(value_of((double)m->val[e], factor, logs), m->col[e], mean, total, stored);
            continue;
        }
        dc_data_piece_f64(d, i, 0, d->D, x);
        for (int64_t c = 0; c < d->D; c++) add_moment(value_of(x[c], factor, logs), c, mean, total, stored);
    }
}

/* ---- Rows as they become ----------------------------------------------------------------------------------------- */

static dc_status fail_count(const char *source, dc_gidx row, int64_t column)
{
    return DC_FAIL(
        DC_ERR_DATA,
        "%s: row %lld, column %lld (counted from 0) is negative or not finite: input.normalize_total, log1p and "
        "variable_columns are for counts",
        source, (long long)row, (long long)column);
}

dc_status dc_count_map_rows(const dc_count_map *map, const char *source, dc_gidx first, dc_dtype dtype, const void *X,
                            int64_t n, float *out)
{
    const dc_dataset d = {.D = map->D, .dtype = dtype, .X = (void *)(uintptr_t)X};
    int64_t bad_row = n, bad_column = 0;
#pragma omp parallel for schedule(dynamic, 16)
    for (int64_t i = 0; i < n; i++) {
        int64_t bad;
        const double factor = factor_of(map, sum_dense_row(&d, i, &bad));
        if (bad < map->D) {
#pragma omp critical
            if (i < bad_row) bad_row = i, bad_column = bad;
            continue;
        }
        for (int64_t k = 0; k < map->kept; k++) {
            double x;
            dc_data_piece_f64(&d, i, map->column ? map->column[k] : k, 1, &x);
            out[i * map->kept + k] = (float)value_of(x, factor, map->log1p);
        }
    }
    return bad_row == n ? DC_OK : fail_count(source, first + bad_row, bad_column);
}

/* Transforms the values of all rows; returns the first row with a value that is not a count, or n. */
static int64_t transform_values(const dc_count_map *map, const dc_csr *m)
{
    float *val = (float *)(uintptr_t)m->val;
    int64_t first = m->n;
#pragma omp parallel for schedule(dynamic, 64) reduction(min : first)
    for (int64_t i = 0; i < m->n; i++) {
        int64_t bad;
        const double factor = factor_of(map, sum_sparse_row(m, i, &bad));
        if (bad < m->D) first = DC_MIN(first, i);
        for (int64_t e = m->ptr[i]; bad == m->D && e < m->ptr[i + 1]; e++)
            val[e] = (float)value_of((double)val[e], factor, map->log1p);
    }
    return first;
}

/* Leaves out the values of other columns and renumbers the chosen ones; place[D]: number of a column, or -1. */
static void keep_columns(const int32_t *place, dc_csr *m)
{
    int64_t *ptr = (int64_t *)(uintptr_t)m->ptr;
    int32_t *col = (int32_t *)(uintptr_t)m->col;
    float *val = (float *)(uintptr_t)m->val;
    int64_t to = 0, from = ptr[0];
    for (int64_t i = 0; i < m->n; i++) {
        const int64_t end = ptr[i + 1];
        ptr[i] = to;
        for (; from < end; from++) {
            if (place[col[from]] < 0) continue;
            col[to] = place[col[from]];
            val[to++] = val[from];
        }
    }
    if (m->n > 0) ptr[m->n] = to;
}

dc_status dc_count_map_csr(const dc_count_map *map, const char *source, dc_gidx first, dc_csr *m)
{
    dc_status st = DC_OK;
    int32_t *place = NULL;
    int64_t bad;
    if (map->column) DC_TRY(dc_mem_alloc(&place, (size_t)map->D, sizeof *place, "places of the columns"));
    const int64_t row = transform_values(map, m);
    if (row < m->n) {
        (void)sum_sparse_row(m, row, &bad);
        DC_TRY(fail_count(source, first + row, bad));
    }
    if (!map->column) goto out;
    for (int64_t c = 0; c < map->D; c++) place[c] = -1;
    for (int64_t k = 0; k < map->kept; k++) place[map->column[k]] = (int32_t)k;
    keep_columns(place, m);
    m->D = map->kept;
out:
    dc_mem_free(&place);
    return st;
}

void dc_count_map_release(dc_count_map *map)
{
    dc_mem_free(&map->column);
}
