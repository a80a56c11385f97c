/* Finds the operands of an operation in a step: in the row buffers, among the vectors, or in the parameter slab. */
#include "exec.h"

static float *value_of(const dc_step *s, int i, int64_t at)
{
    const dc_node *x = dc_step_node(s, i);
    if (x->op == &dc_op_use) return s->cfg.params->value + x->tensor.at;
    if (x->shape.space == DC_ONE) return s->ones + s->plan.node[i].value;
    return dc_step_buffer(s, s->plan.node[i].value) + at * x->shape.width;
}

/* Returns NULL if nobody wants this gradient, or if it belongs to a tensor: then it is summed elsewhere. */
static float *gradient_of(const dc_step *s, int i, int64_t at)
{
    const dc_node *x = dc_step_node(s, i);
    if (!s->plan.node[i].differentiated || x->op == &dc_op_use) return NULL;
    if (x->shape.space == DC_ONE) return s->ones + s->plan.node[i].grad;
    return dc_step_buffer(s, s->plan.node[i].grad) + at * x->shape.width;
}

/* Sets the pointers to what was gathered from the whole batch: operands, and dout and aux for the backward pass. */
static void add_gathered(const dc_step *s, int i, dc_call *c)
{
    const dc_node_plan *plan = &s->plan.node[i];
    for (int k = 0; k < c->node->n_in; k++)
        if (c->node->op->gathers >> k & 1) c->all[k] = dc_step_all(s, s->plan.node[c->node->in[k]].all);
    if (!plan->differentiated) return;
    c->all_dout = dc_step_all(s, plan->all_dout);
    if (c->node->op->aux) c->all_aux = dc_step_all(s, plan->all_aux);
}

dc_call dc_step_call(const dc_step *s, int i, int64_t at, const dc_tile *tile)
{
    const dc_node *x = dc_step_node(s, i);
    dc_call c = {.graph = s->plan.graph,
                 .node = x,
                 .tile = tile,
                 .out = value_of(s, i, at),
                 .dout = gradient_of(s, i, at),
                 .scratch = s->scratch,
                 .lane = s->lanes,
                 .lane_floats = s->plan.lane,
                 .spill = s->spill};
    if (x->op->aux) c.aux = dc_step_buffer(s, s->plan.node[i].aux) + at * x->op->aux(s->plan.graph, x);
    for (int k = 0; k < x->n_in; k++) {
        c.in[k] = value_of(s, x->in[k], at);
        if (s->plan.sparse && x->in[k] == s->plan.batch) {
            c.in[k] = NULL;
            c.csr = dc_csr_view(&s->batch, at, s->batch.n - at);
        }
        /* A vector operand gets its gradient here only from operations on vectors, which run one after the other. What
         * it gets from rows is a sum over all rows, formed elsewhere. */
        const bool same = s->plan.graph->node[x->in[k]].shape.space == DC_ROWS || x->shape.space == DC_ONE;
        if (dc_plan_wants(&s->plan, i, k) && same) c.din[k] = gradient_of(s, x->in[k], at);
        c.adds[k] = s->plan.node[i].adds[k] || s->plan.graph->node[x->in[k]].shape.space == DC_ONE;
    }
    if (x->op->reach == DC_REACH_ALL) add_gathered(s, i, &c);
    return c;
}
