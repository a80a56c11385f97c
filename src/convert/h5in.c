/* Reads rows, ids, names and labels of HDF5 files from any program; h5meaning.c knows the conventions of these
 * programs. */
#include "convert/h5in.h"

#include <string.h>

#include "convert/h5meaning.h"
#include "convert/h5names.h"
#include "dcmpi/convert.h"
#include "dcmpi/h5_column.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/signals.h"

dc_status dc_h5in_data_error(dc_status st)
{
    char where[128], text[DC_ERROR_TEXT_MAX];
    if (st != DC_ERR_FORMAT) return st;
    snprintf(where, sizeof where, "%s", dc_error_where());
    snprintf(text, sizeof text, "%s", dc_error_text());
    dc_error_set(DC_ERR_DATA, where, text);
    return DC_ERR_DATA;
}

dc_status dc_h5in_expect_column(dc_h5 *h5, const char *name, const char *option, const char *column, dc_gidx rows)
{
    char columns[512];
    dc_h5_column *found = NULL;
    const dc_status st = dc_h5_column_open(h5, column, &found);
    dc_h5_column_close(&found);
    if (st == DC_OK || dc_h5_exists(h5, column)) return st;
    dc_error_clear();
    dc_h5_list_columns(h5, rows, NULL, columns, sizeof columns);
    return DC_FAIL(DC_ERR_DATA, "%s has no '%s' (%s)%s%s", name, column, option,
                   !columns[0] ? ", and no other column of integers or texts"
                   : rows < 0  ? "; it has integers or texts in "
                               : "; it has an integer or a text for each row in ",
                   columns);
}

/* ---- Shape and type ---------------------------------------------------------------------------------------------- */

static dc_status shape_of_dataset(dc_source *s, const dc_h5_info *info, bool turn)
{
    int64_t wide = 1;
    if (info->n_dims < 1) return DC_FAIL(DC_ERR_DATA, "%s: dataset %s is a scalar", s->name, s->dataset);
    for (int i = 1; i < info->n_dims; i++)
        if (__builtin_mul_overflow(wide, info->dims[i], &wide) ||
            wide > (turn ? DC_CONVERT_MAX_TURNED_ROWS : DC_CONVERT_MAX_COLUMNS))
            return DC_FAIL(DC_ERR_DATA, "%s: dataset %s: more than %d values per row", s->name, s->dataset,
                           turn ? DC_CONVERT_MAX_TURNED_ROWS : DC_CONVERT_MAX_COLUMNS);
    if (wide < 1 || info->dims[0] < 1)
        return DC_FAIL(DC_ERR_DATA, "%s: dataset %s has no values (a dimension is 0)", s->name, s->dataset);
    s->rows = info->dims[0];
    s->width = wide;
    if (!turn) dc_source_keep_image_shape(s, info->n_dims, info->dims);
    return dc_source_check_shape(s, info->n_dims, false);
}

/* Takes the image shape from an attribute of the root, where dcmpi keeps it for images stored as a flat matrix. */
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

/* The type to store the values in. Floats of other formats, such as bfloat16, get a type that holds all their
 * values. */
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

static dc_status check_numbers(const dc_source *s, const dc_h5_info *info)
{
    if (info->integer || info->floating) return DC_OK;
    return DC_FAIL(DC_ERR_DATA, "%s: dataset %s holds %s, not numbers", s->name, s->dataset, info->type_name);
}

static dc_status check_size(const dc_source *s, const dc_source_request *r)
{
    if (!r->max_bytes || (uint64_t)s->rows <= r->max_bytes / (uint64_t)s->width) return DC_OK;
    return DC_FAIL(DC_ERR_DATA,
                   "%s: dataset %s holds more than the limit of %llu bytes; raise --max-input if that is right",
                   s->name, s->dataset, (unsigned long long)r->max_bytes);
}

/* ---- Orientation, ids and names ---------------------------------------------------------------------------------- */

/* Whether the columns are the samples. Matlab arrays of more than two dimensions are not turned: they count samples in
 * the last dimension, which comes first in HDF5. */
static bool is_turned(const dc_h5_meaning *m, const dc_h5_info *info, dc_transpose_choice asked)
{
    if (asked != DC_TRANSPOSE_AUTO) return asked == DC_TRANSPOSE_YES;
    return m->kind == DC_H5_LOOM || (m->kind == DC_H5_MATLAB && info->n_dims == 2);
}

static void note_convention(const dc_source *s, const dc_source_request *r, const dc_h5_meaning *m,
                            const dc_h5_info *info, bool turn)
{
    if (r->again) return;
    if (m->kind == DC_H5_LOOM)
        dc_log_note("%s: is a loom file, %lld features x %lld samples: %s", s->name, (long long)s->rows,
                    (long long)s->width,
                    turn ? "its columns become the rows (--transpose=no: rows stay rows)" : "rows stay rows");
    else if (m->kind == DC_H5_MATLAB && info->n_dims == 2)
        dc_log_note("%s: is a Matlab file, %s is %lld x %lld there: %s", s->name, s->dataset, (long long)s->width,
                    (long long)s->rows,
                    turn ? "its rows are the rows (--transpose=no: its columns)" : "its columns become the rows");
    else if (m->kind == DC_H5_MATLAB)
        dc_log_note("%s: is a Matlab file, the last of %d dimensions of %s counts the rows", s->name, info->n_dims,
                    s->dataset);
}

/* Opens the names of the file's rows; they are read together with the rows. */
static dc_status open_ids(dc_source *s, const char *name)
{
    dc_status st = DC_OK;
    if (!name[0]) return DC_OK;
    DC_TRY(dc_h5_column_open(s->h5, name, &s->ids));
    if (dc_h5_column_rows(s->ids) != s->rows)
        DC_TRY(DC_FAIL(DC_ERR_DATA, "%s: '%s' has %lld names for the %lld rows of %s", s->name, name,
                       (long long)dc_h5_column_rows(s->ids), (long long)s->rows, s->dataset));
    s->has_ids = true;
out:
    return st;
}

/* Loads the names of the file's columns, as one text. */
static dc_status load_names(dc_source *s, const char *name)
{
    dc_status st = DC_OK;
    dc_h5_column *column = NULL;
    if (!name[0]) return DC_OK;
    DC_TRY(dc_h5_column_open(s->h5, name, &column));
    if (dc_h5_column_rows(column) != s->width)
        DC_TRY(DC_FAIL(DC_ERR_DATA, "%s: '%s' has %lld names for the %lld columns of %s", s->name, name,
                       (long long)dc_h5_column_rows(column), (long long)s->width, s->dataset));
    DC_TRY(dc_h5_column_join(column, &s->names));
out:
    dc_h5_column_close(&column);
    return st;
}

static void note_names(const dc_source *s, const dc_source_request *r, const char *ids, const char *names)
{
    if (r->again || !(ids[0] || names[0])) return;
    dc_log_note("%s: ids of the rows: %s; names of the columns: %s", s->name, ids[0] ? ids : "none",
                names[0] ? names : "none");
}

/* Ids that the user gives belong to the samples, which are the rows of the output. */
static dc_status open_names(dc_source *s, const dc_source_request *r, const dc_h5_meaning *m, bool turn)
{
    dc_status st = DC_OK;
    const char *given = r->ids && strcmp(r->ids, "none") == 0 ? "" : r->ids;
    const char *ids = given && !turn ? given : m->rows, *names = given && turn ? given : m->columns;
    if (given && *given)
        DC_TRY(dc_h5in_expect_column(s->h5, s->name, "--id-dataset", given, turn ? s->width : s->rows));
    DC_TRY(open_ids(s, ids));
    DC_TRY(load_names(s, names));
    if (m->kind != DC_H5_PLAIN) note_names(s, r, turn ? names : ids, turn ? ids : names);
    if (m->kind == DC_H5_PLAIN && !turn && strcmp(s->dataset, "/X") == 0)
        DC_TRY(dc_h5_get_names(s->h5, "feature_names", s->width, &s->names));
out:
    return st;
}

static dc_status open_matrix(dc_source *s, const dc_source_request *r, bool *turn)
{
    dc_status st = DC_OK;
    dc_h5_info info;
    dc_h5_meaning m;
    DC_TRY(dc_h5_choose_dataset(s, r));
    DC_TRY(dc_h5_dataset_info(s->h5, s->dataset, &info));
    DC_TRY(check_numbers(s, &info));
    DC_TRY(dc_h5_find_meaning(s, r, &m));
    *turn = is_turned(&m, &info, r->transpose);
    DC_TRY(shape_of_dataset(s, &info, *turn));
    if (!*turn) adopt_image_shape(s);
    DC_TRY(check_size(s, r));
    note_convention(s, r, &m, &info, *turn);
    DC_TRY(open_names(s, r, &m, *turn));
    s->stored = stored_of_h5(&info);
    s->narrowed = s->stored == DC_F32 && !info.fits_f32;
    s->rounded = s->stored == DC_F64 && !info.fits_f64;
    if (*turn && info.n_dims > 2)
        st = DC_FAIL(DC_ERR_USAGE, "%s: --transpose is for a matrix, but %s has %d dimensions", s->name, s->dataset,
                     info.n_dims);
out:
    return st;
}

/* ---- Labels ------------------------------------------------------------------------------------------------------ */

typedef struct {
    char name[DC_H5_NAME_MAX];
    int found;
} vector_search;

static dc_status consider_vector(void *ctx, const char *name, const dc_h5_info *info)
{
    vector_search *search = ctx;
    if (info->n_dims != 1 || strlen(name) >= sizeof search->name) return DC_OK;
    if (search->found++ == 0) snprintf(search->name, sizeof search->name, "%s", name);
    return DC_OK;
}

/* Opens the column that the user named, else /y, else the only vector. */
static dc_status open_labels(dc_source *s, const dc_source_request *r)
{
    dc_status st = DC_OK;
    vector_search search = {.found = 0};
    char given[DC_H5_NAME_MAX], columns[512] = "";
    const char *name = r->dataset ? given : dc_h5_exists(s->h5, "/y") ? "/y" : NULL;
    if (r->dataset && !dc_h5_label_column(s->h5, r->dataset, given))
        return DC_FAIL(DC_ERR_USAGE, "%s: --label-dataset is longer than %zu bytes", s->name, sizeof given - 6);
    if (!name) {
        DC_TRY(dc_h5_visit(s->h5, consider_vector, &search));
        if (search.found != 1) dc_h5_list_columns(s->h5, -1, NULL, columns, sizeof columns);
        if (search.found != 1)
            return DC_FAIL(DC_ERR_DATA,
                           "%s: has no /y and %d datasets of 1 dimension; --labels takes a file with one of them; if "
                           "the input itself has the labels, name them by --label-dataset%s%s",
                           s->name, search.found, columns[0] ? ": " : "", columns);
        name = search.name;
    }
    snprintf(s->dataset, sizeof s->dataset, "%s", name);
    if (r->dataset) DC_TRY(dc_h5in_expect_column(s->h5, s->name, "--label-dataset", name, -1));
    DC_TRY(dc_h5_column_open(s->h5, name, &s->labels));
    s->rows = dc_h5_column_rows(s->labels);
    s->width = 1;
out:
    return st;
}

/* ---- The source -------------------------------------------------------------------------------------------------- */

dc_status dc_h5in_open(dc_source *s, const dc_source_request *r, bool *turn)
{
    dc_status st = DC_OK;
    s->kind = DC_SOURCE_H5;
    *turn = false;
    DC_TRY(dc_h5_open(&s->h5, r->path, DC_H5_READ));
    DC_TRY(r->labels ? open_labels(s, r) : open_matrix(s, r, turn));
out:
    return dc_h5in_data_error(dc_h5_read_status(s->h5, st));
}

dc_status dc_h5in_longest_id(dc_source *s, size_t *longest)
{
    return dc_h5in_data_error(dc_h5_column_longest(s->ids, 0, s->rows, longest));
}

typedef struct {
    const char *name;
    dc_row_sink *sink;
} sending;

static dc_status send_id(void *ctx, const char *text, size_t n)
{
    const sending *to = ctx;
    return dc_id_put(&to->sink->ids, to->name, text, n);
}

static dc_status send_label(void *ctx, const char *text, size_t n)
{
    const sending *to = ctx;
    return dc_label_put(&to->sink->labels, to->name, text, n);
}

/* HDF5 converts the numbers to double from any stored format. */
dc_status dc_h5in_read(dc_source *s, size_t n, double *x, dc_row_sink *sink)
{
    dc_status st = DC_OK;
    sending to = {s->name, sink};
    if (dc_signals_stops() > 0) return DC_STOPPED;
    DC_TRY(dc_h5_read_rows(s->h5, s->dataset, DC_H5_F64, s->next_row, (dc_gidx)n, x));
    if (s->ids) DC_TRY(dc_h5_column_read(s->ids, s->next_row, (dc_gidx)n, send_id, &to));
out:
    return dc_h5in_data_error(dc_h5_read_status(s->h5, st));
}

dc_status dc_h5in_read_labels(dc_source *s, size_t n, dc_row_sink *sink)
{
    sending to = {s->name, sink};
    return dc_h5in_data_error(dc_h5_column_read(s->labels, s->next_row, (dc_gidx)n, send_label, &to));
}
