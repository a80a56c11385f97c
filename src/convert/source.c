/* Chooses the reader of an input and gives all readers one interface. How bytes become numbers is decided in array.c,
 * text.c and io/h5.c. */
#include "convert/source.h"

#include <math.h>
#include <string.h>

#include "convert/foreign.h"
#include "convert/h5in.h"
#include "dcmpi/convert.h"
#include "dcmpi/mem.h"

/* ---- IDX and NPY ------------------------------------------------------------------------------------------------- */

/* An array in Fortran order reads like the transpose of an array in C order, so it is turned unless the user wants the
 * transpose. */
static dc_status open_array(dc_source *s, const dc_source_request *r, bool *turn)
{
    dc_stream *stream = &s->text.lines.stream;
    dc_status st = DC_OK;
    int64_t dims[DC_ARRAY_MAX_DIMS];
    const dc_array *a = &s->array;
    const bool transpose = r->transpose == DC_TRANSPOSE_YES && !r->labels;
    s->kind = DC_SOURCE_ARRAY;
    DC_TRY(dc_array_is_npy(stream) ? dc_npy_header(stream, &s->array) : dc_idx_header(stream, &s->array));
    if (transpose && a->n_dims > 2)
        DC_TRY(DC_FAIL(DC_ERR_USAGE, "%s: --transpose is for a matrix, but it has %d dimensions", s->name, a->n_dims));
    *turn = transpose != (a->fortran && !r->labels);
    if (dc_element_is_text(a->element) && !r->labels)
        DC_TRY(DC_FAIL(DC_ERR_DATA, "%s: holds texts, not numbers", s->name));
    DC_TRY(dc_array_check(stream, a, a->fortran && !r->labels, *turn, &s->rows, &s->width));
    if (*turn != transpose) DC_TRY(dc_array_order(a, &s->order));
    if (r->labels || !transpose) DC_TRY(dc_source_check_shape(s, a->n_dims, r->labels));
    for (int i = 0; i < a->n_dims; i++) dims[i] = (int64_t)a->dims[i];
    dc_source_keep_image_shape(s, a->n_dims, dims);
    s->stored = dc_element_stored(a->element);
    s->narrowed = s->stored == DC_F32 && a->element.kind != 'f';
out:
    return st;
}

/* ---- Text -------------------------------------------------------------------------------------------------------- */

/* Rows that will be transposed keep their missing values: each row is a feature, so it is not yet known which samples
 * to drop. */
static dc_missing_action action_of(const dc_source_request *r)
{
    return r->transpose == DC_TRANSPOSE_YES && r->missing != DC_MISSING_ERROR ? DC_MISSING_VALUE : r->missing;
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

/* ---- All formats ------------------------------------------------------------------------------------------------- */

/* Finds HDF5 also behind a user block of 512, 1024, 2048, ... bytes; HDF5 in a tar archive looks the same and is
 * excluded. */
static dc_status look_for_hdf5(const dc_stream *s, const char *path, bool *found)
{
    enum { USTAR_AT = 257 };
    const bool tar = dc_stream_available(s) > USTAR_AT + 5 && memcmp(dc_stream_data(s) + USTAR_AT, "ustar", 5) == 0;
    *found = dc_stream_available(s) >= 8 && memcmp(dc_stream_data(s), "\x89HDF\r\n\x1a\n", 8) == 0;
    return *found || s->unpack || tar ? DC_OK : dc_h5_recognise(path, found);
}

static dc_status open_kind(dc_source *s, const dc_source_request *r, bool *turn)
{
    dc_status st = DC_OK;
    dc_stream *stream = &s->text.lines.stream;
    bool hdf5;
    *turn = false;
    DC_TRY(dc_stream_open(stream, r->path, r->max_bytes));
    snprintf(s->name, sizeof s->name, "%s", stream->name);
    s->file = stream->state;
    DC_TRY(look_for_hdf5(stream, r->path, &hdf5));
    if (hdf5) {
        if (stream->unpack)
            DC_TRY(DC_FAIL(DC_ERR_DATA, "%s: HDF5 inside %s is not supported; expand it first", s->name,
                           dc_unpack_kind(stream->unpack)));
        dc_stream_close(stream);
        return dc_h5in_open(s, r, turn);
    }
    DC_TRY(dc_foreign_refuse(stream));
    if (dc_idx_recognise(stream) || dc_array_is_npy(stream)) return open_array(s, r, turn);
    *turn = r->transpose == DC_TRANSPOSE_YES && !r->labels;
    DC_TRY(open_text(s, r));
out:
    return st;
}

dc_status dc_source_open(dc_source *s, const dc_source_request *r)
{
    bool turn;
    memset(s, 0, sizeof *s);
    s->text.lines.stream.fd = -1;
    dc_status st = open_kind(s, r, &turn);
    if (st == DC_OK && turn) st = dc_source_turn(s, r->output);
    if (st != DC_OK) dc_source_close(s);
    return st;
}

void dc_source_close(dc_source *s)
{
    dc_h5_column_close(&s->ids);
    dc_h5_column_close(&s->labels);
    /* A file that was only read loses nothing if closing it fails. */
    if (dc_h5_close(&s->h5) != DC_OK) dc_error_clear();
    dc_text_close(&s->text);
    dc_transpose_destroy(&s->turned);
    dc_mem_free(&s->names);
    dc_mem_free(&s->row_ids);
    dc_mem_free(&s->order);
    dc_mem_free(&s->scratch);
}

dc_status dc_source_read(dc_source *s, size_t n, double *x, dc_row_sink *sink, size_t *got)
{
    if (!s->turned) return dc_source_read_file(s, n, x, sink, got);
    const dc_status st = dc_source_read_turned(s, n, x, sink, got);
    s->next_row += (dc_gidx)*got;
    return st;
}

/* Stores a number as a label; NaN means no label. */
static dc_status put_number(dc_source *s, dc_gidx row, double v, dc_row_sink *sink)
{
    char text[32] = "";
    if (isnan(v)) return dc_label_put(&sink->labels, s->name, text, 0);
    if (!dc_is_integer(v, -0x1p53, 0x1p53))
        return DC_FAIL(DC_ERR_DATA, "%s: row %lld: label %.9g is not an integer (rows count from 0)", s->name,
                       (long long)row, v);
    const int length = snprintf(text, sizeof text, "%lld", (long long)v);
    return dc_label_put(&sink->labels, s->name, text, (size_t)length);
}

static dc_status put_text(void *ctx, const char *text, size_t n)
{
    void *const *to = ctx;
    return dc_label_put(&((dc_row_sink *)to[1])->labels, to[0], text, n);
}

dc_status dc_source_read_labels(dc_source *s, size_t n, double *scratch, dc_row_sink *sink, size_t *got)
{
    dc_status st = DC_OK;
    const dc_gidx first = s->next_row;
    if (s->kind == DC_SOURCE_TEXT) return dc_source_read(s, n, scratch, sink, got);
    *got = (size_t)DC_MIN((dc_gidx)n, s->rows - first);
    if (s->labels)
        DC_TRY(dc_h5in_read_labels(s, *got, sink));
    else if (dc_element_is_text(s->array.element))
        DC_TRY(dc_array_read_text(&s->text.lines.stream, &s->array, *got, put_text, (void *[]){s->name, sink}));
    else
        DC_TRY(dc_array_read(&s->text.lines.stream, &s->array, *got, scratch));
    for (size_t i = 0; !s->labels && !dc_element_is_text(s->array.element) && i < *got; i++)
        DC_TRY(put_number(s, first + (dc_gidx)i, scratch[i], sink));
    s->next_row += (dc_gidx)*got;
out:
    return st;
}

dc_status dc_source_longest_id(dc_source *s, size_t *longest)
{
    *longest = 0;
    for (const char *p = s->turned ? s->row_ids : NULL; p;) {
        const size_t n = strcspn(p, "\n");
        *longest = DC_MAX(*longest, n);
        p = p[n] ? p + n + 1 : NULL;
    }
    return s->ids && !s->turned ? dc_h5in_longest_id(s, longest) : DC_OK;
}

bool dc_source_has_own_labels(const dc_source *s)
{
    return s->kind == DC_SOURCE_H5 && strcmp(s->dataset, "/X") == 0 && dc_h5_exists(s->h5, "/y");
}
