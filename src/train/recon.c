/* Training of an autoencoder on its reconstruction loss: steps over shuffled mini-batches, one record per epoch.
 *
 * A step: gather, dropout of the input, encoder, dropout of its output, decoder, loss against the clean input,
 * backward, gradient sync, update. A loss that is not finite ends the phase before its gradient touches the weights;
 * the loss is a sum over ranks that rode along with the gradient, so all ranks decide alike. */
#include "recon.h"

#include <math.h>

#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"

typedef struct {
    dc_model *model; /* borrowed, as are the next three */
    const dc_pretrain_config *cfg;
    const dc_row_source *source;
    const dc_noise *noise;
    dc_net net; /* model->net as this loss trains it */
    dc_net_work work;
    dc_batcher batcher;
    int64_t *rows;         /* [batcher.capacity] */
    float *clean;          /* [batcher.capacity x D] input before dropout; NULL if there is none */
    float *noisy, *dnoisy; /* [batcher.capacity x L] encoder output after dropout and its gradient; NULL likewise */
    int64_t total;         /* steps of the phase */
} trainer;

static void release(trainer *t)
{
    dc_net_work_release(&t->work);
    dc_mem_free(&t->rows);
    dc_mem_free(&t->clean);
    dc_mem_free(&t->noisy);
    dc_mem_free(&t->dnoisy);
}

static dc_status create(trainer *t)
{
    dc_status st = DC_OK;
    const dc_model *m = t->model;
    t->net = dc_net_for_loss(m->net, t->cfg->loss);
    DC_TRY(dc_batcher_init(&t->batcher, &m->data->part, m->seed, t->cfg->batch));
    t->total = t->cfg->steps > 0 ? t->cfg->steps : t->cfg->epochs * t->batcher.steps_per_epoch;
    const size_t capacity = (size_t)t->batcher.capacity, D = (size_t)t->net.D, L = (size_t)t->net.L;
    DC_TRY(dc_mem_alloc(&t->rows, capacity, sizeof *t->rows, "batch rows"));
    DC_TRY(dc_net_work_create(&t->work, &t->net, 0, t->net.n_layers, t->batcher.capacity, true));
    if (t->noise->input > 0) DC_TRY(dc_mem_alloc(&t->clean, dc_mul_size(capacity, D), sizeof *t->clean, "clean batch"));
    if (t->noise->hidden > 0) {
        DC_TRY(dc_mem_alloc(&t->noisy, dc_mul_size(capacity, L), sizeof *t->noisy, "dropout"));
        DC_TRY(dc_mem_alloc(&t->dnoisy, dc_mul_size(capacity, L), sizeof *t->dnoisy, "gradient of dropout"));
    }
out:
    return st;
}

static dc_dropout mask_of(const trainer *t, double rate, int site, int64_t step)
{
    return (dc_dropout){
        .rate = rate, .seed = t->model->seed, .step = step, .site = site, .first_row = t->model->data->part.row_lo};
}

/* The batch into the input of the network; returns the clean rows. */
static const float *load_batch(trainer *t, int64_t step, int64_t n)
{
    float *input = t->work.act[0], *rows = t->clean ? t->clean : input;
    t->source->gather(t->source->from, t->rows, n, rows);
    if (t->clean) {
        const dc_dropout mask = mask_of(t, t->noise->input, t->noise->site - 1, step);
        dc_dropout_apply(&mask, t->rows, n, t->net.D, rows, input);
    }
    return rows;
}

/* The activation of the embedding and its noisy copy trade places. */
static void swap_hidden(trainer *t)
{
    float **act = &t->work.act[t->net.n_encoder], *kept = *act;
    *act = t->noisy;
    t->noisy = kept;
}

/* While the decoder runs, forward and backward, its input is the noisy copy; the encoder's activation gradient needs
 * the clean one. */
static double pass_with_dropout(trainer *t, const float *x, int64_t step, int64_t n, int64_t B)
{
    const dc_net *net = &t->net;
    dc_net_work *w = &t->work;
    dc_params *p = &t->model->params;
    const int mid = net->n_encoder, last = net->n_layers;
    const dc_dropout mask = mask_of(t, t->noise->hidden, t->noise->site, step);
    dc_net_forward(net, p->value, w, 0, mid, n);
    dc_dropout_apply(&mask, t->rows, n, net->L, w->act[mid], t->noisy);
    swap_hidden(t);
    dc_net_forward(net, p->value, w, mid, last, n);
    const double loss = dc_recon_loss_grad(t->cfg->loss, x, w->act[last], n, net->D, B, w->delta[0]);
    dc_net_backward(net, p->value, p->grad, w, mid, last, n, w->delta[0], t->dnoisy);
    swap_hidden(t);
    dc_dropout_apply(&mask, t->rows, n, net->L, t->dnoisy, t->dnoisy);
    dc_net_backward(net, p->value, p->grad, w, 0, mid, n, t->dnoisy, NULL);
    return loss;
}

static double pass(trainer *t, const float *x, int64_t n, int64_t B)
{
    const dc_net *net = &t->net;
    dc_net_work *w = &t->work;
    dc_params *p = &t->model->params;
    dc_net_forward(net, p->value, w, 0, net->n_layers, n);
    const double loss = dc_recon_loss_grad(t->cfg->loss, x, w->act[net->n_layers], n, net->D, B, w->delta[0]);
    dc_net_backward(net, p->value, p->grad, w, 0, net->n_layers, n, w->delta[0], NULL);
    return loss;
}

/* Gradient of this rank's rows into params.grad, with the loss behind it. */
static void local_gradient(trainer *t, int64_t step, int64_t n, int64_t B)
{
    dc_timers *timers = t->model->timers;
    dc_params *p = &t->model->params;
    double start = dc_timer_start();
    const float *x = load_batch(t, step, n);
    dc_timer_stop(timers, DC_T_PRETRAIN_GATHER, start, (double)n * t->source->flops, 0);

    start = dc_timer_start();
    p->grad[p->n] = (float)(t->noisy ? pass_with_dropout(t, x, step, n, B) : pass(t, x, n, B));
    dc_timer_stop(timers, DC_T_PRETRAIN_NETWORK, start, (double)n * dc_net_train_flops(&t->net, 0, t->net.n_layers), 0);
}

/* One step; returns the loss of the global batch. The weights stay as they are if it is not finite. */
static double take_step(dc_comm *comm, trainer *t, int64_t step, int64_t *B)
{
    dc_model *m = t->model;
    dc_params *p = &m->params;
    int64_t n;
    dc_batcher_step(&t->batcher, step, t->rows, &n, B, NULL);
    local_gradient(t, step, n, *B);

    double start = dc_timer_start();
    dc_gradsync(comm, p->grad, p->n, 1);
    dc_timer_stop(m->timers, DC_T_PRETRAIN_SYNC, start, 0, (double)((p->n + 1) * sizeof *p->grad));

    const double loss = p->grad[p->n];
    if (!isfinite(loss)) return loss;
    start = dc_timer_start();
    dc_opt_step(&t->cfg->opt, p, 0, p->n, step, t->total);
    dc_timer_stop(m->timers, DC_T_PRETRAIN_UPDATE, start, 0, 0);
    return loss;
}

/* Steps [from, to); returns their mean loss per row, not finite if one diverged. */
static double take_steps(dc_comm *comm, trainer *t, int64_t from, int64_t to, const char *phase)
{
    const double flops = dc_net_train_flops(&t->net, 0, t->net.n_layers) + t->source->flops;
    double sum = 0, rows = 0;
    for (int64_t step = from; step < to; step++) {
        int64_t B;
        const double loss = take_step(comm, t, step, &B);
        dc_progress_count(t->model->progress, (double)B, (double)B * flops);
        sum += loss * (double)B;
        rows += (double)B;
        if (isfinite(loss)) continue;
        dc_log_warning("%s diverged at step %lld of %lld: loss %g; lower pretrain.lr", phase, (long long)step,
                       (long long)t->total, loss);
        return loss;
    }
    return sum / rows;
}

dc_status dc_recon_train(dc_comm *comm, dc_model *m, const dc_pretrain_config *cfg, const dc_row_source *source,
                         const dc_noise *noise, dc_history *history, dc_stop *stop)
{
    static const char *const columns[] = {"epoch", "loss", "lr"};
    dc_status st = DC_OK;
    trainer t = {.model = m, .cfg = cfg, .source = source, .noise = noise};
    const char *phase = cfg->phase ? cfg->phase : "pretrain";
    *stop = cfg->steps > 0 ? DC_STOP_MAX_ITER : DC_STOP_EPOCHS;
    DC_TRY_ALL(comm, create(&t));
    const int64_t per_epoch = t.batcher.steps_per_epoch, records = (t.total + per_epoch - 1) / per_epoch;
    DC_TRY_ALL(comm, dc_history_create(history, phase, (int)DC_COUNT_OF(columns), columns, (size_t)records));
    dc_params_reset_moments(&m->params);
    dc_progress_phase(m->progress);
    for (int64_t step = 0; step < t.total && *stop != DC_STOP_DIVERGED;) {
        const int64_t end = DC_MIN(step + per_epoch, t.total);
        const double loss = take_steps(comm, &t, step, end, phase), done = (double)end / (double)t.total;
        if (!isfinite(loss)) *stop = DC_STOP_DIVERGED;
        step = end;
        dc_history_add(history,
                       (double[]){(double)end / (double)per_epoch, loss, dc_opt_lr(&cfg->opt, end - 1, t.total)});
        dc_progress_record(m->progress, history, done, end == t.total || *stop == DC_STOP_DIVERGED);
        DC_TRY(dc_model_check_replicas(comm, m));
    }
out:
    release(&t);
    return st;
}

static void gather_data(const void *from, const int64_t *rows, int64_t n, float *out)
{
    dc_dataset_gather(from, rows, n, out);
}

dc_row_source dc_row_source_of_data(const dc_model *m)
{
    return (dc_row_source){.gather = gather_data, .from = m->data};
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
