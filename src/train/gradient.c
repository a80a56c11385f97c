/* One gradient step over all ranks: the row plan, the passes, and what the ways share. See gradient.h. */
#include <math.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/fault.h"
#include "gradient_impl.h"

static int64_t round_up(int64_t n, int64_t to)
{
    return (n + to - 1) / to * to;
}

static bool strict(const dc_gradient *g)
{
    return g->way != DC_WAY_OFF;
}

int dc_gradient_max_leaves(const dc_gradient *g)
{
    const dc_part *part = g->batcher.part;
    return strict(g) ? part->shard_hi - part->shard_lo : 1;
}

int64_t dc_gradient_max_rows(const dc_gradient *g)
{
    return g->work.n_max;
}

/* ---- Create ----------------------------------------------------------------------------------------------------- */

/* Rows that the activation buffers must hold. */
static int64_t buffer_rows(const dc_gradient *g)
{
    const dc_part *part = g->batcher.part;
    if (g->way == DC_WAY_OFF) return g->batcher.capacity;
    const int64_t rows = g->way == DC_WAY_TREE ? (part->shard_hi - part->shard_lo) * g->leaf_rows : g->batcher.capacity;
    return round_up(DC_ROW_TILE - 1 + rows, DC_ROW_TILE);
}

/* Deltas of all layers, or, without strict, the one between decoder and encoder. */
static dc_status take_deltas(dc_gradient *g, int64_t n_max)
{
    const dc_net *net = g->cfg.net;
    size_t total = 0;
    for (int l = 0; l < g->cfg.last; l++)
        if (strict(g) || l == net->n_encoder - 1) total += dc_mul_size((size_t)n_max, (size_t)net->layer[l].out);
    const dc_status st = dc_mem_alloc(&g->delta_slab, total, sizeof *g->delta_slab, "deltas");
    if (st != DC_OK) return st;
    float *next = g->delta_slab;
    for (int l = 0; l < g->cfg.last; l++) {
        if (!strict(g) && l != net->n_encoder - 1) continue;
        g->delta[l] = next;
        next += n_max * net->layer[l].out;
    }
    return DC_OK;
}

static dc_status take_buffers(dc_gradient *g)
{
    dc_status st = DC_OK;
    const int64_t n_max = buffer_rows(g);
    DC_TRY(dc_mem_alloc(&g->rows, (size_t)g->batcher.capacity, sizeof *g->rows, "batch rows"));
    DC_TRY(dc_mem_alloc(&g->plan.leaf, (size_t)dc_gradient_max_leaves(g), sizeof *g->plan.leaf, "leaves of a batch"));
    DC_TRY(dc_net_work_create(&g->work, g->cfg.net, 0, g->cfg.last, n_max, !strict(g)));
    DC_TRY(take_deltas(g, n_max));
    if (strict(g))
        DC_TRY(dc_mem_alloc(&g->transposed, dc_net_transposed_floats(g->cfg.net, g->cfg.last), sizeof *g->transposed,
                            "transposed weights"));
    if (g->cfg.noisy_layer > 0)
        DC_TRY(dc_mem_alloc(&g->noisy, dc_mul_size((size_t)n_max, (size_t)g->cfg.net->layer[g->cfg.noisy_layer].in),
                            sizeof *g->noisy, "noisy activations"));
out:
    return st;
}

/* Losses and the extra gradient are summed over shards: a partition with one row per shard. */
static dc_status take_sum(dc_gradient *g)
{
    dc_status st = DC_OK;
    const dc_part *part = g->batcher.part;
    const size_t m = (size_t)g->cfg.n_losses + g->cfg.params->n_extra + 1; /* behind them the wishes, see wish.h */
    DC_TRY(dc_part_init(&g->leaf_part, part->V, part->V, part->P, part->rank));
    DC_TRY(dc_sum_create(&g->sum, &g->leaf_part, m));
    DC_TRY(dc_mem_alloc(&g->vector, m, sizeof *g->vector, "losses"));
out:
    return st;
}

static dc_way choose_way(const dc_gradient_config *cfg, int64_t B)
{
    if (!cfg->model->strict) return DC_WAY_OFF;
    return B <= cfg->model->gather_rows ? DC_WAY_GATHER : DC_WAY_TREE;
}

dc_status dc_gradient_create(dc_gradient **out, const dc_gradient_config *cfg)
{
    dc_status st = DC_OK;
    dc_gradient *g = NULL;
    const dc_part *part = &cfg->model->data->part;
    DC_ASSERT(cfg->n_losses < DC_GRAD_TAIL);
    DC_TRY(dc_mem_alloc(&g, 1, sizeof *g, "gradient"));
    g->cfg = *cfg;
    DC_TRY(dc_batcher_init(&g->batcher, part, cfg->model->seed, cfg->B));
    g->way = choose_way(cfg, g->batcher.B);
    g->leaf_rows = (g->batcher.B - 1) / part->V + 1;
    DC_TRY(take_buffers(g));
    if (strict(g)) {
        DC_TRY(take_sum(g));
        DC_TRY(dc_owners_init(&g->owners, cfg->net, cfg->last, part->P, part->rank));
    }
    if (g->way == DC_WAY_GATHER) DC_TRY(dc_gather_create(g));
    if (g->way == DC_WAY_TREE) DC_TRY(dc_tree_way_create(g));
out:
    if (st != DC_OK) dc_gradient_destroy(&g);
    *out = g;
    return st;
}

void dc_gradient_destroy(dc_gradient **gradient)
{
    dc_gradient *g = *gradient;
    if (!g) return;
    dc_gradient_drop_moments(g);
    dc_gather_release(g);
    dc_tree_way_release(g);
    dc_owners_release(&g->owners);
    dc_sum_destroy(&g->sum);
    dc_mem_free(&g->vector);
    dc_mem_free(&g->noisy);
    dc_mem_free(&g->delta_slab);
    dc_mem_free(&g->transposed);
    dc_net_work_release(&g->work);
    dc_mem_free(&g->plan.leaf);
    dc_mem_free(&g->rows);
    dc_mem_free(gradient);
}

/* ---- Plan ------------------------------------------------------------------------------------------------------- */

/* Leaves of a strict step: the shards that have rows in it. Their places in the buffers keep every row at the same
 * place of its tile whatever the ranks are: gather numbers the rows of the batch, tree gives each shard leaf_rows
 * places. */
static void plan_leaves(dc_gradient *g, int64_t offset)
{
    const dc_part *part = g->batcher.part;
    const bool tree = g->way == DC_WAY_TREE;
    g->pad = (tree ? part->shard_lo * g->leaf_rows : offset) % DC_ROW_TILE;
    int64_t at = g->pad;
    const int64_t *rows = g->rows;
    g->plan.n_leaves = 0;
    for (int s = part->shard_lo; s < part->shard_hi; s++) {
        const int64_t n = dc_batcher_shard_rows(&g->batcher, g->plan.step, s);
        if (n) g->plan.leaf[g->plan.n_leaves++] = (dc_leaf){.rows = rows, .n = n, .at = at, .shard = s};
        rows += n;
        at += tree ? g->leaf_rows : n;
    }
    g->used = round_up(at, DC_ROW_TILE);
}

const dc_plan *dc_gradient_plan(dc_gradient *g, int64_t step)
{
    int64_t offset;
    g->plan.step = step;
    g->wish = dc_state_ask(g->cfg.model->state);
    dc_batcher_step(&g->batcher, step, g->rows, &g->plan.n, &g->plan.n_global, &offset);
    if (strict(g)) {
        plan_leaves(g, offset);
        dc_sum_reset(g->sum);
        g->next_shard = g->leaf_part.shard_lo;
    } else {
        g->plan.leaf[0] = (dc_leaf){.rows = g->rows, .n = g->plan.n};
        g->plan.n_leaves = 1;
        g->used = g->plan.n;
    }
    return &g->plan;
}

const dc_batcher *dc_gradient_batcher(const dc_gradient *g)
{
    return &g->batcher;
}

/* ---- Passes ----------------------------------------------------------------------------------------------------- */

float *dc_gradient_act(const dc_gradient *g, int l)
{
    return g->work.act[l];
}

float *dc_gradient_noisy(const dc_gradient *g)
{
    return g->noisy;
}

float *dc_gradient_delta(const dc_gradient *g, int l)
{
    return !strict(g) && l == g->cfg.last - 1 ? g->work.delta[0] : g->delta[l];
}

/* While layers from the noisy one on run, its input is the noisy copy. */
static void swap_noisy(dc_gradient *g, int first)
{
    if (!g->noisy || first != g->cfg.noisy_layer) return;
    float *kept = g->work.act[first];
    g->work.act[first] = g->noisy;
    g->noisy = kept;
}

void dc_gradient_forward(dc_gradient *g, int first, int last)
{
    swap_noisy(g, first);
    if (strict(g))
        dc_net_forward_tiled(g->cfg.net, g->cfg.params->value, &g->work, first, last, g->used);
    else
        dc_net_forward(g->cfg.net, g->cfg.params->value, &g->work, first, last, g->used);
    swap_noisy(g, first);
}

void dc_gradient_clear_delta(dc_gradient *g, int l)
{
    if (g->way == DC_WAY_TREE)
        memset(g->delta[l], 0, (size_t)(g->used * g->cfg.net->layer[l].out) * sizeof *g->delta[l]);
}

void dc_gradient_backward(dc_gradient *g, int first, int last)
{
    const dc_params *p = g->cfg.params;
    float *dx = first > 0 ? g->delta[first - 1] : NULL;
    swap_noisy(g, first);
    if (strict(g))
        dc_net_backward_tiled(g->cfg.net, p->value, &g->work, first, last, g->used, g->delta, dx, g->transposed);
    else
        dc_net_backward(g->cfg.net, p->value, p->grad, &g->work, first, last, g->used, dc_gradient_delta(g, last - 1),
                        dx);
    swap_noisy(g, first);
}

/* ---- Sums and update -------------------------------------------------------------------------------------------- */

/* The place of the wishes in the sums that a step makes anyhow. */
static size_t wish_at(const dc_gradient *g)
{
    return (size_t)g->cfg.n_losses + g->cfg.params->n_extra;
}

/* Pushes g->vector for the next shard. The first one of a step carries this rank's wish; each rank has a shard. */
static void push(dc_gradient *g)
{
    g->vector[wish_at(g)] = g->wish;
    g->wish = 0;
    dc_sum_push(g->sum, g->next_shard++, g->vector);
}

/* Zeros for the shards before `shard` that have no rows in this step. */
static void push_empty(dc_gradient *g, int shard)
{
    memset(g->vector, 0, wish_at(g) * sizeof *g->vector);
    while (g->next_shard < shard) push(g);
}

void dc_gradient_leaf(dc_gradient *g, int i, const double *losses, const float *dextra)
{
    const dc_params *p = g->cfg.params;
    const int n_losses = g->cfg.n_losses;
    static const double not_finite[DC_GRAD_TAIL] = {NAN};
    if (dc_fault(DC_FAULT_STEP_NAN)) losses = not_finite;
    if (!strict(g)) {
        for (int k = 0; k < n_losses; k++) p->grad[p->n + (size_t)k] = (float)losses[k];
        if (p->n_extra) memcpy(p->grad + p->n - p->n_extra, dextra, p->n_extra * sizeof *dextra);
        return;
    }
    push_empty(g, g->plan.leaf[i].shard);
    for (int k = 0; k < n_losses; k++) g->vector[k] = losses[k];
    for (size_t k = 0; k < p->n_extra; k++) g->vector[(size_t)n_losses + k] = (double)dextra[k];
    push(g);
}

/* First float of the slab that is trained. */
static size_t trained_lo(const dc_gradient *g)
{
    return g->cfg.last == g->cfg.net->n_layers ? 0 : g->cfg.net->n_decoder;
}

static void sync_free(dc_comm *comm, dc_gradient *g, double *loss)
{
    const dc_params *p = g->cfg.params;
    const size_t lo = trained_lo(g), n_losses = (size_t)g->cfg.n_losses;
    p->grad[p->n + n_losses] = (float)g->wish;
    dc_comm_sum_f32(comm, p->grad + lo, p->n - lo + n_losses + 1);
    for (size_t k = 0; k < n_losses; k++) loss[k] = (double)p->grad[p->n + k];
    dc_state_hear(g->cfg.model->state, (double)p->grad[p->n + n_losses]);
}

static void sync_sums(dc_comm *comm, dc_gradient *g, double *loss)
{
    const dc_params *p = g->cfg.params;
    push_empty(g, g->leaf_part.shard_hi);
    dc_sum_total(comm, g->sum, g->vector);
    memcpy(loss, g->vector, (size_t)g->cfg.n_losses * sizeof *loss);
    dc_state_hear(g->cfg.model->state, g->vector[wish_at(g)]);
    for (size_t k = 0; k < p->n_extra; k++)
        p->grad[p->n - p->n_extra + k] = (float)g->vector[(size_t)g->cfg.n_losses + k];
}

double dc_gradient_product_s(const dc_gradient *g)
{
    return g->product_s;
}

void dc_gradient_sync(dc_comm *comm, dc_gradient *g, double *loss)
{
    g->product_s = 0;
    if (!strict(g)) {
        sync_free(comm, g, loss);
        return;
    }
    sync_sums(comm, g, loss);
    if (g->way == DC_WAY_GATHER)
        dc_gather_sync(comm, g);
    else
        dc_tree_way_sync(comm, g);
}

/* Each rank updates what it owns; extra parameters are small and updated by all. */
static void update_slices(dc_comm *comm, dc_gradient *g, const dc_opt_config *opt, int64_t t, int64_t total)
{
    dc_params *p = g->cfg.params;
    const int rank = g->owners.rank;
    for (int l = 0; l < g->cfg.last; l++)
        dc_opt_step(opt, p, dc_owned_lo(g, l, rank), dc_owned_lo(g, l, rank + 1), t, total);
    dc_opt_step(opt, p, p->n - p->n_extra, p->n, t, total);
    const double start = dc_clock_now_s();
    for (int l = 0; g->owners.P > 1 && l < g->cfg.last; l++) {
        for (int r = 0; r < g->owners.P; r++)
            g->recv_bytes[r] = (dc_owned_lo(g, l, r + 1) - dc_owned_lo(g, l, r)) * sizeof *p->value;
        dc_comm_allgatherv(comm, p->value + dc_owned_lo(g, l, rank), p->value + g->cfg.net->layer[l].weight,
                           g->recv_bytes);
    }
    g->message_s = dc_clock_now_s() - start;
}

double dc_gradient_message_s(const dc_gradient *g)
{
    return g->message_s;
}

void dc_gradient_update(dc_comm *comm, dc_gradient *g, const dc_opt_config *opt, int64_t t, int64_t total)
{
    if (strict(g))
        update_slices(comm, g, opt, t, total);
    else
        dc_opt_step(opt, g->cfg.params, trained_lo(g), g->cfg.params->n, t, total);
}
