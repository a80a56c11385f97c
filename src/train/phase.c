#include "phase.h"

#include <math.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/log.h"

/* Index of this loss in p->term; -1: it is not there, because it is the clustering or reconstruction loss, or because
 * there are too many. */
static int term_of(const dc_phase *p, const char *name)
{
    for (int i = 0; i < p->n_terms; i++)
        if (strcmp(p->term[i], name) == 0) return i;
    return -1;
}

static void list_terms(dc_phase *p, const dc_graph *g)
{
    for (int i = 0; i < g->n_losses; i++) {
        const char *name = g->loss[i].name;
        p->reconstructs |= strcmp(name, "reconstruction") == 0;
        if (strcmp(name, "clustering") == 0 || strcmp(name, "reconstruction") == 0 || term_of(p, name) >= 0) continue;
        if (p->n_terms < DC_PHASE_TERMS) p->term[p->n_terms++] = name;
    }
}

dc_status dc_phase_create(dc_phase *p, int n, void (*record)(dc_graph *g, const void *ctx, int i), const void *ctx,
                          const dc_row_source *source, int64_t batch, dc_section gather)
{
    dc_status st = DC_OK;
    DC_ASSERT(n <= DC_PHASE_STEPS);
    p->n_steps = n;
    for (int i = 0; i < n; i++) {
        DC_TRY(dc_graph_create(&p->graph[i]));
        record(p->graph[i], ctx, i);
        DC_TRY(dc_graph_finish(p->graph[i]));
        list_terms(p, p->graph[i]);
        dc_step_config step = dc_model_step(p->model, p->graph[i], source, batch, gather);
        if (i > 0) DC_TRY(dc_params_share(&p->params[i], &p->model->params));
        if (i > 0) step.params = &p->params[i];
        DC_TRY(dc_step_create(&p->step[i], &step));
    }
out:
    return st;
}

double dc_phase_term(const dc_phase *p, int i)
{
    return p->last.term_rows[i] > 0 ? p->last.term[i] / p->last.term_rows[i] : 0;
}

void dc_phase_release(dc_phase *p)
{
    dc_state_drop(p->model->state, &p->at);
    dc_state_drop(p->model->state, &p->last);
    for (int i = 0; i < DC_PHASE_STEPS; i++) {
        dc_step_destroy(&p->step[i]);
        dc_graph_destroy(&p->graph[i]);
        dc_params_release(&p->params[i]);
    }
}

int64_t dc_phase_epoch(const dc_phase *p)
{
    return dc_step_batcher(p->step[0])->steps_per_epoch;
}

int64_t dc_phase_cycle(const dc_phase *p, int step)
{
    return DC_MAX(p->turn[step].every, (int64_t)1);
}

const dc_opt_config *dc_phase_opt(const dc_phase *p, int step)
{
    return p->turn[step].every > 0 ? &p->turn[step].opt : p->opt;
}

/* ---- State ------------------------------------------------------------------------------------------------------ */

/* Step of the latest record that is due at or before `step`, in a phase of `total` steps; -1: none. */
static int64_t due_at(const dc_phase *p, int64_t step, int64_t total)
{
    const int64_t at = step >= total ? total : step - step % p->every;
    return at == 0 && !p->from_start ? -1 : at;
}

/* Number of records up to and including the one at step `at`. */
static size_t records(const dc_phase *p, int64_t at, int64_t total)
{
    if (at < 0) return 0;
    return (size_t)(at / p->every + p->from_start + (at == total && at % p->every != 0));
}

/* Whether a run can be in this state. The last record must be the latest one due by now. If that one is due at this
 * very step, it may not have been made yet; then the last record is the one before it. */
static bool is_possible(const dc_phase *p)
{
    const int64_t step = p->history->step, total = p->total_before;
    if (step < 0 || step > total) return false;
    return p->at == due_at(p, step, total) || p->at == (step > 0 ? due_at(p, step - 1, total) : -1);
}

static dc_status check(const dc_phase *p)
{
    const dc_status st = dc_history_check(p->history, records(p, p->at, p->total_before), p->total_before);
    if (st != DC_OK || is_possible(p)) return st;
    return DC_FAIL(DC_ERR_FORMAT,
                   "the checkpoint's state of '%s' fits no state of this run: step %lld, last record at %lld", p->name,
                   (long long)p->history->step, (long long)p->at);
}

static dc_status keep(dc_comm *comm, dc_phase *p, const char *what, dc_state_type type, size_t n, void *data)
{
    char name[DC_STATE_NAME_MAX];
    snprintf(name, sizeof name, "%s/%s", p->name, what);
    return dc_state_keep(comm, p->model->state, name, type, n, data, NULL);
}

dc_status dc_phase_keep(dc_comm *comm, dc_phase *p, int n_columns, const char *const *columns)
{
    dc_status st = DC_OK;
    dc_history *h = p->history;
    p->at = -1;
    dc_history_init(h, p->name, n_columns, columns);
    h->total = p->total_before;
    DC_TRY(dc_history_keep(comm, h, p->model->state));
    for (int i = 0; i < p->n_steps; i++) DC_TRY(dc_step_keep_moments(comm, p->step[i], i, dc_phase_opt(p, i)));
    DC_TRY(keep(comm, p, "at", DC_STATE_I64, 1, &p->at));
    DC_TRY(keep(comm, p, "sum", DC_STATE_F64, sizeof p->last / sizeof(double), &p->last));
    DC_TRY_ALL(comm, check(p));
    h->total = p->total;
out:
    return st;
}

/* ---- Loop ------------------------------------------------------------------------------------------------------- */

static bool record_is_due(const dc_phase *p)
{
    const int64_t step = p->history->step;
    return step != p->at && due_at(p, step, p->total) == step;
}

/* Whether a record would be due only because the phase ends here. A longer run would not make it, so the last
 * checkpoint of the phase is written before that record. */
static bool is_extra(const dc_phase *p)
{
    return p->history->step == p->total && p->total % p->every != 0;
}

static double share_done(const dc_phase *p)
{
    return (double)p->history->step / (double)DC_MAX(p->total, (int64_t)1);
}

static dc_status make_record(dc_comm *comm, dc_phase *p)
{
    dc_status st = DC_OK;
    double row[DC_HISTORY_COLUMNS_MAX];
    const bool first = p->at < 0;
    DC_TRY(dc_model_check_replicas(comm, p->model));
    DC_TRY(p->record(comm, p, row));
    DC_TRY(dc_history_add(comm, p->history, row));
    p->at = p->history->step;
    p->last = (dc_phase_figures){.loss = p->last.loss, .recon = p->last.recon};
    p->moved = true;
    dc_progress_record(p->model->progress, p->history, p->stop == DC_STOP_ASSIGNED ? NAN : share_done(p),
                       p->stop != DC_STOP_NONE || p->history->step >= p->total || (first && p->from_start));
out:
    return st;
}

static void add_term(dc_phase *p, int i, double loss, double rows)
{
    if (i < 0) return;
    p->last.term[i] += loss * rows;
    p->last.term_rows[i] += rows;
}

/* If it is the turn of step `which`, runs it on its batch. If its loss is not finite, updates nothing. */
static void take_part(dc_comm *comm, dc_phase *p, int which)
{
    double loss[DC_GRAPH_LOSSES], sum = 0;
    const int64_t step = p->history->step, every = dc_phase_cycle(p, which);
    if ((step + 1) % every != 0) return;
    const int64_t B = dc_step_run(comm, p->step[which], step, loss);
    const dc_graph *g = p->graph[which];
    for (int i = 0; i < g->n_losses; i++) {
        sum += loss[i];
        add_term(p, term_of(p, g->loss[i].name), loss[i], (double)B);
        if (strcmp(g->loss[i].name, "reconstruction") == 0) p->last.recon += loss[i];
    }
    p->last.loss += sum;
    p->last.sum += sum * (double)B;
    if (which == 0) p->last.rows += (double)B;
    dc_progress_count(p->model->progress, which == 0 ? (double)B : 0, (double)B * dc_step_flops(p->step[which]));
    if (isfinite(sum)) dc_step_update(comm, p->step[which], dc_phase_opt(p, which), step / every, p->total / every);
}

static void warn_of_divergence(const dc_phase *p)
{
    char advice[DC_DATA_ADVICE_MAX];
    dc_log_warning("%s diverged at step %lld of %lld: loss %g; %s", p->name, (long long)p->history->step,
                   (long long)p->total, p->last.loss, dc_dataset_advice(p->model->data, p->advice, advice));
}

static dc_status take_step(dc_comm *comm, dc_phase *p)
{
    dc_status st = DC_OK;
    dc_model *m = p->model;
    p->last.loss = p->last.recon = 0;
    if (p->before) p->before(p->ctx, p->history->step);
    for (int i = 0; i < p->n_steps && isfinite(p->last.loss); i++) take_part(comm, p, i);
    if (!isfinite(p->last.loss)) {
        warn_of_divergence(p);
        p->stop = DC_STOP_DIVERGED;
        return p->records_divergence ? make_record(comm, p) : DC_OK;
    }
    dc_state_at(m->state, p->name, ++p->history->step);
    p->moved = true;
    if (m->hash_steps > 0 && p->history->step % m->hash_steps == 0) DC_TRY(dc_model_check_replicas(comm, m));
    DC_TRY(dc_state_act(comm, m->state));
out:
    return st;
}

dc_status dc_phase_run(dc_comm *comm, dc_phase *p)
{
    dc_status st = DC_OK;
    dc_progress_phase(p->model->progress, share_done(p));
    while (p->stop == DC_STOP_NONE) {
        const bool due = record_is_due(p);
        if (!due && p->history->step >= p->total) break;
        if (due && is_extra(p) && p->moved) DC_TRY(dc_state_end_phase(comm, p->model->state));
        DC_TRY(due ? make_record(comm, p) : take_step(comm, p));
    }
    if (p->stop != DC_STOP_DIVERGED && !is_extra(p) && p->moved) DC_TRY(dc_state_end_phase(comm, p->model->state));
out:
    return st;
}
