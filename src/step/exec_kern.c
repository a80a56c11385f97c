/* The parallel loops of a step, over tiles and over leaves. The sums of leaves are handed on in leaf order. */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "exec.h"

int dc_step_threads(void)
{
    return omp_get_max_threads();
}

static dc_tile tile_at(const dc_step *s, const dc_leaf *leaf, int64_t first, int64_t n)
{
    return (dc_tile){.n = n,
                     .row = leaf->rows + first,
                     .first_row = s->cfg.part->row_lo,
                     .seed = s->cfg.seed,
                     .step = s->places.step,
                     .B = s->places.n_global,
                     .at = s->places.offset[s->cfg.part->rank] + (leaf->rows - s->rows) + first};
}

/* The call of operation i for a tile at place `at`, with the lane of this thread. */
static dc_call tile_call(const dc_step *s, int i, int64_t at, const dc_tile *tile)
{
    dc_call c = dc_step_call(s, i, at, tile);
    c.lane += (size_t)omp_get_thread_num() * s->plan.lane;
    return c;
}

dc_runs dc_step_runs(const dc_step *s, int i)
{
    const dc_node *x = &s->plan.graph->node[i];
    if (!s->plan.node[i].live || (!x->op->forward && !x->op->forward_all)) return DC_RUNS_NOTHING;
    if (x->op->forward_all) return DC_RUNS_ALL;
    return x->shape.space == DC_ROWS ? DC_RUNS_TILES : DC_RUNS_ONCE;
}

static bool is_tiled(const dc_step *s, int i, int level)
{
    return s->plan.node[i].level == level && dc_step_runs(s, i) == DC_RUNS_TILES;
}

void dc_step_forward_tiles(const dc_step *s, int first, int last, int level)
{
#pragma omp parallel for schedule(dynamic) num_threads(s->n_threads) if (s->n_tiles > 1)
    for (int t = 0; t < s->n_tiles; t++) {
        const dc_leaf *leaf = &s->places.leaf[s->tile[t].leaf];
        const dc_tile tile = tile_at(s, leaf, s->tile[t].first, s->tile[t].n);
        for (int i = first; i < last; i++) {
            if (!is_tiled(s, i, level)) continue;
            const dc_call call = tile_call(s, i, leaf->at + s->tile[t].first, &tile);
            call.node->op->forward(&call);
        }
    }
}

void dc_step_backward_tiles(const dc_step *s, int first, int last, int level)
{
#pragma omp parallel for schedule(dynamic) num_threads(s->n_threads) if (s->n_tiles > 1)
    for (int t = 0; t < s->n_tiles; t++) {
        const dc_leaf *leaf = &s->places.leaf[s->tile[t].leaf];
        const dc_tile tile = tile_at(s, leaf, s->tile[t].first, s->tile[t].n);
        for (int i = last - 1; i >= first; i--) {
            if (!s->plan.node[i].differentiated || !is_tiled(s, i, level)) continue;
            if (dc_step_node(s, i)->op->reach == DC_REACH_ALL) continue;
            const dc_call call = tile_call(s, i, leaf->at + s->tile[t].first, &tile);
            call.node->op->backward(&call);
        }
    }
}

void dc_step_backward_batch(const dc_step *s, int level)
{
#pragma omp parallel for schedule(dynamic) num_threads(s->n_threads) if (s->n_tiles > 1)
    for (int t = 0; t < s->n_tiles; t++) {
        const dc_leaf *leaf = &s->places.leaf[s->tile[t].leaf];
        const dc_tile tile = tile_at(s, leaf, s->tile[t].first, s->tile[t].n);
        for (int i = s->plan.graph->n_nodes - 1; i >= 0; i--) {
            const dc_node *x = &s->plan.graph->node[i];
            if (!s->plan.node[i].differentiated || x->op->reach == DC_REACH_ROW || s->plan.node[i].level != level)
                continue;
            const dc_call call = tile_call(s, i, leaf->at + s->tile[t].first, &tile);
            x->op->backward(&call);
        }
    }
}

/* ---- Sums within the passes ------------------------------------------------------------------------------------- */

typedef struct {
    const dc_step *step;
    int which; /* level whose values are summed, or vector whose gradient is summed */
} reduction;

typedef void (*tile_sum)(const reduction *r, int64_t at, const dc_tile *tile, double *sum);

static void sum_tiles(const reduction *r, int shard, tile_sum add, double *sum)
{
    const dc_step *s = r->step;
    const int l = s->leaf_of[shard - s->shards.shard_lo];
    if (l < 0) return;
    const dc_leaf *leaf = &s->places.leaf[l];
    for (int64_t lo = 0; lo < leaf->n; lo += DC_ROW_TILE) {
        const dc_tile tile = tile_at(s, leaf, lo, DC_MIN((int64_t)DC_ROW_TILE, leaf->n - lo));
        add(r, leaf->at + lo, &tile, sum);
    }
}

static void add_values(const reduction *r, int64_t at, const dc_tile *tile, double *sum)
{
    const dc_step *s = r->step;
    for (int i = 0; i < s->plan.graph->n_nodes; i++) {
        const dc_node *x = &s->plan.graph->node[i];
        if (!s->plan.node[i].live || x->op->reach != DC_REACH_SUM || s->plan.node[i].level != r->which) continue;
        const dc_call call = dc_step_call(s, i, at, tile);
        x->op->add(&call, sum + s->plan.node[i].sum);
    }
}

static void add_parts(const reduction *r, int64_t at, const dc_tile *tile, double *sum)
{
    const dc_step *s = r->step;
    for (int i = r->which + 1; i < s->plan.graph->n_nodes; i++) {
        const dc_node *x = &s->plan.graph->node[i];
        for (int k = 0; x->shape.space == DC_ROWS && k < x->n_in; k++) {
            if (x->in[k] != r->which || !dc_plan_wants(&s->plan, i, k)) continue;
            const dc_call call = dc_step_call(s, i, at, tile);
            x->op->partial(&call, k, sum);
        }
    }
}

static void values_of_shard(void *ctx, const dc_block *block, int thread, double *sum)
{
    (void)thread;
    sum_tiles(ctx, block->shard, add_values, sum);
}

static void parts_of_shard(void *ctx, const dc_block *block, int thread, double *sum)
{
    (void)thread;
    sum_tiles(ctx, block->shard, add_parts, sum);
}

void dc_step_sum_level(dc_comm *comm, dc_step *s, int level, double *total)
{
    reduction r = {s, level};
    dc_sum_over_blocks(comm, s->level_sum, values_of_shard, &r, total);
}

void dc_step_sum_parts(dc_comm *comm, dc_step *s, int i, double *total)
{
    reduction r = {s, i};
    dc_sum_over_blocks(comm, s->level_sum, parts_of_shard, &r, total);
}

/* ---- Sums with the products ------------------------------------------------------------------------------------- */

/* Computes one leaf's share of the batch's mean losses and of the tensors' gradients. */
static void sum_leaf(const dc_step *s, const dc_leaf *leaf, double *sum)
{
    const dc_graph *g = s->plan.graph;
    for (int k = 0; k < g->n_losses; k++) {
        if (g->node[g->loss[k].node].shape.space == DC_ONE) continue;
        const float *loss = dc_step_buffer(s, s->plan.node[g->loss[k].node].value) + leaf->at;
        double total = 0;
        for (int64_t r = 0; r < leaf->n; r++) total += (double)loss[r];
        sum[k] = g->loss[k].weight * (total / (double)s->places.n_global);
    }
    for (int i = 0; i < g->n_nodes; i++) {
        const dc_node *x = &g->node[i];
        for (int k = 0; x->op->partial && k < x->n_in; k++) {
            if (s->plan.node[i].summed[k] < 0) continue;
            for (int64_t lo = 0; lo < leaf->n; lo += DC_ROW_TILE) {
                const dc_tile tile = tile_at(s, leaf, lo, DC_MIN((int64_t)DC_ROW_TILE, leaf->n - lo));
                const dc_call call = dc_step_call(s, i, leaf->at + lo, &tile);
                x->op->partial(&call, k, sum + s->plan.summed[s->plan.node[i].summed[k]].at);
            }
        }
    }
}

void dc_step_sum_leaves(dc_step *s)
{
#pragma omp parallel for ordered schedule(dynamic, 1) num_threads(s->n_threads) if (s->places.n_leaves > 1)
    for (int l = 0; l < s->places.n_leaves; l++) {
        double *sum = s->leaf + (size_t)omp_get_thread_num() * s->plan.n_sums;
        memset(sum, 0, s->plan.n_sums * sizeof *sum);
        sum_leaf(s, &s->places.leaf[l], sum);
        if (s->odd && s->plan.graph->n_losses > 0) sum[0] = NAN;
#pragma omp ordered
        dc_outer_leaf(s->outer, s->places.leaf[l].shard, sum);
    }
}
