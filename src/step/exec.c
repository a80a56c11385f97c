/* One step: gather the rows, run the operations in recorded order, form the gradients in the reverse order, sum over
 * rows and ranks, update. Operations for all rows bring their own threads; those between them form a segment, which
 * runs tile by tile, so that a chain of small operations stays in the cache. */
#include "exec.h"

#include <string.h>

#include "dcmpi/mem.h"

static const dc_node *node_at(const dc_step *s, int i)
{
    return &s->plan.graph->node[i];
}

/* ---- Create ----------------------------------------------------------------------------------------------------- */

static void list_products(const dc_step *s)
{
    int n = 0;
    for (int i = 0; i < s->plan.graph->n_nodes; i++) {
        const dc_node *x = node_at(s, i);
        if (!s->plan.node[i].differentiated || !x->op->product || !s->plan.node[x->in[1]].differentiated) continue;
        const dc_tensor *weight = &node_at(s, x->in[1])->tensor;
        s->item[n++] = (dc_outer_item){.A = dc_step_buffer(s, s->plan.node[x->in[0]].value),
                                       .D = dc_step_buffer(s, s->plan.node[i].grad),
                                       .a = weight->n,
                                       .d = weight->width,
                                       .at = weight->at,
                                       .bias = true};
    }
}

static dc_status take_buffers(dc_step *s)
{
    dc_status st = DC_OK;
    const dc_part *part = s->cfg.part;
    const size_t rows = (size_t)s->places.max_rows, capacity = (size_t)s->batcher.capacity;
    const size_t max_tiles = capacity / DC_ROW_TILE + (size_t)s->places.max_leaves;
    s->n_threads = dc_step_threads();
    DC_TRY(dc_mem_alloc(&s->rows, capacity, sizeof *s->rows, "batch rows"));
    DC_TRY(dc_mem_alloc(&s->shard_rows, (size_t)(part->shard_hi - part->shard_lo), sizeof *s->shard_rows, "shards"));
    DC_TRY(dc_mem_alloc(&s->offset, (size_t)part->P + 1, sizeof *s->offset, "rank table"));
    DC_TRY(dc_mem_alloc(&s->tile, max_tiles, sizeof *s->tile, "tiles of a batch"));
    DC_TRY(dc_mem_alloc_pages(&s->slab, rows, dc_mul_size(s->plan.row_floats, sizeof *s->slab), "activations"));
    DC_TRY(dc_mem_alloc(&s->scratch, s->plan.scratch, sizeof *s->scratch, "transposed weights"));
    DC_TRY(
        dc_mem_alloc(&s->spill, rows, dc_mul_size((size_t)s->plan.spill, sizeof *s->spill), "gradients to be added"));
    DC_TRY(dc_mem_alloc(&s->leaf, (size_t)s->n_threads, s->plan.n_sums * sizeof *s->leaf, "sums of leaves"));
    DC_TRY(dc_mem_alloc(&s->total, s->plan.n_sums, sizeof *s->total, "sums"));
    DC_TRY(dc_mem_alloc(&s->item, (size_t)s->plan.n_products, sizeof *s->item, "products"));
out:
    return st;
}

dc_status dc_step_create(dc_step **out, const dc_step_config *cfg)
{
    dc_status st = DC_OK;
    dc_step *s = NULL;
    DC_TRY(dc_mem_alloc(&s, 1, sizeof *s, "step"));
    s->cfg = *cfg;
    dc_plan_training(cfg->graph, &s->plan);
    DC_TRY(dc_batcher_init(&s->batcher, cfg->part, cfg->seed, cfg->B));
    const dc_outer_way way = dc_outer_choose(cfg->strict, cfg->gather_rows, s->batcher.B);
    DC_TRY(dc_places_init(&s->places, cfg->part, way, s->batcher.B, s->batcher.capacity));
    DC_TRY(take_buffers(s));
    list_products(s);
    const dc_outer_config outer = {.places = &s->places,
                                   .item = s->item,
                                   .n_items = s->plan.n_products,
                                   .n_values = s->plan.n_sums,
                                   .grad = cfg->params->grad};
    DC_TRY(dc_outer_create(&s->outer, &outer));
out:
    if (st != DC_OK) dc_step_destroy(&s);
    *out = s;
    return st;
}

void dc_step_destroy(dc_step **step)
{
    dc_step *s = *step;
    if (!s) return;
    dc_state_drop(s->cfg.state, s->cfg.params->m1);
    dc_state_drop(s->cfg.state, s->cfg.params->m2);
    dc_outer_destroy(&s->outer);
    dc_places_release(&s->places);
    dc_mem_free(&s->rows);
    dc_mem_free(&s->shard_rows);
    dc_mem_free(&s->offset);
    dc_mem_free(&s->tile);
    dc_mem_free(&s->slab);
    dc_mem_free(&s->scratch);
    dc_mem_free(&s->spill);
    dc_mem_free(&s->leaf);
    dc_mem_free(&s->total);
    dc_mem_free(&s->item);
    dc_mem_free(step);
}

const dc_batcher *dc_step_batcher(const dc_step *s)
{
    return &s->batcher;
}

const dc_plan *dc_step_plan(const dc_step *s)
{
    return &s->plan;
}

/* ---- Rows ------------------------------------------------------------------------------------------------------- */

static void cut_tiles(dc_step *s)
{
    s->n_tiles = 0;
    for (int l = 0; l < s->places.n_leaves; l++)
        for (int64_t lo = 0, n = s->places.leaf[l].n; lo < n; lo += DC_ROW_TILE)
            s->tile[s->n_tiles++] = (dc_step_tile){l, lo, DC_MIN((int64_t)DC_ROW_TILE, n - lo)};
}

static void choose_rows(dc_step *s, int64_t step)
{
    const dc_part *part = s->cfg.part;
    int64_t n, n_global;
    dc_batcher_step(&s->batcher, step, s->rows, &n, &n_global, NULL);
    for (int r = 0; r <= part->P; r++) s->offset[r] = dc_batcher_offset(&s->batcher, step, r);
    for (int i = part->shard_lo; i < part->shard_hi; i++)
        s->shard_rows[i - part->shard_lo] = dc_batcher_shard_rows(&s->batcher, step, i);
    dc_places_set(&s->places, step, s->rows, s->shard_rows, s->offset);
    cut_tiles(s);
}

static void gather_rows(dc_step *s)
{
    if (s->plan.batch < 0) return;
    float *x = dc_step_buffer(s, s->plan.node[s->plan.batch].value);
    const int64_t width = node_at(s, s->plan.batch)->shape.width;
    for (int l = 0; l < s->places.n_leaves; l++) {
        const dc_leaf *leaf = &s->places.leaf[l];
        s->cfg.source.gather(s->cfg.source.from, leaf->rows, leaf->n, x + leaf->at * width);
    }
}

/* ---- Passes ----------------------------------------------------------------------------------------------------- */

static bool is_whole(const dc_step *s, int i)
{
    return node_at(s, i)->op->forward_all != NULL;
}

static void forward(const dc_step *s)
{
    for (int i = 0, last; i < s->plan.graph->n_nodes; i = last) {
        last = i + 1;
        if (is_whole(s, i)) {
            const dc_call call = dc_step_call(s, i, 0, NULL);
            if (s->plan.node[i].live) call.node->op->forward_all(&call, s->places.used);
            continue;
        }
        while (last < s->plan.graph->n_nodes && !is_whole(s, last)) last++;
        dc_step_forward_tiles(s, i, last);
    }
}

static bool is_repeated(const dc_graph *g, int loss)
{
    for (int k = 0; k < loss; k++)
        if (g->loss[k].node == g->loss[loss].node) return true;
    return false;
}

/* The gradients that minimising gives the rows of the losses: first of all, what is computed from a loss adds its own.
 */
static void start_gradients(const dc_step *s)
{
    const dc_graph *g = s->plan.graph;
    for (int k = 0; k < g->n_losses; k++) {
        const dc_node_plan *node = &s->plan.node[g->loss[k].node];
        const float share = (float)(g->loss[k].weight / (double)s->places.n_global);
        const bool adds = is_repeated(g, k);
        for (int l = 0; node->differentiated && l < s->places.n_leaves; l++) {
            float *d = dc_step_buffer(s, node->grad) + s->places.leaf[l].at;
            for (int64_t r = 0; r < s->places.leaf[l].n; r++) d[r] = adds ? d[r] + share : share;
        }
    }
}

static void backward(const dc_step *s)
{
    start_gradients(s);
    for (int last = s->plan.graph->n_nodes, i; last > 0; last = i) {
        i = last - 1;
        if (is_whole(s, i)) {
            const dc_call call = dc_step_call(s, i, 0, NULL);
            if (!s->plan.node[i].differentiated) continue;
            dc_places_clear(&s->places, call.dout, call.node->shape.width);
            call.node->op->backward_all(&call, s->places.used);
            continue;
        }
        while (i > 0 && !is_whole(s, i - 1)) i--;
        dc_step_backward_tiles(s, i, last);
    }
}

/* ---- Step ------------------------------------------------------------------------------------------------------- */

static dc_section section(const dc_step *s, int k)
{
    return (dc_section)((int)s->cfg.gather + k);
}

/* Losses, and gradients that came in parts, out of the sums over all rows. */
static void take_totals(dc_step *s, double *loss)
{
    memcpy(loss, s->total, (size_t)s->plan.graph->n_losses * sizeof *loss);
    for (int i = 0; i < s->plan.n_summed; i++) {
        const dc_tensor *tensor = &s->plan.summed[i].tensor;
        for (size_t j = 0; j < dc_tensor_floats(tensor); j++)
            s->cfg.params->grad[tensor->at + j] = (float)s->total[s->plan.summed[i].at + j];
    }
}

int64_t dc_step_run(dc_comm *comm, dc_step *s, int64_t step, double *loss)
{
    dc_timers *timers = s->cfg.timers;
    const double wish = dc_state_ask(s->cfg.state);
    double start = dc_timer_start();
    choose_rows(s, step);
    gather_rows(s);
    dc_timer_stop(timers, section(s, 0), start, (double)s->places.n * s->cfg.source.flops, 0);

    start = dc_timer_start();
    forward(s);
    backward(s);
    dc_outer_begin(s->outer, wish);
    dc_step_sum_leaves(s);
    dc_timer_stop(timers, section(s, 1), start, (double)s->places.n * s->plan.flops, 0);

    start = dc_timer_start();
    dc_state_hear(s->cfg.state, dc_outer_sync(comm, s->outer, s->total));
    take_totals(s, loss);
    dc_timer_stop(timers, section(s, 2), start, 0, 0);
    dc_timer_move(timers, section(s, 2), section(s, 1), dc_outer_product_s(s->outer));
    return s->places.n_global;
}

/* ---- Update ----------------------------------------------------------------------------------------------------- */

/* What this rank owns of the products; tensors whose gradient came in parts are small and updated by all. */
void dc_step_update(dc_comm *comm, dc_step *s, const dc_opt_config *opt, int64_t t, int64_t total)
{
    dc_params *p = s->cfg.params;
    const double start = dc_timer_start();
    for (int i = 0; i < s->plan.n_products; i++) {
        size_t lo, hi;
        dc_outer_owned(s->outer, i, &lo, &hi);
        dc_opt_step(opt, p, lo, hi, t, total);
    }
    for (int i = 0; i < s->plan.n_summed; i++) {
        const dc_tensor *tensor = &s->plan.summed[i].tensor;
        dc_opt_step(opt, p, tensor->at, tensor->at + dc_tensor_floats(tensor), t, total);
    }
    const double updated = dc_timer_start();
    dc_outer_share(comm, s->outer, p->value);
    const double shared = dc_timer_start() - updated;
    dc_timer_stop(s->cfg.timers, section(s, 3), start, 0, 0);
    dc_timer_move(s->cfg.timers, section(s, 3), section(s, 2), shared);
}

static void copy_summed(const dc_step *s, const float *from, float *to)
{
    for (int i = 0; i < s->plan.n_summed; i++) {
        const dc_tensor *tensor = &s->plan.summed[i].tensor;
        memcpy(to + tensor->at, from + tensor->at, dc_tensor_floats(tensor) * sizeof *to);
    }
}

/* Moments as a whole, on rank 0: they fit any number of ranks. What is not trained has none: 0. */
static void gather_moments(dc_comm *comm, const void *step, const float *own, float *all)
{
    const dc_step *s = step;
    if (all) {
        memset(all, 0, s->cfg.params->n * sizeof *all);
        copy_summed(s, own, all);
    }
    dc_outer_collect(comm, s->outer, own, all);
}

static void take_moments(const void *step, const float *all, float *own)
{
    const dc_step *s = step;
    dc_outer_take(s->outer, all, own);
    copy_summed(s, all, own);
}

dc_status dc_step_keep_moments(dc_step *s, const dc_opt_config *opt)
{
    dc_status st = DC_OK;
    const dc_params *p = s->cfg.params;
    const dc_state_shares shares = {.gather = gather_moments, .take = take_moments, .ctx = s};
    DC_TRY(dc_state_keep_shares(s->cfg.state, "moment1", p->n, p->m1, &shares));
    if (opt->kind == DC_OPT_ADAM) DC_TRY(dc_state_keep_shares(s->cfg.state, "moment2", p->n, p->m2, &shares));
out:
    return st;
}
