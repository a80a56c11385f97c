/* Second pass over the inputs. Each input is read piece by piece, checked, added to the statistics, converted to the
 * stored type, hashed and written. An input that differs from what the first pass saw is an error. */
#include <math.h>
#include <string.h>

#include "convert/conversion.h"
#include "dcmpi/log.h"

/* Smallest and largest value of one input. */
typedef struct {
    double min, max;
} range;

static dc_status fail_value(const dc_conversion *j, const dc_source *s, dc_gidx first_row, size_t i, const char *cause)
{
    const int64_t D = j->result->D;
    return DC_FAIL(DC_ERR_DATA, "%s: row %lld, column %lld: %.9g %s (rows and columns count from 0)", s->name,
                   (long long)(first_row + (int64_t)i / D), (long long)((int64_t)i % D), j->x[i], cause);
}

static dc_status fail_changed(const dc_source *s)
{
    return DC_FAIL(DC_ERR_DATA, "%s: changed while it was read; convert it again", s->name);
}

/* Checks that the values of a piece are finite and fit the stored type, and adds them to the statistics. */
static dc_status check_values(dc_conversion *j, const dc_source *s, dc_gidx first_row, size_t n, range *r)
{
    const dc_dtype dtype = j->result->dtype;
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const double v = j->x[i];
        if (!isfinite(v))
            return fail_value(j, s, first_row, i,
                              "is not finite, a missing value; say --missing=drop, mean or value:X");
        r->min = DC_MIN(r->min, v);
        r->max = DC_MAX(r->max, v);
        sum += v;
    }
    j->sum += sum;
    if (dtype == DC_U8 && s->kind == DC_SOURCE_TEXT)
        for (size_t i = 0; i < n; i++)
            if (!dc_is_integer(j->x[i], 0, 255)) return fail_changed(s);
    if (dtype == DC_F32 && s->narrowed)
        for (size_t i = 0; i < n; i++)
            if (isinf((float)j->x[i])) return fail_value(j, s, first_row, i, "does not fit float32");
    return DC_OK;
}

/* Moves the rows that are not skipped to the front and returns their number. */
static size_t leave_out(dc_conversion *j, size_t n, bool labels)
{
    size_t kept = 0;
    const size_t D = (size_t)j->result->D;
    for (size_t i = 0; i < n; i++) {
        if (j->skip[i]) continue;
        if (kept < i) {
            memmove(j->x + kept * D, j->x + i * D, D * sizeof *j->x);
            if (labels) j->y[kept] = j->y[i];
            if (j->ids) memmove(j->ids + kept * j->id_bytes, j->ids + i * j->id_bytes, j->id_bytes);
        }
        kept++;
    }
    return kept;
}

static dc_status write_piece(dc_conversion *j, size_t n)
{
    const size_t row_bytes = (size_t)j->result->D * dc_dtype_bytes(j->result->dtype);
    if (n == 0) return DC_OK;
    dc_element_encode(j->result->dtype, j->x, n * (size_t)j->result->D, j->packed);
    XXH3_64bits_update(j->hash, j->packed, n * row_bytes);
    j->hash_rows += dc_h5_hash_rows(row_bytes, j->out.next_row, (dc_gidx)n, j->packed);
    return dc_output_append(&j->out, n, j->packed, j->result->has_labels ? j->y : NULL, j->ids);
}

/* Copies one piece; *got = 0 at the end of the input. */
static dc_status copy_piece(dc_conversion *j, dc_source *s, dc_source *labels, range *r, size_t *got)
{
    dc_status st = DC_OK;
    const dc_gidx first_row = s->next_row;
    size_t got_labels = 0;
    dc_row_sink sink = {.labels = {.classes = j->classes, .y = j->y}, .ids = {.ids = j->ids, .bytes = j->id_bytes}};
    DC_TRY(dc_source_read(s, j->piece_rows, j->x, &sink, got));
    if (*got == 0) return DC_OK;
    if (j->skip) dc_missing_apply(&j->missing, *got, j->x, j->skip);
    if (labels) {
        dc_row_sink own = {.labels = {.classes = j->classes, .y = j->y, .skip = j->skip}};
        DC_TRY(dc_source_read_labels(labels, *got, j->packed, &own, &got_labels));
        if (got_labels != *got) return fail_changed(labels);
    }
    const size_t kept = j->skip ? leave_out(j, *got, s->has_labels || labels) : *got;
    if (j->out.next_row + (dc_gidx)kept > j->result->N) return fail_changed(s);
    DC_TRY(check_values(j, s, first_row, kept * (size_t)j->result->D, r));
    DC_TRY(write_piece(j, kept));
out:
    return st;
}

static dc_status copy_rows(dc_conversion *j, int i, dc_source *s, dc_source *labels)
{
    dc_status st = DC_OK;
    range r = {INFINITY, -INFINITY};
    for (size_t got = 1; got > 0;) {
        DC_TRY(copy_piece(j, s, labels, &r, &got));
        if (s->next_row > j->plan[i].rows) return fail_changed(s);
    }
    if (s->next_row != j->plan[i].rows) return fail_changed(s);
    DC_TRY(dc_source_expect_end(s));
    if (labels) DC_TRY(dc_source_expect_end(labels));
    if (j->plan[i].rounded)
        dc_log_note("%s: numbers become float64, which holds 15 digits of them up to 1.8e308", s->name);
    j->result->min = DC_MIN(j->result->min, r.min);
    j->result->max = DC_MAX(j->result->max, r.max);
out:
    return st;
}

static dc_status copy_input(dc_conversion *j, int i)
{
    dc_status st = DC_OK;
    dc_source s, labels;
    const bool with_labels = dc_job_has_label_source(j, i);
    const dc_source_request request = dc_job_matrix(j, i, true), labels_request = dc_job_labels(j, i);
    DC_TRY(dc_source_open(&s, &request));
    if (with_labels) st = dc_source_open(&labels, &labels_request);
    if (st == DC_OK) {
        st = s.width == j->result->D ? copy_rows(j, i, &s, with_labels ? &labels : NULL) : fail_changed(&s);
        if (with_labels) dc_source_close(&labels);
    }
    dc_source_close(&s);
    DC_TRY(st);
    DC_TRY(dc_file_unchanged(request.path, &j->plan[i].file, DC_ERR_DATA));
    if (with_labels) DC_TRY(dc_file_unchanged(labels_request.path, &j->plan[i].label_file, DC_ERR_DATA));
out:
    return st;
}

dc_status dc_job_copy(dc_conversion *j)
{
    dc_status st = DC_OK;
    dc_convert_result *r = j->result;
    r->min = INFINITY;
    r->max = -INFINITY;
    j->hash = XXH3_createState();
    if (!j->hash || XXH3_64bits_reset(j->hash) != XXH_OK) return DC_FAIL(DC_ERR_MEMORY, "no memory for a checksum");
    for (int i = 0; i < j->cfg->n_inputs; i++) DC_TRY(copy_input(j, i));
    if (j->out.next_row != r->N)
        DC_TRY(DC_FAIL(DC_ERR_DATA, "%s: an input changed while it was read; convert it again", j->cfg->output));
    r->mean = j->sum / ((double)r->N * (double)r->D);
    r->checksum = XXH3_64bits_digest(j->hash);
out:
    return st;
}
