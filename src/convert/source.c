/* Which reader an input needs, and the one face that all readers show. What a matrix and a list of labels may look like
 * is decided here; how bytes become numbers is decided in array.c, text.c and io/h5.c. */
#include "convert/source.h"

#include <string.h>

#include "convert/foreign.h"
#include "dcmpi/convert.h"
#include "dcmpi/mem.h"
#include "dcmpi/signals.h"

/* ---- Shape ------------------------------------------------------------------------------------------------------- */

/* A matrix has rows of one or more dimensions; labels are a vector or a matrix of one column. */
static dc_status check_shape(const dc_source *s, int n_dims, bool labels)
{
    if (labels && s->width != 1)
        return DC_FAIL(DC_ERR_DATA, "%s: labels must be one per row, but rows have %lld values", s->name,
                       (long long)s->width);
    if (!labels && n_dims < 2)
        return DC_FAIL(DC_ERR_DATA,
                       "%s: has 1 dimension; a matrix needs 2 (if these are labels, give them with --labels)", s->name);
    return DC_OK;
}

/* Pictures have 2 to 4 dimensions beside the row; more are flattened and forgotten. */
static void keep_image_shape(dc_source *s, int n_dims, const int64_t *dims)
{
    if (n_dims < 3 || n_dims - 1 > DC_SOURCE_IMAGE_DIMS_MAX) return;
    s->n_image_dims = n_dims - 1;
    for (int i = 1; i < n_dims; i++) s->image_shape[i - 1] = dims[i];
}

/* ---- IDX and NPY ------------------------------------------------------------------------------------------------- */

static dc_status open_array(dc_source *s, bool labels)
{
    dc_stream *stream = &s->text.lines.stream;
    dc_status st = DC_OK;
    int64_t dims[DC_ARRAY_MAX_DIMS];
    s->kind = DC_SOURCE_ARRAY;
    DC_TRY(dc_npy_recognise(stream) ? dc_npy_header(stream, &s->array) : dc_idx_header(stream, &s->array));
    DC_TRY(dc_array_check(stream, &s->array, &s->rows, &s->width));
    DC_TRY(check_shape(s, s->array.n_dims, labels));
    for (int i = 0; i < s->array.n_dims; i++) dims[i] = (int64_t)s->array.dims[i];
    keep_image_shape(s, s->array.n_dims, dims);
    s->stored = dc_element_stored(s->array.element);
    s->narrowed = s->stored == DC_F32 && s->array.element.kind != 'f';
out:
    return st;
}

/* ---- Text -------------------------------------------------------------------------------------------------------- */

/* Rows that transposition will turn keep their missing values: which samples they belong to is not known yet. */
static dc_missing_action action_of(const dc_source_request *r)
{
    return r->transpose && r->missing != DC_MISSING_ERROR ? DC_MISSING_VALUE : r->missing;
}

static dc_status open_text(dc_source *s, const dc_source_request *r)
{
    dc_status st = DC_OK;
    dc_stream_close(&s->text.lines.stream);
    s->kind = DC_SOURCE_TEXT;
    s->rows = DC_SOURCE_ROWS_UNKNOWN;
    s->stored = DC_U8;
    s->narrowed = true;
    if (r->labels) return dc_text_open_labels(&s->text, r->path, r->rows, r->max_bytes);
    DC_TRY(dc_text_open(&s->text, r->path, &r->table, action_of(r), r->max_bytes));
    const dc_layout *y = &s->text.layout;
    s->width = y->n_features;
    s->has_labels = y->label >= 0;
    s->has_ids = y->id >= 0;
    DC_TRY(dc_layout_names(y, DC_COLUMN_FEATURE, &s->names));
out:
    return st;
}

/* ---- HDF5 -------------------------------------------------------------------------------------------------------- */

typedef struct {
    dc_source *s;
    bool labels;
    int found;
} choice;

static dc_status consider(void *ctx, const char *name, const dc_h5_info *info)
{
    choice *c = ctx;
    if ((info->n_dims >= 2) == c->labels || info->n_dims < 1) return DC_OK;
    if (c->found++ == 0) snprintf(c->s->dataset, sizeof c->s->dataset, "%s", name);
    return DC_OK;
}

/* The dataset that the user named, else /X (or /y), else the only one of fitting dimensions. */
static dc_status choose_dataset(dc_source *s, const dc_source_request *r)
{
    const char *usual = r->labels ? "/y" : "/X";
    choice c = {.s = s, .labels = r->labels};
    if (r->dataset || dc_h5_exists(s->h5, usual)) {
        const char *name = r->dataset ? r->dataset : usual;
        if (strlen(name) >= sizeof s->dataset)
            return DC_FAIL(DC_ERR_USAGE, "%s: --dataset is longer than %zu bytes", s->name, sizeof s->dataset - 1);
        snprintf(s->dataset, sizeof s->dataset, "%s", name);
        return DC_OK;
    }
    const dc_status st = dc_h5_visit(s->h5, consider, &c);
    if (st != DC_OK || c.found == 1) return st;
    return DC_FAIL(DC_ERR_DATA, "%s: has no %s and %d datasets of %s; choose one with --dataset", s->name, usual,
                   c.found, r->labels ? "1 dimension" : "2 or more dimensions");
}

static dc_status shape_of_dataset(dc_source *s, const dc_h5_info *info, bool labels)
{
    int64_t wide = 1;
    if (info->n_dims < 1) return DC_FAIL(DC_ERR_DATA, "%s: dataset %s is a scalar", s->name, s->dataset);
    for (int i = 1; i < info->n_dims; i++) {
        if (__builtin_mul_overflow(wide, info->dims[i], &wide) || wide > DC_CONVERT_MAX_COLUMNS)
            return DC_FAIL(DC_ERR_DATA, "%s: dataset %s: more than %d values per row", s->name, s->dataset,
                           DC_CONVERT_MAX_COLUMNS);
    }
    if (wide < 1 || info->dims[0] < 1)
        return DC_FAIL(DC_ERR_DATA, "%s: dataset %s has no values (a dimension is 0)", s->name, s->dataset);
    s->rows = info->dims[0];
    s->width = wide;
    keep_image_shape(s, info->n_dims, info->dims);
    return check_shape(s, info->n_dims, labels);
}

/* A flat matrix of ours remembers its pictures in an attribute of the root. */
static void adopt_image_shape(dc_source *s)
{
    size_t n = 0;
    int64_t shape[DC_SOURCE_IMAGE_DIMS_MAX], product = 1;
    if (s->n_image_dims > 0 || !dc_h5_has_attr(s->h5, "/", "image_shape")) return;
    if (dc_h5_get_attr_i64(s->h5, "/", "image_shape", shape, DC_SOURCE_IMAGE_DIMS_MAX, &n) != DC_OK) {
        dc_error_clear();
        return;
    }
    if (n < 2 || n > DC_SOURCE_IMAGE_DIMS_MAX) return;
    for (size_t i = 0; i < n; i++)
        if (shape[i] < 1 || __builtin_mul_overflow(product, shape[i], &product)) return;
    if (product != s->width) return;
    s->n_image_dims = (int)n;
    memcpy(s->image_shape, shape, n * sizeof *shape);
}

/* The type that keeps the values: floats of other formats, bfloat16 among them, go where all their values have a place.
 */
static dc_dtype stored_of_h5(const dc_h5_info *info)
{
    switch (info->type) {
    case DC_H5_U8:
        return DC_U8;
    case DC_H5_F16:
        return DC_F16;
    case DC_H5_F64:
        return DC_F64;
    case DC_H5_OTHER:
        return info->floating && !info->fits_f32 ? DC_F64 : DC_F32;
    case DC_H5_F32:
    case DC_H5_I32:
    case DC_H5_I64:
    case DC_H5_TEXT:
        break;
    }
    return DC_F32;
}

/* For this module a bad HDF5 file is bad input, whatever io/ calls it. */
static dc_status as_data_error(dc_status st)
{
    char where[128], text[DC_ERROR_TEXT_MAX];
    if (st != DC_ERR_FORMAT && st != DC_ERR_IO) return st;
    snprintf(where, sizeof where, "%s", dc_error_where());
    snprintf(text, sizeof text, "%s", dc_error_text());
    dc_error_set(DC_ERR_DATA, where, text);
    return DC_ERR_DATA;
}

static dc_status check_numbers(const dc_source *s, const dc_h5_info *info)
{
    if (info->integer || info->floating) return DC_OK;
    return DC_FAIL(DC_ERR_DATA, "%s: dataset %s holds no numbers, but %s", s->name, s->dataset, info->type_name);
}

static dc_status open_h5(dc_source *s, const dc_source_request *r)
{
    dc_status st = DC_OK;
    dc_h5_info info;
    if (s->text.lines.stream.unpack)
        return DC_FAIL(DC_ERR_DATA, "%s: HDF5 inside %s is not supported; expand it first", s->name,
                       dc_unpack_kind(s->text.lines.stream.unpack));
    dc_stream_close(&s->text.lines.stream);
    s->kind = DC_SOURCE_H5;
    DC_TRY(dc_h5_open(&s->h5, r->path, DC_H5_READ));
    DC_TRY(choose_dataset(s, r));
    DC_TRY(dc_h5_dataset_info(s->h5, s->dataset, &info));
    DC_TRY(check_numbers(s, &info));
    DC_TRY(shape_of_dataset(s, &info, r->labels));
    adopt_image_shape(s);
    s->stored = stored_of_h5(&info);
    s->narrowed = s->stored == DC_F32 && !info.fits_f32;
    s->rounded = s->stored == DC_F64 && !info.fits_f64;
    if (r->max_bytes && (uint64_t)s->rows > r->max_bytes / (uint64_t)s->width)
        st = DC_FAIL(DC_ERR_DATA,
                     "%s: dataset %s holds more than the limit of %llu bytes; raise --max-input if that is right",
                     s->name, s->dataset, (unsigned long long)r->max_bytes);
out:
    return as_data_error(st);
}

/* HDF5 converts to double whatever the stored format of the numbers is. */
static dc_status read_h5(dc_source *s, size_t n, double *x)
{
    if (dc_signals_stops() > 0) return DC_STOPPED;
    return as_data_error(dc_h5_read_rows(s->h5, s->dataset, DC_H5_F64, s->next_row, (dc_gidx)n, x));
}

/* ---- One face ---------------------------------------------------------------------------------------------------- */

static bool is_hdf5(const dc_stream *s)
{
    return dc_stream_available(s) >= 8 && memcmp(dc_stream_data(s), "\x89HDF\r\n\x1a\n", 8) == 0;
}

static dc_status open_kind(dc_source *s, const dc_source_request *r)
{
    dc_status st = DC_OK;
    dc_stream *stream = &s->text.lines.stream;
    DC_TRY(dc_stream_open(stream, r->path, r->max_bytes));
    snprintf(s->name, sizeof s->name, "%s", stream->name);
    s->file = stream->state;
    DC_TRY(dc_foreign_refuse(stream));
    if (is_hdf5(stream))
        DC_TRY(open_h5(s, r));
    else if (dc_idx_recognise(stream) || dc_npy_recognise(stream))
        DC_TRY(open_array(s, r->labels));
    else
        DC_TRY(open_text(s, r));
out:
    return st;
}

dc_status dc_source_open(dc_source *s, const dc_source_request *r)
{
    memset(s, 0, sizeof *s);
    s->text.lines.stream.fd = -1;
    dc_status st = open_kind(s, r);
    if (st == DC_OK && r->transpose && !r->labels) st = dc_source_turn(s, r->output);
    if (st != DC_OK) dc_source_close(s);
    return st;
}

void dc_source_close(dc_source *s)
{
    /* A file that was only read has nothing to lose by a failing close. */
    if (dc_h5_close(&s->h5) != DC_OK) dc_error_clear();
    dc_text_close(&s->text);
    dc_transpose_destroy(&s->turned);
    dc_mem_free(&s->names);
    dc_mem_free(&s->row_ids);
}

dc_status dc_source_read_file(dc_source *s, size_t n, double *x, dc_row_sink *sink, size_t *got)
{
    dc_status st = DC_OK;
    *got = 0;
    if (s->kind == DC_SOURCE_TEXT) {
        DC_TRY(dc_text_read(&s->text, n, x, sink, got));
    } else {
        const size_t take = (size_t)DC_MIN((dc_gidx)n, s->rows - s->next_row);
        if (s->kind == DC_SOURCE_H5)
            DC_TRY(read_h5(s, take, x));
        else
            DC_TRY(dc_array_read(&s->text.lines.stream, &s->array, take * (size_t)s->width, x));
        *got = take;
    }
    s->next_row += (dc_gidx)*got;
out:
    return st;
}

dc_status dc_source_read(dc_source *s, size_t n, double *x, dc_row_sink *sink, size_t *got)
{
    if (!s->turned) return dc_source_read_file(s, n, x, sink, got);
    const dc_status st = dc_source_read_turned(s, n, x, sink, got);
    s->next_row += (dc_gidx)*got;
    return st;
}

dc_status dc_source_read_labels(dc_source *s, size_t n, double *scratch, dc_row_sink *sink, size_t *got)
{
    const dc_gidx first = s->next_row;
    dc_status st = dc_source_read(s, n, scratch, sink, got);
    if (st != DC_OK || s->kind == DC_SOURCE_TEXT) return st;
    for (size_t i = 0; i < *got; i++) {
        char text[32];
        if (!dc_is_integer(scratch[i], -0x1p53, 0x1p53))
            return DC_FAIL(DC_ERR_DATA, "%s: row %lld: label %.9g is no integer (rows count from 0)", s->name,
                           (long long)(first + (dc_gidx)i), scratch[i]);
        const int length = snprintf(text, sizeof text, "%lld", (long long)scratch[i]);
        st = dc_label_put(&sink->labels, s->name, text, (size_t)length);
        if (st != DC_OK) return st;
    }
    return DC_OK;
}

dc_status dc_source_expect_end(dc_source *s)
{
    return s->kind == DC_SOURCE_ARRAY ? dc_stream_expect_end(&s->text.lines.stream) : DC_OK;
}

bool dc_source_has_own_labels(const dc_source *s)
{
    return s->kind == DC_SOURCE_H5 && strcmp(s->dataset, "/X") == 0 && dc_h5_exists(s->h5, "/y");
}
