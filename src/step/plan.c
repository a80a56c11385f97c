/* The plan of a step. Gradients are formed in the reverse of the recorded order, so a value that is used twice gets its
 * gradients in a fixed order: which use writes and which adds is known here. */
#include "dcmpi/plan.h"

#include <string.h>

static const dc_node *node_at(const dc_plan *p, int i)
{
    return &p->graph->node[i];
}

static void mark_live(dc_plan *p)
{
    for (int i = p->graph->n_nodes - 1; i >= 0; i--)
        for (int k = 0; p->node[i].live && k < node_at(p, i)->n_in; k++) p->node[node_at(p, i)->in[k]].live = true;
}

static bool depends(const dc_plan *p, int i, int k)
{
    const dc_node *x = node_at(p, i);
    return !(x->op->constant >> k & 1) && p->node[x->in[k]].differentiated;
}

static void mark_differentiated(dc_plan *p)
{
    for (int i = 0; i < p->graph->n_nodes; i++) {
        const dc_node *x = node_at(p, i);
        p->node[i].differentiated = p->node[i].live && x->op == &dc_op_use && x->tensor.trained;
        for (int k = 0; p->node[i].live && k < x->n_in; k++) p->node[i].differentiated |= depends(p, i, k);
    }
}

/* The loss itself writes to its node first. */
static void order_gradients(dc_plan *p)
{
    bool written[DC_NODES_MAX] = {0};
    for (int i = 0; i < p->graph->n_losses; i++) written[p->graph->loss[i].node] = true;
    for (int i = p->graph->n_nodes - 1; i >= 0; i--) {
        const dc_node *x = node_at(p, i);
        for (int k = 0; p->node[i].differentiated && k < x->n_in; k++) {
            if (!depends(p, i, k) || node_at(p, x->in[k])->shape.space != DC_ROWS) continue;
            p->node[i].adds[k] = written[x->in[k]];
            written[x->in[k]] = true;
            if (p->node[i].adds[k] && x->op->backward_all)
                p->spill = DC_MAX(p->spill, node_at(p, x->in[k])->shape.width);
        }
    }
}

static size_t take(dc_plan *p, int64_t floats)
{
    const size_t at = p->row_floats;
    p->row_floats += (size_t)floats;
    return at;
}

static void place_buffers(dc_plan *p)
{
    for (int i = 0; i < p->graph->n_nodes; i++) {
        const dc_node *x = node_at(p, i);
        dc_node_plan *n = &p->node[i];
        if (!n->live || x->shape.space != DC_ROWS) continue;
        n->value = take(p, x->shape.width);
        if (n->differentiated) n->grad = take(p, x->shape.width);
        if (x->op->aux) n->aux = take(p, x->op->aux(p->graph, x));
        if (x->op->scratch) p->scratch = DC_MAX(p->scratch, x->op->scratch(p->graph, x));
        if (x->op == &dc_op_batch) p->batch = i;
    }
}

/* Tensors of several operations have one gradient. */
static int number_of(dc_plan *p, const dc_tensor *tensor)
{
    for (int i = 0; i < p->n_summed; i++)
        if (p->summed[i].tensor.at == tensor->at) return i;
    DC_ASSERT(p->n_summed < DC_PLAN_SUMMED);
    p->summed[p->n_summed].tensor = *tensor;
    p->summed[p->n_summed].at = p->n_sums;
    p->n_sums += (size_t)(tensor->n * tensor->width);
    return p->n_summed++;
}

static void place_sums(dc_plan *p)
{
    p->n_sums = (size_t)p->graph->n_losses;
    for (int i = 0; i < p->graph->n_nodes; i++) {
        const dc_node *x = node_at(p, i);
        dc_node_plan *n = &p->node[i];
        if (n->differentiated && x->op->product) p->n_products += depends(p, i, 1);
        for (int k = 0; k < DC_NODE_INPUTS; k++) {
            n->summed[k] = -1;
            if (!n->differentiated || !x->op->partial || k >= x->n_in || !depends(p, i, k)) continue;
            if (node_at(p, x->in[k])->op == &dc_op_use) n->summed[k] = number_of(p, &node_at(p, x->in[k])->tensor);
        }
    }
}

static void count_flops(dc_plan *p)
{
    for (int i = 0; i < p->graph->n_nodes; i++) {
        const dc_node *x = node_at(p, i);
        if (!p->node[i].live || !x->op->flops) continue;
        int passes = 1;
        for (int k = 0; k < DC_MIN(x->n_in, 2); k++) passes += p->node[i].differentiated && depends(p, i, k);
        p->flops += passes * x->op->flops(p->graph, x);
    }
}

static void finish(dc_plan *p)
{
    mark_live(p);
    mark_differentiated(p);
    order_gradients(p);
    place_buffers(p);
    place_sums(p);
    count_flops(p);
}

void dc_plan_training(const dc_graph *g, dc_plan *plan)
{
    *plan = (dc_plan){.graph = g, .batch = -1};
    for (int i = 0; i < g->n_losses; i++) plan->node[g->loss[i].node].live = true;
    finish(plan);
}

void dc_plan_inference(const dc_graph *g, dc_plan *plan)
{
    *plan = (dc_plan){.graph = g, .batch = -1};
    for (int i = 0; i < g->n_outputs; i++) plan->node[g->output[i].node].live = true;
    mark_live(plan);
    place_buffers(plan);
    count_flops(plan);
}
