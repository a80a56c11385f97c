/* `dcmpi sweep-k`: the clusterings of what is embedded, and their scores. */
#include "run.h"
#include "setup.h"

static dc_status fit(dc_comm *comm, const void *ctx, const dc_rows *rows, const dc_sweep_task *task, dc_sweep_fit *out)
{
    const dc_run_embedding *e = ctx;
    int64_t distinct = task->K;
    if (rows == &e->rows) { /* of a subsample, clusters may stay empty */
        const dc_status st = dc_dataset_count_distinct(comm, e->model->data, task->K, &distinct);
        if (st != DC_OK) return st;
    }
    if (distinct < task->K)
        return DC_FAIL(DC_ERR_DATA, "only %lld distinct row%s in single precision", (long long)distinct,
                       distinct == 1 ? "" : "s");
    return e->method->sweep(comm, &e->env, rows, task, out);
}

static dc_status score(dc_comm *comm, void *ctx, const int32_t *label, int64_t K, double *value)
{
    dc_status st = DC_OK;
    dc_scoring scoring;
    const dc_run_embedding *e = ctx;
    const dc_dataset *d = e->model->data;
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
    dc_run_embedding e;
    const dc_sweep_method method = {fit, &e};
    dc_sweep_config cfg = dc_setup_sweep(job);
    cfg.method = &method;
    if (model->data->C > 0) cfg.score = score, cfg.score_ctx = &e;
    DC_TRY(dc_run_embed(comm, job, model, &e));
    const double start = dc_timer_start();
    DC_TRY(dc_sweep_run(comm, &e.rows, &cfg, sweep));
    dc_timer_stop(&job->timers, DC_T_KMEANS, start, 0, 0);
out:
    dc_run_embedding_release(&e);
    return st;
}
