/* One step of a method that trains: gather, forward, loss of the method (and reconstruction, if the method keeps the
 * decoder), backward, gradient sync, update of the slab's range: [encoder | extra], or all of it with the decoder. */
#include "trainer.h"

#include <math.h>

#include "dcmpi/mem.h"

static bool reconstructs(const dc_trainer *t)
{
    return (t->cfg->method->flags & DC_METHOD_RECONSTRUCTS) != 0;
}

/* Layers [0, last_layer) take part in a step. */
static int last_layer(const dc_trainer *t)
{
    const dc_net *net = t->model->net;
    return reconstructs(t) ? net->n_layers : net->n_encoder;
}

static double step_flops(const dc_trainer *t)
{
    return dc_net_train_flops(t->model->net, 0, last_layer(t));
}

dc_status dc_trainer_create(dc_trainer *t, dc_model *m, const dc_cluster_config *cfg)
{
    dc_status st = DC_OK;
    *t = (dc_trainer){.model = m, .cfg = cfg, .env = cfg->env};
    DC_TRY(dc_embedder_create(&t->embedder, m));
    if (!(cfg->method->flags & DC_METHOD_TRAINS)) return DC_OK;
    DC_TRY(dc_batcher_init(&t->batcher, &m->data->part, m->seed, cfg->batch));
    t->env.batch_rows = t->batcher.capacity;
    DC_TRY(dc_mem_alloc(&t->rows, (size_t)t->batcher.capacity, sizeof *t->rows, "batch rows"));
    for (int i = 0; i < 2; i++)
        DC_TRY(dc_mem_alloc(&t->dZ[i], dc_mul_size((size_t)t->batcher.capacity, (size_t)m->net->L), sizeof *t->dZ[i],
                            "gradient of the embedding"));
    DC_TRY(dc_net_work_create(&t->work, m->net, 0, last_layer(t), t->batcher.capacity, true));
out:
    return st;
}

void dc_trainer_release(dc_trainer *t)
{
    if (t->state) t->cfg->method->destroy(&t->state);
    dc_embedder_destroy(&t->embedder);
    dc_net_work_release(&t->work);
    dc_mem_free(&t->rows);
    for (int i = 0; i < 2; i++) dc_mem_free(&t->dZ[i]);
}

float *dc_trainer_extra(const dc_trainer *t)
{
    return t->model->params.value + t->model->net->n_params;
}

static void add_scaled(float *y, const float *x, size_t n, float factor)
{
    for (size_t i = 0; i < n; i++) y[i] += factor * x[i];
}

static void scale(float *x, size_t n, float factor)
{
    for (size_t i = 0; i < n; i++) x[i] *= factor;
}

/* Reconstruction and its gradient: decoder into the slab, encoder side into dZ[1]; then dZ[1] += weight * dZ[0]. */
static double decoder_gradient(dc_trainer *t, int64_t n, int64_t B)
{
    dc_params *p = &t->model->params;
    const dc_net *net = t->model->net;
    dc_net_work *w = &t->work;
    const float weight = (float)t->cfg->weight;
    const double recon =
        dc_recon_loss_grad(t->cfg->recon_loss, w->act[0], w->act[net->n_layers], n, net->D, B, w->delta[0]);
    dc_net_backward(net, p->value, p->grad, w, net->n_encoder, net->n_layers, n, w->delta[0], t->dZ[1]);
    add_scaled(t->dZ[1], t->dZ[0], (size_t)(n * net->L), weight);
    scale(p->grad + net->n_params, p->n_extra, weight);
    return recon;
}

/* Gradient of this rank's rows into the slab, the losses behind it. */
static void local_gradient(dc_comm *comm, dc_trainer *t, const dc_method_batch *batch)
{
    dc_model *m = t->model;
    dc_params *p = &m->params;
    const dc_net *net = m->net;
    const dc_method *method = t->cfg->method;
    dc_net_work *w = &t->work;
    double start = dc_timer_start();
    dc_dataset_gather(m->data, batch->rows, batch->n, w->act[0]);
    dc_timer_stop(m->timers, DC_T_CLUSTER_GATHER, start, 0, 0);

    start = dc_timer_start();
    const float *Z = w->act[net->n_encoder];
    dc_net_forward(net, p->value, w, 0, last_layer(t), batch->n);
    if (method->batch_stats) method->batch_stats(comm, t->state, batch, Z);
    const double loss = method->loss_grad(t->state, batch, Z, dc_trainer_extra(t), t->dZ[0], p->grad + net->n_params);
    const double recon = reconstructs(t) ? decoder_gradient(t, batch->n, batch->B) : 0;
    dc_net_backward(net, p->value, p->grad, w, 0, net->n_encoder, batch->n, t->dZ[reconstructs(t)], NULL);
    p->grad[p->n] = (float)(reconstructs(t) ? recon + t->cfg->weight * loss : loss);
    p->grad[p->n + 1] = (float)recon;
    dc_timer_stop(m->timers, DC_T_CLUSTER_NETWORK, start, (double)batch->n * step_flops(t), 0);
}

void dc_trainer_step(dc_comm *comm, dc_trainer *t, int64_t step, dc_step_loss *loss)
{
    enum { RIDE = 2 };
    dc_model *m = t->model;
    dc_params *p = &m->params;
    const size_t lo = reconstructs(t) ? 0 : m->net->n_decoder, count = p->n - lo;
    dc_method_batch batch = {.rows = t->rows, .step = step};
    dc_batcher_step(&t->batcher, step, t->rows, &batch.n, &batch.B, NULL);
    local_gradient(comm, t, &batch);

    double start = dc_timer_start();
    dc_gradsync(comm, p->grad + lo, count, RIDE);
    dc_timer_stop(m->timers, DC_T_CLUSTER_SYNC, start, 0, (double)((count + RIDE) * sizeof *p->grad));
    dc_progress_count(m->progress, (double)batch.B, (double)batch.B * step_flops(t));

    *loss = (dc_step_loss){.total = (double)p->grad[p->n], .recon = (double)p->grad[p->n + 1]};
    if (!isfinite(loss->total)) return;
    start = dc_timer_start();
    dc_opt_step(&t->cfg->opt, p, lo, p->n, step, t->cfg->max_iter);
    if (t->cfg->method->after_step)
        t->cfg->method->after_step(comm, t->state, &batch, t->work.act[m->net->n_encoder], dc_trainer_extra(t));
    dc_timer_stop(m->timers, DC_T_CLUSTER_UPDATE, start, 0, 0);
}
