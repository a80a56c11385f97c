/* The passes of a step: operations run in recorded order, gradients in reverse order. Passes go level by level
 * (plan.h): between two levels, sums over the batch are formed and rows are received from other ranks. An operation on
 * all rows at once starts its own threads. The operations between two such operations form a segment, which runs tile
 * by tile, so that a chain of small operations stays in the cache. */
#include <string.h>

#include "exec.h"

/* The call of an operation that computes a vector: the rows of the call are the rows of the vector. */
static dc_call call_once(const dc_step *s, int i, dc_tile *tile)
{
    *tile = (dc_tile){.n = dc_step_node(s, i)->shape.n, .B = s->places.n_global};
    return dc_step_call(s, i, 0, tile);
}

/* Computes all values of this level that are sums over the rows, with one reduction. */
static void take_sums(dc_comm *comm, dc_step *s, int level)
{
    if (!dc_plan_has_sums(&s->plan, level)) return;
    dc_step_sum_level(comm, s, level, s->level_total);
    for (int i = 0; i < s->plan.graph->n_nodes; i++) {
        const dc_node *x = dc_step_node(s, i);
        if (!s->plan.node[i].live || x->op->reach != DC_REACH_SUM || s->plan.node[i].level != level) continue;
        dc_tile tile;
        const dc_call call = call_once(s, i, &tile);
        const double share = x->op->share(&tile), *total = s->level_total + s->plan.node[i].sum;
        for (int64_t j = 0; j < x->shape.n * x->shape.width; j++) call.out[j] = (float)(share * total[j]);
    }
}

/* How operation i runs on this level. */
static dc_runs runs_on(const dc_step *s, int i, int level)
{
    return s->plan.node[i].level == level ? dc_step_runs(s, i) : DC_RUNS_NOTHING;
}

/* Whether a segment may include operation i. */
static bool goes_on(const dc_step *s, int i, int level)
{
    const dc_runs runs = runs_on(s, i, level);
    return runs == DC_RUNS_TILES || runs == DC_RUNS_NOTHING;
}

static void forward_level(dc_step *s, int level)
{
    const int n = s->plan.graph->n_nodes;
    for (int i = 0, last; i < n; i = last) {
        last = i + 1;
        const dc_runs runs = runs_on(s, i, level);
        if (runs == DC_RUNS_TILES) {
            while (last < n && goes_on(s, last, level)) last++;
            dc_step_forward_tiles(s, i, last, level);
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

void dc_step_forward(dc_comm *comm, dc_step *s)
{
    for (int level = 0; level < s->plan.n_levels; level++) {
        if (level > 0) {
            take_sums(comm, s, level);
            dc_step_gather_values(comm, s, level);
        }
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

/* Sets the gradient of each loss to its weight. This is done first, because values that are computed from a loss add to
 * its gradient later. */
static void start_gradients(const dc_step *s)
{
    const dc_graph *g = s->plan.graph;
    for (int i = 0; i < g->n_nodes; i++) {
        const dc_node *x = dc_step_node(s, i);
        if (x->shape.space == DC_ONE && s->plan.node[i].differentiated && x->op != &dc_op_use)
            memset(s->ones + s->plan.node[i].grad, 0, (size_t)(x->shape.n * x->shape.width) * sizeof *s->ones);
    }
    for (int k = 0; k < g->n_losses; k++) {
        const dc_node_plan *loss = &s->plan.node[g->loss[k].node];
        if (!loss->differentiated) continue;
        if (dc_step_node(s, g->loss[k].node)->shape.space == DC_ONE)
            s->ones[loss->grad] += (float)g->loss[k].weight;
        else
            start_rows(s, k);
    }
}

/* Adds to a vector's gradient the parts that come from rows. */
static void complete_vector(dc_comm *comm, dc_step *s, int i)
{
    const dc_shape *shape = &dc_step_node(s, i)->shape;
    if (!dc_plan_has_parts(&s->plan, i)) return;
    float *grad = s->ones + s->plan.node[i].grad;
    dc_step_sum_parts(comm, s, i, s->level_total);
    for (int64_t j = 0; j < shape->n * shape->width; j++) grad[j] += (float)s->level_total[j];
}

static void backward_level(dc_comm *comm, dc_step *s, int level)
{
    for (int last = s->plan.graph->n_nodes, i; last > 0; last = i) {
        i = last - 1;
        const dc_runs runs = s->plan.node[i].differentiated ? runs_on(s, i, level) : DC_RUNS_NOTHING;
        if (runs == DC_RUNS_TILES) {
            while (i > 0 && goes_on(s, i - 1, level)) i--;
            dc_step_backward_tiles(s, i, last, level);
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

/* Sends gradients from values computed from the whole batch back to the rows of lower levels. */
static void backward_batch(dc_comm *comm, dc_step *s, int level)
{
    for (int i = 0; i < s->plan.graph->n_nodes; i++)
        if (dc_step_node(s, i)->op->reach == DC_REACH_SUM && s->plan.node[i].level == level &&
            s->plan.node[i].differentiated)
            complete_vector(comm, s, i);
    dc_step_gather_slopes(comm, s, level);
    dc_step_backward_batch(s, level);
}

void dc_step_backward(dc_comm *comm, dc_step *s)
{
    start_gradients(s);
    for (int level = s->plan.n_levels - 1; level >= 0; level--) {
        backward_level(comm, s, level);
        if (level > 0) backward_batch(comm, s, level);
    }
}
