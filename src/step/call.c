/* The operands of an operation in a step: places in the buffers, tensors in the slab. */
#include "exec.h"

dc_call dc_step_call(const dc_step *s, int i, int64_t at, const dc_tile *tile)
{
    const dc_node *x = &s->plan.graph->node[i];
    const dc_node_plan *plan = &s->plan.node[i];
    dc_call c = {.graph = s->plan.graph, .node = x, .tile = tile, .scratch = s->scratch, .spill = s->spill};
    if (x->shape.space == DC_ROWS) c.out = dc_step_buffer(s, plan->value) + at * x->shape.width;
    if (plan->differentiated) c.dout = dc_step_buffer(s, plan->grad) + at * x->shape.width;
    if (x->op->aux) c.aux = dc_step_buffer(s, plan->aux) + at * x->op->aux(s->plan.graph, x);
    for (int k = 0; k < x->n_in; k++) {
        const dc_node *in = &s->plan.graph->node[x->in[k]];
        const dc_node_plan *from = &s->plan.node[x->in[k]];
        if (in->op == &dc_op_use) {
            c.in[k] = s->cfg.params->value + in->tensor.at;
            continue;
        }
        c.in[k] = dc_step_buffer(s, from->value) + at * in->shape.width;
        if (from->differentiated && !(x->op->constant >> k & 1))
            c.din[k] = dc_step_buffer(s, from->grad) + at * in->shape.width;
        c.adds[k] = plan->adds[k];
    }
    return c;
}
