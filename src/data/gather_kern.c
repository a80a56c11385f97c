/* Converts stored rows to scaled float rows; also holds the other loops over rows that threads share: conversion to
 * double for statistics, the built-in problem, first touch.
 *
 * Every output element is a function of one input element, so threads and order do not matter. Values of float64 are
 * shifted in double: columns such as times have a large offset and small differences. */
#include <omp.h>
#include <string.h>
#ifdef __F16C__
#include <immintrin.h>
#endif

#include "data_priv.h"
#include "sparse.h"

/* With fewer elements than this it is not worth waking the threads. */
enum { THREAD_ELEMENTS = 1 << 15 };

static void convert_u8(const uint8_t *restrict x, const float *restrict shift, const float *restrict scale, int64_t D,
                       float *restrict out)
{
#pragma omp simd
    for (int64_t c = 0; c < D; c++) out[c] = ((float)x[c] - shift[c]) * scale[c];
}

/* out may be x. */
static void convert_f32(const float *x, const float *restrict shift, const float *restrict scale, int64_t D, float *out)
{
#pragma omp simd
    for (int64_t c = 0; c < D; c++) out[c] = (x[c] - shift[c]) * scale[c];
}

/* out = x; exact. GCC converts one value at a time, which took longer than all else that is done with them. */
static void floats_of_halves(const _Float16 *restrict x, int64_t n, float *restrict out)
{
    int64_t i = 0;
#ifdef __F16C__
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(x + i))));
#endif
    for (; i < n; i++) out[i] = (float)x[i];
}

static void convert_f16(const _Float16 *restrict x, const float *restrict shift, const float *restrict scale, int64_t D,
                        float *restrict out)
{
    floats_of_halves(x, D, out);
    convert_f32(out, shift, scale, D, out);
}

static void convert_f64(const double *restrict x, const float *restrict shift, const float *restrict scale, int64_t D,
                        float *restrict out)
{
#pragma omp simd
    for (int64_t c = 0; c < D; c++) out[c] = (float)((x[c] - (double)shift[c]) * (double)scale[c]);
}

/* out[width] = columns [c, c + width) of a dense row with the stored values `stored`, in double. */
static void widen(dc_dtype dtype, const void *stored, int64_t c, int64_t width, double *restrict out)
{
    const uint8_t *restrict u8 = (const uint8_t *)stored + c;
    const _Float16 *restrict f16 = (const _Float16 *)stored + c;
    const float *restrict f32 = (const float *)stored + c;
    switch (dtype) {
    case DC_U8:
        for (int64_t i = 0; i < width; i++) out[i] = (double)u8[i];
        break;
    case DC_F16:
        for (int64_t i = 0, n; i < width; i += n) {
            enum { PIECE = 256 };
            float x[PIECE];
            n = DC_MIN(width - i, (int64_t)PIECE);
            floats_of_halves(f16 + i, n, x);
            for (int64_t k = 0; k < n; k++) out[i + k] = (double)x[k];
        }
        break;
    case DC_F32:
        for (int64_t i = 0; i < width; i++) out[i] = (double)f32[i];
        break;
    case DC_F64:
        memcpy(out, (const double *)stored + c, (size_t)width * sizeof *out);
        break;
    }
}

/* Values to be clipped are processed in double, whatever their stored type. */
static void convert_clipped(const dc_dataset *d, const void *stored, int64_t c, int64_t width, float *restrict out)
{
    enum { PIECE = 256 };
    double x[PIECE];
    for (int64_t at = c; at < c + width; at += PIECE) {
        const int64_t n = DC_MIN(c + width - at, (int64_t)PIECE);
        widen(d->dtype, stored, at, n, x);
        dc_data_clip_f64(d, at, n, x);
        convert_f64(x, d->shift + at, d->scale + at, n, out + (at - c));
    }
}

/* A piece of a sparse row of which zeros stay zeros. Stored values are clipped already. */
static void scatter(const dc_dataset *d, int64_t row, int64_t c, int64_t width, float *restrict out)
{
    const dc_csr *m = &d->csr;
    memset(out, 0, (size_t)width * sizeof *out);
    for (int64_t e = dc_csr_find(m, row, c); e < m->ptr[row + 1] && m->col[e] < c + width; e++)
        out[m->col[e] - c] = dc_csr_value(m, row, e);
}

/* A piece of a sparse row of which zeros become something else. */
static void convert_sparse(const dc_dataset *d, int64_t row, int64_t c, int64_t width, float *restrict out)
{
    const dc_csr *m = &d->csr;
    memset(out, 0, (size_t)width * sizeof *out);
    for (int64_t e = dc_csr_find(m, row, c); e < m->ptr[row + 1] && m->col[e] < c + width; e++)
        out[m->col[e] - c] = m->val[e];
    for (int64_t k = 0; d->clip_lo && k < width; k++) {
        const double x = (double)out[k], lo = d->clip_lo[c + k], hi = d->clip_hi[c + k];
        out[k] = (float)(x < lo ? lo : x > hi ? hi : x);
    }
    for (int64_t k = 0; k < width; k++) out[k] = (out[k] - d->shift[c + k]) * d->scale[c + k];
}

static void convert_sparse_columns(const dc_dataset *d, int64_t row, int64_t c, int64_t width, float *out)
{
    if (d->zeros_stay)
        scatter(d, row, c, width, out);
    else
        convert_sparse(d, row, c, width, out);
}

/* Converts columns [c, c + width) of a dense row. */
static void convert_columns(const dc_dataset *d, const void *stored, int64_t c, int64_t width, float *out)
{
    if (d->clip_lo) {
        convert_clipped(d, stored, c, width, out);
        return;
    }
    switch (d->dtype) {
    case DC_U8:
        convert_u8((const uint8_t *)stored + c, d->shift + c, d->scale + c, width, out);
        break;
    case DC_F16:
        convert_f16((const _Float16 *)stored + c, d->shift + c, d->scale + c, width, out);
        break;
    case DC_F32:
        convert_f32((const float *)stored + c, d->shift + c, d->scale + c, width, out);
        break;
    case DC_F64:
        convert_f64((const double *)stored + c, d->shift + c, d->scale + c, width, out);
        break;
    }
}

void dc_data_scaled_row(const dc_dataset *d, int64_t row, float *out)
{
    if (dc_dataset_is_sparse(d))
        convert_sparse_columns(d, row, 0, d->D, out);
    else
        convert_columns(d, dc_data_stored_row(d, row), 0, d->D, out);
}

/* Whether rows are made of their stored values, rather than of sparse rows or components. */
static bool reads_stored(const dc_dataset *d)
{
    return !d->Z && !dc_dataset_is_sparse(d);
}

/* What enters the network: columns, or components, which are there already. stored: the values of the row, if
 * reads_stored(). */
static void convert_piece(const dc_dataset *d, int64_t row, const void *stored, int64_t c, int64_t width, float *out)
{
    if (d->Z)
        memcpy(out, d->Z + row * d->pca.k + c, (size_t)width * sizeof *out);
    else if (dc_dataset_is_sparse(d))
        convert_sparse_columns(d, row, c, width, out);
    else
        convert_columns(d, stored, c, width, out);
    if (!d->row_scale || dc_dataset_csr(d)) return; /* the values of sparse rows have the factor already */
    for (int64_t i = 0; i < width; i++) out[i] *= d->row_scale[row];
}

static int64_t width_of(const dc_dataset *d)
{
    return d->Z ? d->pca.k : d->D;
}

static void convert_row(const dc_dataset *d, int64_t row, float *out)
{
    convert_piece(d, row, reads_stored(d) ? dc_data_stored_row(d, row) : NULL, 0, width_of(d), out);
}

void dc_dataset_gather(const dc_dataset *data, const int64_t *rows, int64_t n, float *out)
{
    const int64_t width = width_of(data);
#pragma omp parallel for schedule(dynamic, 16) if (!omp_in_parallel() && n * width >= THREAD_ELEMENTS)
    for (int64_t i = 0; i < n; i++) convert_row(data, rows[i], out + i * width);
}

/* The same for consecutive rows lo..lo+n-1. */
static void convert_rows(const dc_dataset *d, int64_t lo, int64_t n, float *out)
{
    const int64_t width = width_of(d);
    const size_t row_bytes = (size_t)d->D * dc_dtype_bytes(d->dtype);
    for (int64_t i = 0, m; i < n; i += m) {
        const void *stored = NULL;
        m = reads_stored(d) ? dc_data_stored(d, lo + i, n - i, &stored) : n;
        for (int64_t j = 0; j < m; j++)
            convert_piece(d, lo + i + j, stored ? (const char *)stored + (size_t)j * row_bytes : NULL, 0, width,
                          out + (i + j) * width);
    }
}

void dc_dataset_rows(const dc_dataset *data, int64_t lo, int64_t n, float *out)
{
    enum { ROWS = 16 };
    const int64_t width = width_of(data);
    if (omp_in_parallel() || n * width < THREAD_ELEMENTS) {
        convert_rows(data, lo, n, out);
        return;
    }
#pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < n; i += ROWS) convert_rows(data, lo + i, DC_MIN(n - i, (int64_t)ROWS), out + i * width);
}

static void read_rows(const void *ctx, int64_t lo, int64_t n, float *out)
{
    dc_dataset_rows(ctx, lo, n, out);
}

dc_rows dc_rows_of_dataset(const dc_dataset *data)
{
    return (dc_rows){
        .part = &data->part, .d = width_of(data), .rows = read_rows, .ctx = data, .csr = dc_dataset_csr(data)};
}

/* The same for a sparse row of which zeros, inside [lo, hi], stay zeros. */
static int64_t stored_outside(const dc_csr *m, int64_t row, float lo, float hi)
{
    for (int64_t e = m->ptr[row]; e < m->ptr[row + 1]; e++) {
        const float x = dc_csr_value(m, row, e);
        if (!(x >= lo && x <= hi)) return m->col[e];
    }
    return m->D;
}

static void read_values(const void *ctx, int64_t lo, int64_t n, float *out)
{
    enum { PIECE = 256 };
    double x[PIECE];
    const dc_dataset *d = ctx;
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < d->D; c += PIECE) {
            const int64_t width = DC_MIN(d->D - c, (int64_t)PIECE);
            dc_data_piece_f64(d, lo + i, c, width, x);
            dc_data_clip_f64(d, c, width, x);
            for (int64_t j = 0; j < width; j++) out[i * d->D + c + j] = (float)x[j];
        }
}

dc_rows dc_rows_of_values(const dc_dataset *data, dc_csr *stored)
{
    *stored = data->csr;
    stored->scale = stored->row_scale = NULL;
    return (dc_rows){.part = &data->part,
                     .d = data->D,
                     .rows = read_values,
                     .ctx = data,
                     .csr = dc_dataset_is_sparse(data) ? stored : NULL};
}

/* First column of a row whose value is not in [lo, hi], their number if none is. */
static int64_t column_outside(const dc_dataset *d, int64_t row, float lo, float hi)
{
    enum { PIECE = 256 };
    float x[PIECE];
    const int64_t all = width_of(d);
    const dc_csr *sparse = dc_dataset_csr(d);
    const void *stored = reads_stored(d) ? dc_data_stored_row(d, row) : NULL;
    if (sparse && lo <= 0 && hi >= 0) return stored_outside(sparse, row, lo, hi);
    for (int64_t c0 = 0; c0 < all; c0 += PIECE) {
        const int64_t width = DC_MIN(all - c0, (int64_t)PIECE);
        int32_t outside = 0;
        convert_piece(d, row, stored, c0, width, x);
        for (int64_t c = 0; c < width; c++) outside |= !(x[c] >= lo && x[c] <= hi);
        for (int64_t c = 0; outside && c < width; c++)
            if (!(x[c] >= lo && x[c] <= hi)) return c0 + c;
    }
    return all;
}

int64_t dc_dataset_outside(const dc_dataset *data, int64_t n, float lo, float hi, int64_t *row, int64_t *column)
{
    const int64_t width = width_of(data);
    int64_t count = 0, first = n;
#pragma omp parallel for schedule(static) reduction(+ : count) reduction(min : first)
    for (int64_t i = 0; i < n; i++) {
        if (column_outside(data, i, lo, hi) == width) continue;
        count++;
        first = DC_MIN(first, i);
    }
    *row = first;
    *column = first < n ? column_outside(data, first, lo, hi) : width;
    return count;
}

static void sparse_piece_f64(const dc_csr *m, int64_t row, int64_t c, int64_t width, double *restrict out)
{
    memset(out, 0, (size_t)width * sizeof *out);
    for (int64_t e = dc_csr_find(m, row, c); e < m->ptr[row + 1] && m->col[e] < c + width; e++)
        out[m->col[e] - c] = (double)m->val[e];
}

void dc_data_piece_f64(const dc_dataset *data, int64_t row, int64_t c, int64_t width, double *restrict out)
{
    if (dc_dataset_is_sparse(data))
        sparse_piece_f64(&data->csr, row, c, width, out);
    else
        widen(data->dtype, dc_data_stored_row(data, row), c, width, out);
}

int64_t dc_data_clip_f64(const dc_dataset *data, int64_t c, int64_t width, double *restrict x)
{
    if (!data->clip_lo) return 0;
    int64_t changed = 0;
    const double *restrict lo = data->clip_lo + c, *restrict hi = data->clip_hi + c;
    for (int64_t i = 0; i < width; i++) {
        const double clipped = x[i] < lo[i] ? lo[i] : x[i] > hi[i] ? hi[i] : x[i];
        changed += x[i] < lo[i] || x[i] > hi[i];
        x[i] = clipped;
    }
    return changed;
}

void dc_data_row_f64(const dc_dataset *data, int64_t row, double *restrict out)
{
    dc_data_piece_f64(data, row, 0, data->D, out);
    dc_data_clip_f64(data, 0, data->D, out);
}

void dc_data_touch(void *memory, size_t bytes)
{
    enum { PIECE = 1 << 20 };
    const int64_t pieces = (int64_t)((bytes + PIECE - 1) / PIECE);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < pieces; i++) {
        const size_t lo = (size_t)i * PIECE;
        memset((char *)memory + lo, 0, DC_MIN((size_t)PIECE, bytes - lo));
    }
}

int dc_data_threads(void)
{
    return omp_get_max_threads();
}
