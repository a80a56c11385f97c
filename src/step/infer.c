/* Inference. Each thread has its own buffers for one tile, so a row's bits do not depend on the number of threads. */
#include <math.h>
#include <string.h>

#include "dcmpi/mem.h"
#include "exec.h"

struct dc_infer {
    dc_plan plan;
    const float *value; /* values of the parameter slab */
    int64_t tile_rows;
    int n_threads;
    float *slab;  /* [n_threads x tile_rows x plan.row_floats] */
    float *lanes; /* [n_threads x plan.lane] */
    dc_csr *rows; /* [n_threads] of the next run, if plan.sparse */
};

/* Refuses operations that need more than one tile, because inference sees only one. */
static dc_status check(const dc_plan *plan)
{
    for (int i = 0; i < plan->graph->n_nodes; i++) {
        const dc_node *x = &plan->graph->node[i];
        if (!plan->node[i].live || x->op == &dc_op_use) continue;
        const bool runs = x->op->forward || x->op == &dc_op_batch;
        if (x->op->reach != DC_REACH_ROW || x->shape.space != DC_ROWS || x->op->keyed || x->op->aux || !runs)
            return DC_FAIL(DC_ERR_USAGE, "network: inference cannot run %s (recorded at %s:%d)", x->op->name, x->file,
                           x->line);
    }
    return DC_OK;
}

dc_status dc_infer_create(dc_infer **out, const dc_graph *g, const float *value, int64_t tile_rows, const dc_csr *csr,
                          dc_gidx N)
{
    dc_status st = DC_OK;
    dc_infer *e = NULL;
    DC_ASSERT(g->n_outputs > 0);
    DC_TRY(dc_mem_alloc(&e, 1, sizeof *e, "inference"));
    dc_plan_inference(g, csr && dc_csr_pays(csr, N) ? fmax(dc_csr_per_row(csr, N), 1) : 0, &e->plan);
    DC_TRY(check(&e->plan));
    e->value = value;
    e->tile_rows = tile_rows;
    e->n_threads = dc_step_threads();
    DC_TRY(dc_mem_alloc(&e->slab, (size_t)e->n_threads * (size_t)tile_rows,
                        dc_mul_size(e->plan.row_floats, sizeof *e->slab), "activations"));
    DC_TRY(dc_mem_alloc(&e->lanes, (size_t)e->n_threads, dc_mul_size(e->plan.lane, sizeof *e->lanes), "patches"));
    DC_TRY(dc_mem_alloc(&e->rows, (size_t)e->n_threads, sizeof *e->rows, "rows of a tile"));
out:
    if (st != DC_OK) dc_infer_destroy(&e);
    *out = e;
    return st;
}

void dc_infer_destroy(dc_infer **infer)
{
    if (*infer) dc_mem_free(&(*infer)->slab);
    if (*infer) dc_mem_free(&(*infer)->lanes);
    if (*infer) dc_mem_free(&(*infer)->rows);
    dc_mem_free(infer);
}

int dc_infer_threads(const dc_infer *e)
{
    return e->n_threads;
}

static float *buffer(const dc_infer *e, int thread, int i)
{
    const size_t rows = (size_t)e->tile_rows;
    return e->slab + ((size_t)thread * e->plan.row_floats + e->plan.node[i].value) * rows;
}

bool dc_infer_is_sparse(const dc_infer *e)
{
    return e->plan.sparse;
}

void dc_infer_rows(const dc_infer *e, int thread, const dc_csr *rows)
{
    DC_ASSERT(e->plan.sparse && rows->n <= e->tile_rows);
    e->rows[thread] = *rows;
}

float *dc_infer_batch(const dc_infer *e, int thread)
{
    DC_ASSERT(!e->plan.sparse);
    return buffer(e, thread, e->plan.batch);
}

void dc_infer_run(const dc_infer *e, int thread)
{
    const dc_graph *g = e->plan.graph;
    const dc_tile tile = {.n = e->tile_rows};
    for (int i = 0; i < g->n_nodes; i++) {
        const dc_node *x = &g->node[i];
        if (!e->plan.node[i].live || !x->op->forward) continue;
        dc_call call = {.graph = g,
                        .node = x,
                        .tile = &tile,
                        .out = buffer(e, thread, i),
                        .lane = e->lanes + (size_t)thread * e->plan.lane,
                        .lane_floats = e->plan.lane};
        for (int k = 0; k < x->n_in; k++) {
            const dc_node *in = &g->node[x->in[k]];
            call.in[k] = in->op == &dc_op_use ? e->value + in->tensor.at : buffer(e, thread, x->in[k]);
            if (!e->plan.sparse || x->in[k] != e->plan.batch) continue;
            call.in[k] = NULL;
            call.csr = e->rows[thread];
        }
        x->op->forward(&call);
    }
}

int dc_infer_find(const dc_infer *e, const char *name)
{
    const dc_graph *g = e->plan.graph;
    for (int i = 0; i < g->n_outputs; i++)
        if (strcmp(g->output[i].name, name) == 0) return i;
    return -1;
}

float *dc_infer_output(const dc_infer *e, int thread, int output)
{
    return buffer(e, thread, e->plan.graph->output[output].node);
}

int64_t dc_infer_width(const dc_infer *e, int output)
{
    const dc_graph *g = e->plan.graph;
    return g->node[g->output[output].node].shape.width;
}

double dc_infer_flops(const dc_infer *e)
{
    return e->plan.flops;
}
