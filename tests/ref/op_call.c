/* See op_call.h. */
#include "ref/op_call.h"

#include <omp.h>

#include "dcmpi/la.h"
#include "dcmpi/mem.h"

void op_call_open(op_call *c)
{
    *c = (op_call){0};
    DC_ASSERT(dc_graph_create(&c->graph) == DC_OK);
}

static void take(float **out, size_t floats)
{
    DC_ASSERT(dc_mem_alloc(out, floats, sizeof **out, "operands") == DC_OK);
}

static size_t aux_floats(const op_call *c)
{
    const dc_node *x = c->call.node;
    return x->op->aux ? (size_t)x->op->aux(c->graph, x) : 0;
}

void op_call_of(op_call *c, dc_val x, int64_t n_max)
{
    int64_t width = 0;
    DC_ASSERT(dc_graph_finish(c->graph) == DC_OK);
    const dc_node *node = dc_node_of(c->graph, x);
    c->call = (dc_call){.graph = c->graph, .node = node};
    for (int k = 0; k < node->n_in; k++) width = DC_MAX(width, dc_in_width(&c->call, k));
    take(&c->aux, (size_t)n_max * aux_floats(c));
    take(&c->scratch, node->op->scratch ? node->op->scratch(c->graph, node) : 0);
    c->call.lane_floats = node->op->lane ? node->op->lane(c->graph, node) : 0;
    take(&c->lanes, (size_t)omp_get_max_threads() * c->call.lane_floats);
    c->call.lane = c->lanes;
    take(&c->spill, (size_t)(n_max * width));
}

void op_call_close(op_call *c)
{
    dc_graph_destroy(&c->graph);
    dc_mem_free(&c->aux);
    dc_mem_free(&c->scratch);
    dc_mem_free(&c->lanes);
    dc_mem_free(&c->spill);
}

static float *behind(float *x, int64_t rows, int64_t width)
{
    return x ? x + rows * width : NULL;
}

/* The call for `n` rows from row `lo` on; *tile becomes its tile. */
static dc_call tile_call(const op_call *c, int64_t lo, int64_t n, dc_tile *tile)
{
    dc_call t = c->call;
    const int64_t width = t.node->shape.width;
    *tile = c->tile;
    tile->n = n;
    if (tile->row) tile->row += lo;
    t.tile = tile;
    t.out = behind(t.out, lo, width);
    t.dout = behind(t.dout, lo, width);
    t.aux = c->aux + (size_t)lo * aux_floats(c);
    t.scratch = c->scratch;
    t.spill = c->spill;
    for (int k = 0; k < t.node->n_in; k++) {
        if (dc_node_in(c->graph, t.node, k)->shape.space != DC_ROWS) continue;
        t.in[k] = t.in[k] ? t.in[k] + lo * dc_in_width(&t, k) : NULL;
        t.din[k] = behind(t.din[k], lo, dc_in_width(&t, k));
    }
    return t;
}

void op_call_forward(const op_call *c, int64_t n)
{
    dc_tile tile;
    for (int64_t lo = 0; lo < n; lo += DC_ROW_TILE) {
        const dc_call t = tile_call(c, lo, DC_MIN(n - lo, (int64_t)DC_ROW_TILE), &tile);
        t.node->op->forward(&t);
    }
}

void op_call_backward(const op_call *c, int64_t n)
{
    dc_tile tile;
    for (int64_t lo = 0; lo < n; lo += DC_ROW_TILE) {
        const dc_call t = tile_call(c, lo, DC_MIN(n - lo, (int64_t)DC_ROW_TILE), &tile);
        t.node->op->backward(&t);
    }
}

void op_call_partial(const op_call *c, int64_t n, int k, double *sum)
{
    dc_tile tile;
    for (int64_t lo = 0; lo < n; lo += DC_ROW_TILE) {
        const dc_call t = tile_call(c, lo, DC_MIN(n - lo, (int64_t)DC_ROW_TILE), &tile);
        t.node->op->partial(&t, k, sum);
    }
}
