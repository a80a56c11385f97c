/* One step: gather the rows, run the operations in recorded order, form the gradients in the reverse order, sum over
 * rows and ranks, update. Operations for all rows bring their own threads; those between them form a segment, which
 * runs tile by tile, so that a chain of small operations stays in the cache. */
#include "exec.h"

#include <math.h>
#include <string.h>

#include "dcmpi/fault.h"
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
        s->product[n] = weight->name;
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
    DC_TRY(dc_mem_alloc(&s->ones, s->plan.one_floats, sizeof *s->ones, "vectors of a step"));
    DC_TRY(dc_mem_alloc(&s->leaf_of, (size_t)(part->shard_hi - part->shard_lo), sizeof *s->leaf_of, "shards"));
    DC_TRY(dc_mem_alloc(&s->scratch, s->plan.scratch, sizeof *s->scratch, "transposed weights"));
    DC_TRY(
        dc_mem_alloc(&s->spill, rows, dc_mul_size((size_t)s->plan.spill, sizeof *s->spill), "gradients to be added"));
    DC_TRY(dc_mem_alloc(&s->leaf, (size_t)s->n_threads, s->plan.n_sums * sizeof *s->leaf, "sums of leaves"));
    DC_TRY(dc_mem_alloc(&s->total, s->plan.n_sums, sizeof *s->total, "sums"));
    DC_TRY(dc_mem_alloc(&s->item, (size_t)s->plan.n_products, sizeof *s->item, "products"));
    DC_TRY(dc_mem_alloc(&s->product, (size_t)s->plan.n_products, sizeof *s->product, "products"));
out:
    return st;
}

/* Sums within the passes: over a partition with one row per shard. */
static dc_status take_level_sum(dc_step *s)
{
    dc_status st = DC_OK;
    const dc_part *part = s->cfg.part;
    DC_TRY(dc_part_init(&s->shards, part->V, part->V, part->P, part->rank));
    if (s->plan.largest_level == 0) return DC_OK;
    DC_TRY(dc_sum_create(&s->level_sum, &s->shards, s->plan.largest_level));
    DC_TRY(dc_mem_alloc(&s->level_total, s->plan.largest_level, sizeof *s->level_total, "sums"));
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
    DC_TRY(take_level_sum(s));
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
    dc_mem_free(&s->ones);
    dc_mem_free(&s->leaf_of);
    dc_sum_destroy(&s->level_sum);
    dc_mem_free(&s->level_total);
    dc_mem_free(&s->scratch);
    dc_mem_free(&s->spill);
    dc_mem_free(&s->leaf);
    dc_mem_free(&s->total);
    dc_mem_free(&s->item);
    dc_mem_free(&s->product);
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

double dc_step_flops(const dc_step *s)
{
    return s->plan.flops + s->cfg.source.flops;
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
    for (int i = 0; i < part->shard_hi - part->shard_lo; i++) s->leaf_of[i] = -1;
    for (int l = 0; l < s->places.n_leaves; l++) s->leaf_of[s->places.leaf[l].shard - part->shard_lo] = l;
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

/* A vector's operation; its rows are those of the vector. */
static dc_call call_once(const dc_step *s, int i, dc_tile *tile)
{
    *tile = (dc_tile){.n = node_at(s, i)->shape.n, .B = s->places.n_global};
    return dc_step_call(s, i, 0, tile);
}

/* The values that are sums over the rows, from one reduction. */
static void take_level(dc_comm *comm, dc_step *s, int level)
{
    dc_step_sum_level(comm, s, level, s->level_total);
    for (int i = 0; i < s->plan.graph->n_nodes; i++) {
        const dc_node *x = node_at(s, i);
        if (!s->plan.node[i].live || x->op->reach != DC_REACH_SUM || s->plan.node[i].level != level) continue;
        dc_tile tile;
        const dc_call call = call_once(s, i, &tile);
        const double share = x->op->share(&tile), *total = s->level_total + s->plan.node[i].sum;
        for (int64_t j = 0; j < x->shape.n * x->shape.width; j++) call.out[j] = (float)(share * total[j]);
    }
}

static void forward_level(dc_step *s, int level)
{
    const int n = s->plan.graph->n_nodes;
    for (int i = 0, last; i < n; i = last) {
        last = i + 1;
        const dc_runs runs = dc_step_runs(s, i);
        if (runs == DC_RUNS_TILES) {
            while (last < n && (dc_step_runs(s, last) == DC_RUNS_TILES || s->plan.node[last].level != level ||
                                dc_step_runs(s, last) == DC_RUNS_NOTHING))
                last++;
            dc_step_forward_tiles(s, i, last, level);
        } else if (s->plan.node[i].level != level) {
            continue;
        } else if (runs == DC_RUNS_ALL) {
            const dc_call call = dc_step_call(s, i, 0, NULL);
            call.node->op->forward_all(&call, s->places.used);
        } else if (runs == DC_RUNS_ONCE) {
            dc_tile tile;
            const dc_call call = call_once(s, i, &tile);
            call.node->op->forward(&call);
        }
    }
}

static void forward(dc_comm *comm, dc_step *s)
{
    for (int level = 0; level < s->plan.n_levels; level++) {
        if (level > 0) take_level(comm, s, level);
        forward_level(s, level);
    }
}

static bool is_repeated(const dc_graph *g, int loss)
{
    for (int k = 0; k < loss; k++)
        if (g->loss[k].node == g->loss[loss].node) return true;
    return false;
}

static void start_rows(const dc_step *s, int loss)
{
    const dc_graph *g = s->plan.graph;
    const float share = (float)(g->loss[loss].weight / (double)s->places.n_global);
    const bool adds = is_repeated(g, loss);
    for (int l = 0; l < s->places.n_leaves; l++) {
        float *d = dc_step_buffer(s, s->plan.node[g->loss[loss].node].grad) + s->places.leaf[l].at;
        for (int64_t r = 0; r < s->places.leaf[l].n; r++) d[r] = adds ? d[r] + share : share;
    }
}

/* The gradients that minimising gives the losses: first of all, what is computed from a loss adds its own. */
static void start_gradients(const dc_step *s)
{
    const dc_graph *g = s->plan.graph;
    for (int i = 0; i < g->n_nodes; i++) {
        const dc_node *x = node_at(s, i);
        if (x->shape.space == DC_ONE && s->plan.node[i].differentiated && x->op != &dc_op_use)
            memset(s->ones + s->plan.node[i].grad, 0, (size_t)(x->shape.n * x->shape.width) * sizeof *s->ones);
    }
    for (int k = 0; k < g->n_losses; k++) {
        const dc_node_plan *loss = &s->plan.node[g->loss[k].node];
        if (!loss->differentiated) continue;
        if (node_at(s, g->loss[k].node)->shape.space == DC_ONE)
            s->ones[loss->grad] += (float)g->loss[k].weight;
        else
            start_rows(s, k);
    }
}

/* The parts that rows have of a vector's gradient. */
static void complete_vector(dc_comm *comm, dc_step *s, int i)
{
    const dc_shape *shape = &node_at(s, i)->shape;
    if (!dc_plan_has_parts(&s->plan, i)) return;
    float *grad = s->ones + s->plan.node[i].grad;
    dc_step_sum_parts(comm, s, i, s->level_total);
    for (int64_t j = 0; j < shape->n * shape->width; j++) grad[j] += (float)s->level_total[j];
}

static void backward_level(dc_comm *comm, dc_step *s, int level)
{
    for (int last = s->plan.graph->n_nodes, i; last > 0; last = i) {
        i = last - 1;
        const dc_runs runs = dc_step_runs(s, i);
        if (runs == DC_RUNS_TILES) {
            while (i > 0 && (dc_step_runs(s, i - 1) == DC_RUNS_TILES || s->plan.node[i - 1].level != level ||
                             dc_step_runs(s, i - 1) == DC_RUNS_NOTHING))
                i--;
            dc_step_backward_tiles(s, i, last, level);
        } else if (s->plan.node[i].level != level || !s->plan.node[i].differentiated) {
            continue;
        } else if (runs == DC_RUNS_ALL) {
            const dc_call call = dc_step_call(s, i, 0, NULL);
            dc_places_clear(&s->places, call.dout, call.node->shape.width);
            call.node->op->backward_all(&call, s->places.used);
        } else if (runs == DC_RUNS_ONCE) {
            dc_tile tile;
            const dc_call call = call_once(s, i, &tile);
            complete_vector(comm, s, i);
            call.node->op->backward(&call);
        }
    }
}

static void backward(dc_comm *comm, dc_step *s)
{
    start_gradients(s);
    for (int level = s->plan.n_levels - 1; level >= 0; level--) {
        backward_level(comm, s, level);
        if (level == 0) break;
        for (int i = 0; i < s->plan.graph->n_nodes; i++)
            if (node_at(s, i)->op->reach == DC_REACH_SUM && s->plan.node[i].level == level &&
                s->plan.node[i].differentiated)
                complete_vector(comm, s, i);
        dc_step_spread_sums(s, level);
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
    const dc_graph *g = s->plan.graph;
    for (int k = 0; k < g->n_losses; k++) {
        const int i = g->loss[k].node;
        const bool one = node_at(s, i)->shape.space == DC_ONE;
        loss[k] = one ? g->loss[k].weight * (double)s->ones[s->plan.node[i].value] : s->total[k];
    }
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
    forward(comm, s);
    backward(comm, s);
    dc_outer_begin(s->outer, wish);
    s->odd = dc_fault(DC_FAULT_STEP_NAN);
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

/* What a step moves outside the gradient. */
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

/* What clip_norm does to the gradient of this step, over all that it trains: 1 without. */
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

/* Floats [lo, hi) of the slab, which are of this tensor. */
static void update_tensor(const dc_step *s, const dc_opt_config *opt, size_t lo, size_t hi, double clip, int64_t t,
                          int64_t total)
{
    if (clip != 1) dc_opt_scale(s->cfg.params, lo, hi, clip);
    dc_opt_step(opt, s->cfg.params, lo, hi, t, total);
}

/* What this rank owns of the products, weights of layers with their biases; tensors whose gradient came in parts are
 * small and updated by all. */
static void update_tensors(const dc_step *s, const dc_opt_config *opt, double clip, int64_t t, int64_t total)
{
    for (int i = 0; i < s->plan.n_products; i++) {
        const dc_opt_config own = dc_opt_of(opt, s->product[i], true);
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
    dc_timer_stop(s->cfg.timers, section(s, 3), start, 0, 0);
    dc_timer_move(s->cfg.timers, section(s, 3), section(s, 2), talk);
}

/* What is updated by all, of values [first, first + n) of a slab: from[i - from_first] to to[i - to_first]. */
static void copy_summed(const dc_step *s, size_t first, size_t n, const float *from, size_t from_first, float *to,
                        size_t to_first)
{
    for (int i = 0; i < s->plan.n_summed; i++) {
        const dc_tensor *tensor = &s->plan.summed[i].tensor;
        const size_t lo = DC_MAX(first, tensor->at), hi = DC_MIN(first + n, tensor->at + dc_tensor_floats(tensor));
        if (lo < hi) memcpy(to + (lo - to_first), from + (lo - from_first), (hi - lo) * sizeof *to);
    }
}

/* Moments as a whole, on rank 0: they fit any number of ranks. What is not trained has none: 0. */
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

dc_status dc_step_keep_moments(dc_comm *comm, dc_step *s, const dc_opt_config *opt)
{
    dc_status st = DC_OK;
    const dc_params *p = s->cfg.params;
    dc_state *state = s->cfg.state;
    const dc_state_shares shares = {.gather = gather_moments, .take = take_moments, .ctx = s};
    DC_TRY(dc_state_keep_shares(comm, state, "moment1", p->n, p->m1, &shares));
    if (dc_opt_moments(opt) == 2) DC_TRY(dc_state_keep_shares(comm, state, "moment2", p->n, p->m2, &shares));
out:
    return st;
}
