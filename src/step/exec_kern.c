/* The parallel loops of a step: over tiles, and over leaves in the order of their sums. */
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
                     .step = s->places.step};
}

void dc_step_forward_tiles(const dc_step *s, int first, int last)
{
#pragma omp parallel for schedule(dynamic) num_threads(s->n_threads) if (s->n_tiles > 1)
    for (int t = 0; t < s->n_tiles; t++) {
        const dc_leaf *leaf = &s->places.leaf[s->tile[t].leaf];
        const dc_tile tile = tile_at(s, leaf, s->tile[t].first, s->tile[t].n);
        for (int i = first; i < last; i++) {
            if (!s->plan.node[i].live || !s->plan.graph->node[i].op->forward) continue;
            const dc_call call = dc_step_call(s, i, leaf->at + s->tile[t].first, &tile);
            call.node->op->forward(&call);
        }
    }
}

void dc_step_backward_tiles(const dc_step *s, int first, int last)
{
#pragma omp parallel for schedule(dynamic) num_threads(s->n_threads) if (s->n_tiles > 1)
    for (int t = 0; t < s->n_tiles; t++) {
        const dc_leaf *leaf = &s->places.leaf[s->tile[t].leaf];
        const dc_tile tile = tile_at(s, leaf, s->tile[t].first, s->tile[t].n);
        for (int i = last - 1; i >= first; i--) {
            if (!s->plan.node[i].differentiated || s->plan.graph->node[i].shape.space != DC_ROWS) continue;
            const dc_call call = dc_step_call(s, i, leaf->at + s->tile[t].first, &tile);
            if (call.node->op->backward) call.node->op->backward(&call);
        }
    }
}

/* Means of the losses over the batch, and partial gradients by vectors, of one leaf. */
static void sum_leaf(const dc_step *s, const dc_leaf *leaf, double *sum)
{
    const dc_graph *g = s->plan.graph;
    for (int k = 0; k < g->n_losses; k++) {
        const float *loss = dc_step_buffer(s, s->plan.node[g->loss[k].node].value) + leaf->at;
        double total = 0;
        for (int64_t r = 0; r < leaf->n; r++) total += (double)loss[r];
        sum[k] = g->loss[k].weight * (total / (double)s->places.n_global);
    }
    for (int i = 0; i < g->n_nodes; i++) {
        const dc_node *x = &g->node[i];
        for (int k = 0; s->plan.node[i].differentiated && x->op->partial && k < x->n_in; k++) {
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
#pragma omp ordered
        dc_outer_leaf(s->outer, s->places.leaf[l].shard, sum);
    }
}
