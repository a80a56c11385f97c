/* Writes run.h5: all ranks write their rows; rank 0 writes everything small, in fill(). */
#include <math.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/report.h"
#include "dcmpi/standing.h"
#include "dcmpi/version.h"
#include "dcmpi/wish.h"

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

/* Writes hashes of what the result was made from; 0: there was no such input. */
static dc_status fill_hashes(dc_h5 *h5, const dc_provenance *from, const dc_dataset *data)
{
    dc_status st = DC_OK;
    DC_TRY(dc_h5_put_attr_hash(h5, "/", "data_hash", data->hash));
    DC_TRY(dc_h5_put_attr_hash(h5, "/", "labels_hash", from->labels_hash));
    DC_TRY(dc_h5_put_attr_hash(h5, "/", "weights_hash", from->weights_hash));
    DC_TRY(dc_h5_put_attr_hash(h5, "/", "deck_hash", from->deck_hash));
    DC_TRY(dc_h5_put_attr_hash(h5, "/", "program_hash", from->program_hash));
out:
    return st;
}

static dc_status fill_provenance(dc_h5 *h5, const dc_result *r)
{
    dc_status st = DC_OK;
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
    DC_TRY(put_i64(h5, "/", "nodes", r->from->nodes));
    DC_TRY(put_f64(h5, "/", "peak_flops", r->from->peak_flops));
    DC_TRY(put_str(h5, "job", r->from->job));
    DC_TRY(put_str(h5, "data", r->data->source));
    DC_TRY(dc_result_put_files(h5, r->data->files, r->data->part.N));
    DC_TRY(put_str(h5, "data_type", dc_dtype_name(r->data->dtype)));
    if (dc_dataset_csr(r->data)) DC_TRY(put_i64(h5, "/", "sparse_values", r->data->nnz));
    if (r->cfg->input.matrix[0]) DC_TRY(put_str(h5, "matrix", r->cfg->input.matrix));
    DC_TRY(fill_hashes(h5, r->from, r->data));
    DC_TRY(put_i64(h5, "/", "parts", r->from->parts));
    DC_TRY(put_i64(h5, "/", "checkpoint", r->checkpoint));
out:
    return st;
}

static dc_status fill_outcome(dc_h5 *h5, const dc_result *r)
{
    dc_status st = DC_OK;
    DC_TRY(put_str(h5, "stop_reason", dc_stop_name(r->stop)));
    DC_TRY(put_i64(h5, "/", "iterations", r->iterations));
    DC_TRY(put_f64(h5, "/", "delta", r->delta));
    if (r->outlier) DC_TRY(put_i64(h5, "/", "outliers", r->n_outliers));
    if (isfinite(r->inertia)) DC_TRY(put_f64(h5, "/", "inertia", r->inertia));
    if (r->data->n_image_dims)
        DC_TRY(dc_h5_put_attr_i64(h5, "/", "image_shape", r->data->image_shape, (size_t)r->data->n_image_dims));
out:
    return st;
}

/* Writes the names of the checks as one text, one per line, and which of them passed, in the same order. */
static dc_status fill_checks(dc_h5 *h5, const dc_result *r)
{
    dc_status st = DC_OK;
    char names[DC_SELF_CHECKS_MAX * DC_SELF_CHECK_NAME_MAX] = "";
    int64_t passed[DC_SELF_CHECKS_MAX] = {0}, failed = 0;
    for (int i = 0; i < r->n_checks; i++) {
        const size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", i ? "\n" : "", r->check[i].name);
        passed[i] = r->check[i].passed;
        failed += !r->check[i].passed;
    }
    DC_TRY(put_str(h5, "self_checks", names));
    DC_TRY(dc_h5_put_attr_i64(h5, "/", "self_checks_passed", passed, (size_t)r->n_checks));
    DC_TRY(put_i64(h5, "/", "warnings", dc_log_warning_count() + failed));
out:
    return st;
}

/* Writes the rows of the examples, so that they can be drawn without the data file. */
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

static dc_h5_type type_of(const dc_result_array *a)
{
    static const dc_h5_type type[] = {
        [DC_STATE_F32] = DC_H5_F32, [DC_STATE_F64] = DC_H5_F64, [DC_STATE_I64] = DC_H5_I64};
    return type[a->type];
}

static dc_status fill_more(dc_h5 *h5, const dc_results *more)
{
    dc_status st = DC_OK;
    for (int i = 0; more && i < more->n; i++) {
        const dc_result_array *a = &more->array[i];
        if (!a->of_rows) DC_TRY(dc_h5_put(h5, a->name, type_of(a), a->n_dims, a->dim, a->data));
    }
out:
    return st;
}

static dc_status fill_quantiles(dc_h5 *h5, const dc_result *r)
{
    static const char name[] = "/clusters/distance_quantiles";
    const dc_gidx dims[] = {r->K, DC_STANDING_QUANTILES};
    if (!r->standing) return DC_OK;
    dc_status st = dc_h5_put(h5, name, DC_H5_F64, 2, dims, r->standing->quantile);
    if (st == DC_OK) st = dc_h5_put_attr_f64(h5, name, "quantiles", dc_standing_quantile, DC_STANDING_QUANTILES);
    if (st != DC_OK || !r->standing->quantile_rows) return st;
    return dc_h5_put(h5, "/clusters/distance_rows", DC_H5_I64, 1, dims, r->standing->quantile_rows);
}

static dc_status fill_clusters(dc_h5 *h5, const dc_result *r)
{
    dc_status st = DC_OK;
    const dc_gidx examples[] = {r->K, r->cfg->output.examples};
    DC_TRY(dc_h5_put(h5, "/clusters/size", DC_H5_I64, 1, (dc_gidx[]){r->K}, r->size));
    if (r->nearest) DC_TRY(dc_h5_put(h5, "/clusters/nearest", DC_H5_I64, 2, examples, r->nearest));
    if (r->border) DC_TRY(dc_h5_put(h5, "/clusters/border", DC_H5_I64, 2, examples, r->border));
    DC_TRY(fill_example_rows(h5, r));
    DC_TRY(fill_quantiles(h5, r));
    DC_TRY(fill_more(h5, r->more));
out:
    return st;
}

/* Writes what predict needs, besides weights and centres, to reproduce the same bits. */
static dc_status fill_model_attributes(dc_h5 *h5, const dc_result *r)
{
    dc_status st = DC_OK;
    DC_TRY(put_i64(h5, "/", "shards", r->data->part.V));
    DC_TRY(dc_h5_put_attr_f64(h5, "/", "scaled_range", (double[]){r->data->scaled_min, r->data->scaled_max}, 2));
    if (r->data->norm != DC_ROW_NORM_NONE) DC_TRY(put_str(h5, "row_norm", dc_row_norm_name(r->data->norm)));
    if (!r->method) goto out;
    DC_TRY(put_str(h5, "method", r->method));
    DC_TRY(put_i64(h5, "/", "tile_rows", dc_embed_tile_rows(&r->data->part)));
    DC_TRY(put_str(h5, "gemm", r->cfg->parallel.gemm == DC_GEMM_CBLAS ? "cblas" : "onednn"));
out:
    return st;
}

static dc_status fill_components(dc_h5 *h5, const dc_dataset *d)
{
    dc_status st = DC_OK;
    double *share = NULL;
    const dc_pca *pca = &d->pca;
    const dc_gidx k = pca->k, dims[] = {k, d->D};
    DC_TRY(dc_h5_put(h5, "/scaling/components", DC_H5_F32, 2, dims, pca->direction));
    if (d->reduce != DC_REDUCE_NONE)
        DC_TRY(dc_h5_put_attr_str(h5, "/scaling/components", "reduce", dc_reduce_name(d->reduce)));
    DC_TRY(dc_h5_put(h5, "/scaling/component_scale", DC_H5_F32, 1, &k, pca->factor));
    if (pca->offset) DC_TRY(dc_h5_put(h5, "/scaling/component_offset", DC_H5_F32, 1, &k, pca->offset));
    if (pca->value) DC_TRY(dc_h5_put(h5, "/scaling/singular_values", DC_H5_F64, 1, &k, pca->value));
    if (!pca->variance) return DC_OK;
    DC_TRY(dc_mem_alloc(&share, (size_t)k, sizeof *share, "explained variance"));
    for (int64_t j = 0; j < k; j++) share[j] = pca->variance[j] / pca->total;
    DC_TRY(dc_h5_put(h5, "/scaling/explained_variance", DC_H5_F64, 1, &k, pca->variance));
    DC_TRY(dc_h5_put(h5, "/scaling/explained_variance_ratio", DC_H5_F64, 1, &k, share));
out:
    dc_mem_free(&share);
    return st;
}

/* How counts were transformed, if they were. */
static dc_status fill_counts(dc_h5 *h5, const dc_count_map *map)
{
    dc_status st = DC_OK;
    if (!map->used) return DC_OK;
    DC_TRY(dc_h5_put_attr_f64(h5, "/scaling", "normalize_total", &map->normalize_total, 1));
    DC_TRY(put_i64(h5, "/scaling", "log1p", map->log1p));
    DC_TRY(put_i64(h5, "/scaling", "columns_of", map->D));
    if (map->column) DC_TRY(dc_h5_put(h5, "/scaling/columns", DC_H5_I32, 1, &map->kept, map->column));
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
    if (r->data->clip_lo) DC_TRY(dc_h5_put(h5, "/scaling/clip_lo", DC_H5_F64, 1, &D, r->data->clip_lo));
    if (r->data->clip_lo) DC_TRY(dc_h5_put(h5, "/scaling/clip_hi", DC_H5_F64, 1, &D, r->data->clip_hi));
    DC_TRY(fill_counts(h5, &r->data->counts));
    if (r->data->pca.k > 0) DC_TRY(fill_components(h5, r->data));
    DC_TRY(dc_model_save(h5, r->slab, r->value));
out:
    return st;
}

/* Writes one vector per column, so that a plot takes one line of code. */
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
    if (!dc_h5_exists(h5, "/metrics")) DC_TRY(dc_h5_create_group(h5, "/metrics"));
    if (!r->has_scores) goto out;
    if (isfinite(r->scores.acc)) DC_TRY(put_f64(h5, "/metrics", "acc", r->scores.acc));
    DC_TRY(put_f64(h5, "/metrics", "nmi", r->scores.nmi));
    DC_TRY(put_f64(h5, "/metrics", "nmi_arithmetic", r->scores.nmi_arithmetic));
    DC_TRY(put_f64(h5, "/metrics", "ari", r->scores.ari));
    DC_TRY(put_f64(h5, "/metrics", "purity", r->scores.purity));
    DC_TRY(put_f64(h5, "/metrics", "f_measure", r->scores.f_measure));
    DC_TRY(put_f64(h5, "/metrics", "f_pairs", r->scores.f_pairs));
    if (r->confusion) DC_TRY(dc_h5_put(h5, "/confusion", DC_H5_I64, 2, (dc_gidx[]){r->data->C, r->K}, r->confusion));
out:
    return st;
}

/* Writes the timings; called again after all rows are written, for the final values. */
static dc_status fill_timing(void *ctx, dc_h5 *h5)
{
    dc_status st = DC_OK;
    const dc_result *r = ctx;
    const dc_timing *t = r->timing;
    for (int s = 0; s < DC_T_COUNT; s++) {
        const dc_section_stats *x = &t->section[s];
        const double v[DC_TIMING_COLUMNS] = {(double)x->calls, x->min_s,       x->avg_s,      x->max_s,
                                             x->slowest,       x->flops_per_s, x->bytes_per_s};
        char name[DC_H5_NAME_MAX];
        snprintf(name, sizeof name, "/timing/%s", dc_section_name((dc_section)s));
        DC_TRY(dc_h5_write_rows(h5, name, DC_H5_F64, 0, DC_TIMING_COLUMNS, v));
    }
    DC_TRY(put_f64(h5, "/", "wall_seconds", r->from->wall_before_s + t->wall_s));
    DC_TRY(put_f64(h5, "/timing", "wall_here_s", t->wall_s));
    DC_TRY(put_f64(h5, "/timing", "memory_peak_bytes", t->memory_peak));
    DC_TRY(put_i64(h5, "/timing", "memory_peak_rank", t->memory_rank));
    DC_TRY(put_f64(h5, "/timing", "memory_peak_least_bytes", t->memory_least));
    DC_TRY(put_f64(h5, "/timing", "message_bytes_per_rank", t->comm_bytes));
    DC_TRY(put_f64(h5, "/timing", "message_seconds_per_rank", t->comm_seconds));
out:
    return st;
}

/* Creates the timing datasets before the rows are written: afterwards there may be no space left for them. */
static dc_status create_timing(dc_h5 *h5, dc_result *r)
{
    dc_status st = DC_OK;
    static const dc_gidx n = DC_TIMING_COLUMNS;
    DC_TRY(dc_h5_create_group(h5, "/timing"));
    for (int s = 0; s < DC_T_COUNT; s++) {
        char name[DC_H5_NAME_MAX];
        snprintf(name, sizeof name, "/timing/%s", dc_section_name((dc_section)s));
        DC_TRY(dc_h5_create_dataset(h5, name, DC_H5_F64, 1, &n));
    }
    DC_TRY(dc_h5_put_attr_str(h5, "/timing", "columns",
                              "calls, min_s, avg_s, max_s, slowest_rank, flops_per_s, bytes_per_s"));
    DC_TRY(fill_timing(r, h5));
out:
    return st;
}

/* Describes the labels. Class names are left out if they take more than a GiB, or if they are identifiers of rows. */
static dc_status fill_labels(dc_h5 *h5, const dc_result *r)
{
    dc_status st = DC_OK;
    bool stored;
    const dc_dataset *d = r->data;
    if (d->classes && !dc_labels_name_rows(d->C, d->part.N))
        DC_TRY(dc_h5_put_names(h5, "classes", d->classes, &stored));
    if (r->cfg->input.label_dataset[0]) DC_TRY(put_str(h5, "label_dataset", r->cfg->input.label_dataset));
    if (d->unlabelled > 0) DC_TRY(put_i64(h5, "/", "unlabelled", d->unlabelled));
out:
    return st;
}

/* What predict needs to make rows of documents, besides the names of the columns. */
static dc_status fill_words(dc_h5 *h5, const dc_data_words *w, const char *names)
{
    dc_status st = DC_OK;
    bool stored;
    if (!w->options) return DC_OK;
    if (w->terms && (!names || strcmp(w->terms, names) != 0))
        DC_TRY(dc_h5_put_names(h5, "vectorizer_terms", w->terms, &stored));
    DC_TRY(put_str(h5, "vectorizer", w->options));
    if (w->df) DC_TRY(dc_h5_put(h5, "/vectorizer/df", DC_H5_I64, 1, &w->D, w->df));
    if (w->idf) DC_TRY(dc_h5_put(h5, "/vectorizer/idf", DC_H5_F64, 1, &w->D, w->idf));
out:
    return st;
}

/* Writes the names of the columns and the classes. */
static dc_status fill_names(dc_h5 *h5, const dc_result *r)
{
    dc_status st = DC_OK;
    bool stored;
    if (r->data->feature_names) DC_TRY(dc_h5_put_names(h5, "feature_names", r->data->feature_names, &stored));
    DC_TRY(fill_words(h5, &r->data->words, r->data->feature_names));
    DC_TRY(fill_labels(h5, r));
out:
    return st;
}

static dc_status fill_graph(dc_h5 *h5, const dc_graph_result *g)
{
    dc_status st = DC_OK;
    if (!g) return DC_OK;
    DC_TRY(put_i64(h5, "/graph", "neighbours", g->knn.k));
    DC_TRY(dc_h5_put_attr_str(h5, "/graph", "on", g->on));
    DC_TRY(dc_h5_put_attr_str(h5, "/graph", "metric", g->metric));
    DC_TRY(dc_h5_put_attr_str(h5, "/graph", "symmetry", g->symmetry));
    DC_TRY(put_i64(h5, "/graph", "edges", g->edges));
    DC_TRY(put_i64(h5, "/graph", "isolated", g->isolated));
    DC_TRY(put_i64(h5, "/graph", "components", g->components));
    DC_TRY(put_i64(h5, "/graph", "largest_component", g->largest));
out:
    return st;
}

/* The plane on which the report draws the rows of what was clustered. */
static dc_status fill_map(dc_h5 *h5, const dc_map_result *map)
{
    dc_status st = DC_OK;
    double share[DC_MAP_AXES];
    if (!map || map->plane.k == 0) return DC_OK;
    const dc_principal *p = &map->plane;
    const dc_gidx dims[] = {p->k, p->d};
    for (int64_t j = 0; j < p->k; j++) share[j] = p->variance[j] / p->total;
    DC_TRY(dc_h5_put(h5, "/map/mean", DC_H5_F64, 1, &p->d, p->mean));
    DC_TRY(dc_h5_put(h5, "/map/components", DC_H5_F32, 2, dims, p->direction));
    DC_TRY(dc_h5_put(h5, "/map/explained_variance", DC_H5_F64, 1, &p->k, p->variance));
    DC_TRY(dc_h5_put(h5, "/map/explained_variance_ratio", DC_H5_F64, 1, &p->k, share));
    DC_TRY(put_f64(h5, "/map", "total_variance", p->total));
    DC_TRY(dc_h5_put_attr_str(h5, "/map", "on", map->on));
out:
    return st;
}

static dc_status fill(void *ctx, dc_h5 *h5)
{
    dc_status st = DC_OK;
    dc_result *r = ctx;
    DC_TRY(fill_provenance(h5, r));
    DC_TRY(fill_names(h5, r));
    DC_TRY(fill_outcome(h5, r));
    DC_TRY(fill_checks(h5, r));
    DC_TRY(fill_clusters(h5, r));
    DC_TRY(fill_model(h5, r));
    for (int i = 0; i < r->n_histories; i++) DC_TRY(fill_history(h5, r->history[i]));
    if (r->sweep) DC_TRY(dc_sweep_write(h5, r->sweep));
    if (r->topics) DC_TRY(dc_topics_write(h5, r->topics));
    DC_TRY(fill_scores(h5, r));
    DC_TRY(fill_graph(h5, r->graph));
    DC_TRY(fill_map(h5, r->map));
    DC_TRY(create_timing(h5, r));
out:
    return st;
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

enum { ROW_ARRAYS_MAX = 14 + DC_RESULTS_MAX };

static size_t list_graph_rows(const dc_graph_result *g, dc_h5_rows *rows)
{
    if (!g) return 0;
    const size_t k = (size_t)g->knn.k;
    rows[0] = (dc_h5_rows){.name = "/graph/neighbours", .type = DC_H5_I64, .width = k, .local = g->knn.row};
    rows[1] = (dc_h5_rows){.name = "/graph/distances", .type = DC_H5_F64, .width = k, .local = g->knn.square};
    rows[2] =
        (dc_h5_rows){.name = "/graph/component", .type = DC_H5_I64, .width = 1, .vector = true, .local = g->component};
    return 3;
}

static size_t list_standing(const dc_standing_result *s, dc_h5_rows *rows)
{
    if (!s || !s->rank) return 0;
    rows[0] =
        (dc_h5_rows){.name = "/rows/distance", .type = DC_H5_F64, .width = 1, .vector = true, .local = s->distance};
    rows[1] = (dc_h5_rows){.name = "/rows/cosine", .type = DC_H5_F64, .width = 1, .vector = true, .local = s->cosine};
    rows[2] = (dc_h5_rows){.name = "/rows/rank", .type = DC_H5_I64, .width = 1, .vector = true, .local = s->rank};
    return 3;
}

static size_t list_rows(const dc_result *r, dc_h5_rows rows[ROW_ARRAYS_MAX])
{
    size_t n = 0;
    rows[n++] = (dc_h5_rows){.name = "/labels", .type = DC_H5_I32, .width = 1, .vector = true, .local = r->labels};
    if (r->confidence)
        rows[n++] =
            (dc_h5_rows){.name = "/confidence", .type = DC_H5_F32, .width = 1, .vector = true, .local = r->confidence};
    if (r->embedding)
        rows[n++] = (dc_h5_rows){
            .name = "/embedding", .type = DC_H5_F32, .width = (size_t)r->slab->net.L, .local = r->embedding};
    if (r->q) rows[n++] = (dc_h5_rows){.name = "/q", .type = DC_H5_F32, .width = (size_t)r->K};
    if (r->q_top && r->q_top->M > 0) {
        const size_t M = (size_t)r->q_top->M;
        rows[n++] = (dc_h5_rows){.name = "/q_top", .type = DC_H5_F32, .width = M, .local = r->q_top->value};
        rows[n++] = (dc_h5_rows){.name = "/q_top_index", .type = DC_H5_I32, .width = M, .local = r->q_top->cluster};
    }
    if (r->outlier)
        rows[n++] = (dc_h5_rows){.name = "/outlier", .type = DC_H5_U8, .width = 1, .vector = true, .local = r->outlier};
    if (r->data->id_bytes)
        rows[n++] = (dc_h5_rows){
            .name = "/ids", .type = DC_H5_TEXT, .width = r->data->id_bytes, .vector = true, .local = r->data->ids};
    n += list_graph_rows(r->graph, rows + n);
    n += list_standing(r->standing, rows + n);
    for (int i = 0; r->more && i < r->more->n; i++) {
        const dc_result_array *a = &r->more->array[i];
        if (!a->of_rows) continue;
        rows[n++] = (dc_h5_rows){.name = a->name, .type = type_of(a), .width = (size_t)a->dim[1], .local = a->data};
    }
    return n;
}

/* Names of terms differ in length; this is what words have. */
enum { TERM_BYTES = 32 };

static double topics_bytes(const dc_config *cfg, const dc_data_header *head)
{
    const double documents = (double)cfg->output.documents * (32 + 2 * dc_dataset_id_bytes(head));
    if (cfg->output.topics == DC_TOPICS_OFF || !(head->has_names || head->has_ids)) return 0;
    return (double)cfg->cluster.clusters * ((24 + TERM_BYTES) * (double)cfg->output.top_terms + documents);
}

double dc_result_bytes(const dc_config *cfg, const dc_data_header *head, const dc_slab *slab, bool has_method)
{
    const bool embeds = slab->net.n_layers > 0 && cfg->output.embedding;
    const double K = (double)cfg->cluster.clusters, C = (double)head->C;
    double row = sizeof(int32_t) + dc_dataset_id_bytes(head);
    if (has_method) row += cfg->output.outlier_below > 0 ? 5 : 4; /* confidence, outlier */
    if (embeds) row += sizeof(float) * (double)slab->net.L;
    if (has_method && cfg->output.q == DC_Q_FULL) row += sizeof(float) * K;
    if (has_method && cfg->output.q == DC_Q_TOP)
        row += (sizeof(float) + sizeof(int32_t)) * fmin((double)cfg->output.q_top, K);
    if (cfg->graph.save) row += (sizeof(dc_gidx) + sizeof(double)) * (double)cfg->graph.neighbours + sizeof(int64_t);
    if (cfg->output.rows == DC_ROWS_FULL) row += 2 * sizeof(double) + sizeof(int64_t);
    const double table = dc_counts_has_table(cfg->cluster.clusters, head->C) ? sizeof(int64_t) * K * C : 0;
    const double components = sizeof(float) * (double)head->components * (double)head->D;
    return (double)head->N * row + head->files_bytes + sizeof(float) * (double)slab->n + table + components +
           topics_bytes(cfg, head) + K * DC_STANDING_QUANTILES * sizeof(double);
}

/* Appends /q, which nobody holds, piece by piece; ranks with fewer pieces than others append nothing at the end. */
static dc_status append_q(dc_comm *comm, dc_h5_stream *stream, size_t array, dc_q_rows *q)
{
    dc_status st = DC_OK;
    const int64_t own = dc_q_rows_pieces(q);
    int64_t pieces = own;
    dc_comm_max_i64(comm, &pieces, 1);
    for (int64_t i = 0; i < pieces; i++) {
        const float *rows = NULL;
        const int64_t n = i < own ? dc_q_rows_get(q, i, &rows) : 0;
        DC_TRY(dc_h5_stream_append(comm, stream, array, n, rows));
        DC_TRY(dc_wish_poll_stop(comm));
    }
out:
    return st;
}

dc_status dc_result_write(dc_comm *comm, const char *path, dc_result *r, dc_timers *timers, dc_timing *timing)
{
    dc_status st = DC_OK;
    dc_h5_stream *stream = NULL;
    dc_h5_rows rows[ROW_ARRAYS_MAX];
    const size_t n = list_rows(r, rows);
    const double start = dc_timer_start();
    r->timing = timing;
    DC_TRY(dc_timing_collect(comm, timers, timing));
    DC_TRY(dc_h5_stream_create(comm, &stream, path, &r->data->part, rows, n, fill, r));
    for (size_t i = 0; i < n; i++) {
        if (r->q && strcmp(rows[i].name, "/q") == 0) {
            DC_TRY(append_q(comm, stream, i, r->q));
            continue;
        }
        DC_TRY(dc_h5_stream_append(comm, stream, i, dc_part_rows(&r->data->part), rows[i].local));
        DC_TRY(dc_wish_poll_stop(comm));
    }
    dc_timer_stop(timers, DC_T_WRITE, start, 0, 0);
    DC_TRY(dc_timing_collect(comm, timers, timing));
    st = dc_h5_stream_commit(comm, &stream, fill_timing, r);
out:
    dc_h5_stream_abort(comm, &stream);
    return st;
}

static dc_status replace_scores(void *ctx, dc_h5 *h5)
{
    static const char *const scores[] = {"acc", "nmi", "nmi_arithmetic", "ari", "purity", "f_measure", "f_pairs"};
    static const char *const labels[] = {"classes", "label_dataset", "unlabelled"};
    dc_status st = DC_OK;
    const dc_result *r = ctx;
    for (size_t i = 0; i < DC_COUNT_OF(scores); i++) DC_TRY(dc_h5_remove_attr(h5, "/metrics", scores[i]));
    for (size_t i = 0; i < DC_COUNT_OF(labels); i++) DC_TRY(dc_h5_remove_attr(h5, "/", labels[i]));
    DC_TRY(dc_h5_remove(h5, "/confusion"));
    DC_TRY(dc_h5_remove(h5, "/classes"));
    DC_TRY(dc_sweep_unscore(h5));
    DC_TRY(fill_labels(h5, r));
    DC_TRY(fill_scores(h5, r));
    DC_TRY(dc_h5_put_attr_hash(h5, "/", "labels_hash", r->from->labels_hash));
out:
    return st;
}

dc_status dc_result_rescore(const char *path, dc_result *r)
{
    return dc_h5_revise(path, replace_scores, r);
}
