/* See one_step.h. */
#include "ref/one_step.h"

#include <string.h>

#include "dcmpi/comm.h"
#include "step/exec.h"

void one_step_open(one_step *s)
{
    *s = (one_step){0};
    DC_ASSERT(dc_graph_create(&s->graph) == DC_OK);
}

dc_val one_step_input(one_step *s, dc_val x, int64_t width, size_t at, float *value)
{
    const size_t weights = (size_t)(width * width);
    const dc_net same = {
        .n_layers = 1,
        .layer = {
            {.in = width, .out = width, .act = DC_ACT_LINEAR, .weight = at, .bias = at + weights, .name = "same"}}};
    memset(value + at, 0, (weights + (size_t)width) * sizeof *value);
    for (int64_t i = 0; i < width; i++) value[at + (size_t)(i * width + i)] = 1;
    return dc_layers(s->graph, &same, 0, 1, true, x);
}

static void gather(const void *from, const int64_t *rows, int64_t n, float *out)
{
    const one_step *s = from;
    const int64_t width = s->rows.width;
    for (int64_t i = 0; i < n; i++)
        memcpy(out + i * width, s->rows.x + (s->part.row_lo + rows[i]) * width, (size_t)width * sizeof *out);
}

dc_status one_step_create(dc_comm *comm, one_step *s, dc_params *params, const one_step_rows *rows)
{
    dc_status st = DC_OK;
    s->rows = *rows;
    s->params = params;
    DC_TRY(dc_part_init(&s->part, rows->N, rows->V, dc_comm_size(comm), dc_comm_rank(comm)));
    DC_TRY(dc_graph_finish(s->graph));
    if (rows->csr) s->own = dc_csr_view(rows->csr, s->part.row_lo, dc_part_rows(&s->part));
    const dc_step_config cfg = {.graph = s->graph,
                                .part = &s->part,
                                .source = {.gather = gather, .from = s, .csr = rows->csr ? &s->own : NULL},
                                .params = params,
                                .seed = rows->seed,
                                .B = rows->B,
                                .strict = rows->way != DC_OUTER_ALLREDUCE,
                                .gather_rows = rows->way == DC_OUTER_GATHER ? rows->B : 0,
                                .timers = &s->timers,
                                .gather = DC_T_PRETRAIN_GATHER};
    DC_TRY(dc_step_create(&s->step, &cfg));
out:
    return st;
}

void one_step_close(one_step *s)
{
    dc_step_destroy(&s->step);
    dc_graph_destroy(&s->graph);
}

void one_step_share(dc_comm *comm, const dc_step *step, float *grad)
{
    dc_outer_share(comm, step->outer, grad);
}

double one_step_run(dc_comm *comm, one_step *s, int64_t step)
{
    double loss[DC_GRAPH_LOSSES], sum = 0;
    dc_step_run(comm, s->step, step, loss);
    one_step_share(comm, s->step, s->params->grad);
    for (int i = 0; i < s->graph->n_losses; i++) sum += loss[i];
    return sum;
}

static bool lies_in(size_t i, size_t at, int64_t floats)
{
    return i >= at && i < at + (size_t)floats;
}

bool one_step_trains(const dc_step *step, size_t i)
{
    for (int k = 0; k < step->plan.n_products; k++) {
        const dc_outer_item *item = &step->item[k];
        if (lies_in(i, item->at, item->a * item->d + (item->bias ? item->d : 0))) return true;
    }
    for (int k = 0; k < step->plan.n_summed; k++)
        if (lies_in(i, step->plan.summed[k].tensor.at, (int64_t)dc_tensor_floats(&step->plan.summed[k].tensor)))
            return true;
    return false;
}

/* Rows of a buffer in their own order. */
static void take_rows(const one_step *s, const float *buffer, int64_t width, float *out)
{
    const dc_places *places = &s->step->places;
    for (int l = 0; l < places->n_leaves; l++) {
        const dc_leaf *leaf = &places->leaf[l];
        for (int64_t i = 0; i < leaf->n; i++)
            memcpy(out + (s->part.row_lo + leaf->rows[i]) * width, buffer + (leaf->at + i) * width,
                   (size_t)width * sizeof *out);
    }
}

void one_step_values(const one_step *s, dc_val x, float *out)
{
    take_rows(s, dc_step_buffer(s->step, s->step->plan.node[x.id].value), dc_graph_shape(s->graph, x).width, out);
}

void one_step_slopes(const one_step *s, dc_val x, float *out)
{
    DC_ASSERT(s->step->plan.node[x.id].differentiated);
    take_rows(s, dc_step_buffer(s->step, s->step->plan.node[x.id].grad), dc_graph_shape(s->graph, x).width, out);
}
