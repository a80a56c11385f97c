/* Training of an autoencoder on its reconstruction loss: steps over shuffled mini-batches, one record per epoch.
 *
 * A loss that is not finite ends the phase before its gradient touches the weights; the loss is a sum over ranks that
 * rode along with the gradient, so all ranks decide alike. */
#include "recon.h"

#include <math.h>

#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"

typedef struct {
    dc_model *model; /* borrowed, as are the next three */
    const dc_pretrain_config *cfg;
    const dc_row_source *source;
    const dc_denoising *noise;
    dc_net net; /* model->net as this loss trains it */
    dc_graph *graph;
    dc_step *step;
    int64_t total;        /* steps of the phase, */
    int64_t total_before; /* and in the run that the checkpoint is of */
    double sum[2];        /* of this epoch so far: loss times rows, and rows */
} trainer;

static void release(trainer *t)
{
    dc_state_drop(t->model->state, t->sum);
    dc_step_destroy(&t->step);
    dc_graph_destroy(&t->graph);
}

static int64_t steps_of(int64_t epochs, int64_t steps, int64_t per_epoch)
{
    return steps > 0 ? steps : epochs * per_epoch;
}

/* A step: dropout of the input, encoder, dropout of its output, decoder, loss against the clean input. */
static void record(const trainer *t, dc_graph *g)
{
    const dc_net *net = &t->net;
    const dc_denoising *noise = t->noise;
    const dc_val x = dc_batch(g, net->D), in = noise->input > 0 ? dc_dropout(g, noise->input, noise->site - 1, x) : x;
    const dc_val z = dc_layers(g, net, 0, net->n_encoder, true, in);
    const dc_val code = noise->hidden > 0 ? dc_dropout(g, noise->hidden, noise->site, z) : z;
    const dc_val y = dc_layers(g, net, net->n_encoder, net->n_layers, true, code);
    dc_minimize(g, "reconstruction", 1, dc_recon(g, t->cfg->loss, x, y));
}

static dc_status create(trainer *t)
{
    dc_status st = DC_OK;
    dc_model *m = t->model;
    t->net = dc_net_for_loss(m->net, t->cfg->loss);
    DC_TRY(dc_graph_create(&t->graph));
    record(t, t->graph);
    DC_TRY(dc_graph_finish(t->graph));
    const dc_step_config step = dc_model_step(m, t->graph, t->source, t->cfg->batch, DC_T_PRETRAIN_GATHER);
    DC_TRY(dc_step_create(&t->step, &step));
    const int64_t per_epoch = dc_step_batcher(t->step)->steps_per_epoch;
    const dc_pretrain_length *before = t->cfg->before;
    t->total = steps_of(t->cfg->epochs, t->cfg->steps, per_epoch);
    t->total_before = before ? steps_of(before->epochs, before->steps, per_epoch) : t->total;
out:
    return st;
}

/* One step of the phase and what is counted of it; its loss is not finite if it diverged. */
static double train_step(dc_comm *comm, trainer *t, const dc_history *h)
{
    double loss;
    const int64_t B = dc_step_run(comm, t->step, h->step, &loss);
    if (isfinite(loss)) dc_step_update(comm, t->step, &t->cfg->opt, h->step, t->total);
    dc_progress_count(t->model->progress, (double)B, (double)B * (dc_step_plan(t->step)->flops + t->source->flops));
    t->sum[0] += loss * (double)B;
    t->sum[1] += (double)B;
    if (!isfinite(loss)) {
        char advice[DC_DATA_ADVICE_MAX];
        dc_log_warning("%s diverged at step %lld of %lld: loss %g; %s", h->phase, (long long)h->step,
                       (long long)t->total, loss, dc_dataset_advice(t->model->data, "lower pretrain.lr", advice));
    }
    return loss;
}

/* One record, and a proof that all ranks still hold the same weights. Collective. */
static dc_status end_epoch(dc_comm *comm, trainer *t, dc_history *h, int64_t per_epoch, bool last)
{
    const double row[] = {(double)h->step / (double)per_epoch, t->sum[0] / t->sum[1],
                          dc_opt_lr(&t->cfg->opt, h->step - 1, t->total)};
    const dc_status st = dc_history_add(comm, h, row);
    if (st != DC_OK) return st;
    dc_progress_record(t->model->progress, h, (double)h->step / (double)t->total, last);
    t->sum[0] = t->sum[1] = 0;
    return dc_model_check_replicas(comm, t->model);
}

/* The end of the phase. Its checkpoint has all that a longer phase goes on with; the record of an epoch that is cut
 * comes behind it. */
static dc_status end_phase(dc_comm *comm, trainer *t, dc_history *h, int64_t per_epoch, bool moved)
{
    dc_status st = DC_OK;
    if (moved) DC_TRY(dc_state_end_phase(comm, t->model->state));
    if (h->step % per_epoch != 0) DC_TRY(end_epoch(comm, t, h, per_epoch, true));
out:
    return st;
}

/* From h->step to the end of the phase. Between two steps the state is whole: the run may save it, or stop. */
static dc_status train(dc_comm *comm, trainer *t, dc_history *h, dc_stop *stop)
{
    dc_status st = DC_OK;
    dc_model *m = t->model;
    const int64_t per_epoch = dc_step_batcher(t->step)->steps_per_epoch, start = h->step;
    while (h->step < t->total && *stop != DC_STOP_DIVERGED) {
        if (!isfinite(train_step(comm, t, h))) *stop = DC_STOP_DIVERGED;
        dc_state_at(m->state, h->phase, ++h->step);
        const bool last = h->step == t->total || *stop == DC_STOP_DIVERGED;
        if (*stop == DC_STOP_DIVERGED || h->step % per_epoch == 0)
            DC_TRY(end_epoch(comm, t, h, per_epoch, last));
        else if (m->hash_steps > 0 && h->step % m->hash_steps == 0)
            DC_TRY(dc_model_check_replicas(comm, m));
        if (!last) DC_TRY(dc_state_act(comm, m->state));
    }
    if (*stop != DC_STOP_DIVERGED) DC_TRY(end_phase(comm, t, h, per_epoch, h->step > start));
out:
    return st;
}

static const char *const columns[] = {"epoch", "loss", "lr"};

static void name_sum(char out[DC_STATE_NAME_MAX], const char *phase)
{
    snprintf(out, DC_STATE_NAME_MAX, "%s/sum", phase);
}

/* Moments, sums and records: fresh ones, or those of the checkpoint. */
static dc_status prepare(dc_comm *comm, trainer *t, const char *phase, dc_history *h)
{
    dc_status st = DC_OK;
    dc_state *c = t->model->state;
    const int64_t per_epoch = dc_step_batcher(t->step)->steps_per_epoch;
    char name[DC_STATE_NAME_MAX];
    dc_history_init(h, phase, (int)DC_COUNT_OF(columns), columns);
    h->total = t->total_before;
    DC_TRY(dc_history_keep(comm, h, c));
    DC_TRY(dc_history_check(h, (size_t)(h->step / per_epoch), t->total_before));
    h->total = t->total;
    dc_params_reset_moments(&t->model->params);
    DC_TRY(dc_step_keep_moments(comm, t->step, &t->cfg->opt));
    name_sum(name, phase);
    DC_TRY(dc_state_keep(comm, c, name, DC_STATE_F64, DC_COUNT_OF(t->sum), t->sum, NULL));
    dc_progress_phase(t->model->progress, (double)h->step / (double)t->total);
out:
    return st;
}

dc_status dc_recon_train(dc_comm *comm, dc_model *m, const dc_pretrain_config *cfg, const dc_row_source *source,
                         const dc_denoising *noise, dc_history *history, dc_stop *stop)
{
    dc_status st = DC_OK;
    trainer t = {.model = m, .cfg = cfg, .source = source, .noise = noise};
    *stop = cfg->steps > 0 ? DC_STOP_MAX_ITER : DC_STOP_EPOCHS;
    DC_TRY_ALL(comm, create(&t));
    DC_TRY(prepare(comm, &t, cfg->phase, history));
    DC_TRY(train(comm, &t, history, stop));
out:
    release(&t);
    return st;
}

dc_status dc_recon_recall(dc_comm *comm, const dc_model *m, const char *phase, dc_history *history, bool *finished)
{
    char name[DC_STATE_NAME_MAX];
    name_sum(name, phase);
    *finished = false;
    if (dc_state_waiting(m->state, name)) return DC_OK; /* written within the phase, be it at its end */
    return dc_history_recall(comm, history, m->state, phase, (int)DC_COUNT_OF(columns), columns, finished);
}

/* Rounding of the scaling may leave values a little outside. */
static const float UNIT_SLACK = 1e-5f;

static dc_status check_unit_rows(const dc_model *m, float *row)
{
    const dc_dataset *data = m->data;
    for (int64_t i = 0; i < dc_part_rows(&data->part); i++) {
        dc_dataset_rows(data, i, 1, row);
        for (int64_t c = 0; c < data->D; c++)
            if (row[c] < -UNIT_SLACK || row[c] > 1 + UNIT_SLACK)
                return DC_FAIL(DC_ERR_DATA,
                               "%s: row %lld, column %lld is %g after scaling; pretrain.loss = bce needs values in [0, "
                               "1]: use input.scale = unit or minmax",
                               data->source, (long long)(data->part.row_lo + i), (long long)c, (double)row[c]);
    }
    return DC_OK;
}

dc_status dc_recon_check(dc_comm *comm, const dc_model *m, dc_recon_loss loss)
{
    dc_status st = DC_OK;
    float *row = NULL;
    if (loss != DC_LOSS_BCE) return DC_OK;
    if (m->net->layer[m->net->n_layers - 1].act != DC_ACT_SIGMOID)
        return DC_FAIL(DC_ERR_USAGE, "pretrain.loss = bce needs model.output_activation = sigmoid");
    DC_TRY_ALL(comm, dc_mem_alloc(&row, (size_t)m->data->D, sizeof *row, "row"));
    DC_TRY_ALL(comm, check_unit_rows(m, row));
out:
    dc_mem_free(&row);
    return st;
}
