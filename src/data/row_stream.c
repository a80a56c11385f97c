/* Rows of a data file in pieces, for jobs that look at every row once: memory does not grow with the file. Labels are
 * passed over once before, because their dense numbers depend on all of them. */
#include <math.h>
#include <string.h>

#include "data_priv.h"
#include "dcmpi/comm.h"
#include "dcmpi/mem.h"

static dc_status look_at_header(const char *path, dc_data_shape *shape)
{
    if (strcmp(path, DC_BUILTIN_GLYPHS) == 0)
        return DC_FAIL(DC_ERR_DATA, "%s is no file; rows are read from a data file", path);
    return dc_data_describe(path, 0, shape);
}

dc_status dc_row_stream_open(dc_comm *comm, const char *path, dc_row_stream *s)
{
    dc_status st = DC_OK;
    dc_data_shape shape = {0};
    *s = (dc_row_stream){0};
    snprintf(s->source, sizeof s->source, "%s", path);
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? look_at_header(path, &shape) : DC_OK);
    dc_comm_bcast(comm, &shape, sizeof shape, 0);
    s->head = shape.head;
    s->label_type = (int)shape.label_type;
    s->checksum = dc_data_checksum_of(&shape.promise, s->head.N, dc_comm_size(comm));
    DC_TRY_ALL(comm, dc_data_sums_create(&shape.promise, s->head.N, dc_comm_size(comm), &s->sums));
out:
    return st;
}

/* The part of a piece: this rank's local rows [lo, lo + n). */
static dc_part piece_of(const dc_row_stream *s, dc_gidx lo, int64_t n)
{
    dc_part piece = s->part;
    piece.row_lo = s->part.row_lo + lo;
    piece.row_hi = piece.row_lo + n;
    return piece;
}

/* sums: NULL if these labels are read once more. */
static dc_status read_labels(dc_comm *comm, dc_row_stream *s, dc_gidx lo, int64_t n, dc_data_sums *sums)
{
    const dc_part piece = piece_of(s, lo, n);
    const dc_h5_type type = (dc_h5_type)s->label_type;
    const dc_status st = dc_data_status(dc_h5_read_part(comm, s->source, "/y", type, &piece, 1, s->raw));
    if (st != DC_OK) return st;
    if (sums) dc_data_sums_add_labels(sums, dc_h5_type_bytes(type), piece.row_lo, n, s->raw);
    dc_data_widen_labels(s->raw, n, type);
    return DC_OK;
}

static dc_status find_classes(dc_comm *comm, dc_row_stream *s)
{
    dc_status st = DC_OK;
    dc_u64set set = {0};
    size_t C = 0;
    const int64_t n = dc_part_rows(&s->part);
    int64_t rounds = (n + s->capacity - 1) / s->capacity;
    dc_comm_max_i64(comm, &rounds, 1);
    DC_TRY_ALL(comm, dc_u64set_init(&set));
    for (int64_t r = 0; r < rounds; r++) {
        const int64_t lo = DC_MIN(r * s->capacity, n), rows = DC_MIN(s->capacity, n - lo);
        DC_TRY(read_labels(comm, s, lo, rows, NULL));
        DC_TRY_ALL(comm, dc_data_collect_labels(s->raw, rows, &set));
    }
    DC_TRY(dc_data_join_labels(comm, &set, &s->value, &C));
    s->C = (int64_t)C;
    if (C == 0) dc_mem_free(&s->y);
out:
    dc_u64set_release(&set);
    return st;
}

static dc_status take_memory(dc_row_stream *s)
{
    dc_status st = DC_OK;
    const size_t n = (size_t)s->capacity;
    DC_TRY(dc_mem_alloc_raw(&s->X, n, dc_mul_size((size_t)s->head.D, dc_dtype_bytes(s->head.dtype)), "rows of data"));
    if (!s->head.has_labels) return DC_OK;
    DC_TRY(dc_mem_alloc(&s->raw, n, sizeof *s->raw, "raw labels"));
    DC_TRY(dc_mem_alloc(&s->y, n, sizeof *s->y, "labels"));
out:
    return st;
}

dc_status dc_row_stream_start(dc_comm *comm, dc_row_stream *s, const dc_part *part, int64_t capacity)
{
    dc_status st = DC_OK;
    DC_ASSERT(part->N == s->head.N && capacity >= 1);
    s->part = *part;
    s->capacity = capacity;
    DC_TRY_ALL(comm, take_memory(s));
    if (s->head.has_labels) DC_TRY(find_classes(comm, s));
out:
    return st;
}

static bool row_is_finite(const dc_row_stream *s, int64_t row)
{
    const int64_t D = s->head.D;
    const _Float16 *restrict f16 = (const _Float16 *)s->X + row * D;
    const float *restrict f32 = (const float *)s->X + row * D;
    const double *restrict f64 = (const double *)s->X + row * D;
    bool ok = true;
    switch (s->head.dtype) {
    case DC_U8:
        break;
    case DC_F16:
        for (int64_t c = 0; c < D; c++) ok &= (bool)isfinite((float)f16[c]);
        break;
    case DC_F32:
        for (int64_t c = 0; c < D; c++) ok &= (bool)isfinite(f32[c]);
        break;
    case DC_F64:
        for (int64_t c = 0; c < D; c++) ok &= (bool)isfinite(f64[c]);
        break;
    }
    return ok;
}

static dc_status check_finite(const dc_row_stream *s)
{
    for (int64_t i = 0; s->head.dtype != DC_U8 && i < s->n; i++)
        if (!row_is_finite(s, i))
            return DC_FAIL(DC_ERR_DATA,
                           "%s: row %lld (counted from 0) has NaN or infinite values; remove or replace it", s->source,
                           (long long)(s->part.row_lo + s->next + i));
    return DC_OK;
}

dc_status dc_row_stream_read(dc_comm *comm, dc_row_stream *s, int64_t n)
{
    dc_status st = DC_OK;
    DC_ASSERT(n <= s->capacity);
    const dc_part piece = piece_of(s, s->next, n);
    s->n = n;
    DC_TRY(dc_data_status(
        dc_h5_read_part(comm, s->source, "/X", dc_data_h5_type(s->head.dtype), &piece, (size_t)s->head.D, s->X)));
    dc_data_sums_add_rows(s->sums, (size_t)s->head.D * dc_dtype_bytes(s->head.dtype), piece.row_lo, n, s->X);
    DC_TRY_ALL(comm, check_finite(s));
    if (s->y) {
        DC_TRY(read_labels(comm, s, s->next, n, s->sums));
        for (int64_t i = 0; i < n; i++) s->y[i] = dc_data_label_number(s->value, (size_t)s->C, s->raw[i]);
    }
    s->next += n;
out:
    return st;
}

dc_status dc_row_stream_end(dc_comm *comm, dc_row_stream *s)
{
    DC_ASSERT(s->next == dc_part_rows(&s->part));
    return dc_data_sums_compare(comm, s->sums, s->source, &s->checksum);
}

void dc_row_stream_close(dc_row_stream *s)
{
    dc_data_sums_destroy(&s->sums);
    dc_mem_free(&s->X);
    dc_mem_free(&s->y);
    dc_mem_free(&s->raw);
    dc_mem_free(&s->value);
}
