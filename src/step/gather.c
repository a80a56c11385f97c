/* Gathers rows of the whole batch on every rank, for operations with reach ALL (op.h). Rows lie in batch order, which
 * is also rank order because a rank's shards are contiguous; so their order is the same for any number of ranks. Rows
 * are only copied, never added. */
#include "dcmpi/comm.h"

#include <string.h>

#include "exec.h"

/* Gathers `own`, a buffer of this rank's rows [places x width], into `all`, the rows of the whole batch. */
static void gather(dc_comm *comm, dc_step *s, const float *own, int64_t width, float *all)
{
    const dc_places *p = &s->places;
    const dc_part *part = p->part;
    float *first = all + p->offset[part->rank] * width, *next = first;
    for (int l = 0; l < p->n_leaves; l++) {
        const int64_t floats = p->leaf[l].n * width;
        memcpy(next, own + p->leaf[l].at * width, (size_t)floats * sizeof *next);
        next += floats;
    }
    if (part->P == 1) return;
    for (int r = 0; r < part->P; r++)
        s->all_bytes[r] = (size_t)((p->offset[r + 1] - p->offset[r]) * width) * sizeof *all;
    dc_comm_allgatherv(comm, first, all, s->all_bytes);
}

/* Gathers the values of the level below that operations with reach ALL read. */
void dc_step_gather_values(dc_comm *comm, dc_step *s, int level)
{
    for (int i = 0; i < s->plan.graph->n_nodes; i++) {
        const dc_node_plan *n = &s->plan.node[i];
        if (!n->gathered || n->level != level - 1) continue;
        gather(comm, s, dc_step_buffer(s, n->value), dc_step_node(s, i)->shape.width, dc_step_all(s, n->all));
    }
}

void dc_step_gather_slopes(dc_comm *comm, dc_step *s, int level)
{
    for (int i = 0; i < s->plan.graph->n_nodes; i++) {
        const dc_node_plan *n = &s->plan.node[i];
        const dc_node *x = dc_step_node(s, i);
        if (!n->differentiated || x->op->reach != DC_REACH_ALL || n->level != level) continue;
        gather(comm, s, dc_step_buffer(s, n->grad), x->shape.width, dc_step_all(s, n->all_dout));
        if (!x->op->aux) continue;
        gather(comm, s, dc_step_buffer(s, n->aux), x->op->aux(s->plan.graph, x), dc_step_all(s, n->all_aux));
    }
}
