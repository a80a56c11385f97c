/* The clustering loop: refresh the target over all rows every update_interval steps, in between train encoder and extra
 * parameters on mini-batches (algorithms: A5). Stop rules, collapse and divergence are decided from reduced values
 * alone, so all ranks decide alike. The stop rule of the papers needs a finished interval: the first refresh never
 * stops as converged. */
#include "dcmpi/comm.h"
#include "dcmpi/fault.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "trainer.h"

#include <math.h>
#include <string.h>

/* Largest share of rows in one cluster, and smallest share of effective clusters, that is not called a collapse. */
static const double COLLAPSE_LARGEST = 0.95, COLLAPSE_EFFECTIVE = 0.5;

static const char *const columns[] = {"iter",    "loss",        "step_loss", "step_recon",
                                      "changed", "k_effective", "largest",   "empty"};

static bool collapsed(const dc_cluster_config *cfg, const dc_refresh *r, dc_gidx N)
{
    if (cfg->env.K == 1) return false;
    return (double)r->largest > COLLAPSE_LARGEST * (double)N ||
           r->k_effective < COLLAPSE_EFFECTIVE * (double)cfg->env.K;
}

static dc_stop decide(const dc_cluster_config *cfg, const dc_refresh *r, dc_gidx N, int64_t iteration)
{
    if (!isfinite(r->loss) || !isfinite(r->f_sum)) return DC_STOP_DIVERGED;
    if (collapsed(cfg, r, N)) return DC_STOP_COLLAPSED;
    if (!(cfg->method->flags & DC_METHOD_TRAINS)) return DC_STOP_ASSIGNED;
    if (iteration > 0 && (double)r->changed < cfg->tol * (double)N) return DC_STOP_CONVERGED;
    return iteration >= cfg->max_iter ? DC_STOP_MAX_ITER : DC_STOP_NONE;
}

/* Embedding of all rows, new target, one record; sets out->stop. */
static dc_status refresh(dc_comm *comm, dc_trainer *t, dc_history *history, const dc_step_loss *step,
                         dc_cluster_result *out)
{
    dc_status st = DC_OK;
    const dc_cluster_config *cfg = t->cfg;
    const dc_gidx N = t->model->data->part.N;
    DC_TRY(dc_model_check_replicas(comm, t->model));
    dc_embed(t->embedder, t->model, out->Z);
    if (dc_part_rows(&t->model->data->part) > 0 && dc_fault(DC_FAULT_REFRESH_NAN)) out->Z[0] = NAN;
    const double start = dc_timer_start();
    DC_TRY(cfg->method->refresh(comm, t->state, out->Z, dc_trainer_extra(t), out->labels, &out->last));
    dc_timer_stop(t->model->timers, DC_T_REFRESH, start, 0, 0);
    out->stop = decide(cfg, &out->last, N, out->iterations);
    dc_history_add(history, (double[]){(double)out->iterations, out->last.loss, step->total, step->recon,
                                       (double)out->last.changed / (double)N, out->last.k_effective,
                                       (double)out->last.largest / (double)N, out->last.empty});
    dc_progress_count(t->model->progress, (double)N,
                      (double)N * dc_net_forward_flops(t->model->net, 0, t->model->net->n_encoder));
    dc_progress_record(t->model->progress, history, (double)out->iterations / (double)DC_MAX(cfg->max_iter, 1),
                       out->stop != DC_STOP_NONE || out->iterations == 0);
out:
    return st;
}

/* Steps up to the next refresh; *loss is that of the last one. */
static void interval(dc_comm *comm, dc_trainer *t, dc_step_loss *loss, dc_cluster_result *out)
{
    const dc_cluster_config *cfg = t->cfg;
    const int64_t end = DC_MIN(cfg->max_iter, (out->iterations / cfg->update_interval + 1) * cfg->update_interval);
    for (; out->iterations < end; out->iterations++) {
        dc_trainer_step(comm, t, out->iterations, loss);
        if (isfinite(loss->total)) continue;
        dc_log_warning("clustering diverged at step %lld: loss %g; lower cluster.lr", (long long)out->iterations,
                       loss->total);
        out->stop = DC_STOP_DIVERGED;
        break;
    }
}

static dc_status create_result(dc_cluster_result *out, const dc_model *m, int64_t K)
{
    dc_status st = DC_OK;
    const size_t n = (size_t)dc_part_rows(&m->data->part);
    DC_TRY(dc_mem_alloc(&out->Z, dc_mul_size(n, (size_t)m->net->L), sizeof *out->Z, "embedding"));
    DC_TRY(dc_mem_alloc(&out->labels, n, sizeof *out->labels, "labels"));
    DC_TRY(dc_mem_alloc(&out->confidence, n, sizeof *out->confidence, "confidence"));
    DC_TRY(dc_mem_alloc(&out->q, dc_mul_size(n, (size_t)K), sizeof *out->q, "soft assignment"));
out:
    return st;
}

/* First embedding, first centres, first labels. */
static dc_status start_method(dc_comm *comm, dc_trainer *t, dc_cluster_result *out)
{
    const dc_cluster_config *cfg = t->cfg;
    dc_embed(t->embedder, t->model, out->Z);
    const double start = dc_timer_start();
    const dc_status st = cfg->method->init(comm, &t->env, out->Z, dc_trainer_extra(t), out->labels, &t->state);
    dc_timer_stop(t->model->timers, DC_T_KMEANS, start, 0, 0);
    return st;
}

/* k-means on the final embedding takes the place of the trained centres. */
static dc_status final_kmeans(dc_comm *comm, dc_trainer *t, dc_cluster_result *out)
{
    const dc_method_env *env = &t->env;
    const dc_rows rows = dc_rows_of_array(env->part, out->Z, &env->L);
    dc_kmeans_result km;
    const double start = dc_timer_start();
    const dc_status st = dc_kmeans(comm, &rows, &env->kmeans, &km);
    if (st != DC_OK) return st;
    memcpy(dc_trainer_extra(t), km.centers, (size_t)(env->K * env->L) * sizeof *km.centers);
    memcpy(out->labels, km.labels, (size_t)dc_part_rows(env->part) * sizeof *km.labels);
    dc_kmeans_result_release(&km);
    dc_timer_stop(t->model->timers, DC_T_KMEANS, start, 0, 0);
    return DC_OK;
}

static void assign(const dc_trainer *t, dc_cluster_result *out)
{
    const int64_t n = dc_part_rows(&t->model->data->part), K = t->cfg->env.K;
    t->cfg->method->assign_local(&t->env, dc_trainer_extra(t), out->Z, n, out->q);
    for (int64_t i = 0; i < n; i++) {
        float best = 0;
        for (int64_t j = 0; j < K; j++) best = DC_MAX(best, out->q[i * K + j]);
        out->confidence[i] = best;
    }
}

dc_status dc_train_cluster(dc_comm *comm, dc_model *m, const dc_cluster_config *cfg, dc_history *history,
                           dc_cluster_result *out)
{
    dc_status st = DC_OK;
    dc_trainer t = {0};
    *out = (dc_cluster_result){.stop = DC_STOP_NONE};
    const size_t records = (size_t)(cfg->max_iter / cfg->update_interval + 2);
    dc_step_loss loss = {0};
    DC_TRY_ALL(comm, dc_history_create(history, "cluster", (int)DC_COUNT_OF(columns), columns, records));
    DC_TRY_ALL(comm, dc_model_grow(m, cfg->method->n_extra(&cfg->env)));
    DC_TRY_ALL(comm, create_result(out, m, cfg->env.K));
    DC_TRY_ALL(comm, dc_trainer_create(&t, m, cfg));
    DC_TRY(start_method(comm, &t, out));
    dc_progress_phase(m->progress);
    for (;;) {
        DC_TRY(refresh(comm, &t, history, &loss, out));
        if (out->stop != DC_STOP_NONE) break;
        interval(comm, &t, &loss, out);
        if (out->stop != DC_STOP_NONE) break;
    }
    if (cfg->final_kmeans && out->stop != DC_STOP_DIVERGED) DC_TRY(final_kmeans(comm, &t, out));
    assign(&t, out);
out:
    dc_trainer_release(&t);
    return st;
}

void dc_cluster_result_release(dc_cluster_result *r)
{
    dc_mem_free(&r->Z);
    dc_mem_free(&r->labels);
    dc_mem_free(&r->confidence);
    dc_mem_free(&r->q);
}
