/* One step up to its gradients: gather the rows, run the passes, sum over rows and ranks. */
#include "exec.h"

#include <math.h>
#include <string.h>

#include "dcmpi/fault.h"
#include "dcmpi/mem.h"

/* ---- Create ----------------------------------------------------------------------------------------------------- */

_Static_assert((int)DC_GRAPH_PRODUCTS <= (int)DC_OUTER_PAIRS, "a layer's products fit into an item");

static dc_outer_pair pair_of(const dc_step *s, int i)
{
    const dc_node *x = dc_step_node(s, i);
    const float *in = dc_step_buffer(s, s->plan.node[x->in[0]].value),
                *slopes = dc_step_buffer(s, s->plan.node[i].grad);
    if (s->plan.sparse && x->in[0] == s->plan.batch)
        return (dc_outer_pair){.csr = &s->batch, .D = slopes, .bias = x->n_in > 2};
    switch (x->op->product) {
    case DC_PRODUCT_TIED:
        return (dc_outer_pair){.A = slopes, .D = in};
    case DC_PRODUCT_DECONV:
        return (dc_outer_pair){.A = slopes, .D = in, .window = &x->window};
    case DC_PRODUCT_CONV:
        return (dc_outer_pair){.A = in, .D = slopes, .bias = x->n_in > 2, .window = &x->window};
    default:
        return (dc_outer_pair){.A = in, .D = slopes, .bias = x->n_in > 2};
    }
}

static void list_products(const dc_step *s)
{
    for (int i = 0; i < s->plan.n_products; i++) {
        const dc_plan_product *p = &s->plan.product[i];
        dc_outer_item *item = &s->item[i];
        *item = (dc_outer_item){.a = p->tensor.n, .d = p->tensor.width, .at = p->tensor.at, .n_pairs = p->n};
        for (int k = 0; k < p->n; k++) {
            item->pair[k] = pair_of(s, p->node[k]);
            item->bias |= item->pair[k].bias;
        }
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
    DC_TRY(dc_mem_alloc(&s->lanes, (size_t)s->n_threads, dc_mul_size(s->plan.lane, sizeof *s->lanes), "patches"));
    DC_TRY(
        dc_mem_alloc(&s->spill, rows, dc_mul_size((size_t)s->plan.spill, sizeof *s->spill), "gradients to be added"));
    DC_TRY(dc_mem_alloc_pages(&s->all, (size_t)s->places.B, dc_mul_size(s->plan.all_floats, sizeof *s->all),
                              "rows of the whole batch"));
    DC_TRY(dc_mem_alloc(&s->all_bytes, (size_t)part->P, sizeof *s->all_bytes, "rank table"));
    DC_TRY(dc_mem_alloc(&s->leaf, (size_t)s->n_threads, s->plan.n_sums * sizeof *s->leaf, "sums of leaves"));
    DC_TRY(dc_mem_alloc(&s->total, s->plan.n_sums, sizeof *s->total, "sums"));
    DC_TRY(dc_mem_alloc(&s->item, (size_t)s->plan.n_products, sizeof *s->item, "products"));
out:
    return st;
}

/* Room for the sparse rows of a batch; it is filled in each step. */
static dc_status take_sparse(dc_step *s)
{
    dc_status st = DC_OK;
    const dc_csr *csr = s->cfg.source.csr;
    const size_t rows = (size_t)s->places.max_rows;
    if (!s->plan.sparse) return DC_OK;
    DC_ASSERT(csr->D == dc_step_node(s, s->plan.batch)->shape.width);
    const size_t room = (size_t)dc_csr_room(csr, s->batcher.capacity);
    DC_TRY(dc_mem_alloc(&s->batch_ptr, rows + 1, sizeof *s->batch_ptr, "rows of a batch"));
    DC_TRY(dc_mem_alloc(&s->batch_row, rows, sizeof *s->batch_row, "rows of a batch"));
    DC_TRY(dc_mem_alloc_pages(&s->batch_col, room, sizeof *s->batch_col, "sparse rows of a batch"));
    DC_TRY(dc_mem_alloc_pages(&s->batch_val, room, sizeof *s->batch_val, "sparse rows of a batch"));
    s->batch = (dc_csr){.D = csr->D,
                        .ptr = s->batch_ptr,
                        .col = s->batch_col,
                        .val = s->batch_val,
                        .longest = csr->longest,
                        .total = csr->total};
out:
    return st;
}

/* Prepares the sums within the passes; their partition has one row per shard. */
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
    const dc_csr *csr = cfg->source.csr;
    const dc_gidx N = cfg->part->N;
    dc_plan_training(cfg->graph, csr && dc_csr_pays(csr, N) ? fmax(dc_csr_per_row(csr, N), 1) : 0, &s->plan);
    DC_TRY(dc_batcher_init(&s->batcher, cfg->part, cfg->seed, cfg->B));
    const dc_outer_way way = dc_outer_choose(cfg->strict, cfg->gather_rows, s->batcher.B);
    DC_TRY(dc_places_init(&s->places, cfg->part, way, s->batcher.B, s->batcher.capacity,
                          dc_batcher_reach(&s->batcher, DC_ROW_TILE)));
    DC_TRY(take_buffers(s));
    DC_TRY(take_sparse(s));
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
    dc_mem_free(&s->batch_ptr);
    dc_mem_free(&s->batch_row);
    dc_mem_free(&s->batch_col);
    dc_mem_free(&s->batch_val);
    dc_mem_free(&s->slab);
    dc_mem_free(&s->ones);
    dc_mem_free(&s->leaf_of);
    dc_sum_destroy(&s->level_sum);
    dc_mem_free(&s->level_total);
    dc_mem_free(&s->scratch);
    dc_mem_free(&s->lanes);
    dc_mem_free(&s->spill);
    dc_mem_free(&s->all);
    dc_mem_free(&s->all_bytes);
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

double dc_step_flops(const dc_step *s)
{
    return s->plan.flops + s->cfg.source.flops;
}

static double updated_floats(const dc_step *s)
{
    size_t floats = 0, lo, hi;
    for (int i = 0; i < s->plan.n_products; i++) {
        dc_outer_owned(s->outer, i, &lo, &hi);
        floats += hi - lo;
    }
    for (int i = 0; i < s->plan.n_summed; i++) floats += dc_tensor_floats(&s->plan.summed[i].tensor);
    return (double)floats;
}

/* Number of bytes sent for the sums within the passes, and for the rows that all ranks read. */
static double sent_within(const dc_step *s)
{
    const double rows = sizeof(float) * (double)s->batcher.capacity * (double)s->plan.all_floats,
                 sum = s->level_sum ? dc_sum_sent_bytes(s->level_sum) : 0;
    return rows * (s->cfg.part->P - 1) + dc_plan_reductions(&s->plan) * sum;
}

dc_step_costs dc_step_costs_of(const dc_step *s, const dc_opt_config *opt)
{
    const bool clips = opt->clip_norm != 0;
    const dc_outer_costs outer = dc_outer_costs_of(s->outer);
    return (dc_step_costs){.flops = dc_step_flops(s) * (double)s->batcher.B,
                           .reductions = dc_plan_reductions(&s->plan) + 1 + (clips && s->cfg.strict),
                           .sent_bytes = outer.sent_bytes + sent_within(s) + (clips ? outer.squares_bytes : 0),
                           .mpi_bytes = outer.mpi_bytes,
                           .updated = updated_floats(s)};
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

/* Has rows of later steps read ahead while this one computes. */
static void expect_rows(dc_step *s, int64_t step)
{
    const dc_row_source *from = &s->cfg.source;
    if (from->expect) dc_batcher_ahead(&s->batcher, step, !s->expects, from->expect, from->from);
    s->expects = true;
}

static void copy_sparse(dc_step *s)
{
    s->batch.n = s->places.used;
    for (int64_t i = 0; i < s->places.used; i++) s->batch_row[i] = -1;
    for (int l = 0; l < s->places.n_leaves; l++) {
        const dc_leaf *leaf = &s->places.leaf[l];
        memcpy(s->batch_row + leaf->at, leaf->rows, (size_t)leaf->n * sizeof *s->batch_row);
    }
    dc_csr_copy(s->cfg.source.csr, s->batch_row, s->batch.n, s->batch_ptr, s->batch_col, s->batch_val);
}

static void gather_rows(dc_step *s)
{
    if (s->plan.batch < 0) return;
    if (s->plan.sparse) {
        copy_sparse(s);
        return;
    }
    float *x = dc_step_buffer(s, s->plan.node[s->plan.batch].value);
    const int64_t width = dc_step_node(s, s->plan.batch)->shape.width;
    for (int l = 0; l < s->places.n_leaves; l++) {
        const dc_leaf *leaf = &s->places.leaf[l];
        s->cfg.source.gather(s->cfg.source.from, leaf->rows, leaf->n, x + leaf->at * width);
    }
}

/* ---- Step ------------------------------------------------------------------------------------------------------- */

/* Takes the losses, and the gradients that are sums of parts, from the sums over all rows. A loss that is a vector is
 * already complete. */
static void take_totals(dc_step *s, double *loss)
{
    const dc_graph *g = s->plan.graph;
    for (int k = 0; k < g->n_losses; k++) {
        const int i = g->loss[k].node;
        const bool one = dc_step_node(s, i)->shape.space == DC_ONE;
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
    expect_rows(s, step);
    gather_rows(s);
    dc_timer_stop(timers, dc_step_section(s, 0), start, (double)s->places.n * s->cfg.source.flops, 0);

    start = dc_timer_start();
    dc_step_forward(comm, s);
    dc_step_backward(comm, s);
    dc_outer_begin(s->outer, wish);
    s->odd = dc_fault(DC_FAULT_STEP_NAN);
    dc_step_sum_leaves(s);
    dc_timer_stop(timers, dc_step_section(s, 1), start, (double)s->places.n * s->plan.flops, 0);

    start = dc_timer_start();
    dc_state_hear(s->cfg.state, dc_outer_sync(comm, s->outer, s->total));
    take_totals(s, loss);
    dc_timer_stop(timers, dc_step_section(s, 2), start, 0, 0);
    dc_timer_move(timers, dc_step_section(s, 2), dc_step_section(s, 1), dc_outer_product_s(s->outer));
    return s->places.n_global;
}
