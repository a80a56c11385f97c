/* Converts sparse inputs: a first pass over the entries finds their number, type, range and order, a second one writes
 * them as rows. Both passes read the inputs, unless their entries must be sorted.
 *
 * Zeros are not stored. Values in the same place are added in Matrix Market files, as scipy does, and are an error
 * elsewhere. */
#include <math.h>
#include <string.h>

#include "convert/conversion.h"
#include "convert/sparse_flow.h"
#include "dcmpi/h5_sparse.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"

enum { PIECE_ROWS = 4096, PIECE_ENTRIES = 1 << 19, CLASSES_BYTES_MAX = 1 << 28 };

typedef struct {
    dc_conversion *j;
    dc_sparse_input *in; /* [n_inputs], owned */
    dc_sparse_flow flow;
    int64_t *in_column; /* [D] stored values of each column; owned */
    int64_t longest;    /* values of the longest row */
    bool u8;            /* all values are integers from 0 to 255 */
    dc_entry held;      /* second pass: the next entry, if has_held */
    bool has_held;
    /* a piece of rows, owned */
    int64_t *ptr;
    int32_t *col;
    double *val;
    void *packed;
    int64_t capacity; /* entries */
    /* the file */
    char *classes; /* names, owned */
    dc_h5_sparse_spec spec;
    dc_h5_sparse_writer *writer;
} job;

/* ---- Labels ------------------------------------------------------------------------------------------------------ */

/* The labels of one input, from wherever they come. */
typedef struct {
    const dc_sparse_input *in;
    bool in_lines; /* svmlight has them in its lines */
    dc_svmlight lines;
    dc_source source;
} label_list;

static bool labels_in_lines(const job *b, const dc_sparse_input *in)
{
    const char *column = b->j->cfg->table.label_column;
    return in->kind == DC_SPARSE_SVMLIGHT && b->j->cfg->n_labels == 0 && (!column || strcmp(column, "first") == 0);
}

static bool has_labels(const job *b, const dc_sparse_input *in)
{
    const dc_convert_config *cfg = b->j->cfg;
    if (cfg->n_labels > 0 || cfg->label_dataset) return true;
    return labels_in_lines(b, in) || (in->labels[0] && !cfg->table.label_column);
}

static dc_status open_labels(const job *b, int i, label_list *l)
{
    const dc_sparse_input *in = &b->in[i];
    dc_source_request request = dc_job_labels(b->j, i);
    memset(l, 0, sizeof *l);
    l->in = in;
    l->in_lines = labels_in_lines(b, in);
    if (l->in_lines) return dc_svmlight_open(&l->lines, in->path, in->limit);
    if (b->j->cfg->n_labels == 0 && !request.dataset) request.dataset = in->labels;
    request.rows = in->rows;
    const dc_status st = dc_source_open(&l->source, &request);
    if (st == DC_OK) b->j->plan[i].label_file = l->source.file;
    return st;
}

static void close_labels(label_list *l)
{
    if (l->in_lines)
        dc_svmlight_close(&l->lines);
    else
        dc_source_close(&l->source);
}

/* Reads up to n labels. */
static dc_status read_labels(job *b, label_list *l, size_t n, dc_row_sink *sink, size_t *got)
{
    dc_status st = DC_OK;
    dc_span label;
    bool found = true;
    if (!l->in_lines) return dc_source_read_labels(&l->source, n, b->j->x, sink, got);
    for (*got = 0; *got < n && found; *got += found) {
        DC_TRY(dc_svmlight_label(&l->lines, &label, &found));
        if (found) DC_TRY(dc_label_put(&sink->labels, l->in->name, label.p, label.n));
    }
out:
    return st;
}

/* First pass: the classes. There must be as many labels as rows. */
static dc_status scan_labels(job *b, int i)
{
    dc_status st = DC_OK;
    label_list l;
    dc_gidx n = 0;
    DC_TRY(open_labels(b, i, &l));
    for (size_t got = 1; got > 0 && st == DC_OK; n += (dc_gidx)got) {
        dc_row_sink sink = {.labels = {.classes = b->j->classes}};
        st = read_labels(b, &l, PIECE_ROWS, &sink, &got);
        if (st != DC_OK) break;
    }
    if (st == DC_OK && n != b->in[i].rows)
        st = DC_FAIL(DC_ERR_DATA, "%s: %lld labels for the %lld rows of %s",
                     l.in_lines ? l.lines.stream.name : l.source.name, (long long)n, (long long)b->in[i].rows,
                     b->in[i].name);
    close_labels(&l);
out:
    return st;
}

/* ---- First pass -------------------------------------------------------------------------------------------------- */

static dc_status check_options(const job *b)
{
    const dc_convert_config *cfg = b->j->cfg;
    const dc_table_options *t = &cfg->table;
    const char *option = cfg->missing.action != DC_MISSING_ERROR ? "--missing"
                         : cfg->n_image_dims > 0                 ? "--image-shape"
                         : t->drop_columns                       ? "--drop-columns"
                         : t->header != DC_HEADER_AUTO           ? "--header"
                         : t->separator                          ? "--separator"
                         : t->decimal_comma                      ? "--decimal"
                                                                 : NULL;
    if (option) return DC_FAIL(DC_ERR_USAGE, "%s: %s is not for sparse inputs", b->in[0].name, option);
    for (int i = 0; i < cfg->n_inputs; i++) {
        const bool h5 = b->in[i].kind == DC_SPARSE_H5, svmlight = b->in[i].kind == DC_SPARSE_SVMLIGHT;
        option = h5                   ? NULL
                 : cfg->label_dataset ? "--label-dataset"
                 : cfg->id_dataset    ? "--id-dataset"
                 : cfg->dataset       ? "--dataset (--matrix)"
                                      : NULL;
        if (option) return DC_FAIL(DC_ERR_USAGE, "%s: %s is for HDF5", b->in[i].name, option);
        const bool ids = t->id_column && strcmp(t->id_column, "none") != 0;
        if (ids)
            return DC_FAIL(DC_ERR_USAGE, "%s: --id-column is for text; %s", b->in[i].name,
                           h5         ? "in HDF5 say --id-dataset=NAME"
                           : svmlight ? "svmlight has no ids"
                                      : "ids of a matrix are in its barcodes.tsv");
        if (t->label_column && strcmp(t->label_column, "none") != 0 && !labels_in_lines(b, &b->in[i]))
            return DC_FAIL(DC_ERR_USAGE, "%s: --label-column is for text; %s", b->in[i].name,
                           h5         ? "in HDF5 say --label-dataset=NAME"
                           : svmlight ? "in svmlight, labels come first"
                                      : "give labels with --labels");
        option = svmlight                           ? NULL
                 : cfg->index_base != DC_INDEX_AUTO ? "--zero-based"
                 : cfg->n_features > 0              ? "--n-features"
                                                    : NULL;
        if (option) return DC_FAIL(DC_ERR_USAGE, "%s: %s is for svmlight", b->in[i].name, option);
    }
    return DC_OK;
}

/* Decides from the smallest index of all svmlight inputs whether they count from 0 or 1. */
static dc_status plan_indices(job *b)
{
    const dc_convert_config *cfg = b->j->cfg;
    int64_t least = INT64_MAX, width = cfg->n_features;
    int n = 0;
    for (int i = 0; i < cfg->n_inputs; i++) {
        if (b->in[i].kind != DC_SPARSE_SVMLIGHT) continue;
        least = DC_MIN(least, b->in[i].base);
        n++;
    }
    if (n == 0) return DC_OK;
    const int64_t base = cfg->index_base == DC_INDEX_AUTO ? least > 0 : cfg->index_base == DC_INDEX_ONE;
    for (int i = 0; i < cfg->n_inputs; i++) {
        dc_sparse_input *in = &b->in[i];
        if (in->kind != DC_SPARSE_SVMLIGHT) continue;
        if (in->base < base) return DC_FAIL(DC_ERR_DATA, "%s: index 0, but --zero-based=no", in->name);
        if (cfg->n_features > 0 && in->width - base > cfg->n_features)
            return DC_FAIL(DC_ERR_DATA, "%s: index %lld needs more than --n-features=%lld columns", in->name,
                           (long long)in->width - 1, (long long)cfg->n_features);
        if (cfg->n_features == 0) width = DC_MAX(width, in->width - base);
        in->base = base;
    }
    for (int i = 0; i < cfg->n_inputs; i++)
        if (b->in[i].kind == DC_SPARSE_SVMLIGHT) b->in[i].width = width;
    dc_log_note("%s: svmlight, indices count from %lld%s: %lld columns", b->in[0].name, (long long)base,
                cfg->index_base == DC_INDEX_AUTO ? " (--zero-based=yes or no decides otherwise)" : "",
                (long long)width);
    return DC_OK;
}

/* A header may claim rows and columns that are empty, but names, or some values, must bear witness to them. */
static dc_status check_claim(const dc_sparse_input *in, int64_t count)
{
    enum { FREE = 1 << 20, TIMES = 64 };
    const bool rows = in->rows > FREE && in->rows / TIMES > count && !in->has_ids;
    const bool cols = in->width > FREE && in->width / TIMES > count && !in->names;
    if (!rows && !cols) return DC_OK;
    return DC_FAIL(DC_ERR_DATA, "%s: claims %lld %s, but has only %lld values and no names for them", in->name,
                   (long long)(rows ? in->rows : in->width), rows ? "rows" : "columns", (long long)count);
}

static dc_status plan_shape(job *b, int i)
{
    dc_conversion *j = b->j;
    dc_convert_result *r = j->result;
    dc_sparse_input *in = &b->in[i];
    if (in->rows < 1) return DC_FAIL(DC_ERR_DATA, "%s: has no rows", in->name);
    if (in->width < 1) return DC_FAIL(DC_ERR_DATA, "%s: has no values", in->name);
    if (in->width > DC_CONVERT_MAX_COLUMNS)
        return DC_FAIL(DC_ERR_DATA, "%s: %lld columns, the limit is %d", in->name, (long long)in->width,
                       DC_CONVERT_MAX_COLUMNS);
    if (i == 0) {
        r->D = in->width;
        r->has_labels = has_labels(b, in);
        j->has_ids = in->has_ids;
        j->names = in->names, in->names = NULL;
    }
    if (in->width != r->D)
        return DC_FAIL(DC_ERR_DATA, "%s: %lld columns, but %s has %lld", in->name, (long long)in->width, b->in[0].name,
                       (long long)r->D);
    if (in->names && (!j->names || strcmp(in->names, j->names) != 0))
        return DC_FAIL(DC_ERR_DATA, "%s: the column names differ from those of the inputs before it", in->name);
    if (in->has_ids != j->has_ids || has_labels(b, in) != r->has_labels)
        return DC_FAIL(DC_ERR_DATA, "%s: has %s %s, unlike %s", in->name,
                       in->has_ids == j->has_ids ? has_labels(b, in) ? "" : "no"
                       : in->has_ids             ? ""
                                                 : "no",
                       in->has_ids == j->has_ids ? "labels" : "ids", b->in[0].name);
    j->plan[i].rows = in->rows;
    j->plan[i].rounded = in->rounded;
    j->plan[i].file = in->file;
    j->turned |= in->turned;
    r->N += in->rows;
    if (r->N <= INT32_MAX) return DC_OK;
    return DC_FAIL(DC_ERR_DATA, "%s: more than %d rows in all", in->name, INT32_MAX);
}

static dc_status inspect(job *b)
{
    dc_status st = DC_OK;
    dc_conversion *j = b->j;
    for (int i = 0; i < j->cfg->n_inputs; i++) {
        dc_sparse_kind kind;
        dc_file_state seen;
        DC_TRY(dc_sparse_recognise(j->cfg, j->cfg->inputs[i], &kind, &seen));
        if (kind == DC_SPARSE_NONE)
            return DC_FAIL(DC_ERR_DATA, "%s: is not sparse, but %s is: convert them to files of their own",
                           j->cfg->inputs[i], j->cfg->inputs[0]);
        DC_TRY(dc_sparse_inspect(j->cfg, j->cfg->inputs[i], kind, &b->in[i]));
        if (seen.inode != 0) DC_TRY(dc_file_unchanged(j->cfg->inputs[i], &seen, DC_ERR_DATA));
        if (kind != DC_SPARSE_SVMLIGHT) DC_TRY(check_claim(&b->in[i], b->in[i].count));
    }
    DC_TRY(check_options(b));
    DC_TRY(plan_indices(b));
    for (int i = 0; i < j->cfg->n_inputs; i++) DC_TRY(plan_shape(b, i));
out:
    return st;
}

static void forget(job *b)
{
    dc_conversion *j = b->j;
    dc_convert_result *r = j->result;
    dc_precision *p = &j->precision;
    r->nnz = 0;
    r->min = INFINITY, r->max = -INFINITY;
    j->sum = 0;
    b->u8 = true;
    b->longest = 0;
    memset(b->in_column, 0, (size_t)r->D * sizeof *b->in_column);
    memset(p->changed, 0, (size_t)r->D);
    p->beyond_f64 = false;
    for (int64_t c = 0; c < r->D; c++) p->low[c] = INFINITY, p->high[c] = -INFINITY;
}

/* Adds one value to what is known of all. */
static void see(job *b, const dc_entry *e)
{
    dc_convert_result *r = b->j->result;
    const double v = e->value;
    r->nnz++;
    r->min = fmin(r->min, v);
    r->max = fmax(r->max, v);
    b->j->sum += v;
    b->u8 = b->u8 && dc_is_integer(v, 0, 255);
    b->in_column[e->col]++;
    dc_precision_add(&b->j->precision, e->col, v);
}

/* Goes through the entries in order; *disorder: they are not. */
static dc_status scan_entries(job *b, bool *disorder)
{
    dc_status st = DC_OK;
    dc_entry e;
    bool found = true;
    int64_t row = -1, in_row = 0;
    forget(b);
    DC_TRY(dc_sparse_flow_rewind(&b->flow));
    for (;;) {
        DC_TRY(dc_sparse_flow_next(&b->flow, &e, &found, disorder));
        if (!found || *disorder) break;
        in_row = e.row == row ? in_row + 1 : 1;
        row = e.row;
        b->longest = DC_MAX(b->longest, in_row);
        see(b, &e);
    }
out:
    return st;
}

static dc_status scan(job *b)
{
    dc_status st = DC_OK;
    bool disorder;
    dc_conversion *j = b->j;
    dc_convert_result *r = j->result;
    DC_TRY(dc_mem_alloc(&b->in_column, (size_t)r->D, sizeof *b->in_column, "values of columns"));
    DC_TRY(dc_precision_create(&j->precision, r->D));
    DC_TRY(scan_entries(b, &disorder));
    if (disorder) {
        DC_TRY(dc_sparse_flow_sort(&b->flow));
        DC_TRY(scan_entries(b, &disorder));
    }
    if (r->nnz == 0) return DC_FAIL(DC_ERR_DATA, "%s: all values are 0", b->in[0].name);
    if (b->flow.repeated > 0)
        dc_log_note("%s: values that were added to others in the same place: %lld", j->cfg->output,
                    (long long)b->flow.repeated);
    for (int64_t c = 0; c < r->D; c++)
        if (b->in_column[c] < r->N) dc_precision_add(&j->precision, c, 0);
    if ((double)r->nnz < (double)r->N * (double)r->D) r->min = fmin(r->min, 0), r->max = fmax(r->max, 0);
    r->mean = j->sum / ((double)r->N * (double)r->D);
    r->dtype = b->u8 ? DC_U8 : DC_F32;
    dc_job_plan_type(j);
out:
    return st;
}

static dc_status scan_ids(job *b, int i)
{
    dc_status st = DC_OK;
    dc_sparse_ids ids;
    DC_TRY(dc_sparse_ids_open(&ids, &b->in[i]));
    for (dc_gidx row = 0; st == DC_OK && row < b->in[i].rows; row += PIECE_ROWS) {
        dc_id_sink sink = {.longest = b->j->id_bytes};
        st = dc_sparse_ids_read(&ids, DC_MIN(b->in[i].rows - row, (dc_gidx)PIECE_ROWS), &sink);
        b->j->id_bytes = sink.longest;
    }
    dc_sparse_ids_close(&ids);
out:
    return st;
}

static dc_status take_memory(job *b)
{
    dc_status st = DC_OK;
    dc_conversion *j = b->j;
    DC_TRY(dc_mem_alloc_raw(&j->x, PIECE_ROWS, sizeof *j->x, "piece of labels"));
    DC_TRY(dc_mem_alloc_raw(&j->y, PIECE_ROWS, sizeof *j->y, "piece of labels"));
out:
    return st;
}

static dc_status plan(job *b)
{
    dc_status st = DC_OK;
    dc_conversion *j = b->j;
    bool svmlight = false;
    DC_TRY(inspect(b));
    DC_TRY(take_memory(b));
    for (int i = 0; i < j->cfg->n_inputs; i++) svmlight |= labels_in_lines(b, &b->in[i]);
    dc_classes_want_numbers(j->classes, svmlight);
    for (int i = 0; i < j->cfg->n_inputs; i++) {
        if (j->result->has_labels) DC_TRY(scan_labels(b, i));
        if (j->has_ids) DC_TRY(scan_ids(b, i));
    }
    if (j->has_ids) j->id_bytes = DC_MAX(j->id_bytes, (size_t)1);
    DC_TRY(dc_sparse_flow_open(&b->flow, b->in, j->cfg->n_inputs, j->cfg->output));
    DC_TRY(scan(b));
    DC_TRY(dc_job_plan_classes(j));
    dc_job_note_orientation(j);
out:
    return st;
}

/* ---- Second pass ------------------------------------------------------------------------------------------------- */

static dc_status fail_changed(const job *b)
{
    return DC_FAIL(DC_ERR_DATA, "%s: an input changed while it was read; convert it again", b->j->cfg->output);
}

static dc_status advance(job *b)
{
    bool disorder;
    const dc_status st = dc_sparse_flow_next(&b->flow, &b->held, &b->has_held, &disorder);
    return st == DC_OK && disorder ? fail_changed(b) : st;
}

/* Gathers the entries of up to `most` rows from `row` on; *n is how many. */
static dc_status gather(job *b, dc_gidx row, dc_gidx most, dc_gidx *n)
{
    dc_status st = DC_OK;
    int64_t e = 0;
    b->ptr[0] = 0;
    for (*n = 0; *n < most && e + b->longest <= b->capacity; b->ptr[++*n] = e)
        while (b->has_held && (dc_gidx)b->held.row == row + *n) {
            if (e == b->capacity) return fail_changed(b);
            b->col[e] = b->held.col;
            b->val[e++] = b->held.value;
            DC_TRY(advance(b));
        }
out:
    return st;
}

static dc_status check_values(const job *b, dc_gidx row, dc_gidx n)
{
    for (int64_t e = 0; e < b->ptr[n]; e++) {
        const double v = b->val[e];
        if (b->j->result->dtype == DC_U8 && !dc_is_integer(v, 0, 255)) return fail_changed(b);
        if (b->j->result->dtype != DC_F32 || !isinf((float)v)) continue;
        dc_gidx i = 0;
        while (b->ptr[i + 1] <= e) i++;
        return DC_FAIL(DC_ERR_DATA,
                       "%s: row %lld, column %d: %.9g does not fit float32 (rows and columns count from 0)",
                       b->j->cfg->output, (long long)(row + i), b->col[e], v);
    }
    return DC_OK;
}

static dc_status write_piece(job *b, label_list *labels, dc_sparse_ids *ids, dc_gidx row, dc_gidx n)
{
    dc_status st = DC_OK;
    dc_conversion *j = b->j;
    size_t got = (size_t)n;
    const int64_t entries = b->ptr[n];
    DC_TRY(dc_lock_beat(j->out.claim.lock));
    DC_TRY(check_values(b, row, n));
    dc_row_sink sink = {.labels = {.classes = j->classes, .y = j->y}, .ids = {.ids = j->ids, .bytes = j->id_bytes}};
    if (labels) DC_TRY(read_labels(b, labels, (size_t)n, &sink, &got));
    if (got != (size_t)n) return fail_changed(b);
    if (ids) DC_TRY(dc_sparse_ids_read(ids, n, &sink.ids));
    dc_element_encode(j->result->dtype, b->val, (size_t)entries, b->packed);
    DC_TRY(dc_h5_sparse_append(b->writer, n, b->ptr, b->col, b->packed, j->result->has_labels ? j->y : NULL, j->ids,
                               NULL));
out:
    return st;
}

static dc_status copy_rows(job *b, int i, dc_gidx first, label_list *labels, dc_sparse_ids *ids)
{
    dc_status st = DC_OK;
    const dc_gidx end = first + b->in[i].rows;
    for (dc_gidx row = first, n; row < end; row += n) {
        DC_TRY(gather(b, row, DC_MIN(end - row, (dc_gidx)PIECE_ROWS), &n));
        DC_TRY(write_piece(b, labels, ids, row, n));
    }
out:
    return st;
}

static dc_status copy_input(job *b, int i, dc_gidx first)
{
    dc_status st = DC_OK;
    label_list labels;
    dc_sparse_ids ids;
    const bool with_labels = b->j->result->has_labels;
    bool with_ids = b->j->has_ids;
    if (with_labels) DC_TRY(open_labels(b, i, &labels));
    if (with_ids) st = dc_sparse_ids_open(&ids, &b->in[i]);
    if (st == DC_OK) {
        st = copy_rows(b, i, first, with_labels ? &labels : NULL, with_ids ? &ids : NULL);
        if (with_ids) dc_sparse_ids_close(&ids);
    }
    if (with_labels) close_labels(&labels);
    DC_TRY(st);
    DC_TRY(dc_file_unchanged(b->in[i].path, &b->in[i].file, DC_ERR_DATA));
    if (b->j->cfg->n_labels > 0)
        DC_TRY(dc_file_unchanged(b->j->cfg->labels[i], &b->j->plan[i].label_file, DC_ERR_DATA));
out:
    return st;
}

static dc_status copy(job *b)
{
    dc_status st = DC_OK;
    dc_conversion *j = b->j;
    dc_gidx row = 0;
    b->capacity = PIECE_ENTRIES + b->longest;
    DC_TRY(dc_mem_alloc_raw(&b->ptr, PIECE_ROWS + 1, sizeof *b->ptr, "piece of rows"));
    DC_TRY(dc_mem_alloc_raw(&b->col, (size_t)b->capacity, sizeof *b->col, "piece of rows"));
    DC_TRY(dc_mem_alloc_raw(&b->val, (size_t)b->capacity, sizeof *b->val, "piece of rows"));
    DC_TRY(dc_mem_alloc_raw(&b->packed, (size_t)b->capacity, sizeof(double), "piece of rows"));
    if (j->has_ids) DC_TRY(dc_mem_alloc(&j->ids, PIECE_ROWS, j->id_bytes, "piece of ids"));
    DC_TRY(dc_sparse_flow_rewind(&b->flow));
    DC_TRY(advance(b));
    for (int i = 0; i < j->cfg->n_inputs; row += b->in[i++].rows) DC_TRY(copy_input(b, i, row));
    if (b->has_held) st = fail_changed(b);
out:
    return st;
}

/* ---- The file ---------------------------------------------------------------------------------------------------- */

static dc_status describe(job *b)
{
    dc_status st = DC_OK;
    const dc_conversion *j = b->j;
    const dc_convert_result *r = j->result;
    b->spec = (dc_h5_sparse_spec){.N = r->N,
                                  .D = r->D,
                                  .nnz = r->nnz,
                                  .dtype = r->dtype,
                                  .id_bytes = j->has_ids ? j->id_bytes : 0,
                                  .has_labels = r->has_labels,
                                  .features = j->names};
    if (!r->has_labels) return DC_OK;
    DC_TRY(dc_classes_join(j->classes, DC_ATTRIBUTE_MAX_BYTES, &b->classes));
    if (!b->classes) DC_TRY(dc_classes_join(j->classes, CLASSES_BYTES_MAX, &b->classes));
    b->spec.classes = b->classes;
out:
    return st;
}

static dc_status put_range(void *ctx, dc_h5 *h5)
{
    const dc_convert_result *r = ctx;
    dc_status st = DC_OK;
    DC_TRY(dc_h5_put_attr_f64(h5, "/", "min", &r->min, 1));
    DC_TRY(dc_h5_put_attr_f64(h5, "/", "max", &r->max, 1));
    DC_TRY(dc_h5_put_attr_f64(h5, "/", "mean", &r->mean, 1));
out:
    return st;
}

static dc_status write(job *b, dc_h5_fill origin)
{
    dc_status st = DC_OK;
    dc_conversion *j = b->j;
    const char *part = j->out.claim.part;
    dc_h5_sparse_places places;
    dc_h5_sparse_sums sums;
    DC_TRY(describe(b));
    DC_TRY(dc_h5_sparse_make(part, &b->spec, origin, j, &places));
    DC_TRY(dc_h5_sparse_begin(&b->writer, part, &b->spec, &places, 0, 0));
    DC_TRY(copy(b));
    DC_TRY(dc_h5_sparse_end(&b->writer, &sums));
    if (sums.entries != j->result->nnz || sums.rows != j->result->N) return fail_changed(b);
    DC_TRY(dc_h5_sparse_seal(part, &b->spec, &sums, put_range, j->result));
    j->result->checksum = sums.rows_hash;
out:
    return st;
}

static void release(job *b)
{
    for (int i = 0; b->in && i < b->j->cfg->n_inputs; i++) dc_sparse_release(&b->in[i]);
    dc_sparse_flow_close(&b->flow);
    dc_h5_sparse_drop(&b->writer);
    dc_mem_free(&b->in);
    dc_mem_free(&b->in_column);
    dc_mem_free(&b->ptr);
    dc_mem_free(&b->col);
    dc_mem_free(&b->val);
    dc_mem_free(&b->packed);
    dc_mem_free(&b->classes);
}

dc_status dc_job_sparse(dc_conversion *j, dc_h5_fill origin, bool *sparse)
{
    dc_status st = DC_OK;
    job b = {.j = j};
    dc_sparse_kind kind;
    DC_TRY(dc_sparse_recognise(j->cfg, j->cfg->inputs[0], &kind, &j->seen));
    *sparse = kind != DC_SPARSE_NONE;
    if (!*sparse) return DC_OK;
    DC_TRY(dc_mem_alloc(&b.in, (size_t)j->cfg->n_inputs, sizeof *b.in, "list of inputs"));
    DC_TRY(plan(&b));
    DC_TRY(write(&b, origin));
out:
    release(&b);
    return st;
}
