/* Training of an autoencoder on its reconstruction loss: one record per epoch. */
#include "recon.h"

#include <stdio.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "phase.h"

typedef struct {
    const dc_pretrain_config *cfg; /* borrowed, as is the next */
    const dc_denoising *noise;
    dc_net net; /* the model's net, as dc_net_for_loss() gives it */
} trainer;

static const char *const columns[] = {"epoch", "loss", "lr"};

static int64_t steps_of(int64_t epochs, int64_t steps, int64_t per_epoch)
{
    return steps > 0 ? steps : epochs * per_epoch;
}

/* Dropout of the input, encoder, dropout of its output, decoder, loss against the clean input. */
static void record_denoising(dc_graph *g, const trainer *t)
{
    const dc_net *net = &t->net;
    const dc_denoising *noise = t->noise;
    const dc_val x = dc_batch(g, net->D), in = noise->input > 0 ? dc_dropout(g, noise->input, noise->site - 1, x) : x;
    const dc_val z = dc_layers(g, net, 0, net->n_encoder, true, in);
    const dc_val code = noise->hidden > 0 ? dc_dropout(g, noise->hidden, noise->site, z) : z;
    const dc_val y = dc_layers(g, net, net->n_encoder, net->n_layers, true, code);
    dc_minimize(g, "reconstruction", 1, dc_recon(g, t->cfg->loss, x, y));
}

static void record_step(dc_graph *g, const void *ctx, int step)
{
    const trainer *t = ctx;
    const dc_method *method = t->cfg->method;
    (void)step;
    if (method && method->pretrain)
        method->pretrain(g, &t->net, t->cfg->keys, t->cfg->loss);
    else
        record_denoising(g, t);
}

static dc_status record_epoch(dc_comm *comm, dc_phase *p, double *row)
{
    (void)comm;
    const int64_t step = p->history->step + (p->stop == DC_STOP_DIVERGED);
    row[0] = (double)step / (double)p->every;
    row[1] = p->last.sum / p->last.rows;
    row[2] = dc_opt_lr(p->opt, step - 1, p->total);
    return DC_OK;
}

static dc_status create(dc_phase *p, const trainer *t, const dc_row_source *source)
{
    const dc_pretrain_config *cfg = t->cfg;
    const dc_pretrain_length *before = cfg->before;
    const dc_status st = dc_phase_create(p, 1, record_step, t, source, cfg->batch, DC_T_PRETRAIN_GATHER);
    if (st != DC_OK) return st;
    p->every = dc_phase_epoch(p);
    p->total = steps_of(cfg->epochs, cfg->steps, p->every);
    p->total_before = before ? steps_of(before->epochs, before->steps, p->every) : p->total;
    return DC_OK;
}

/* Collective. */
static dc_status start(dc_comm *comm, dc_phase *p, const trainer *t, dc_model *m, const dc_row_source *source,
                       dc_history *history)
{
    dc_status st = DC_OK;
    *p = (dc_phase){.name = t->cfg->phase,
                    .model = m,
                    .history = history,
                    .opt = &t->cfg->opt,
                    .advice = "lower pretrain.lr",
                    .records_divergence = true,
                    .record = record_epoch};
    DC_TRY_ALL(comm, create(p, t, source));
    DC_TRY(dc_phase_keep(comm, p, (int)DC_COUNT_OF(columns), columns));
out:
    return st;
}

dc_status dc_recon_train(dc_comm *comm, dc_model *m, const dc_pretrain_config *cfg, const dc_row_source *source,
                         const dc_denoising *noise, dc_history *history, dc_stop *stop)
{
    dc_status st = DC_OK;
    const trainer t = {.cfg = cfg, .noise = noise, .net = dc_net_for_loss(m->net, cfg->loss)};
    dc_phase p = {0};
    dc_params_reset(&m->params);
    DC_TRY(start(comm, &p, &t, m, source, history));
    DC_TRY(dc_phase_run(comm, &p));
    *stop = p.stop != DC_STOP_NONE ? p.stop : cfg->steps > 0 ? DC_STOP_MAX_ITER : DC_STOP_EPOCHS;
out:
    dc_phase_release(&p);
    return st;
}

dc_status dc_recon_needs(dc_comm *comm, const dc_rehearsal *r, dc_model *m, const dc_pretrain_config *cfg,
                         const dc_row_source *source, const dc_denoising *noise, dc_phase_needs *out)
{
    dc_status st = DC_OK;
    const trainer t = {.cfg = cfg, .noise = noise, .net = dc_net_for_loss(m->net, cfg->loss)};
    dc_history history = {0};
    dc_phase p = {0};
    DC_TRY(start(comm, &p, &t, m, source, &history));
    dc_rehearsal_measure(r, &p, out);
out:
    dc_phase_release(&p);
    dc_history_release(&history);
    return st;
}

dc_status dc_recon_recall(dc_comm *comm, const dc_model *m, const char *phase, dc_history *history, bool *finished)
{
    char name[DC_STATE_NAME_MAX];
    snprintf(name, sizeof name, "%s/sum", phase);
    *finished = false;
    if (dc_state_waiting(m->state, name)) return DC_OK; /* the checkpoint was written in the phase, or at its end */
    return dc_history_recall(comm, history, m->state, phase, (int)DC_COUNT_OF(columns), columns, finished);
}

/* Rounding of the scaling may leave values a little outside [0, 1]. */
static const float UNIT_SLACK = 1e-5f;

static dc_status check_unit_rows(const dc_model *m, float *row)
{
    const dc_dataset *data = m->data;
    for (int64_t i = 0; i < dc_part_rows(&data->part); i++) {
        dc_dataset_rows(data, i, 1, row);
        for (int64_t c = 0; c < dc_dataset_width(data); c++)
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
        return DC_FAIL(DC_ERR_USAGE,
                       "pretrain.loss = bce needs a decoder that ends in a sigmoid: model.output_activation, or "
                       "the last layer of model.decoder");
    DC_TRY_ALL(comm, dc_mem_alloc(&row, (size_t)dc_dataset_width(m->data), sizeof *row, "row"));
    DC_TRY_ALL(comm, check_unit_rows(m, row));
out:
    dc_mem_free(&row);
    return st;
}
