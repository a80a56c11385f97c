/* The clustering phase. The target is refreshed over all rows each time a record is written. Stop rules use only values
 * that were reduced over all ranks, so all ranks decide alike. The stop rule of the papers needs one full interval
 * between refreshes, so the first refresh never ends the phase as converged. */
#include "dcmpi/comm.h"
#include "dcmpi/fault.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "needs.h"
#include "q_rows.h"
#include "refresh.h"

#include <math.h>
#include <string.h>

static const char *const columns[] = {"iter",    "loss",        "step_loss", "step_recon",
                                      "changed", "k_effective", "largest",   "empty"};
enum { ITER, WHOLE_LOSS, STEP_LOSS, STEP_RECON, CHANGED_SHARE, N_COLUMNS = DC_COUNT_OF(columns) };

/* What a checkpoint stores about the loop, besides weights, moments and history. */
enum { STOP, CHANGED, LARGEST, EMPTY, LABEL_HASH, START_LARGEST, N_COUNTS };
enum { LOSS, SUM_CHECK, F_SUM, K_EFFECTIVE, START_SIZED, N_VALUES };

typedef struct {
    dc_phase phase;
    dc_model *model; /* borrowed; so is `cfg` */
    const dc_cluster_config *cfg;
    dc_method_env *env;     /* cfg->env, completed; owned */
    dc_method_state *state; /* owned, made by the method */
    dc_embedder *embedder;  /* owned; so is `shares` */
    double inference_bytes; /* of state and embedder */
    dc_cluster_shares shares;
    int32_t *next; /* [n] new labels during a refresh, owned */
    bool spoils;   /* the first q of the next rows becomes NaN, for a test */
    dc_cluster_result *out;
    dc_cluster_config was;   /* cfg, but max_iter and tol are those of the run that wrote the checkpoint */
    float *snapshot;         /* [n] parameters at the last refresh, to repeat it when a run continues */
    int64_t count[N_COUNTS]; /* as of the last refresh; so is `value` */
    double value[N_VALUES];
} loop;

/* ---- Stop rules ------------------------------------------------------------------------------------------------- */

/* Whether the clusters have collapsed during training: either few rows are left outside the largest cluster, both as a
 * share of all rows and compared with the start, or the effective number of clusters has dropped far below that of the
 * start. Clusters that were uneven from the start (k-means) do not count as a collapse. A method whose start says
 * nothing is measured by K. */
static bool collapsed(const loop *l, const dc_refresh *r)
{
    static const double OF_ALL = 0.05, OF_START = 0.2, EFFECTIVE = 0.5;
    const double N = (double)l->model->data->part.N, others = N - (double)r->largest;
    if (l->cfg->method->flags & DC_METHOD_SCRATCH)
        return l->out->iterations > 0 && r->k_effective < EFFECTIVE * (double)l->env->K;
    return (others < OF_ALL * N && others < OF_START * (N - (double)l->out->start_largest)) ||
           r->k_sized < EFFECTIVE * l->out->start_sized;
}

/* Whether labels that stay may end the phase. */
static bool may_converge(const loop *l)
{
    const dc_method *method = l->cfg->method;
    return l->out->iterations > (method->settling ? method->settling(l->env) : 0);
}

static dc_stop decide(const loop *l, const dc_cluster_config *cfg)
{
    const dc_refresh *r = &l->out->last;
    const double N = (double)l->model->data->part.N;
    if (!isfinite(r->loss) || !isfinite(r->f_sum)) return DC_STOP_DIVERGED;
    if (!(cfg->method->flags & DC_METHOD_TRAINS)) return DC_STOP_ASSIGNED;
    if (collapsed(l, r)) return DC_STOP_COLLAPSED;
    if (may_converge(l) && (double)r->changed < cfg->tol * N) return DC_STOP_CONVERGED;
    return l->out->iterations >= cfg->max_iter ? DC_STOP_MAX_ITER : DC_STOP_NONE;
}

/* ---- State ------------------------------------------------------------------------------------------------------ */

/* Hash of all labels. It depends neither on the number of ranks nor on the order in which they are added up. */
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
    const int64_t count[] = {[STOP] = l->out->stop, [CHANGED] = r->changed, [LARGEST] = r->largest,
                             [EMPTY] = r->empty,    [LABEL_HASH] = 0,       [START_LARGEST] = l->out->start_largest};
    const double value[] = {[LOSS] = r->loss,
                            [SUM_CHECK] = r->sum_check,
                            [F_SUM] = r->f_sum,
                            [K_EFFECTIVE] = r->k_effective,
                            [START_SIZED] = l->out->start_sized};
    memcpy(l->count, count, sizeof count);
    memcpy(l->value, value, sizeof value);
    l->count[LABEL_HASH] = hash_labels(comm, l);
}

/* Whether counts and values agree with the first and the last record. */
static bool agrees(const loop *l)
{
    const double N = (double)l->model->data->part.N;
    const double *first = l->phase.history->value,
                 *last = first + (l->phase.history->n - 1) * (size_t)l->phase.history->n_columns;
    return last[0] == (double)l->phase.at && last[1] == l->value[LOSS] && last[4] == (double)l->count[CHANGED] / N &&
           last[5] == l->value[K_EFFECTIVE] && last[6] == (double)l->count[LARGEST] / N &&
           last[7] == (double)l->count[EMPTY] && first[6] == (double)l->count[START_LARGEST] / N;
}

static dc_status check_state(const loop *l)
{
    const bool known = l->count[STOP] >= DC_STOP_NONE && l->count[STOP] <= DC_STOP_DIVERGED;
    if (known && (l->phase.history->n == 0 || agrees(l))) return DC_OK;
    return DC_FAIL(DC_ERR_FORMAT,
                   "the checkpoint's state of 'cluster' fits no state of this run: step %lld, last refresh at %lld",
                   (long long)l->phase.history->step, (long long)l->phase.at);
}

static dc_status keep_state(dc_comm *comm, loop *l, bool *continues)
{
    dc_status st = DC_OK;
    const dc_cluster_config *cfg = l->cfg;
    dc_model *m = l->model;
    l->was = *cfg;
    if (cfg->before) l->was.max_iter = cfg->before->max_iter, l->was.tol = cfg->before->tol;
    l->phase.total = cfg->max_iter;
    l->phase.total_before = l->was.max_iter;
    DC_TRY_ALL(comm, dc_mem_alloc(&l->snapshot, m->params.n, sizeof *l->snapshot, "parameters at a refresh"));
    const char *column[DC_HISTORY_COLUMNS_MAX];
    memcpy(column, columns, sizeof columns);
    memcpy(column + N_COLUMNS, l->phase.term, sizeof l->phase.term);
    DC_TRY(dc_phase_keep(comm, &l->phase, N_COLUMNS + l->phase.n_terms, column));
    bool *const quiet = l->phase.history->quiet;
    quiet[STEP_RECON] = !l->phase.reconstructs;
    quiet[ITER] = quiet[WHOLE_LOSS] = quiet[STEP_LOSS] = quiet[CHANGED_SHARE] =
        !(cfg->method->flags & DC_METHOD_TRAINS);
    DC_TRY(dc_state_keep(comm, m->state, "cluster/snapshot", DC_STATE_F32, m->params.n, l->snapshot, NULL));
    DC_TRY(dc_state_keep(comm, m->state, "cluster/value", DC_STATE_F64, N_VALUES, l->value, NULL));
    DC_TRY(dc_state_keep(comm, m->state, "cluster/count", DC_STATE_I64, N_COUNTS, l->count, NULL));
    if (cfg->method->keep) DC_TRY(cfg->method->keep(comm, l->state, m->state));
    DC_TRY_ALL(comm, check_state(l));
    *continues = l->phase.at >= 0;
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
    dc_phase_release(&l->phase);
    if (l->state) l->cfg->method->destroy(&l->state);
    dc_embedder_destroy(&l->embedder);
    dc_mem_free(&l->env);
    dc_shares_release(&l->shares);
    dc_mem_free(&l->next);
}

static void swap_floats(float *a, float *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float t = a[i];
        a[i] = b[i];
        b[i] = t;
    }
}

/* If repeating a refresh gives the same labels as the original, the loop must make the same decision to stop or go
 * on. */
static dc_status check_labels(dc_comm *comm, loop *l)
{
    if (hash_labels(comm, l) != l->count[LABEL_HASH]) {
        dc_log_warning("the checkpoint's weights give other labels here than where it was written (another CPU type or "
                       "library): the run goes on, but its bits are not those of an unbroken one");
        return DC_OK;
    }
    l->out->iterations = l->phase.at;
    if ((int64_t)decide(l, &l->was) == l->count[STOP]) return DC_OK;
    return DC_FAIL(DC_ERR_FORMAT, "the checkpoint's state of 'cluster' fits no state of this run: stop %lld",
                   (long long)l->count[STOP]);
}

/* Sees the q of some rows: lets the method replace it, and takes what the result keeps of it. */
static void see(void *ctx, int64_t lo, int64_t n, float *q, int32_t *label)
{
    const loop *l = ctx;
    if (l->cfg->method->assign && !l->env->finished) l->cfg->method->assign(l->state, lo, n, q, label);
    if (l->spoils && lo == 0) q[0] = NAN;
    for (int64_t i = 0; i < n; i++) l->out->confidence[lo + i] = q[i * l->env->K + label[i]];
    dc_q_top_take(&l->out->top, lo, n, l->env->K, q, label);
}

static void count(void *ctx, int64_t lo, int64_t n, const float *q, const int32_t *label)
{
    const loop *l = ctx;
    dc_soft_add(l->shares.counter, lo, n, q, label, l->out->labels + lo);
}

/* Sends all rows through the method's inference. counts: also counts q, and replaces the labels by the new ones. */
static dc_status infer(dc_comm *comm, loop *l, bool may_save, bool counts)
{
    const dc_embedded out = {l->out->Z, l->next, see, counts ? count : NULL, l};
    dc_soft_begin(l->shares.counter);
    return dc_embed_all(comm, l->embedder, l->model, may_save, &out);
}

/* Updates the counts and the target from the output of the inference. */
static dc_status renew(dc_comm *comm, loop *l)
{
    dc_status st = DC_OK;
    dc_cluster_result *out = l->out;
    const dc_method *method = l->cfg->method;
    const dc_inferred rows = {.Z = out->Z, .label = out->labels, .f = l->shares.f};
    const double start = dc_timer_start();
    dc_shares_renew(comm, l->env->part, l->env->K, &l->shares, &out->last);
    if (method->refresh) DC_TRY(method->refresh(comm, l->state, &rows, &out->last));
    dc_timer_stop(l->model->timers, DC_T_REFRESH, start, 0, 0);
out:
    return st;
}

/* Recomputes the target and labels of the last refresh, from the parameters at that refresh. */
static dc_status repeat_refresh(dc_comm *comm, loop *l)
{
    dc_status st = DC_OK;
    dc_cluster_result *out = l->out;
    dc_params *p = &l->model->params;
    dc_refresh *r = &out->last;
    swap_floats(p->value, l->snapshot, p->n);
    DC_TRY(infer(comm, l, false, true));
    DC_TRY(renew(comm, l));
    swap_floats(p->value, l->snapshot, p->n);
    r->changed = l->count[CHANGED];
    out->start_largest = l->count[START_LARGEST];
    out->start_sized = l->value[START_SIZED];
    DC_TRY_ALL(comm, check_labels(comm, l));
    out->iterations = l->phase.at;
    if (l->cfg->before) l->count[STOP] = decide(l, l->cfg); /* a longer run may go on where the shorter one ended */
    out->stop = (dc_stop)l->count[STOP];
    out->iterations = l->phase.history->step;
    l->phase.stop = out->stop;
out:
    return st;
}

/* ---- Record ----------------------------------------------------------------------------------------------------- */

/* Embeds all rows, then lets the method move what it keeps. From here to the record nothing may be saved: a run that
 * continued would move it twice. */
static dc_status refit(dc_comm *comm, loop *l)
{
    dc_status st = DC_OK;
    const dc_inferred rows = {.Z = l->out->Z, .label = l->next};
    DC_TRY(infer(comm, l, true, false));
    const double start = dc_timer_start();
    DC_TRY(l->cfg->method->refit(comm, l->state, &rows));
    dc_timer_stop(l->model->timers, DC_T_KMEANS, start, 0, 0);
out:
    return st;
}

/* Embeds all rows, renews the target, fills one record; sets out->stop. */
static dc_status refresh(dc_comm *comm, dc_phase *p, double *row)
{
    dc_status st = DC_OK;
    loop *l = p->ctx;
    dc_cluster_result *out = l->out;
    const dc_cluster_config *cfg = l->cfg;
    const dc_gidx N = l->model->data->part.N;
    const bool first = p->at < 0;
    if (!first && cfg->method->refit) DC_TRY(refit(comm, l));
    l->spoils = dc_part_rows(&l->model->data->part) > 0 && dc_fault(DC_FAULT_REFRESH_NAN);
    DC_TRY(infer(comm, l, !first && !cfg->method->refit, true));
    DC_TRY(renew(comm, l));
    if (first) {
        out->last.changed = 0; /* there were no labels before */
        out->start_largest = out->last.largest;
        out->start_sized = out->last.k_sized;
    }
    out->iterations = p->history->step;
    p->stop = out->stop = decide(l, cfg);
    note_refresh(comm, l);
    const double record[] = {(double)out->iterations,
                             out->last.loss,
                             p->last.loss,
                             p->last.recon,
                             (double)out->last.changed / (double)N,
                             out->last.k_effective,
                             (double)out->last.largest / (double)N,
                             out->last.empty};
    memcpy(row, record, sizeof record);
    for (int i = 0; i < p->n_terms; i++) row[N_COLUMNS + i] = dc_phase_term(p, i);
    dc_progress_count(l->model->progress, (double)N, (double)N * dc_embed_flops(l->embedder));
out:
    return st;
}

static void anneal(void *ctx, int64_t step)
{
    loop *l = ctx;
    l->cfg->method->anneal(l->state, step);
}

static dc_status run(dc_comm *comm, loop *l)
{
    if (l->phase.stop != DC_STOP_NONE) return DC_OK; /* the checkpoint was written after the loop */
    const dc_status st = dc_phase_run(comm, &l->phase);
    l->out->iterations = l->phase.history->step;
    l->out->stop = l->phase.stop;
    return st;
}

static dc_status create_result(dc_cluster_result *out, const dc_model *m, int64_t q_top)
{
    dc_status st = DC_OK;
    const size_t n = (size_t)dc_part_rows(&m->data->part);
    if (m->net->n_layers > 0)
        DC_TRY(dc_mem_alloc(&out->Z, dc_mul_size(n, (size_t)m->net->L), sizeof *out->Z, "embedding"));
    DC_TRY(dc_mem_alloc(&out->labels, n, sizeof *out->labels, "labels"));
    DC_TRY(dc_mem_alloc(&out->confidence, n, sizeof *out->confidence, "confidence"));
    DC_TRY(dc_q_top_create(&out->top, (int64_t)n, q_top));
out:
    return st;
}

static void record_step(dc_graph *g, const void *ctx, int step)
{
    const loop *l = ctx;
    l->cfg->method->record(g, l->state, step);
}

/* Creates the method's state, its steps and its inference. Local. */
static dc_status create(loop *l)
{
    dc_status st = DC_OK;
    dc_model *m = l->model;
    const dc_method *method = l->cfg->method;
    const dc_row_source data = dc_model_rows(m);
    DC_TRY(dc_mem_alloc(&l->env, 1, sizeof *l->env, "method"));
    *l->env = l->cfg->env;
    l->env->slab = m->slab;
    l->env->value = m->params.value;
    l->env->Z = l->out->Z;
    l->env->input = dc_rows_of_dataset(m->data);
    DC_TRY(dc_shares_create(&l->shares, l->env->part, l->env->K));
    DC_TRY(dc_mem_alloc(&l->next, (size_t)dc_part_rows(l->env->part), sizeof *l->next, "labels"));
    const size_t before = dc_mem_current_bytes();
    DC_TRY(dc_embedder_create(&l->embedder, method, l->env));
    DC_TRY(method->create(l->env, &l->state));
    l->inference_bytes = (double)(dc_mem_current_bytes() - before);
    for (int i = 0; method->turn && i < method->n_steps; i++) {
        l->phase.turn[i] = (dc_turn){1, l->cfg->opt};
        method->turn(l->env, i, &l->phase.turn[i]);
    }
    DC_TRY(dc_phase_create(&l->phase, method->n_steps, record_step, l, &data, l->cfg->batch, DC_T_CLUSTER_GATHER));
    if (method->n_steps > 0) l->env->epoch_steps = dc_phase_epoch(&l->phase);
out:
    return st;
}

/* Computes the first embedding, centres and labels, or recomputes those of the checkpoint. */
static dc_status start(dc_comm *comm, loop *l, bool continues)
{
    dc_status st = DC_OK;
    dc_cluster_result *out = l->out;
    if (continues) {
        dc_state_at(l->model->state, "cluster", l->phase.history->step);
        return repeat_refresh(comm, l);
    }
    dc_state_at(l->model->state, "kmeans", 0);
    DC_TRY(infer(comm, l, false, false));
    const dc_inferred rows = {.Z = out->Z, .label = l->next};
    const double begin = dc_timer_start();
    DC_TRY(l->cfg->method->start(comm, l->state, &rows));
    dc_timer_stop(l->model->timers, DC_T_KMEANS, begin, 0, 0);
    dc_state_at(l->model->state, "cluster", l->phase.history->step);
out:
    return st;
}

/* Replaces the trained centres by those of k-means on the final embedding. */
static dc_status final_kmeans(dc_comm *comm, loop *l)
{
    dc_status st = DC_OK;
    dc_refresh with_them; /* not used: the run reports the last refresh before this */
    const double begin = dc_timer_start();
    dc_state_at(l->model->state, "final_kmeans", 0);
    dc_method_env env = *l->env;
    env.start_by = NULL;
    DC_TRY(env.kmeans.first ? dc_method_kmeans_again(comm, &env, l->out->Z, NULL)
                            : dc_method_kmeans(comm, &env, l->out->Z, NULL));
    dc_timer_stop(l->model->timers, DC_T_KMEANS, begin, 0, 0);
    DC_TRY(infer(comm, l, false, true));
    dc_shares_renew(comm, l->env->part, l->env->K, &l->shares, &with_them);
out:
    return st;
}

/* Replaces centres and inference by those of a mixture on the final embedding. */
static dc_status final_mixture(dc_comm *comm, loop *l)
{
    dc_status st = DC_OK;
    dc_refresh with_it; /* not used, as with k-means */
    const double begin = dc_timer_start();
    dc_state_at(l->model->state, "final_kmeans", 0);
    if (l->env->kmeans.first) l->env->kmeans.first = l->env->value + dc_slab_find(l->env->slab, "centers")->at;
    DC_TRY(dc_final_fit(comm, l->env, l->out->Z));
    dc_timer_stop(l->model->timers, DC_T_KMEANS, begin, 0, 0);
    l->env->finished = true;
    dc_embedder_destroy(&l->embedder);
    DC_TRY_ALL(comm, dc_embedder_create(&l->embedder, l->cfg->method, l->env));
    DC_TRY(infer(comm, l, false, true));
    dc_shares_renew(comm, l->env->part, l->env->K, &l->shares, &with_it);
out:
    return st;
}

static void look_for_failure(const loop *l)
{
    const dc_history *h = l->phase.history;
    const dc_method *method = l->cfg->method;
    if (!method->failed || h->n < 2) return;
    l->out->failure =
        method->failed(l->env, &l->out->last, h->value + h->n_columns + N_COLUMNS, h->n - 1, h->n_columns);
}

static dc_status register_results(const loop *l)
{
    dc_status st = DC_OK;
    dc_results *more = &l->out->more;
    DC_TRY(dc_results_add(more, "/clusters/soft_size", DC_STATE_F64, 1, &l->env->K, l->shares.f));
    if (l->cfg->method->results) DC_TRY(l->cfg->method->results(l->state, more));
out:
    return st;
}

/* Creates the loop in its state before the first centres, or as a checkpoint saved it. Collective. */
static dc_status make(dc_comm *comm, loop *l, dc_model *m, const dc_cluster_config *cfg, dc_history *history,
                      dc_cluster_result *out, bool *continues)
{
    dc_status st = DC_OK;
    *l = (loop){.model = m, .cfg = cfg, .out = out};
    l->phase = (dc_phase){.name = "cluster",
                          .model = m,
                          .history = history,
                          .opt = &cfg->opt,
                          .advice = "lower cluster.lr",
                          .every = cfg->update_interval,
                          .from_start = true,
                          .ctx = l,
                          .before = cfg->method->anneal ? anneal : NULL,
                          .record = refresh};
    DC_TRY_ALL(comm, create_result(out, m, cfg->q_top));
    DC_TRY_ALL(comm, create(l));
    DC_TRY(keep_state(comm, l, continues));
out:
    return st;
}

dc_status dc_train_cluster(dc_comm *comm, dc_model *m, const dc_cluster_config *cfg, dc_history *history,
                           dc_cluster_result *out)
{
    dc_status st = DC_OK;
    bool continues = false;
    loop l = {.model = m, .phase.model = m};
    *out = (dc_cluster_result){.stop = DC_STOP_NONE};
    dc_params_reset(&m->params);
    DC_TRY(make(comm, &l, m, cfg, history, out, &continues));
    DC_TRY(start(comm, &l, continues));
    DC_TRY(run(comm, &l));
    if (cfg->final_kmeans && out->stop != DC_STOP_DIVERGED) DC_TRY(final_kmeans(comm, &l));
    if (l.env->final && out->stop != DC_STOP_DIVERGED) DC_TRY(final_mixture(comm, &l));
    look_for_failure(&l);
    DC_TRY_ALL(comm, register_results(&l));
    if (cfg->gives_q) DC_TRY_ALL(comm, dc_q_rows_create(&out->q, cfg->method, &l.env, &l.state, &l.embedder, m->data));
out:
    release(&l);
    return st;
}

/* ---- Needs ------------------------------------------------------------------------------------------------------- */

/* Measures the memory of the result alone. Local. */
static dc_status measure_result(const dc_model *m, int64_t q_top, double *bytes)
{
    dc_cluster_result result = {0};
    const size_t before = dc_mem_current_bytes();
    const dc_status st = create_result(&result, m, q_top);
    *bytes = (double)(dc_mem_current_bytes() - before);
    dc_cluster_result_release(&result);
    return st;
}

/* Adds what the method takes and keeps that finds the first clusters for this one. */
static void add_start(const dc_method_env *env, dc_kmeans_needs *needs)
{
    dc_method_env own = *env;
    const dc_method *start = env->start_by;
    own.keys = env->start_keys;
    own.kmeans_bytes = needs->bytes;
    needs->bytes = fmax(needs->bytes, start->start_bytes(&own));
    if (start->start_saved_bytes) needs->saved_bytes += start->start_saved_bytes(&own);
}

/* Of methods that start otherwise. */
static void replace_kmeans(loop *l, dc_kmeans_needs *needs)
{
    const dc_method *method = l->cfg->method;
    l->env->kmeans_bytes = needs->bytes;
    needs->bytes = method->start_bytes(l->env);
    needs->saved_bytes = method->start_saved_bytes ? needs->saved_bytes + method->start_saved_bytes(l->env) : 0;
}

dc_status dc_cluster_needs_of(dc_comm *comm, const dc_model *sketch, const dc_cluster_config *cfg,
                              dc_cluster_needs *out)
{
    dc_status st = DC_OK;
    dc_rehearsal r;
    dc_history history = {0};
    dc_cluster_result result = {0};
    bool continues;
    const dc_method_env *env = &cfg->env;
    loop l = {.model = &r.model, .phase.model = &r.model};
    DC_TRY(dc_rehearsal_begin(comm, &r, sketch));
    DC_TRY_ALL(comm, measure_result(&r.model, cfg->q_top, &out->result_bytes));
    DC_TRY(make(comm, &l, &r.model, cfg, &history, &result, &continues));
    if (cfg->gives_q) out->result_bytes += l.inference_bytes + dc_q_rows_bytes(env->part, env->K);
    dc_rehearsal_measure(&r, &l.phase, &out->phase);
    DC_TRY(dc_kmeans_needs_of(comm, env->part, env->L, dc_method_rows(l.env, NULL).csr, &env->kmeans, &out->kmeans));
    out->kmeans.bytes += sizeof(int32_t) * (double)dc_part_rows(env->part); /* labels that methods copy */
    out->refit_bytes = cfg->method->refit ? out->kmeans.bytes : 0;
    out->final_bytes = env->final ? out->kmeans.bytes + dc_final_bytes(env) : 0;
    out->final_saved_bytes = dc_final_saved_bytes(env);
    if (cfg->method->start_bytes) replace_kmeans(&l, &out->kmeans);
    if (l.env->start_by) add_start(l.env, &out->kmeans);
out:
    release(&l);
    dc_cluster_result_release(&result);
    dc_history_release(&history);
    dc_rehearsal_end(&r);
    return st;
}

void dc_cluster_result_release(dc_cluster_result *r)
{
    dc_results_release(&r->more);
    dc_mem_free(&r->Z);
    dc_mem_free(&r->labels);
    dc_mem_free(&r->confidence);
    dc_q_rows_destroy(&r->q);
    dc_q_top_release(&r->top);
}
