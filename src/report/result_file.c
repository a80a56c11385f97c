/* run.h5: rows by all ranks, everything small by rank 0 in fill(). */
#include <math.h>
#include <string.h>

#include "dcmpi/mem.h"
#include "dcmpi/report.h"
#include "dcmpi/version.h"

enum { FORMAT_VERSION = 1 };

static dc_status put_str(dc_h5 *h5, const char *attr, const char *value)
{
    return dc_h5_put_attr_str(h5, "/", attr, value);
}

static dc_status put_i64(dc_h5 *h5, const char *object, const char *attr, int64_t v)
{
    return dc_h5_put_attr_i64(h5, object, attr, &v, 1);
}

static dc_status put_f64(dc_h5 *h5, const char *object, const char *attr, double v)
{
    return dc_h5_put_attr_f64(h5, object, attr, &v, 1);
}

static dc_status fill_provenance(dc_h5 *h5, const dc_result *r)
{
    dc_status st = DC_OK;
    char hash[32];
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)r->data->hash);
    DC_TRY(put_str(h5, "format", "dcmpi-result"));
    DC_TRY(put_i64(h5, "/", "format_version", FORMAT_VERSION));
    DC_TRY(put_str(h5, "created", r->from->created));
    DC_TRY(put_str(h5, "version", dc_version()));
    DC_TRY(put_str(h5, "git", dc_version_git()));
    DC_TRY(put_str(h5, "arch", dc_version_arch()));
    DC_TRY(put_str(h5, "libraries", r->from->libraries));
    DC_TRY(put_str(h5, "cpu", r->from->cpu));
    DC_TRY(put_str(h5, "isa", r->from->isa));
    DC_TRY(put_str(h5, "command_line", r->from->command_line));
    DC_TRY(put_str(h5, "verb", r->from->verb));
    DC_TRY(put_str(h5, "deck", r->from->deck));
    DC_TRY(put_i64(h5, "/", "seed", r->cfg->run.seed));
    DC_TRY(put_i64(h5, "/", "ranks", r->from->ranks));
    DC_TRY(put_i64(h5, "/", "threads", r->from->threads));
    DC_TRY(put_str(h5, "data", r->data->source));
    DC_TRY(put_str(h5, "data_hash", hash));
    DC_TRY(put_str(h5, "stop_reason", dc_stop_name(r->stop)));
    DC_TRY(put_i64(h5, "/", "iterations", r->iterations));
    DC_TRY(put_f64(h5, "/", "wall_seconds", r->from->wall_before_s + r->timing->wall_s));
    DC_TRY(put_i64(h5, "/", "parts", r->from->parts));
    if (isfinite(r->inertia)) DC_TRY(put_f64(h5, "/", "inertia", r->inertia));
    if (r->data->n_image_dims)
        DC_TRY(dc_h5_put_attr_i64(h5, "/", "image_shape", r->data->image_shape, (size_t)r->data->n_image_dims));
out:
    return st;
}

/* The examples themselves, so that a picture needs no data file. */
static dc_status fill_example_rows(dc_h5 *h5, const dc_result *r)
{
    static const dc_h5_type type[] = {
        [DC_U8] = DC_H5_U8, [DC_F16] = DC_H5_F16, [DC_F32] = DC_H5_F32, [DC_F64] = DC_H5_F64};
    const dc_gidx dims[] = {r->K, r->cfg->output.examples, r->data->D};
    if (!r->nearest_rows) return DC_OK;
    const dc_status st = dc_h5_put(h5, "/clusters/nearest_rows", type[r->data->dtype], 3, dims, r->nearest_rows);
    if (st != DC_OK) return st;
    return dc_h5_put(h5, "/clusters/border_rows", type[r->data->dtype], 3, dims, r->border_rows);
}

static dc_status fill_clusters(dc_h5 *h5, const dc_result *r)
{
    dc_status st = DC_OK;
    const dc_gidx examples[] = {r->K, r->cfg->output.examples};
    DC_TRY(dc_h5_put(h5, "/cluster_centers", DC_H5_F32, 2, (dc_gidx[]){r->K, r->center_width}, r->centers));
    DC_TRY(dc_h5_put(h5, "/clusters/size", DC_H5_I64, 1, (dc_gidx[]){r->K}, r->size));
    if (r->nearest) DC_TRY(dc_h5_put(h5, "/clusters/nearest", DC_H5_I64, 2, examples, r->nearest));
    if (r->border) DC_TRY(dc_h5_put(h5, "/clusters/border", DC_H5_I64, 2, examples, r->border));
    DC_TRY(fill_example_rows(h5, r));
out:
    return st;
}

/* What predict needs beside weights and centres to give the same bits again. */
static dc_status fill_model_attributes(dc_h5 *h5, const dc_result *r)
{
    dc_status st = DC_OK;
    DC_TRY(put_i64(h5, "/", "shards", r->data->part.V));
    DC_TRY(dc_h5_put_attr_f64(h5, "/", "scaled_range", (double[]){r->data->scaled_min, r->data->scaled_max}, 2));
    if (!r->net) goto out;
    DC_TRY(put_str(h5, "method", r->cfg->cluster.method));
    DC_TRY(put_f64(h5, "/", "alpha", r->cfg->cluster.alpha));
    DC_TRY(put_i64(h5, "/", "tile_rows", dc_embed_tile_rows(&r->data->part)));
    DC_TRY(put_str(h5, "gemm", r->cfg->parallel.gemm == DC_GEMM_CBLAS ? "cblas" : "onednn"));
out:
    return st;
}

static dc_status fill_model(dc_h5 *h5, const dc_result *r)
{
    dc_status st = DC_OK;
    DC_TRY(fill_model_attributes(h5, r));
    const dc_gidx D = r->data->D;
    DC_TRY(dc_h5_put(h5, "/scaling/shift", DC_H5_F32, 1, &D, r->data->shift));
    DC_TRY(dc_h5_put(h5, "/scaling/scale", DC_H5_F32, 1, &D, r->data->scale));
    if (r->net) DC_TRY(dc_model_save(h5, r->net, r->params));
out:
    return st;
}

/* One vector per column, so that a plot needs one line. */
static dc_status fill_history(dc_h5 *h5, const dc_history *h)
{
    dc_status st = DC_OK;
    double *column = NULL;
    const dc_gidx n = (dc_gidx)h->n;
    DC_TRY(dc_mem_alloc(&column, h->n, sizeof *column, "history"));
    for (int c = 0; c < h->n_columns; c++) {
        char name[DC_H5_NAME_MAX];
        snprintf(name, sizeof name, "/history/%s/%s", h->phase, h->column[c]);
        for (size_t i = 0; i < h->n; i++) column[i] = h->value[i * (size_t)h->n_columns + (size_t)c];
        DC_TRY(dc_h5_put(h5, name, DC_H5_F64, 1, &n, column));
    }
out:
    dc_mem_free(&column);
    return st;
}

static dc_status fill_scores(dc_h5 *h5, const dc_result *r)
{
    dc_status st = DC_OK;
    DC_TRY(dc_h5_create_group(h5, "/metrics"));
    if (!r->has_scores) goto out;
    DC_TRY(put_f64(h5, "/metrics", "acc", r->scores.acc));
    DC_TRY(put_f64(h5, "/metrics", "nmi", r->scores.nmi));
    DC_TRY(put_f64(h5, "/metrics", "nmi_arithmetic", r->scores.nmi_arithmetic));
    DC_TRY(put_f64(h5, "/metrics", "ari", r->scores.ari));
    DC_TRY(dc_h5_put(h5, "/confusion", DC_H5_I64, 2, (dc_gidx[]){r->data->C, r->K}, r->confusion));
out:
    return st;
}

static dc_status fill_timing(dc_h5 *h5, const dc_result *r)
{
    dc_status st = DC_OK;
    DC_TRY(dc_h5_create_group(h5, "/timing"));
    for (int s = 0; s < DC_T_COUNT; s++) {
        const dc_section_stats *x = &r->timing->section[s];
        if (x->calls == 0) continue;
        const double v[] = {(double)x->calls, x->min_s, x->avg_s, x->max_s, x->slowest};
        char name[DC_H5_NAME_MAX];
        snprintf(name, sizeof name, "/timing/%s", dc_section_name((dc_section)s));
        DC_TRY(dc_h5_put(h5, name, DC_H5_F64, 1, (dc_gidx[]){DC_COUNT_OF(v)}, v));
    }
    DC_TRY(dc_h5_put_attr_str(h5, "/timing", "columns", "calls, min_s, avg_s, max_s, slowest_rank"));
out:
    return st;
}

/* Names of classes and columns; lists of more than a GiB are left out. */
static dc_status fill_names(dc_h5 *h5, const dc_result *r)
{
    dc_status st = DC_OK;
    bool stored;
    if (r->data->classes) DC_TRY(dc_h5_put_names(h5, "classes", r->data->classes, &stored));
    if (r->data->feature_names) DC_TRY(dc_h5_put_names(h5, "feature_names", r->data->feature_names, &stored));
    if (r->cfg->input.label_dataset[0]) DC_TRY(put_str(h5, "label_dataset", r->cfg->input.label_dataset));
    if (r->data->y) DC_TRY(put_i64(h5, "/", "unlabelled", r->data->unlabelled));
out:
    return st;
}

static dc_status fill(void *ctx, dc_h5 *h5)
{
    dc_status st = DC_OK;
    const dc_result *r = ctx;
    DC_TRY(fill_provenance(h5, r));
    DC_TRY(fill_names(h5, r));
    DC_TRY(fill_clusters(h5, r));
    DC_TRY(fill_model(h5, r));
    for (int i = 0; i < r->n_histories; i++) DC_TRY(fill_history(h5, r->history[i]));
    DC_TRY(fill_scores(h5, r));
    DC_TRY(fill_timing(h5, r));
out:
    return st;
}

dc_status dc_result_write(dc_comm *comm, const char *path, const dc_result *r)
{
    dc_h5_rows rows[6];
    size_t n = 0;
    rows[n++] = (dc_h5_rows){.name = "/labels", .type = DC_H5_I32, .width = 1, .vector = true, .local = r->labels};
    if (r->confidence)
        rows[n++] =
            (dc_h5_rows){.name = "/confidence", .type = DC_H5_F32, .width = 1, .vector = true, .local = r->confidence};
    if (r->embedding)
        rows[n++] =
            (dc_h5_rows){.name = "/embedding", .type = DC_H5_F32, .width = (size_t)r->net->L, .local = r->embedding};
    if (r->q) rows[n++] = (dc_h5_rows){.name = "/q", .type = DC_H5_F32, .width = (size_t)r->K, .local = r->q};
    if (r->outlier)
        rows[n++] = (dc_h5_rows){.name = "/outlier", .type = DC_H5_U8, .width = 1, .vector = true, .local = r->outlier};
    const dc_dataset *d = r->data;
    if (d->id_bytes)
        rows[n++] =
            (dc_h5_rows){.name = "/ids", .type = DC_H5_TEXT, .width = d->id_bytes, .vector = true, .local = d->ids};
    dc_result copy = *r;
    return dc_h5_write_result(comm, path, &r->data->part, rows, n, fill, &copy);
}
