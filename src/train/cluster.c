/* The clustering loop: refresh the target over all rows every update_interval steps, in between train encoder and extra
 * parameters on mini-batches (algorithms: A5). Stop rules, collapse and divergence are decided from reduced values
 * alone, so all ranks decide alike. The stop rule of the papers needs a finished interval: the first refresh never
 * stops as converged. */
#include "dcmpi/comm.h"
#include "dcmpi/fault.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/train.h"

#include <math.h>
#include <string.h>

static const char *const columns[] = {"iter",    "loss",        "step_loss", "step_recon",
                                      "changed", "k_effective", "largest",   "empty"};

/* What a checkpoint keeps of the loop beside weights, moments and history. */
enum { AT_REFRESH, STOP, CHANGED, LARGEST, EMPTY, LABEL_HASH, START_LARGEST, N_COUNTS };
enum { STEP_LOSS, STEP_RECON, LOSS, SUM_CHECK, F_SUM, K_EFFECTIVE, START_SIZED, N_VALUES };

typedef struct {
    double total; /* what is minimised */
    double recon; /* reconstruction part, 0 for methods without */
} step_loss;

typedef struct {
    dc_model *model; /* borrowed, as are the next three */
    const dc_cluster_config *cfg;
    dc_method_env env;      /* cfg->env, completed */
    dc_method_state *state; /* owned, made by the method */
    dc_embedder *embedder;  /* owned, as are the next two */
    dc_graph *graph[DC_METHOD_STEPS];
    dc_step *step[DC_METHOD_STEPS]; /* those of the method; none: it does not train */
    dc_history *history;
    dc_cluster_result *out;
    dc_cluster_config was;   /* the configuration with the lengths of the run that the checkpoint is of */
    bool moved;              /* a step was taken by this start */
    step_loss loss;          /* of the last step */
    float *snapshot;         /* [n] parameters at the last refresh: they give target and labels again */
    int64_t count[N_COUNTS]; /* AT_REFRESH: step of the last refresh, -1 before the first */
    double value[N_VALUES];
} loop;

/* The method's parameters: centres [K x L] first. */
static float *extra_of(const loop *l)
{
    return l->model->params.value + l->model->net->n_params;
}

/* ---- Stop rules ------------------------------------------------------------------------------------------------- */

/* Clusters that training has drawn together: rows beside the largest cluster of which few are left, of all and of those
 * at the start, or few effective clusters. Uneven clusters that k-means found are no collapse. */
static bool collapsed(const loop *l, const dc_refresh *r)
{
    static const double OF_ALL = 0.05, OF_START = 0.2, EFFECTIVE = 0.5;
    const double N = (double)l->model->data->part.N, others = N - (double)r->largest;
    return (others < OF_ALL * N && others < OF_START * (N - (double)l->out->start_largest)) ||
           r->k_sized < EFFECTIVE * l->out->start_sized;
}

static dc_stop decide(const loop *l, const dc_cluster_config *cfg)
{
    const dc_refresh *r = &l->out->last;
    const double N = (double)l->model->data->part.N;
    if (!isfinite(r->loss) || !isfinite(r->f_sum)) return DC_STOP_DIVERGED;
    if (!(cfg->method->flags & DC_METHOD_TRAINS)) return DC_STOP_ASSIGNED;
    if (collapsed(l, r)) return DC_STOP_COLLAPSED;
    if (l->out->iterations > 0 && (double)r->changed < cfg->tol * N) return DC_STOP_CONVERGED;
    return l->out->iterations >= cfg->max_iter ? DC_STOP_MAX_ITER : DC_STOP_NONE;
}

/* ---- State ------------------------------------------------------------------------------------------------------ */

/* The same on any number of ranks, whatever order they add in. */
static int64_t hash_labels(dc_comm *comm, const loop *l)
{
    const dc_part *part = &l->model->data->part;
    int64_t sum = (int64_t)dc_h5_hash_rows(sizeof *l->out->labels, part->row_lo, dc_part_rows(part), l->out->labels);
    dc_comm_sum_i64(comm, &sum, 1);
    return sum;
}

static void note_refresh(dc_comm *comm, loop *l)
{
    const dc_params *p = &l->model->params;
    const dc_refresh *r = &l->out->last;
    memcpy(l->snapshot, p->value, p->n * sizeof *l->snapshot);
    const int64_t count[] = {[AT_REFRESH] = l->out->iterations,
                             [STOP] = l->out->stop,
                             [CHANGED] = r->changed,
                             [LARGEST] = r->largest,
                             [EMPTY] = r->empty,
                             [LABEL_HASH] = 0,
                             [START_LARGEST] = l->out->start_largest};
    const double value[] = {
        [STEP_LOSS] = l->loss.total,        [STEP_RECON] = l->loss.recon, [LOSS] = r->loss,
        [SUM_CHECK] = r->sum_check,         [F_SUM] = r->f_sum,           [K_EFFECTIVE] = r->k_effective,
        [START_SIZED] = l->out->start_sized};
    memcpy(l->count, count, sizeof count);
    memcpy(l->value, value, sizeof value);
    l->count[LABEL_HASH] = hash_labels(comm, l);
}

/* Step of the refresh that is due at `step` or was due last before it. */
static int64_t due_at(const dc_cluster_config *cfg, int64_t step)
{
    return step >= cfg->max_iter ? cfg->max_iter : step - step % cfg->update_interval;
}

/* Refreshes up to the one at step `at`. */
static size_t refreshes(const dc_cluster_config *cfg, int64_t at)
{
    if (at < 0) return 0;
    return (size_t)(at / cfg->update_interval + 1 + (at == cfg->max_iter && at % cfg->update_interval != 0));
}

/* The last refresh was the one that is due by now, or the one before that. */
static bool is_possible(const loop *l)
{
    const dc_cluster_config *cfg = &l->was;
    const int64_t at = l->count[AT_REFRESH], step = l->history->step;
    if (l->count[STOP] < DC_STOP_NONE || l->count[STOP] > DC_STOP_DIVERGED) return false;
    if (at < 0) return at == -1 && step == 0;
    if (step < 0 || step > cfg->max_iter || at > step) return false;
    return at == due_at(cfg, step) || (step > 0 && due_at(cfg, step) == step && at == due_at(cfg, step - 1));
}

/* The counts are those of the first and of the last record. */
static bool agrees(const loop *l)
{
    const double N = (double)l->model->data->part.N;
    const double *first = l->history->value, *last = first + (l->history->n - 1) * (size_t)l->history->n_columns;
    return last[0] == (double)l->count[AT_REFRESH] && last[1] == l->value[LOSS] &&
           last[4] == (double)l->count[CHANGED] / N && last[5] == l->value[K_EFFECTIVE] &&
           last[6] == (double)l->count[LARGEST] / N && last[7] == (double)l->count[EMPTY] &&
           first[6] == (double)l->count[START_LARGEST] / N;
}

static dc_status check_state(const loop *l)
{
    const dc_status st = dc_history_check(l->history, refreshes(&l->was, l->count[AT_REFRESH]), l->was.max_iter);
    if (st != DC_OK || (is_possible(l) && (l->history->n == 0 || agrees(l)))) return st;
    return DC_FAIL(DC_ERR_FORMAT,
                   "the checkpoint's state of 'cluster' fits no state of this run: step %lld, last refresh "
                   "at %lld",
                   (long long)l->history->step, (long long)l->count[AT_REFRESH]);
}

static dc_status keep_state(dc_comm *comm, loop *l, bool *continues)
{
    dc_status st = DC_OK;
    const dc_cluster_config *cfg = l->cfg;
    dc_model *m = l->model;
    l->count[AT_REFRESH] = -1;
    l->was = *cfg;
    if (cfg->before) l->was.max_iter = cfg->before->max_iter, l->was.tol = cfg->before->tol;
    l->history->total = l->was.max_iter;
    DC_TRY_ALL(comm, dc_mem_alloc(&l->snapshot, m->params.n, sizeof *l->snapshot, "parameters at a refresh"));
    DC_TRY(dc_history_keep(comm, l->history, m->state));
    if (l->step[0]) DC_TRY(dc_step_keep_moments(comm, l->step[0], &cfg->opt));
    DC_TRY(dc_state_keep(comm, m->state, "cluster/snapshot", DC_STATE_F32, m->params.n, l->snapshot, NULL));
    DC_TRY(dc_state_keep(comm, m->state, "cluster/value", DC_STATE_F64, N_VALUES, l->value, NULL));
    DC_TRY(dc_state_keep(comm, m->state, "cluster/count", DC_STATE_I64, N_COUNTS, l->count, NULL));
    DC_TRY_ALL(comm, check_state(l));
    l->history->total = cfg->max_iter;
    *continues = l->count[AT_REFRESH] >= 0;
out:
    return st;
}

static void release(loop *l)
{
    dc_state *c = l->model->state;
    dc_state_drop(c, l->snapshot);
    dc_state_drop(c, l->value);
    dc_state_drop(c, l->count);
    dc_mem_free(&l->snapshot);
    for (int i = 0; i < DC_METHOD_STEPS; i++) {
        dc_step_destroy(&l->step[i]);
        dc_graph_destroy(&l->graph[i]);
    }
    if (l->state) l->cfg->method->destroy(&l->state);
    dc_embedder_destroy(&l->embedder);
}

static void swap_floats(float *a, float *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float t = a[i];
        a[i] = b[i];
        b[i] = t;
    }
}

/* Where the labels are those of then, the loop must stop, or go on, as then. */
static dc_status check_labels(dc_comm *comm, loop *l)
{
    if (hash_labels(comm, l) != l->count[LABEL_HASH]) {
        dc_log_warning("the checkpoint's weights give other labels here than where it was written (another CPU type or "
                       "library): the run goes on, but its bits are not those of an unbroken one");
        return DC_OK;
    }
    l->out->iterations = l->count[AT_REFRESH];
    if ((int64_t)decide(l, &l->was) == l->count[STOP]) return DC_OK;
    return DC_FAIL(DC_ERR_FORMAT, "the checkpoint's state of 'cluster' fits no state of this run: stop %lld",
                   (long long)l->count[STOP]);
}

/* Target and labels of the last refresh once more, from the parameters of then. */
static dc_status repeat_refresh(dc_comm *comm, loop *l)
{
    dc_status st = DC_OK;
    dc_cluster_result *out = l->out;
    dc_params *p = &l->model->params;
    dc_refresh *r = &out->last;
    swap_floats(p->value, l->snapshot, p->n);
    DC_TRY(dc_embed_all(comm, l->embedder, l->model, false, out->Z));
    DC_TRY(l->cfg->method->refresh(comm, l->state, out->Z, extra_of(l), out->labels, r));
    swap_floats(p->value, l->snapshot, p->n);
    r->changed = l->count[CHANGED];
    out->start_largest = l->count[START_LARGEST];
    out->start_sized = l->value[START_SIZED];
    DC_TRY_ALL(comm, check_labels(comm, l));
    out->iterations = l->count[AT_REFRESH];
    if (l->cfg->before) l->count[STOP] = decide(l, l->cfg); /* where a shorter run ended, a longer one may go on */
    out->stop = (dc_stop)l->count[STOP];
    out->iterations = l->history->step;
    l->loss = (step_loss){.total = l->value[STEP_LOSS], .recon = l->value[STEP_RECON]};
out:
    return st;
}

/* ---- Loop ------------------------------------------------------------------------------------------------------- */

/* Embedding of all rows, new target, one record; sets out->stop. */
static dc_status refresh(dc_comm *comm, loop *l)
{
    dc_status st = DC_OK;
    dc_cluster_result *out = l->out;
    const dc_cluster_config *cfg = l->cfg;
    const dc_gidx N = l->model->data->part.N;
    const bool first = l->count[AT_REFRESH] < 0;
    DC_TRY(dc_model_check_replicas(comm, l->model));
    DC_TRY(dc_embed_all(comm, l->embedder, l->model, !first, out->Z));
    if (dc_part_rows(&l->model->data->part) > 0 && dc_fault(DC_FAULT_REFRESH_NAN)) out->Z[0] = NAN;
    const double start = dc_timer_start();
    DC_TRY(cfg->method->refresh(comm, l->state, out->Z, extra_of(l), out->labels, &out->last));
    dc_timer_stop(l->model->timers, DC_T_REFRESH, start, 0, 0);
    if (first) {
        out->start_largest = out->last.largest;
        out->start_sized = out->last.k_sized;
    }
    out->stop = decide(l, cfg);
    note_refresh(comm, l);
    DC_TRY(dc_history_add(comm, l->history,
                          (double[]){(double)out->iterations, out->last.loss, l->loss.total, l->loss.recon,
                                     (double)out->last.changed / (double)N, out->last.k_effective,
                                     (double)out->last.largest / (double)N, out->last.empty}));
    dc_progress_count(l->model->progress, (double)N,
                      (double)N * dc_net_forward_flops(l->model->net, 0, l->model->net->n_encoder));
    dc_progress_record(l->model->progress, l->history, (double)out->iterations / (double)DC_MAX(cfg->max_iter, 1),
                       out->stop != DC_STOP_NONE || first);
out:
    return st;
}

static bool refresh_is_due(const loop *l)
{
    const dc_cluster_config *cfg = l->cfg;
    const int64_t now = l->out->iterations;
    if (now == l->count[AT_REFRESH]) return false;
    return l->count[AT_REFRESH] < 0 || now % cfg->update_interval == 0 || now == cfg->max_iter;
}

/* One of the method's steps on a batch; nothing is updated if the loss is not finite. */
static void take_part(dc_comm *comm, loop *l, int which)
{
    double loss[DC_GRAPH_LOSSES];
    const int64_t step = l->out->iterations, B = dc_step_run(comm, l->step[which], step, loss);
    const dc_graph *g = l->graph[which];
    for (int i = 0; i < g->n_losses; i++) {
        l->loss.total += loss[i];
        if (strcmp(g->loss[i].name, "reconstruction") == 0) l->loss.recon += loss[i];
    }
    dc_progress_count(l->model->progress, which == 0 ? (double)B : 0, (double)B * dc_step_plan(l->step[which])->flops);
    if (isfinite(l->loss.total)) dc_step_update(comm, l->step[which], &l->cfg->opt, step, l->cfg->max_iter);
}

static void take_step(dc_comm *comm, loop *l)
{
    const dc_method *method = l->cfg->method;
    l->loss = (step_loss){0};
    if (method->anneal) method->anneal(l->state, extra_of(l), l->out->iterations);
    for (int i = 0; i < method->n_steps && isfinite(l->loss.total); i++) take_part(comm, l, i);
}

static dc_status step(dc_comm *comm, loop *l)
{
    dc_status st = DC_OK;
    dc_model *m = l->model;
    dc_cluster_result *out = l->out;
    take_step(comm, l);
    if (!isfinite(l->loss.total)) {
        char advice[DC_DATA_ADVICE_MAX];
        dc_log_warning("clustering diverged at step %lld: loss %g; %s", (long long)out->iterations, l->loss.total,
                       dc_dataset_advice(m->data, "lower cluster.lr", advice));
        out->stop = DC_STOP_DIVERGED;
        return DC_OK;
    }
    l->history->step = ++out->iterations;
    l->moved = true;
    l->value[STEP_LOSS] = l->loss.total;
    l->value[STEP_RECON] = l->loss.recon;
    dc_state_at(m->state, "cluster", out->iterations);
    if (m->hash_steps > 0 && out->iterations % m->hash_steps == 0) DC_TRY(dc_model_check_replicas(comm, m));
    DC_TRY(dc_state_act(comm, m->state));
out:
    return st;
}

/* Whether a refresh now is only due because the phase ends here. */
static bool is_extra(const loop *l)
{
    const dc_cluster_config *cfg = l->cfg;
    return l->out->iterations == cfg->max_iter && cfg->max_iter % cfg->update_interval != 0;
}

static dc_status end_phase(dc_comm *comm, loop *l)
{
    return l->moved ? dc_state_end_phase(comm, l->model->state) : DC_OK;
}

/* The checkpoint of the end is written before a refresh that a longer run would not make. */
static dc_status run(dc_comm *comm, loop *l)
{
    dc_status st = DC_OK;
    const dc_cluster_result *out = l->out;
    dc_progress_phase(l->model->progress, (double)out->iterations / (double)DC_MAX(l->cfg->max_iter, 1));
    if (out->stop != DC_STOP_NONE) return DC_OK; /* the checkpoint was written behind the loop */
    while (out->stop == DC_STOP_NONE) {
        const bool due = refresh_is_due(l);
        if (due && is_extra(l)) DC_TRY(end_phase(comm, l));
        DC_TRY(due ? refresh(comm, l) : step(comm, l));
    }
    if (out->stop != DC_STOP_DIVERGED && !is_extra(l)) DC_TRY(dc_state_end_phase(comm, l->model->state));
out:
    return st;
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

/* The method's state, its step, and what embeds all rows. Local. */
static dc_status create(loop *l)
{
    dc_status st = DC_OK;
    dc_model *m = l->model;
    const dc_method *method = l->cfg->method;
    const dc_row_source data = dc_model_rows(m);
    l->env = l->cfg->env;
    l->env.net = m->net;
    l->env.extra_at = m->net->n_params;
    DC_TRY(dc_embedder_create(&l->embedder, m));
    DC_TRY(method->create(&l->env, &l->state));
    if (!method->record) return DC_OK;
    for (int i = 0; i < method->n_steps; i++) {
        DC_TRY(dc_graph_create(&l->graph[i]));
        method->record(l->graph[i], l->state, i);
        DC_TRY(dc_graph_finish(l->graph[i]));
        const dc_step_config step = dc_model_step(m, l->graph[i], &data, l->cfg->batch, DC_T_CLUSTER_GATHER);
        DC_TRY(dc_step_create(&l->step[i], &step));
    }
    l->env.epoch_steps = dc_step_batcher(l->step[0])->steps_per_epoch;
out:
    return st;
}

/* First embedding, first centres, first labels; or those of the checkpoint. */
static dc_status start(dc_comm *comm, loop *l, bool continues)
{
    dc_status st = DC_OK;
    dc_cluster_result *out = l->out;
    if (continues) {
        dc_state_at(l->model->state, "cluster", l->history->step);
        return repeat_refresh(comm, l);
    }
    dc_state_at(l->model->state, "kmeans", 0);
    DC_TRY(dc_embed_all(comm, l->embedder, l->model, false, out->Z));
    const double begin = dc_timer_start();
    DC_TRY(l->cfg->method->start(comm, l->state, out->Z, extra_of(l), out->labels));
    dc_timer_stop(l->model->timers, DC_T_KMEANS, begin, 0, 0);
    dc_state_at(l->model->state, "cluster", l->history->step);
out:
    return st;
}

/* Centres of k-means on the final embedding take the place of the trained ones. */
static dc_status final_kmeans(dc_comm *comm, loop *l)
{
    dc_status st = DC_OK;
    const dc_cluster_result *out = l->out;
    const dc_method_env *env = &l->env;
    const dc_rows rows = dc_rows_of_array(env->part, out->Z, &env->L);
    dc_kmeans_result km = {0};
    const double begin = dc_timer_start();
    dc_state_at(l->model->state, "final_kmeans", 0);
    DC_TRY(dc_kmeans(comm, &rows, &env->kmeans, &km));
    memcpy(extra_of(l), km.centers, (size_t)(env->K * env->L) * sizeof *km.centers);
    dc_timer_stop(l->model->timers, DC_T_KMEANS, begin, 0, 0);
out:
    dc_kmeans_result_release(&km);
    return st;
}

static void assign(const loop *l)
{
    dc_cluster_result *out = l->out;
    const int64_t n = dc_part_rows(&l->model->data->part), K = l->cfg->env.K;
    l->cfg->method->assign_local(&l->env, extra_of(l), out->Z, n, out->q, out->labels);
    for (int64_t i = 0; i < n; i++) out->confidence[i] = out->q[i * K + out->labels[i]];
}

dc_status dc_train_cluster(dc_comm *comm, dc_model *m, const dc_cluster_config *cfg, dc_history *history,
                           dc_cluster_result *out)
{
    dc_status st = DC_OK;
    bool continues = false;
    loop l = {.model = m, .cfg = cfg, .history = history, .out = out};
    *out = (dc_cluster_result){.stop = DC_STOP_NONE};
    dc_history_init(history, "cluster", (int)DC_COUNT_OF(columns), columns);
    DC_TRY(dc_model_grow(comm, m, cfg->method->n_extra(&cfg->env)));
    DC_TRY_ALL(comm, create_result(out, m, cfg->env.K));
    DC_TRY_ALL(comm, create(&l));
    DC_TRY(keep_state(comm, &l, &continues));
    DC_TRY(start(comm, &l, continues));
    DC_TRY(run(comm, &l));
    if (cfg->final_kmeans && out->stop != DC_STOP_DIVERGED) DC_TRY(final_kmeans(comm, &l));
    assign(&l);
out:
    release(&l);
    return st;
}

void dc_cluster_result_release(dc_cluster_result *r)
{
    dc_mem_free(&r->Z);
    dc_mem_free(&r->labels);
    dc_mem_free(&r->confidence);
    dc_mem_free(&r->q);
}
