/* One step of a method that trains: gather, forward, loss of the method (and reconstruction, if the method keeps the
 * decoder), backward, sync, update. How the gradients of the ranks meet is the business of gradient.h. */
#include "trainer.h"

#include <math.h>

#include "dcmpi/mem.h"

enum { LOSS_TOTAL, LOSS_RECON, N_LOSSES };

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
    const dc_gradient_config gradient = {
        .model = m, .net = m->net, .params = &m->params, .last = last_layer(t), .n_losses = N_LOSSES, .B = cfg->batch};
    DC_TRY(dc_gradient_create(&t->gradient, &gradient));
    t->env.batch_rows = dc_gradient_batcher(t->gradient)->capacity;
    if (reconstructs(t)) {
        DC_TRY(dc_mem_alloc(&t->dZ, dc_mul_size((size_t)t->env.batch_rows, (size_t)m->net->L), sizeof *t->dZ,
                            "gradient of the embedding"));
        DC_TRY(
            dc_mem_alloc(&t->recon, (size_t)dc_gradient_places(t->gradient)->max_leaves, sizeof *t->recon, "losses"));
    }
    DC_TRY(dc_mem_alloc(&t->dextra, m->params.n_extra, sizeof *t->dextra, "gradient of the method's parameters"));
out:
    return st;
}

void dc_trainer_release(dc_trainer *t)
{
    if (t->state) t->cfg->method->destroy(&t->state);
    dc_embedder_destroy(&t->embedder);
    dc_gradient_destroy(&t->gradient);
    dc_mem_free(&t->dZ);
    dc_mem_free(&t->recon);
    dc_mem_free(&t->dextra);
}

float *dc_trainer_extra(const dc_trainer *t)
{
    return t->model->params.value + t->model->net->n_params;
}

static dc_method_batch batch_of(const dc_places *plan, const dc_leaf *leaf)
{
    return (dc_method_batch){.rows = leaf->rows, .n = leaf->n, .B = plan->n_global, .step = plan->step};
}

static void gather_rows(dc_trainer *t, const dc_places *plan)
{
    const dc_model *m = t->model;
    const double start = dc_timer_start();
    for (int i = 0; i < plan->n_leaves; i++) {
        const dc_leaf *leaf = &plan->leaf[i];
        dc_dataset_gather(m->data, leaf->rows, leaf->n, dc_gradient_act(t->gradient, 0) + leaf->at * m->net->D);
    }
    dc_timer_stop(m->timers, DC_T_CLUSTER_GATHER, start, 0, 0);
}

/* Gradient of the reconstruction through the decoder, down to the embedding. */
static void decoder_gradient(dc_trainer *t, const dc_places *plan)
{
    const dc_net *net = t->model->net;
    dc_gradient *g = t->gradient;
    const int last = net->n_layers;
    dc_gradient_clear_delta(g, last - 1);
    for (int i = 0; i < plan->n_leaves; i++) {
        const int64_t at = plan->leaf[i].at * net->D;
        t->recon[i] = dc_recon_loss_grad(t->cfg->recon_loss, dc_gradient_act(g, 0) + at, dc_gradient_act(g, last) + at,
                                         plan->leaf[i].n, net->D, plan->n_global, dc_gradient_delta(g, last - 1) + at);
    }
    dc_gradient_backward(g, net->n_encoder, last);
}

/* The method's loss of one leaf and its gradient, added to that of the decoder with its weight, if there is one. */
static void method_gradient(dc_trainer *t, const dc_places *plan, int i, double recon)
{
    const dc_net *net = t->model->net;
    const dc_leaf *leaf = &plan->leaf[i];
    const dc_method_batch batch = batch_of(plan, leaf);
    const size_t n_extra = t->model->params.n_extra;
    const float weight = (float)t->cfg->weight;
    const float *Z = dc_gradient_act(t->gradient, net->n_encoder) + leaf->at * net->L;
    float *delta = dc_gradient_delta(t->gradient, net->n_encoder - 1) + leaf->at * net->L;
    float *dZ = reconstructs(t) ? t->dZ : delta;
    double loss = t->cfg->method->loss_grad(t->state, &batch, Z, dc_trainer_extra(t), dZ, t->dextra);
    if (reconstructs(t)) {
        for (int64_t k = 0; k < leaf->n * net->L; k++) delta[k] += weight * dZ[k];
        for (size_t k = 0; k < n_extra; k++) t->dextra[k] *= weight;
        loss = recon + t->cfg->weight * loss;
    }
    dc_gradient_leaf(t->gradient, i, (const double[]){[LOSS_TOTAL] = loss, [LOSS_RECON] = recon}, t->dextra);
}

static void local_gradient(dc_trainer *t, const dc_places *plan)
{
    const dc_net *net = t->model->net;
    dc_gradient *g = t->gradient;
    const double start = dc_timer_start();
    dc_gradient_forward(g, 0, last_layer(t));
    if (reconstructs(t))
        decoder_gradient(t, plan);
    else
        dc_gradient_clear_delta(g, net->n_encoder - 1);
    for (int i = 0; i < plan->n_leaves; i++) method_gradient(t, plan, i, reconstructs(t) ? t->recon[i] : 0);
    dc_gradient_backward(g, 0, net->n_encoder);
    dc_timer_stop(t->model->timers, DC_T_CLUSTER_NETWORK, start, (double)plan->n * step_flops(t), 0);
}

void dc_trainer_step(dc_comm *comm, dc_trainer *t, int64_t step, dc_step_loss *loss)
{
    dc_model *m = t->model;
    double losses[N_LOSSES];
    const dc_places *plan = dc_gradient_plan(t->gradient, step);
    gather_rows(t, plan);
    local_gradient(t, plan);

    double start = dc_timer_start();
    dc_gradient_sync(comm, t->gradient, losses);
    dc_timer_stop(m->timers, DC_T_CLUSTER_SYNC, start, 0, 0);
    dc_timer_move(m->timers, DC_T_CLUSTER_SYNC, DC_T_CLUSTER_NETWORK, dc_gradient_product_s(t->gradient));
    dc_progress_count(m->progress, (double)plan->n_global, (double)plan->n_global * step_flops(t));

    *loss = (dc_step_loss){.total = losses[LOSS_TOTAL], .recon = losses[LOSS_RECON]};
    if (!isfinite(loss->total)) return;
    start = dc_timer_start();
    dc_gradient_update(comm, t->gradient, &t->cfg->opt, step, t->cfg->max_iter);
    dc_timer_stop(m->timers, DC_T_CLUSTER_UPDATE, start, 0, 0);
    dc_timer_move(m->timers, DC_T_CLUSTER_UPDATE, DC_T_CLUSTER_SYNC, dc_gradient_message_s(t->gradient));
}
