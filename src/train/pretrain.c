/* Joint pretraining: the whole autoencoder minimises the reconstruction loss, mini-batches over shuffled epochs
 * (algorithms: A3). A loss that is not finite ends the phase before its gradient touches the weights; the loss is a sum
 * over ranks that rode along with the gradient, so all ranks decide alike. */
#include <math.h>

#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/train.h"

typedef struct {
    dc_net_work work;
    dc_batcher batcher;
    int64_t *rows; /* [batcher.capacity] */
} pretrainer;

static void release(pretrainer *t)
{
    dc_net_work_release(&t->work);
    dc_mem_free(&t->rows);
}

static dc_status create(pretrainer *t, const dc_model *m, int64_t B)
{
    dc_status st = DC_OK;
    DC_TRY(dc_batcher_init(&t->batcher, &m->data->part, m->seed, B));
    DC_TRY(dc_mem_alloc(&t->rows, (size_t)t->batcher.capacity, sizeof *t->rows, "batch rows"));
    DC_TRY(dc_net_work_create(&t->work, m->net, 0, m->net->n_layers, t->batcher.capacity, true));
out:
    return st;
}

/* Gradient of this rank's rows into params.grad, with the loss behind it. */
static void local_gradient(pretrainer *t, dc_model *m, const dc_pretrain_config *cfg, int64_t n, int64_t n_global)
{
    const dc_net *net = m->net;
    dc_net_work *w = &t->work;
    double start = dc_timer_start();
    dc_dataset_gather(m->data, t->rows, n, w->act[0]);
    dc_timer_stop(m->timers, DC_T_PRETRAIN_GATHER, start, 0, 0);

    start = dc_timer_start();
    dc_net_forward(net, m->params.value, w, 0, net->n_layers, n);
    const double loss =
        dc_recon_loss_grad(cfg->loss, w->act[0], w->act[net->n_layers], n, net->D, n_global, w->delta[0]);
    dc_net_backward(net, m->params.value, m->params.grad, w, 0, net->n_layers, n, w->delta[0], NULL);
    m->params.grad[m->params.n] = (float)loss;
    dc_timer_stop(m->timers, DC_T_PRETRAIN_NETWORK, start, (double)n * dc_net_train_flops(net, 0, net->n_layers), 0);
}

/* One step; returns the loss of the global batch. The weights stay as they are if it is not finite. */
static double step(dc_comm *comm, pretrainer *t, dc_model *m, const dc_pretrain_config *cfg, int64_t number,
                   int64_t total, int64_t *n_global)
{
    dc_params *p = &m->params;
    int64_t n;
    dc_batcher_step(&t->batcher, number, t->rows, &n, n_global, NULL);
    local_gradient(t, m, cfg, n, *n_global);

    double start = dc_timer_start();
    dc_gradsync(comm, p->grad, p->n, 1);
    dc_timer_stop(m->timers, DC_T_PRETRAIN_SYNC, start, 0, (double)((p->n + 1) * sizeof *p->grad));

    const double loss = p->grad[p->n];
    if (!isfinite(loss)) return loss;
    start = dc_timer_start();
    dc_opt_step(&cfg->opt, p, 0, p->n, number, total);
    dc_timer_stop(m->timers, DC_T_PRETRAIN_UPDATE, start, 0, 0);
    return loss;
}

dc_status dc_pretrain(dc_comm *comm, dc_model *m, const dc_pretrain_config *cfg, dc_history *history, dc_stop *stop)
{
    static const char *const columns[] = {"epoch", "loss", "lr"};
    dc_status st = DC_OK;
    pretrainer t = {0};
    const double flops = dc_net_train_flops(m->net, 0, m->net->n_layers);
    const double N = (double)m->data->part.N;
    *stop = DC_STOP_EPOCHS;
    DC_TRY_ALL(comm, dc_history_create(history, "pretrain", 3, columns, (size_t)cfg->epochs));
    DC_TRY_ALL(comm, create(&t, m, cfg->batch));
    dc_params_reset_moments(&m->params);
    dc_progress_phase(m->progress);
    const int64_t per_epoch = t.batcher.steps_per_epoch, total = cfg->epochs * per_epoch;
    for (int64_t epoch = 0; epoch < cfg->epochs && *stop != DC_STOP_DIVERGED; epoch++) {
        double sum = 0;
        for (int64_t s = epoch * per_epoch; s < (epoch + 1) * per_epoch; s++) {
            int64_t n_global;
            const double loss = step(comm, &t, m, cfg, s, total, &n_global);
            dc_progress_count(m->progress, (double)n_global, (double)n_global * flops);
            sum += loss * (double)n_global;
            if (!isfinite(loss)) {
                dc_log_warning("pretraining diverged at step %lld of epoch %lld: loss %g; lower pretrain.lr",
                               (long long)s, (long long)epoch + 1, loss);
                *stop = DC_STOP_DIVERGED;
                break;
            }
        }
        const double lr = dc_opt_lr(&cfg->opt, (epoch + 1) * per_epoch - 1, total);
        dc_history_add(history, (double[]){(double)(epoch + 1), sum / N, lr});
        const bool last = epoch + 1 == cfg->epochs || *stop == DC_STOP_DIVERGED;
        dc_progress_record(m->progress, history, (double)(epoch + 1) / (double)cfg->epochs, last);
        DC_TRY(dc_model_check_replicas(comm, m));
    }
out:
    release(&t);
    return st;
}
