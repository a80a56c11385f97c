/* Fully connected layers: Y = act(X W + b). With dT = dY act'(T), elementwise and from Y:
 *   dX = dT W',  dW = X' dT,  db = column sums of dT.
 *
 * In training the rows lie on fixed tiles: the bits of a row follow from its place in its tile and from the shapes
 * alone, so ranks and threads may share out the rows as they like. In inference a call is for one tile. */
#include "dcmpi/la.h"
#include "dcmpi/op.h"
#include "nn/nn_kern.h"

static void forward(const dc_call *c)
{
    const int64_t n = c->tile->n, in = dc_in_width(c, 0), out = c->node->shape.width;
    dc_gemm(DC_N, DC_N, n, out, in, 1, c->in[0], in, c->in[1], out, 0, c->out, out);
    dc_dense_bias_act((dc_act)c->node->whole[0], c->in[2], n, out, c->out);
}

static void forward_all(const dc_call *c, int64_t n)
{
    const int64_t in = dc_in_width(c, 0), out = c->node->shape.width;
    dc_gemm_rows(DC_ROW_TILE, n, out, in, c->in[0], in, c->in[1], out, c->out, out);
    dc_dense_bias_act((dc_act)c->node->whole[0], c->in[2], n, out, c->out);
}

/* The library would transpose W again for every tile. */
static void backward_all(const dc_call *c, int64_t n)
{
    const int64_t in = dc_in_width(c, 0), out = c->node->shape.width;
    float *transposed = c->scratch, *dX = c->adds[0] ? c->spill : c->din[0];
    dc_dense_act_grad((dc_act)c->node->whole[0], c->out, n, out, c->dout, NULL);
    if (!c->din[0]) return;
    dc_transpose(in, out, c->in[1], transposed);
    dc_gemm_rows(DC_ROW_TILE, n, in, out, c->dout, out, transposed, in, dX, in);
    if (c->adds[0]) dc_add_floats((size_t)(n * in), dX, c->din[0]);
}

static size_t scratch(const dc_graph *g, const dc_node *x)
{
    return (size_t)(dc_node_in(g, x, 0)->shape.width * x->shape.width);
}

static double flops(const dc_graph *g, const dc_node *x)
{
    return 2.0 * (double)dc_node_in(g, x, 0)->shape.width * (double)x->shape.width;
}

const dc_op dc_op_dense = {.name = "dense",
                           .forward = forward,
                           .forward_all = forward_all,
                           .backward_all = backward_all,
                           .product = true,
                           .scratch = scratch,
                           .flops = flops};

static dc_val dense(dc_graph *g, const dc_layer *layer, bool trained, dc_val x)
{
    const dc_tensor weight = {layer->name, layer->weight, layer->in, layer->out, trained},
                    bias = {layer->name, layer->bias, 1, layer->out, trained};
    if (dc_graph_shape(g, x).space != DC_ROWS || dc_graph_shape(g, x).width != layer->in)
        return dc_refuse(g, "layer %s reads rows of width %lld, it is given width %lld", layer->name,
                         (long long)layer->in, (long long)dc_graph_shape(g, x).width);
    const int in[] = {x.id, (dc_use)(g, &weight).id, (dc_use)(g, &bias).id};
    return dc_record(g, (dc_node){.op = &dc_op_dense, .n_in = 3, .in = {in[0], in[1], in[2]}, .whole = {layer->act}},
                     (dc_shape){DC_ROWS, 1, layer->out});
}

dc_val(dc_layers)(dc_graph *g, const dc_net *net, int first, int last, bool trained, dc_val x)
{
    for (int l = first; l < last; l++) x = dense(g, &net->layer[l], trained, x);
    return x;
}
