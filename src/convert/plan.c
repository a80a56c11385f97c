/* First pass: opens every input, checks its header and size, and agrees on columns and types. It also reads these to
 * the end:
 *   - text, to know its number of rows and whether uint8 is enough;
 *   - numbers of a type that float32 does not hold exactly, because different numbers may become equal in float32;
 *   - all inputs, if missing values are to be replaced or their rows dropped;
 *   - labels, because their codes depend on all of them. */
#include <math.h>
#include <string.h>

#include "convert/conversion.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"

static dc_status plan_buffers(dc_conversion *j, int64_t D)
{
    dc_status st = DC_OK;
    j->result->D = D;
    j->piece_rows = DC_MAX((size_t)1, DC_PIECE_VALUES / (size_t)D);
    const size_t values = j->piece_rows * (size_t)D;
    DC_TRY(dc_mem_alloc_raw(&j->x, values, sizeof *j->x, "piece of rows"));
    DC_TRY(dc_mem_alloc_raw(&j->packed, values, sizeof(double), "piece of stored rows"));
    DC_TRY(dc_mem_alloc_raw(&j->y, j->piece_rows, sizeof *j->y, "piece of labels"));
    if (j->cfg->missing.action != DC_MISSING_ERROR)
        DC_TRY(dc_mem_alloc(&j->skip, j->piece_rows, sizeof *j->skip, "rows to leave out"));
    DC_TRY(dc_missing_create(&j->missing, j->cfg->missing, D));
out:
    return st;
}

static void plan_image_shape(dc_conversion *j, const dc_source *s, int i)
{
    if (j->cfg->n_image_dims > 0) return;
    const size_t bytes = sizeof *s->image_shape * (size_t)s->n_image_dims;
    const bool same = j->n_image_dims == s->n_image_dims && memcmp(j->image_shape, s->image_shape, bytes) == 0;
    if (i == 0) {
        j->n_image_dims = s->n_image_dims;
        memcpy(j->image_shape, s->image_shape, bytes);
    } else if (!same && j->n_image_dims > 0) {
        dc_log_note("%s: image shape differs from %s: image_shape is left out", s->name, j->cfg->inputs[0]);
        j->n_image_dims = 0;
    }
}

static dc_status plan_names(dc_conversion *j, dc_source *s)
{
    if (!s->names) return DC_OK;
    if (j->names && strcmp(j->names, s->names) != 0)
        return DC_FAIL(DC_ERR_DATA, "%s: the column names differ from those of the inputs before it", s->name);
    if (j->names) return DC_OK;
    j->names = s->names;
    s->names = NULL;
    return DC_OK;
}

/* A column of row numbers would dominate every distance; but without a header it may also be data. */
static void note_row_numbers(const dc_source *s, bool counts)
{
    enum { MIN_ROWS = 10 };
    const dc_layout *y = &s->text.layout;
    if (s->kind != DC_SOURCE_TEXT || s->turned || !counts || s->next_row < MIN_ROWS || s->width < 2) return;
    if (y->role[0] != DC_COLUMN_FEATURE) return;
    dc_log_note("%s: column 0 counts the rows and is taken as a feature; if it holds row numbers, say "
                "--id-column=first or --drop-columns=0",
                s->name);
}

/* First pass over the values of an input: counts rows, collects labels, and finds which type holds all values and which
 * values are missing. */
static dc_status scan_values(dc_conversion *j, dc_source *s)
{
    dc_status st = DC_OK;
    const bool lossy = s->stored == DC_F32 || s->kind == DC_SOURCE_TEXT;
    bool u8 = true, counts = true;
    double first = 0;
    s->next_row = 0;
    if (lossy && !j->precision.low) DC_TRY(dc_precision_create(&j->precision, s->width));
    for (size_t got = 1; got > 0;) {
        const dc_gidx row = s->next_row;
        dc_row_sink sink = {.labels = {.classes = j->classes}, .ids = {.longest = j->id_bytes}};
        DC_TRY(dc_source_read(s, j->piece_rows, j->x, &sink, &got));
        j->id_bytes = DC_MAX(j->id_bytes, sink.ids.longest);
        const size_t values = got * (size_t)s->width;
        for (size_t i = 0; i < values && u8; i++) u8 = dc_is_integer(j->x[i], 0, 255) || !isfinite(j->x[i]);
        for (size_t i = 0; i < got && counts; i++) {
            const double v = j->x[i * (size_t)s->width];
            if (row + (dc_gidx)i == 0) first = v;
            counts = (first == 0 || first == 1) && v == first + (double)(row + (dc_gidx)i);
        }
        if (lossy) dc_precision_scan(&j->precision, got, j->x);
        if (j->skip) dc_missing_scan(&j->missing, got, j->x, s->kind == DC_SOURCE_TEXT, j->skip);
    }
    if (s->next_row == 0) return DC_FAIL(DC_ERR_DATA, "%s: has no rows", s->name);
    note_row_numbers(s, counts);
    s->rows = s->next_row;
    if (s->kind == DC_SOURCE_TEXT) s->stored = u8 ? DC_U8 : DC_F32;
    for (int k = 0; k < DC_WORD_COUNT && s->kind == DC_SOURCE_TEXT; k++) j->missing.kinds[k] += s->text.missing[k];
out:
    return st;
}

/* Finds which of the next n rows the second pass will leave out, because labels of those rows must not make a class. */
static dc_status find_skipped(dc_conversion *j, dc_source *matrix, size_t n)
{
    size_t got = 0;
    dc_row_sink ignored = {.labels = {.classes = NULL}};
    const dc_status st = dc_source_read(matrix, n, j->x, &ignored, &got);
    if (st == DC_OK) dc_missing_apply(&j->missing, got, j->x, j->skip);
    return st;
}

static dc_status scan_label_pieces(dc_conversion *j, dc_source *labels, dc_source *matrix)
{
    dc_status st = DC_OK;
    for (size_t got = 1; got > 0;) {
        dc_row_sink sink = {.labels = {.classes = j->classes, .skip = matrix ? j->skip : NULL}};
        if (matrix) DC_TRY(find_skipped(j, matrix, j->piece_rows));
        DC_TRY(dc_source_read_labels(labels, j->piece_rows, j->x, &sink, &got));
    }
    DC_TRY(dc_source_expect_end(labels));
out:
    return st;
}

/* First pass over labels. There must be as many labels as the input has rows. */
static dc_status scan_labels(dc_conversion *j, int i)
{
    dc_status st = DC_OK;
    dc_source s, matrix;
    const bool lockstep = j->cfg->missing.action == DC_MISSING_DROP && j->missing.rows > 0;
    const dc_source_request request = dc_job_labels(j, i), matrix_request = dc_job_matrix(j, i, true);
    DC_TRY(dc_source_open(&s, &request));
    j->plan[i].label_file = s.file;
    if (s.kind == DC_SOURCE_TEXT && s.text.layout.header)
        dc_log_note("%s: line 1 is taken as a name, the labels follow it", s.name);
    if (lockstep) st = dc_source_open(&matrix, &matrix_request);
    if (st == DC_OK) {
        st = scan_label_pieces(j, &s, lockstep ? &matrix : NULL);
        if (lockstep) dc_source_close(&matrix);
    }
    if (st == DC_OK && s.next_row != j->plan[i].rows)
        st = DC_FAIL(DC_ERR_DATA, "%s: %lld labels for the %lld rows of %s", s.name, (long long)s.next_row,
                     (long long)j->plan[i].rows, j->cfg->inputs[i]);
    dc_source_close(&s);
out:
    return st;
}

static bool is_named(const char *column)
{
    return column && strcmp(column, "none") != 0;
}

/* Only text has columns to choose from, so options about columns and lines are errors for any other format. */
static dc_status check_table_options(const dc_conversion *j, const dc_source *s)
{
    const dc_table_options *o = &j->cfg->table;
    if (s->kind == DC_SOURCE_TEXT) return DC_OK;
    if (is_named(o->label_column))
        return DC_FAIL(DC_ERR_USAGE, "%s: --label-column is for text; %s", s->name,
                       s->kind == DC_SOURCE_H5 ? "in HDF5 say --label-dataset=NAME" : "give labels with --labels");
    if (is_named(o->id_column) && s->kind == DC_SOURCE_H5)
        return DC_FAIL(DC_ERR_USAGE, "%s: --id-column is for text; in HDF5 say --id-dataset=NAME", s->name);
    if (is_named(o->id_column) || o->drop_columns || o->header != DC_HEADER_AUTO || o->separator || o->decimal_comma)
        return DC_FAIL(DC_ERR_USAGE, "%s: %s is for text", s->name,
                       is_named(o->id_column)        ? "--id-column"
                       : o->drop_columns             ? "--drop-columns"
                       : o->header != DC_HEADER_AUTO ? "--header"
                       : o->separator                ? "--separator"
                                                     : "--decimal");
    return DC_OK;
}

/* Options that only other formats have. */
static dc_status check_other_options(const dc_conversion *j, const dc_source *s)
{
    const dc_convert_config *cfg = j->cfg;
    if (cfg->index_base != DC_INDEX_AUTO || cfg->n_features > 0)
        return DC_FAIL(DC_ERR_USAGE, "%s: %s is for svmlight", s->name,
                       cfg->n_features > 0 ? "--n-features" : "--zero-based");
    if (cfg->dataset && s->kind != DC_SOURCE_H5)
        return DC_FAIL(DC_ERR_USAGE, "%s: --dataset (--matrix) is for HDF5", s->name);
    return DC_OK;
}

/* An image shape in a file is only a hint, but a shape that the user gives must fit. */
static dc_status force_image_shape(dc_conversion *j, const dc_source *s)
{
    const dc_convert_config *cfg = j->cfg;
    int64_t product = 1;
    bool fits = true;
    for (int i = 0; i < cfg->n_image_dims; i++)
        fits = fits && !__builtin_mul_overflow(product, cfg->image_shape[i], &product);
    j->n_image_dims = cfg->n_image_dims;
    memcpy(j->image_shape, cfg->image_shape, sizeof cfg->image_shape);
    if (cfg->n_image_dims == 0 || (fits && product == s->width)) return DC_OK;
    const bool one_more = fits && s->width - 1 == product && s->kind == DC_SOURCE_TEXT && s->text.layout.label < 0;
    return DC_FAIL(DC_ERR_DATA,
                   "%s: rows have %lld columns, which do not make an image of --image-shape (%s%lld pixels)%s", s->name,
                   (long long)s->width, fits ? "" : "more than ", (long long)(fits ? product : INT64_MAX),
                   one_more ? "; if the first or last column holds labels, say --label-column=first or last" : "");
}

static dc_status plan_columns(dc_conversion *j, const dc_source *s, int i)
{
    if (i == 0) {
        const dc_status st = force_image_shape(j, s);
        return st == DC_OK ? plan_buffers(j, s->width) : st;
    }
    if (s->width == j->result->D) return DC_OK;
    return DC_FAIL(DC_ERR_DATA, "%s: %lld columns, but %s has %lld", s->name, (long long)s->width, j->cfg->inputs[0],
                   (long long)j->result->D);
}

static dc_status plan_labels(dc_conversion *j, const dc_source *s, int i)
{
    const bool given = j->cfg->table.label_column || j->cfg->n_labels > 0;
    const bool named = j->cfg->label_dataset && j->cfg->n_labels == 0;
    if (named && s->kind != DC_SOURCE_H5) return DC_FAIL(DC_ERR_USAGE, "%s: --label-dataset is for HDF5", s->name);
    j->plan[i].own_labels = named || (!given && dc_source_has_own_labels(s));
    const bool has = s->has_labels || dc_job_has_label_source(j, i);
    if (i == 0) j->result->has_labels = has;
    if (has != j->result->has_labels)
        return DC_FAIL(DC_ERR_DATA, "%s: has %slabels, but %s has %s; use --labels or --label-column=none", s->name,
                       has ? "" : "no ", j->cfg->inputs[0], has ? "none" : "some");
    return DC_OK;
}

static dc_status plan_ids(dc_conversion *j, dc_source *s, int i)
{
    size_t longest;
    const bool named = j->cfg->id_dataset && strcmp(j->cfg->id_dataset, "none") != 0;
    if (named && s->kind != DC_SOURCE_H5) return DC_FAIL(DC_ERR_USAGE, "%s: --id-dataset is for HDF5", s->name);
    if (i == 0) j->has_ids = s->has_ids;
    if (s->has_ids == j->has_ids) {
        const dc_status st = dc_source_longest_id(s, &longest);
        j->id_bytes = DC_MAX(j->id_bytes, longest);
        return st;
    }
    return DC_FAIL(DC_ERR_DATA, "%s: has %sids, but %s has %s; use --id-column=none or --id-dataset=none", s->name,
                   s->has_ids ? "" : "no ", j->cfg->inputs[0], j->has_ids ? "some" : "none");
}

static dc_status plan_input_open(dc_conversion *j, dc_source *s, int i)
{
    dc_status st = DC_OK;
    const bool text = s->kind == DC_SOURCE_TEXT;
    const bool read = text || j->cfg->missing.action != DC_MISSING_ERROR || (s->narrowed && s->stored == DC_F32);
    j->plan[i].file = s->file;
    DC_TRY(check_table_options(j, s));
    DC_TRY(check_other_options(j, s));
    if (text) dc_layout_note(&s->text.layout, s->name);
    DC_TRY(plan_ids(j, s, i));
    DC_TRY(plan_columns(j, s, i));
    DC_TRY(plan_labels(j, s, i));
    DC_TRY(plan_names(j, s));
    plan_image_shape(j, s, i);
    if (read) DC_TRY(scan_values(j, s));
    if (text && s->text.lines.comments > 0)
        dc_log_note("%s: lines that begin with '#' are left out: %lld", s->name, (long long)s->text.lines.comments);
    j->plan[i].rows = s->rows;
    j->plan[i].rounded = s->rounded;
    j->turned |= s->turned != NULL;
    j->result->dtype = DC_MAX(j->result->dtype, s->stored);
    if (__builtin_add_overflow(j->result->N, s->rows, &j->result->N))
        st = DC_FAIL(DC_ERR_DATA, "%s: too many rows in all", s->name);
out:
    return st;
}

/* Widens the stored type if it cannot hold the values that replace missing ones, or if float32 cannot tell numbers
 * apart. */
void dc_job_plan_type(dc_conversion *j)
{
    dc_convert_result *r = j->result;
    const dc_missing_options *o = &j->cfg->missing;
    int64_t columns = 0;
    const bool replaced = j->missing.cells > 0 && (o->action == DC_MISSING_MEAN || o->action == DC_MISSING_VALUE);
    const bool fits_u8 = o->action == DC_MISSING_VALUE && dc_is_integer(o->value, 0, 255);
    if (replaced && !(r->dtype == DC_U8 && fits_u8)) r->dtype = DC_MAX(r->dtype, DC_F32);
    if (r->dtype != DC_F32 || !j->precision.low) return;
    if (j->precision.beyond_f64)
        dc_log_note("%s: integers beyond 2^53 are rounded; if they are identifiers, say --id-column", j->cfg->output);
    const int64_t first = dc_precision_find(&j->precision, &columns);
    if (first < 0) return;
    dc_log_note("%s: numbers that float32 cannot tell apart are kept as float64: feature %lld (counted from 0 "
                "among the features), %.12g to %.12g; features like it: %lld",
                j->cfg->output, (long long)first, j->precision.low[first], j->precision.high[first],
                (long long)columns);
    r->dtype = DC_F64;
}

/* A file with far more columns than rows may hold few samples, or it may have its features in the rows. Ids say what
 * the rows are. */
void dc_job_note_orientation(const dc_conversion *j)
{
    enum { FEW_ROWS = 1000, TIMES = 10 };
    const dc_convert_result *r = j->result;
    if (j->cfg->transpose != DC_TRANSPOSE_AUTO || j->n_image_dims > 0 || j->has_ids) return;
    if (r->N >= FEW_ROWS || r->D <= TIMES * r->N || j->turned) return;
    dc_log_note("%s: %lld rows of %lld columns: if features are in the rows, say --transpose", j->cfg->output,
                (long long)r->N, (long long)r->D);
}

static dc_status plan_missing(dc_conversion *j)
{
    dc_status st = DC_OK;
    DC_TRY(dc_missing_finish(&j->missing, j->names));
    dc_missing_note(&j->missing, j->cfg->output);
    if (j->cfg->missing.action == DC_MISSING_DROP) j->result->N -= j->missing.rows;
    if (j->result->N == 0)
        st = DC_FAIL(DC_ERR_DATA, "--missing=drop: every row has a missing value, no row is left; try --missing=mean");
out:
    return st;
}

dc_status dc_job_plan_classes(dc_conversion *j)
{
    dc_convert_result *r = j->result;
    if (!r->has_labels) return DC_OK;
    const dc_status st = dc_classes_number(j->classes);
    if (st != DC_OK) return st;
    r->n_classes = dc_classes_count(j->classes);
    r->unlabelled = dc_classes_unlabelled(j->classes);
    r->has_labels = r->n_classes > 0;
    if (!r->has_labels)
        dc_log_note("%s: no row has a label: labels are left out", j->cfg->output);
    else if (r->unlabelled > 0)
        dc_log_note("%s: rows without a label (empty, -1, or a word such as NA or ?), stored as -1: %lld",
                    j->cfg->output, (long long)r->unlabelled);
    dc_classes_note(j->classes, j->cfg->output);
    if (r->n_classes == r->N && r->N > 2)
        dc_log_note("%s: there are as many labels as rows: are they identifiers? Then say --id-column", j->cfg->output);
    return DC_OK;
}

static dc_status plan_id_room(dc_conversion *j)
{
    enum { ROOM_BYTES = 32 << 20 };
    if (!j->has_ids) return DC_OK;
    j->id_bytes = DC_MAX(j->id_bytes, (size_t)1);
    j->piece_rows = DC_MIN(j->piece_rows, DC_MAX((size_t)1, ROOM_BYTES / j->id_bytes));
    return dc_mem_alloc(&j->ids, j->piece_rows, j->id_bytes, "piece of ids");
}

dc_status dc_job_plan(dc_conversion *j)
{
    dc_status st = DC_OK;
    dc_source s;
    for (int i = 0; i < j->cfg->n_inputs; i++) {
        const dc_source_request request = dc_job_matrix(j, i, false);
        DC_TRY(dc_source_open(&s, &request));
        st = plan_input_open(j, &s, i);
        dc_source_close(&s);
        if (st == DC_OK && dc_job_has_label_source(j, i)) st = scan_labels(j, i);
        if (st != DC_OK) return st;
    }
    dc_job_note_orientation(j);
    DC_TRY(plan_missing(j));
    dc_job_plan_type(j);
    DC_TRY(dc_job_plan_classes(j));
    DC_TRY(plan_id_room(j));
out:
    return st;
}
