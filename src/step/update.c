/* The end of a step, after its gradients: clipping, the optimizer's update, and values that are set without a gradient.
 * Also keeps the optimizer's moments for checkpoints. */
#include <math.h>
#include <string.h>

#include "exec.h"

/* Writes the tensors and table entries that a step sets without a gradient. */
static void move_and_put(const dc_step *s)
{
    const dc_graph *g = s->plan.graph;
    for (int m = 0; m < g->n_moves; m++)
        memcpy(s->cfg.params->value + g->move[m].tensor.at, s->ones + s->plan.node[g->move[m].node].value,
               dc_tensor_floats(&g->move[m].tensor) * sizeof *s->ones);
    for (int p = 0; p < g->n_puts; p++) {
        const dc_table *table = g->put[p].table;
        const float *value = dc_step_buffer(s, s->plan.node[g->put[p].node].value);
        for (int l = 0; l < s->places.n_leaves; l++) {
            const dc_leaf *leaf = &s->places.leaf[l];
            for (int64_t r = 0; r < leaf->n; r++)
                memcpy(table->rows + leaf->rows[r] * table->width, value + (leaf->at + r) * table->width,
                       (size_t)table->width * sizeof *value);
        }
    }
}

/* The factor by which clip_norm scales this step's gradient; it follows from the norm of the whole gradient. 1: no
 * scaling. */
static double clip_factor(dc_comm *comm, const dc_step *s, const dc_opt_config *opt)
{
    if (opt->clip_norm == 0) return 1;
    double squares = dc_outer_squares(comm, s->outer);
    for (int i = 0; i < s->plan.n_summed; i++) {
        const dc_tensor *tensor = &s->plan.summed[i].tensor;
        squares += dc_squares(s->cfg.params->grad + tensor->at, dc_tensor_floats(tensor));
    }
    return dc_opt_clip(opt, sqrt(squares));
}

/* Updates floats [lo, hi) of the slab, which belong to one tensor. */
static void update_tensor(const dc_step *s, const dc_opt_config *opt, size_t lo, size_t hi, double clip, int64_t t,
                          int64_t total)
{
    if (clip != 1) dc_opt_scale(s->cfg.params, lo, hi, clip);
    dc_opt_step(opt, s->cfg.params, lo, hi, t, total);
}

/* Updates the layer weights and biases (the products) that this rank owns. The other trained tensors are small: every
 * rank updates them. */
static void update_tensors(const dc_step *s, const dc_opt_config *opt, double clip, int64_t t, int64_t total)
{
    for (int i = 0; i < s->plan.n_products; i++) {
        const dc_opt_config own = dc_opt_of(opt, s->plan.product[i].tensor.name, true);
        size_t lo, hi;
        dc_outer_owned(s->outer, i, &lo, &hi);
        update_tensor(s, &own, lo, hi, clip, t, total);
    }
    for (int i = 0; i < s->plan.n_summed; i++) {
        const dc_tensor *tensor = &s->plan.summed[i].tensor;
        const dc_opt_config own = dc_opt_of(opt, tensor->name, false);
        update_tensor(s, &own, tensor->at, tensor->at + dc_tensor_floats(tensor), clip, t, total);
    }
}

void dc_step_update(dc_comm *comm, dc_step *s, const dc_opt_config *opt, int64_t t, int64_t total)
{
    const double start = dc_timer_start();
    const double clip = clip_factor(comm, s, opt);
    double talk = opt->clip_norm == 0 ? 0 : dc_timer_start() - start;
    update_tensors(s, opt, clip, t, total);
    const double updated = dc_timer_start();
    dc_outer_share(comm, s->outer, s->cfg.params->value);
    talk += dc_timer_start() - updated;
    move_and_put(s);
    dc_timer_stop(s->cfg.timers, dc_step_section(s, 3), start, 0, 0);
    dc_timer_move(s->cfg.timers, dc_step_section(s, 3), dc_step_section(s, 2), talk);
}

/* Copies slab values [first, first + n), but only those that every rank updates. For each value i: to[i - to_first] =
 * from[i - from_first]. */
static void copy_summed(const dc_step *s, size_t first, size_t n, const float *from, size_t from_first, float *to,
                        size_t to_first)
{
    for (int i = 0; i < s->plan.n_summed; i++) {
        const dc_tensor *tensor = &s->plan.summed[i].tensor;
        const size_t lo = DC_MAX(first, tensor->at), hi = DC_MIN(first + n, tensor->at + dc_tensor_floats(tensor));
        if (lo < hi) memcpy(to + (lo - to_first), from + (lo - from_first), (hi - lo) * sizeof *to);
    }
}

/* Gathers the moments of the whole slab on rank 0, so that any number of ranks can read them. Values that are not
 * trained have moments 0. */
static void gather_moments(dc_comm *comm, const void *step, const float *own, size_t first, size_t n, float *piece)
{
    const dc_step *s = step;
    if (piece) {
        memset(piece, 0, n * sizeof *piece);
        copy_summed(s, first, n, own, 0, piece, first);
    }
    dc_outer_collect(comm, s->outer, own, first, n, piece);
}

static void take_moments(const void *step, const float *piece, size_t first, size_t n, float *own)
{
    const dc_step *s = step;
    dc_outer_take(s->outer, piece, first, n, own);
    copy_summed(s, first, n, piece, first, own, 0);
}

static dc_status keep_moments(dc_comm *comm, dc_step *s, int number, int which, float *own)
{
    char name[DC_STATE_NAME_MAX];
    const dc_state_shares shares = {.gather = gather_moments, .take = take_moments, .ctx = s};
    if (number == 0)
        snprintf(name, sizeof name, "moment%d", which);
    else
        snprintf(name, sizeof name, "step%d/moment%d", number, which);
    return dc_state_keep_shares(comm, s->cfg.state, name, s->cfg.params->n, own, &shares);
}

dc_status dc_step_keep_moments(dc_comm *comm, dc_step *s, int number, const dc_opt_config *opt)
{
    dc_status st = DC_OK;
    const dc_params *p = s->cfg.params;
    if (s->plan.n_products + s->plan.n_summed == 0) return DC_OK;
    DC_TRY(keep_moments(comm, s, number, 1, p->m1));
    if (dc_opt_moments(opt) == 2) DC_TRY(keep_moments(comm, s, number, 2, p->m2));
out:
    return st;
}
