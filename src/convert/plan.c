/* First pass. Every input is opened: header and size are checked, columns and types agreed on. Text is read to the end,
 * because its number of rows and whether uint8 is enough are known only then; labels are read to the end, because the
 * codes need all of them. */
#include <string.h>

#include "convert/job.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"

static dc_status plan_buffers(dc_job *j, int64_t D)
{
    dc_status st = DC_OK;
    j->result->D = D;
    j->piece_rows = DC_MAX((size_t)1, DC_PIECE_VALUES / (size_t)D);
    const size_t values = j->piece_rows * (size_t)D;
    DC_TRY(dc_mem_alloc_raw(&j->x, values, sizeof *j->x, "piece of rows"));
    DC_TRY(dc_mem_alloc_raw(&j->packed, values, sizeof(double), "piece of stored rows"));
    DC_TRY(dc_mem_alloc_raw(&j->y, j->piece_rows, sizeof *j->y, "piece of labels"));
out:
    return st;
}

static void plan_image_shape(dc_job *j, const dc_source *s, int i)
{
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

static dc_status plan_names(dc_job *j, const dc_source *s, const char *path)
{
    dc_status st = DC_OK;
    char *names = NULL;
    if (s->kind != DC_SOURCE_TEXT || !s->text.header) return DC_OK;
    DC_TRY(dc_text_names(path, &s->text, DC_ATTRIBUTE_MAX_BYTES, &names));
    if (!names)
        dc_log_note("%s: the header line is too long: feature_names is left out", s->name);
    else if (j->names && strcmp(j->names, names) != 0)
        st = DC_FAIL(DC_ERR_DATA, "%s:1: the column names differ from those of the inputs before it", s->name);
    else if (!j->names)
        j->names = names, names = NULL;
out:
    dc_mem_free(&names);
    return st;
}

/* First pass over text: counts rows, collects labels, finds out whether uint8 holds all values. */
static dc_status scan_text(dc_job *j, dc_source *s)
{
    dc_status st = DC_OK;
    dc_label_sink sink = {.classes = j->classes};
    bool u8 = true;
    for (size_t got = 1; got > 0;) {
        DC_TRY(dc_source_read(s, j->piece_rows, j->x, &sink, &got));
        const size_t values = got * (size_t)s->width;
        for (size_t i = 0; i < values && u8; i++) u8 = dc_is_integer(j->x[i], 0, 255);
    }
    if (s->next_row == 0) return DC_FAIL(DC_ERR_DATA, "%s: has no rows", s->name);
    s->rows = s->next_row;
    s->stored = u8 ? DC_U8 : DC_F32;
out:
    return st;
}

/* First pass over labels; they must be as many as the rows of their input. */
static dc_status scan_labels(dc_job *j, int i)
{
    dc_status st = DC_OK;
    dc_source s;
    dc_label_sink sink = {.classes = j->classes};
    const dc_source_request request = dc_job_labels(j, i);
    DC_TRY(dc_source_open(&s, &request));
    j->plan[i].label_file = s.file;
    for (size_t got = 1; got > 0 && st == DC_OK;) st = dc_source_read_labels(&s, j->piece_rows, j->x, &sink, &got);
    if (st == DC_OK) st = dc_source_expect_end(&s);
    if (st == DC_OK && s.next_row != j->plan[i].rows)
        st = DC_FAIL(DC_ERR_DATA, "%s: %lld labels for the %lld rows of %s", s.name, (long long)s.next_row,
                     (long long)j->plan[i].rows, j->cfg->inputs[i]);
    dc_source_close(&s);
out:
    return st;
}

/* A label column is a matter of text alone; asking for it elsewhere is a mistake worth saying. */
static dc_status check_label_column(const dc_job *j, const dc_source *s)
{
    const bool asked = j->cfg->label_column_given && j->cfg->label_column != DC_LABEL_NONE;
    if (asked && s->kind != DC_SOURCE_TEXT)
        return DC_FAIL(DC_ERR_USAGE, "%s: --label-column is for text; give labels with --labels", s->name);
    return DC_OK;
}

static dc_status plan_columns(dc_job *j, const dc_source *s, int i)
{
    if (i == 0) return plan_buffers(j, s->width);
    if (s->width == j->result->D) return DC_OK;
    return DC_FAIL(DC_ERR_DATA, "%s: %lld columns, but %s has %lld", s->name, (long long)s->width, j->cfg->inputs[0],
                   (long long)j->result->D);
}

static dc_status plan_labels(dc_job *j, const dc_source *s, int i)
{
    const bool given = j->cfg->label_column_given || j->cfg->n_labels > 0;
    j->plan[i].own_labels = !given && dc_source_has_own_labels(s);
    const bool has = s->has_labels || dc_job_has_label_source(j, i);
    if (i == 0) j->result->has_labels = has;
    if (has != j->result->has_labels)
        return DC_FAIL(DC_ERR_DATA, "%s: has %s labels, but %s has %s; use --labels or --label-column=none", s->name,
                       has ? "own" : "no", j->cfg->inputs[0], has ? "none" : "some");
    return DC_OK;
}

static dc_status plan_input_open(dc_job *j, dc_source *s, int i)
{
    dc_status st = DC_OK;
    j->plan[i].file = s->file;
    DC_TRY(check_label_column(j, s));
    DC_TRY(plan_columns(j, s, i));
    DC_TRY(plan_labels(j, s, i));
    DC_TRY(plan_names(j, s, j->cfg->inputs[i]));
    plan_image_shape(j, s, i);
    if (s->kind == DC_SOURCE_TEXT) DC_TRY(scan_text(j, s));
    j->plan[i].rows = s->rows;
    j->plan[i].narrowed = s->narrowed;
    j->plan[i].rounded = s->rounded;
    j->result->dtype = DC_MAX(j->result->dtype, s->stored);
    if (__builtin_add_overflow(j->result->N, s->rows, &j->result->N))
        st = DC_FAIL(DC_ERR_DATA, "%s: too many rows in all", s->name);
out:
    return st;
}

dc_status dc_job_plan(dc_job *j)
{
    dc_status st = DC_OK;
    dc_source s;
    for (int i = 0; i < j->cfg->n_inputs; i++) {
        const dc_source_request request = dc_job_matrix(j, i);
        DC_TRY(dc_source_open(&s, &request));
        st = plan_input_open(j, &s, i);
        dc_source_close(&s);
        if (st == DC_OK && dc_job_has_label_source(j, i)) st = scan_labels(j, i);
        if (st != DC_OK) return st;
    }
    if (j->result->has_labels) {
        DC_TRY(dc_classes_number(j->classes));
        j->result->n_classes = dc_classes_count(j->classes);
    }
out:
    return st;
}
