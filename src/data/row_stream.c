/* Rows of a data file in pieces, for jobs that look at every row once: memory does not grow with the file. All labels
 * are read once beforehand, because the numbers of the classes depend on all of them. */
#include <math.h>
#include <string.h>

#include "data_priv.h"
#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "rows_reader.h"
#include "sparse.h"

static dc_status look_at_header(const dc_data_request *r, dc_data_shape *shape)
{
    const char *path = r->path;
    if (dc_builtin_is(path))
        return DC_FAIL(DC_ERR_DATA, "%s is not a file; first: dcmpi convert %s OUT.h5", path, path);
    const dc_status st = dc_data_describe(r, shape);
    if (st != DC_OK || !shape->sparse.by_columns) return st;
    return DC_FAIL(DC_ERR_DATA,
                   "%s: '%s' is stored by columns, but is needed in pieces of rows; first: dcmpi convert %s "
                   "OUT.h5",
                   path, shape->matrix, path);
}

dc_status dc_row_stream_open(dc_comm *comm, const dc_data_request *request, dc_row_stream *s)
{
    dc_status st = DC_OK;
    const dc_data_request settled = dc_data_request_settled(request);
    const dc_data_request r = {
        .path = settled.path, .files = settled.files, .labels = settled.labels, .matrix = settled.matrix};
    *s = (dc_row_stream){0};
    snprintf(s->source, sizeof s->source, "%s", r.path);
    DC_TRY_ALL(comm, dc_mem_alloc(&s->shape, 1, sizeof *s->shape, "header"));
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? look_at_header(&r, s->shape) : DC_OK);
    dc_comm_bcast(comm, s->shape, sizeof *s->shape, 0);
    s->shape->files = r.files;
    s->head = s->shape->head;
    s->head.n_image_dims = s->shape->n_image_dims;
    memcpy(s->head.image_shape, s->shape->image_shape, sizeof s->head.image_shape);
    s->checksum = dc_data_checksum_of(s->shape, dc_comm_size(comm));
    DC_TRY_ALL(comm, dc_data_sums_create(s->shape, dc_comm_size(comm), &s->sums));
    DC_TRY_ALL(comm, dc_comm_rank(comm) == 0 ? dc_data_column_names(r.path, s->shape, &s->feature_names) : DC_OK);
    if (r.files && !s->head.sparse) DC_TRY_ALL(comm, dc_rows_reader_open(s->shape, &s->rows_reader));
out:
    return st;
}

/* The dc_part of this rank's local rows [lo, lo + n). */
static dc_part piece_of(const dc_row_stream *s, dc_gidx lo, int64_t n)
{
    dc_part piece = s->part;
    piece.row_lo = s->part.row_lo + lo;
    piece.row_hi = piece.row_lo + n;
    return piece;
}

static dc_status take_memory(dc_row_stream *s)
{
    dc_status st = DC_OK;
    const size_t n = (size_t)s->capacity;
    const size_t row_bytes = dc_mul_size((size_t)s->head.D, dc_dtype_bytes(s->head.dtype));
    int64_t *ptr = NULL;
    if (s->head.sparse) {
        DC_TRY(dc_mem_alloc(&ptr, n + 1, sizeof *ptr, "pointers of sparse rows"));
        s->csr = (dc_csr){.D = s->head.D, .ptr = ptr};
    } else {
        DC_TRY(dc_mem_alloc_raw(&s->X, n, row_bytes, "rows of data"));
    }
    if (s->head.has_labels) DC_TRY(dc_mem_alloc(&s->y, n, sizeof *s->y, "labels"));
out:
    return st;
}

/* Finds what only a look at all rows can tell: the classes, the longest id. */
static dc_status start_columns(dc_comm *comm, dc_row_stream *s)
{
    dc_status st = DC_OK;
    if (s->head.has_labels) {
        DC_TRY(dc_data_labels_start(comm, s->shape, s->source, &s->part, s->capacity, &s->label_reader));
        s->C = dc_data_labels_classes(s->label_reader, &s->unlabelled);
        s->classes = dc_data_labels_take_names(s->label_reader);
    }
    if (s->head.has_ids) {
        DC_TRY(dc_data_ids_start(comm, s->shape, s->source, &s->part, &s->id_reader));
        s->id_bytes = dc_data_ids_bytes(s->id_reader);
        DC_TRY_ALL(comm, dc_mem_alloc(&s->ids, (size_t)s->capacity, s->id_bytes, "ids"));
    }
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
    if (s->head.in_place) DC_TRY_ALL(comm, dc_data_store_create(s->shape, s->source, &s->ahead));
    if (s->head.sparse) {
        DC_TRY_ALL(comm, dc_mem_alloc(&s->reader, 1, sizeof *s->reader, "sparse rows"));
        DC_TRY(dc_data_csr_open(comm, s->source, s->shape, s->reader));
    }
    DC_TRY(start_columns(comm, s));
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

static bool sparse_row_is_finite(const dc_csr *m, int64_t row)
{
    bool ok = true;
    for (int64_t e = m->ptr[row]; e < m->ptr[row + 1]; e++) ok &= (bool)isfinite(m->val[e]);
    return ok;
}

static dc_status check_finite(const dc_row_stream *s)
{
    char place[DC_FILES_ROW_MAX];
    for (int64_t i = 0; s->head.dtype != DC_U8 && i < s->n; i++)
        if (!(s->head.sparse ? sparse_row_is_finite(&s->csr, i) : row_is_finite(s, i)))
            return DC_FAIL(
                DC_ERR_DATA,
                "%s: row %lld%s (counted from 0) has NaN or infinite values; dcmpi convert --missing leaves such rows "
                "out or replaces the values",
                s->source, (long long)(s->part.row_lo + s->next + i),
                dc_files_row(s->shape->files, s->part.row_lo + s->next + i, place));
    return DC_OK;
}

static dc_status read_dense(dc_comm *comm, dc_row_stream *s, const dc_part *piece)
{
    const dc_status st =
        s->rows_reader
            ? dc_rows_reader_read(comm, s->rows_reader, piece, s->X)
            : dc_data_status(dc_h5_read_part(comm, s->source, s->shape->matrix, dc_data_h5_type(s->head.dtype), piece,
                                             (size_t)s->head.D, s->X));
    if (st == DC_OK)
        dc_data_sums_add_rows(s->sums, (size_t)s->head.D * dc_dtype_bytes(s->head.dtype), piece->row_lo, s->n, s->X);
    return st;
}

static dc_status read_sparse(dc_comm *comm, dc_row_stream *s, const dc_part *piece)
{
    dc_status st = DC_OK;
    s->csr.n = s->n;
    DC_TRY(dc_data_csr_read_pointers(comm, s->reader, piece, (int64_t *)(uintptr_t)s->csr.ptr));
    DC_TRY_ALL(comm, dc_data_csr_make_room(s->csr.ptr[s->n], &s->entries, &s->csr));
    DC_TRY(dc_data_csr_read(comm, s->reader, piece, s->sums, &s->csr));
out:
    return st;
}

/* The next piece, which is read while this one is used. */
static void expect_next(dc_row_stream *s)
{
    const int64_t n = DC_MIN(s->capacity, dc_part_rows(&s->part) - s->next);
    dc_store_expect(s->ahead, s->part.row_lo + s->next, n);
}

dc_status dc_row_stream_read(dc_comm *comm, dc_row_stream *s, int64_t n)
{
    dc_status st = DC_OK;
    DC_ASSERT(n <= s->capacity);
    const dc_part piece = piece_of(s, s->next, n);
    s->n = n;
    DC_TRY(s->head.sparse ? read_sparse(comm, s, &piece) : read_dense(comm, s, &piece));
    DC_TRY_ALL(comm, check_finite(s));
    if (s->y) DC_TRY(dc_data_labels_read(comm, s->label_reader, &piece, s->sums, s->y));
    if (s->ids) DC_TRY(dc_data_ids_read(comm, s->id_reader, &piece, s->sums, s->ids));
    s->next += n;
    if (s->ahead) expect_next(s);
out:
    if (st != DC_OK) st = dc_data_sums_blame(comm, s->sums, s->source, st);
    return st;
}

dc_status dc_row_stream_end(dc_comm *comm, dc_row_stream *s)
{
    DC_ASSERT(s->next == dc_part_rows(&s->part));
    if (s->rows_reader) {
        const dc_status st = dc_rows_reader_check(comm, s->rows_reader, &s->part);
        if (st != DC_OK) return st;
    }
    if (s->reader) {
        const dc_status st = dc_agree(comm, dc_data_csr_check_file(s->reader));
        if (st != DC_OK) return st;
    }
    return dc_data_sums_compare(comm, s->sums, s->source, &s->checksum);
}

void dc_row_stream_close(dc_row_stream *s)
{
    dc_data_sums_destroy(&s->sums);
    if (s->reader) dc_data_csr_close(s->reader);
    dc_mem_free(&s->reader);
    dc_rows_reader_close(&s->rows_reader);
    dc_store_destroy(&s->ahead);
    dc_data_csr_release(&s->csr);
    dc_mem_free(&s->X);
    dc_mem_free(&s->y);
    dc_mem_free(&s->ids);
    dc_mem_free(&s->classes);
    dc_mem_free(&s->feature_names);
    dc_data_labels_end(&s->label_reader);
    dc_data_ids_end(&s->id_reader);
    dc_mem_free(&s->shape);
}
