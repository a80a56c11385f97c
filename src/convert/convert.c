/* Converts inputs of any format to one data file: checks the request, reserves the output, plans, copies, describes the
 * data in attributes, and renames the output. */
#include "dcmpi/convert.h"

#include <math.h>
#include <string.h>

#include "convert/conversion.h"
#include "convert/generate.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/version.h"

enum { DATA_FORMAT_VERSION = 1 };

static dc_status check_config(const dc_convert_config *cfg)
{
    const bool column = cfg->table.label_column && strcmp(cfg->table.label_column, "none") != 0;
    if (cfg->n_inputs < 1 || !cfg->output)
        return DC_FAIL(DC_ERR_USAGE, "convert needs at least one input and an output");
    if (cfg->n_labels != 0 && cfg->n_labels != cfg->n_inputs)
        return DC_FAIL(DC_ERR_USAGE, "%d inputs but %d --labels; give one for each input, in the same order",
                       cfg->n_inputs, cfg->n_labels);
    if (cfg->n_labels > 0 && column) return DC_FAIL(DC_ERR_USAGE, "--labels and --label-column exclude each other");
    if (column && cfg->transpose == DC_TRANSPOSE_YES)
        return DC_FAIL(DC_ERR_USAGE, "--label-column and --transpose exclude each other; give labels with --labels");
    if (cfg->label_dataset && (cfg->n_labels > 0 || cfg->table.label_column))
        return DC_FAIL(DC_ERR_USAGE, "--label-dataset excludes --labels and --label-column");
    if (cfg->missing.action == DC_MISSING_VALUE && !isfinite((float)cfg->missing.value))
        return DC_FAIL(DC_ERR_USAGE, "--missing=value:%g: use a number that fits float32", cfg->missing.value);
    return DC_OK;
}

static dc_status make_recipe(dc_conversion *j)
{
    const dc_convert_config *cfg = j->cfg;
    const int n = cfg->n_inputs + cfg->n_labels;
    const dc_status st = dc_mem_alloc(&j->files, (size_t)n, sizeof *j->files, "list of inputs");
    if (st != DC_OK) return st;
    for (int i = 0; i < n; i++) j->files[i] = i < cfg->n_inputs ? cfg->inputs[i] : cfg->labels[i - cfg->n_inputs];
    j->recipe = (dc_recipe){"convert", j->files, n, cfg->options ? cfg->options : ""};
    return DC_OK;
}

/* Writes the names of the inputs, one per line. */
static dc_status put_source(dc_conversion *j, dc_h5 *h5)
{
    dc_status st = DC_OK;
    size_t bytes = 1;
    char *text = NULL;
    for (int i = 0; i < j->cfg->n_inputs; i++) bytes += strlen(j->cfg->inputs[i]) + 1;
    DC_TRY(dc_mem_alloc(&text, bytes, 1, "names of the inputs"));
    for (int i = 0; i < j->cfg->n_inputs; i++) {
        if (i > 0) strcat(text, "\n");
        strcat(text, j->cfg->inputs[i]);
    }
    DC_TRY(dc_h5_put_attr_str(h5, "/", "source", text));
out:
    dc_mem_free(&text);
    return st;
}

static dc_status put_classes(dc_conversion *j)
{
    dc_status st = DC_OK;
    char *text = NULL;
    if (!j->result->has_labels) return DC_OK;
    DC_TRY(dc_h5_put_attr_i64(j->out.h5, "/", "n_classes", &j->result->n_classes, 1));
    if (dc_job_is_builtin(j)) return DC_OK; /* classes are numbers */
    DC_TRY(dc_classes_join(j->classes, DC_ATTRIBUTE_MAX_BYTES, &text));
    if (text)
        DC_TRY(dc_h5_put_attr_str(j->out.h5, "/", "classes", text));
    else
        dc_log_note("%s: names of %lld classes are too long for an attribute: classes is left out", j->cfg->output,
                    (long long)j->result->n_classes);
out:
    dc_mem_free(&text);
    return st;
}

/* The checksums of X and of the ids were computed while the rows were written; the labels are read back for theirs. */
static dc_status put_hashes(dc_conversion *j)
{
    uint64_t hash;
    dc_status st = DC_OK;
    DC_TRY(dc_h5_put_hash(j->out.h5, "/X", j->hash_rows));
    if (j->out.id_bytes) DC_TRY(dc_h5_put_hash(j->out.h5, "/ids", j->out.ids_hash));
    if (!j->result->has_labels) goto out;
    DC_TRY(dc_h5_hash_dataset(j->out.h5, "/y", &hash));
    DC_TRY(dc_h5_put_hash(j->out.h5, "/y", hash));
out:
    return st;
}

static dc_status put_feature_names(dc_conversion *j)
{
    bool stored;
    if (!j->names) return DC_OK;
    const dc_status st = dc_h5_put_names(j->out.h5, "feature_names", j->names, &stored);
    if (st == DC_OK && !stored) dc_log_note("%s: names of the columns are too long: left out", j->cfg->output);
    return st;
}

/* Writes what was done about missing values, if there were any. */
static dc_status put_missing(dc_conversion *j)
{
    char text[1024];
    if (j->missing.cells == 0) return DC_OK;
    dc_missing_text(&j->missing, text, sizeof text);
    return dc_h5_put_attr_str(j->out.h5, "/", "missing", text);
}

/* Where the data come from; ctx is the dc_conversion. */
static dc_status put_origin(void *ctx, dc_h5 *h5)
{
    dc_status st = DC_OK;
    dc_conversion *j = ctx;
    DC_TRY(dc_h5_put_attr_str(h5, "/", "writer", dc_version()));
    DC_TRY(put_source(j, h5));
    DC_TRY(dc_recipe_put(h5, &j->recipe));
out:
    return st;
}

static dc_status put_attributes(dc_conversion *j)
{
    dc_status st = DC_OK;
    dc_h5 *h5 = j->out.h5;
    const dc_convert_result *r = j->result;
    const int64_t version = DATA_FORMAT_VERSION;
    char checksum[24];
    snprintf(checksum, sizeof checksum, "%016llx", (unsigned long long)r->checksum);
    DC_TRY(dc_h5_put_attr_str(h5, "/", "format", "dcmpi-data"));
    DC_TRY(dc_h5_put_attr_i64(h5, "/", "format_version", &version, 1));
    DC_TRY(put_origin(j, h5));
    DC_TRY(dc_h5_put_attr_str(h5, "/", "checksum", checksum));
    DC_TRY(dc_h5_put_attr_f64(h5, "/", "min", &r->min, 1));
    DC_TRY(dc_h5_put_attr_f64(h5, "/", "max", &r->max, 1));
    DC_TRY(dc_h5_put_attr_f64(h5, "/", "mean", &r->mean, 1));
    if (j->n_image_dims > 0)
        DC_TRY(dc_h5_put_attr_i64(h5, "/", "image_shape", j->image_shape, (size_t)j->n_image_dims));
    DC_TRY(put_feature_names(j));
    DC_TRY(put_classes(j));
    DC_TRY(put_missing(j));
    DC_TRY(put_hashes(j));
out:
    return st;
}

static void release(dc_conversion *j)
{
    dc_output_abort(&j->out);
    dc_classes_destroy(&j->classes);
    dc_mem_free(&j->plan);
    dc_mem_free(&j->files);
    dc_mem_free(&j->names);
    dc_mem_free(&j->x);
    dc_mem_free(&j->packed);
    dc_mem_free(&j->y);
    dc_mem_free(&j->ids);
    dc_mem_free(&j->skip);
    dc_missing_destroy(&j->missing);
    dc_precision_destroy(&j->precision);
    XXH3_freeState(j->hash);
}

static dc_status convert_builtin(dc_conversion *j)
{
    const dc_status st = dc_job_generate(j);
    return st == DC_OK ? put_attributes(j) : st;
}

static dc_status convert_dense(dc_conversion *j)
{
    dc_status st = DC_OK;
    const dc_convert_result *r = j->result;
    DC_TRY(dc_job_plan(j));
    DC_TRY(dc_output_create(&j->out, r->N, r->D, r->dtype, r->has_labels, j->id_bytes));
    DC_TRY(dc_job_copy(j));
    DC_TRY(put_attributes(j));
out:
    return st;
}

/* An input that changed after its format was recognised: that is the error, whatever the reader made of it. */
static dc_status blame_change(const dc_conversion *j, dc_status st)
{
    char text[DC_ERROR_TEXT_MAX], where[256];
    if (st != DC_OK && st != DC_ERR_DATA) return st;
    snprintf(text, sizeof text, "%s", dc_error_text());
    snprintf(where, sizeof where, "%s", dc_error_where());
    dc_error_clear();
    const dc_status changed = dc_file_unchanged(j->cfg->inputs[0], &j->seen, DC_ERR_DATA);
    if (changed != DC_OK) return changed;
    if (st != DC_OK) dc_error_set(st, where, text);
    return st;
}

dc_status dc_convert(const dc_convert_config *cfg, dc_convert_result *result)
{
    dc_status st = DC_OK;
    dc_conversion j = {.cfg = cfg, .result = result, .out = {.fd = -1}};
    memset(result, 0, sizeof *result);
    DC_TRY(check_config(cfg));
    DC_TRY(dc_mem_alloc(&j.plan, (size_t)cfg->n_inputs, sizeof *j.plan, "list of inputs"));
    DC_TRY(dc_classes_create(&j.classes));
    DC_TRY(make_recipe(&j));
    DC_TRY(dc_output_begin(&j.out, cfg, &j.recipe));
    if (dc_job_is_builtin(&j)) {
        DC_TRY(convert_builtin(&j));
    } else {
        DC_TRY(dc_job_sparse(&j, put_origin, &result->sparse));
        if (!result->sparse) DC_TRY(blame_change(&j, convert_dense(&j)));
    }
    DC_TRY(dc_output_commit(&j.out));
out:
    release(&j);
    return st;
}
