/* The file that `dcmpi predict` writes: arrays like those of run.h5, sizes, scores and provenance. */
#include <math.h>

#include "dcmpi/clock.h"
#include "dcmpi/report.h"
#include "dcmpi/standing.h"
#include "dcmpi/version.h"
#include "run_predict.h"

enum { FORMAT_VERSION = 1, LABELS = 0, CONFIDENCE = 1, EMBEDDING = 2, ARRAYS = 9 };

static const char *const score_names[] = {"acc", "nmi", "nmi_arithmetic", "ari", "purity", "f_measure", "f_pairs"};

static dc_status put_scores(dc_h5 *h5, const double *v)
{
    for (size_t i = 0; i < DC_COUNT_OF(score_names); i++) {
        const dc_status st = dc_h5_put_attr_f64(h5, "/metrics", score_names[i], &v[i], 1);
        if (st != DC_OK) return st;
    }
    return DC_OK;
}

static dc_status fill_provenance(dc_h5 *h5, const dc_prediction *p)
{
    dc_status st = DC_OK;
    char created[DC_ISO_MAX];
    const int64_t version = FORMAT_VERSION;
    bool stored; /* lists of more than a GiB are left out */
    dc_clock_iso(created);
    DC_TRY(dc_h5_put_attr_str(h5, "/", "format", "dcmpi-prediction"));
    DC_TRY(dc_h5_put_attr_i64(h5, "/", "format_version", &version, 1));
    DC_TRY(dc_h5_put_attr_str(h5, "/", "created", created));
    DC_TRY(dc_h5_put_attr_str(h5, "/", "version", dc_version()));
    DC_TRY(dc_h5_put_attr_str(h5, "/", "git", dc_version_git()));
    DC_TRY(dc_recipe_put(h5, &p->recipe));
    DC_TRY(dc_h5_put_attr_str(h5, "/", "model", p->model));
    DC_TRY(dc_h5_put_attr_str(h5, "/", "data", dc_prediction_sources(p)->title));
    DC_TRY(dc_result_put_files(h5, dc_prediction_sources(p), p->part.N));
    DC_TRY(dc_h5_put_attr_i64(h5, "/", "clusters", &p->trained.K, 1));
    if (p->label_dataset) DC_TRY(dc_h5_put_attr_str(h5, "/", "label_dataset", p->label_dataset));
    if (p->stream.unlabelled) DC_TRY(dc_h5_put_attr_i64(h5, "/", "unlabelled", &p->stream.unlabelled, 1));
    if (p->stream.classes && !dc_labels_name_rows(p->stream.C, p->part.N))
        DC_TRY(dc_h5_put_names(h5, "classes", p->stream.classes, &stored));
    if (p->stream.feature_names) DC_TRY(dc_h5_put_names(h5, "feature_names", p->stream.feature_names, &stored));
out:
    return st;
}

/* Reserves space for sizes and scores, which are not known yet. */
static dc_status fill(void *ctx, dc_h5 *h5)
{
    dc_status st = DC_OK;
    const dc_prediction *p = ctx;
    DC_TRY(fill_provenance(h5, p));
    DC_TRY(dc_h5_put(h5, "/clusters/size", DC_H5_I64, 1, &p->trained.K, p->size));
    DC_TRY(dc_drift_put(h5, &p->drift));
    if (p->scoring.C == 0) goto out;
    const dc_gidx table[] = {p->stream.C, p->trained.K};
    if (p->scoring.table) DC_TRY(dc_h5_put(h5, "/confusion", DC_H5_I64, 2, table, p->scoring.table));
    DC_TRY(dc_h5_create_group(h5, "/metrics"));
    DC_TRY(put_scores(h5, (double[]){NAN, NAN, NAN, NAN, NAN, NAN, NAN}));
out:
    return st;
}

static dc_status finish(void *ctx, dc_h5 *h5)
{
    dc_status st = DC_OK;
    const dc_prediction *p = ctx;
    const dc_scores *s = &p->scoring.scores;
    DC_TRY(dc_h5_write_rows(h5, "/clusters/size", DC_H5_I64, 0, p->trained.K, p->size));
    DC_TRY(dc_drift_rewrite(h5, &p->drift));
    if (p->scoring.table) DC_TRY(dc_h5_write_rows(h5, "/confusion", DC_H5_I64, 0, p->stream.C, p->scoring.table));
    if (!p->scoring.has_scores) goto out;
    DC_TRY(put_scores(h5, (double[]){s->acc, s->nmi, s->nmi_arithmetic, s->ari, s->purity, s->f_measure, s->f_pairs}));
out:
    return st;
}

dc_status dc_prediction_create(dc_comm *comm, dc_prediction *p)
{
    dc_h5_rows rows[ARRAYS] = {
        [LABELS] = {.name = "/labels", .type = DC_H5_I32, .width = 1, .vector = true},
        [CONFIDENCE] = {.name = "/confidence", .type = DC_H5_F32, .width = 1, .vector = true},
        [EMBEDDING] = {.name = "/embedding", .type = DC_H5_F32, .width = (size_t)p->trained.width}};
    size_t n = p->Z ? EMBEDDING + 1 : p->trained.has_method ? CONFIDENCE + 1 : LABELS + 1;
    p->ids_array = n;
    if (p->stream.ids)
        rows[n++] = (dc_h5_rows){.name = "/ids", .type = DC_H5_TEXT, .width = p->stream.id_bytes, .vector = true};
    p->rows_array = n;
    if (p->full) {
        rows[n++] = (dc_h5_rows){.name = "/rows/distance", .type = DC_H5_F64, .width = 1, .vector = true};
        rows[n++] = (dc_h5_rows){.name = "/rows/cosine", .type = DC_H5_F64, .width = 1, .vector = true};
        rows[n++] = (dc_h5_rows){.name = "/rows/rank", .type = DC_H5_I64, .width = 1, .vector = true};
    }
    p->q_array = n;
    if (p->all_q) rows[n++] = (dc_h5_rows){.name = "/q", .type = DC_H5_F32, .width = (size_t)p->trained.K};
    if (p->top.M > 0) {
        rows[n++] = (dc_h5_rows){.name = "/q_top", .type = DC_H5_F32, .width = (size_t)p->top.M};
        rows[n++] = (dc_h5_rows){.name = "/q_top_index", .type = DC_H5_I32, .width = (size_t)p->top.M};
    }
    return dc_h5_stream_create(comm, &p->file, p->claim.path, &p->part, rows, n, fill, p);
}

dc_status dc_prediction_append(dc_comm *comm, dc_prediction *p, int64_t n)
{
    dc_status st = DC_OK;
    DC_TRY(dc_h5_stream_append(comm, p->file, LABELS, n, p->labels));
    if (p->stream.ids) DC_TRY(dc_h5_stream_append(comm, p->file, p->ids_array, n, p->stream.ids));
    if (p->full) {
        DC_TRY(dc_h5_stream_append(comm, p->file, p->rows_array, n, p->distance));
        DC_TRY(dc_h5_stream_append(comm, p->file, p->rows_array + 1, n, p->cosine));
    }
    if (!p->trained.has_method) goto out;
    DC_TRY(dc_h5_stream_append(comm, p->file, CONFIDENCE, n, p->confidence));
    if (p->Z) DC_TRY(dc_h5_stream_append(comm, p->file, EMBEDDING, n, p->Z));
    if (p->all_q) DC_TRY(dc_h5_stream_append(comm, p->file, p->q_array, n, p->all_q));
    if (p->top.M > 0) {
        DC_TRY(dc_h5_stream_append(comm, p->file, p->q_array, n, p->top.value));
        DC_TRY(dc_h5_stream_append(comm, p->file, p->q_array + 1, n, p->top.cluster));
    }
out:
    return st;
}

dc_status dc_prediction_commit(dc_comm *comm, dc_prediction *p)
{
    dc_status st = DC_OK;
    dc_comm_sum_i64(comm, p->size, (size_t)p->trained.K);
    dc_drift_finish(comm, &p->drift, p->size);
    if (p->full) {
        DC_TRY(dc_standing_rank(comm, &p->part, p->trained.K, p->size, p->all_labels, p->all_distances, p->rank, NULL));
        DC_TRY(dc_h5_stream_append(comm, p->file, p->rows_array + 2, dc_part_rows(&p->part), p->rank));
    }
    DC_TRY(dc_scoring_finish(comm, &p->scoring));
    DC_TRY_ALL(comm, dc_lock_confirm(p->claim.lock));
    DC_TRY(dc_h5_stream_commit(comm, &p->file, finish, p));
out:
    return st;
}
