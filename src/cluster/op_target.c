/* The targets of the rows of a batch, recomputed from their embedding at the last refresh: a batch costs one assignment
 * more, and nobody keeps p of all rows. */
#include "softassign_impl.h"

#include "dcmpi/op.h"

static void forward(const dc_call *c)
{
    const dc_soft_target *t = c->node->held;
    dc_target_assign(t, c->in[0], c->tile->n, c->out);
    dc_target_rows(t->kind, c->out, t->f, c->tile->n, t->K, t->N, c->out, NULL);
}

static const dc_op op_target = {.name = "target", .constant = 1, .forward = forward};

dc_val(dc_target_of)(dc_graph *g, const dc_soft_target *t, dc_val z)
{
    const dc_shape rows = dc_graph_shape(g, z);
    if (rows.space != DC_ROWS || rows.width != t->L)
        return dc_refuse(g, "rows of width %lld have no target made of width %lld", (long long)rows.width,
                         (long long)t->L);
    return dc_record(g, (dc_node){.op = &op_target, .n_in = 1, .in = {z.id}, .held = t}, (dc_shape){DC_ROWS, 1, t->K});
}
