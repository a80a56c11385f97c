/* One step of a method that trains: gather, encoder forward, loss of the method, encoder backward, gradient sync,
 * update of the slab's range [encoder | extra]. */
#include "trainer.h"

#include <math.h>

#include "dcmpi/mem.h"

dc_status dc_trainer_create(dc_trainer *t, dc_model *m, const dc_cluster_config *cfg)
{
    dc_status st = DC_OK;
    *t = (dc_trainer){.model = m, .cfg = cfg, .env = cfg->env};
    DC_TRY(dc_embedder_create(&t->embedder, m));
    if (!(cfg->method->flags & DC_METHOD_TRAINS)) return DC_OK;
    DC_TRY(dc_batcher_init(&t->batcher, &m->data->part, m->seed, cfg->batch));
    t->env.batch_rows = t->batcher.capacity;
    DC_TRY(dc_mem_alloc(&t->rows, (size_t)t->batcher.capacity, sizeof *t->rows, "batch rows"));
    DC_TRY(dc_net_work_create(&t->work, m->net, 0, m->net->n_encoder, t->batcher.capacity, true));
out:
    return st;
}

void dc_trainer_release(dc_trainer *t)
{
    if (t->state) t->cfg->method->destroy(&t->state);
    dc_embedder_destroy(&t->embedder);
    dc_net_work_release(&t->work);
    dc_mem_free(&t->rows);
}

float *dc_trainer_extra(const dc_trainer *t)
{
    return t->model->params.value + t->model->net->n_params;
}

/* Gradient of this rank's rows for encoder and extra parameters, the loss behind it. */
static void local_gradient(dc_comm *comm, dc_trainer *t, const dc_method_batch *batch)
{
    dc_model *m = t->model;
    const dc_net *net = m->net;
    dc_net_work *w = &t->work;
    double start = dc_timer_start();
    dc_dataset_gather(m->data, batch->rows, batch->n, w->act[0]);
    dc_timer_stop(m->timers, DC_T_CLUSTER_GATHER, start, 0, 0);

    start = dc_timer_start();
    const float *extra = dc_trainer_extra(t), *Z = w->act[net->n_encoder];
    dc_net_forward(net, m->params.value, w, 0, net->n_encoder, batch->n);
    if (t->cfg->method->batch_stats) t->cfg->method->batch_stats(comm, t->state, batch, Z);
    const double loss =
        t->cfg->method->loss_grad(t->state, batch, Z, extra, w->delta[0], m->params.grad + net->n_params);
    dc_net_backward(net, m->params.value, m->params.grad, w, 0, net->n_encoder, batch->n, w->delta[0], NULL);
    m->params.grad[m->params.n] = (float)loss;
    dc_timer_stop(m->timers, DC_T_CLUSTER_NETWORK, start, (double)batch->n * dc_net_train_flops(net, 0, net->n_encoder),
                  0);
}

double dc_trainer_step(dc_comm *comm, dc_trainer *t, int64_t step)
{
    dc_model *m = t->model;
    dc_params *p = &m->params;
    const size_t lo = m->net->n_decoder, count = p->n - lo;
    dc_method_batch batch = {.rows = t->rows, .step = step};
    dc_batcher_step(&t->batcher, step, t->rows, &batch.n, &batch.B, NULL);
    local_gradient(comm, t, &batch);

    double start = dc_timer_start();
    dc_gradsync(comm, p->grad + lo, count, 1);
    dc_timer_stop(m->timers, DC_T_CLUSTER_SYNC, start, 0, (double)((count + 1) * sizeof *p->grad));
    dc_progress_count(m->progress, (double)batch.B, (double)batch.B * dc_net_train_flops(m->net, 0, m->net->n_encoder));

    const double loss = p->grad[p->n];
    if (!isfinite(loss)) return loss;
    start = dc_timer_start();
    dc_opt_step(&t->cfg->opt, p, lo, p->n, step, t->cfg->max_iter);
    if (t->cfg->method->after_step)
        t->cfg->method->after_step(comm, t->state, &batch, t->work.act[m->net->n_encoder], dc_trainer_extra(t));
    dc_timer_stop(m->timers, DC_T_CLUSTER_UPDATE, start, 0, 0);
    return loss;
}
