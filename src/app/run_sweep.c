/* `dcmpi sweep-k`: what is clustered, by what, and the scores of the clusterings. */
#include "dcmpi/mem.h"
#include "run.h"
#include "setup.h"

typedef struct {
    const dc_model *model;
    const dc_method *method;
    dc_cluster_length before;
    dc_method_env env;
    dc_embedder *embedder; /* owned, as is all that follows */
    float *Z;              /* [n x L] */
    int32_t *label;        /* [n] */
} swept;

static void release(swept *s)
{
    dc_embedder_destroy(&s->embedder);
    dc_mem_free(&s->Z);
    dc_mem_free(&s->label);
}

static dc_status make(swept *s)
{
    dc_status st = DC_OK;
    const size_t n = (size_t)dc_part_rows(s->env.part);
    DC_TRY(dc_embedder_create(&s->embedder, s->method, &s->env));
    DC_TRY(dc_mem_alloc(&s->Z, dc_mul_size(n, (size_t)s->env.L), sizeof *s->Z, "embedding"));
    DC_TRY(dc_mem_alloc(&s->label, n, sizeof *s->label, "labels"));
out:
    return st;
}

/* Embeds all rows; what the inference says of clusters is not used, there are none yet. */
static dc_status embed(dc_comm *comm, swept *s)
{
    dc_status st = DC_OK;
    DC_TRY_ALL(comm, make(s));
    DC_TRY(dc_embed_all(comm, s->embedder, s->model, false, &(dc_embedded){.Z = s->Z, .label = s->label}));
    dc_embedder_destroy(&s->embedder);
    dc_mem_free(&s->label);
out:
    return st;
}

static dc_status fit(dc_comm *comm, const void *ctx, const dc_rows *rows, const dc_sweep_task *task, dc_sweep_fit *out)
{
    const swept *s = ctx;
    return s->method->sweep(comm, &s->env, rows, task, out);
}

static dc_status score(dc_comm *comm, void *ctx, const int32_t *label, int64_t K, double *value)
{
    dc_status st = DC_OK;
    dc_scoring scoring;
    const swept *s = ctx;
    const dc_dataset *d = s->model->data;
    const int64_t n = dc_part_rows(&d->part);
    dc_scoring_start(comm, &scoring, n, d->part.N, K, d->C);
    dc_scoring_add(&scoring, label, d->y, n);
    DC_TRY(dc_scoring_finish(comm, &scoring));
    if (!scoring.has_scores) goto out;
    value[DC_SWEEP_NMI - DC_SWEEP_SCORES] = scoring.scores.nmi;
    value[DC_SWEEP_ARI - DC_SWEEP_SCORES] = scoring.scores.ari;
    value[DC_SWEEP_PURITY - DC_SWEEP_SCORES] = scoring.scores.purity;
    value[DC_SWEEP_F_MEASURE - DC_SWEEP_SCORES] = scoring.scores.f_measure;
    value[DC_SWEEP_F_PAIRS - DC_SWEEP_SCORES] = scoring.scores.f_pairs;
    if (scoring.scores.acc >= 0) value[DC_SWEEP_ACC - DC_SWEEP_SCORES] = scoring.scores.acc;
out:
    dc_scoring_release(&scoring);
    return st;
}

dc_status dc_run_sweep(dc_comm *comm, dc_job *job, const dc_model *model, dc_sweep *sweep)
{
    dc_status st = DC_OK;
    swept s = {.model = model, .method = dc_method_find(job->cfg.cluster.method)};
    const dc_cluster_config c = dc_setup_clustering(job, model->net, &model->data->part, &s.before);
    const dc_sweep_method method = {fit, &s};
    dc_sweep_config cfg = dc_setup_sweep(job);
    s.env = c.env;
    s.env.slab = model->slab;
    s.env.value = model->params.value;
    s.env.input = dc_rows_of_dataset(model->data);
    cfg.method = &method;
    if (model->data->C > 0) cfg.score = score, cfg.score_ctx = &s;
    if (model->net->n_layers > 0) DC_TRY(embed(comm, &s));
    const dc_rows rows = dc_method_rows(&s.env, s.Z);
    const double start = dc_timer_start();
    DC_TRY(dc_sweep_run(comm, &rows, &cfg, sweep));
    dc_timer_stop(&job->timers, DC_T_KMEANS, start, 0, 0);
out:
    release(&s);
    return st;
}
