/* Fully connected layers: Y = act(X W + b). With dT = dY act'(T), elementwise, computed from Y:
 *   dX = dT W',  dW = X' dT,  db = column sums of dT.
 *
 * A tied layer uses the transposed weights of another layer, Y = act(X W' + b):
 *   dX = dT W,  dW += dT' X,  db = column sums of dT.
 * So the gradient dX of a plain layer is computed as a tied layer without a bias, and vice versa.
 *
 * The rows of a sparse batch are multiplied value by value; dX is not needed then.
 *
 * In training the rows lie in fixed tiles: a row's bits depend only on its place in its tile and on the shapes, so
 * ranks and threads may divide the rows in any way. In inference each call handles one tile. */
#include "dcmpi/la.h"
#include "dcmpi/op.h"
#include "nn/nn_kern.h"

/* A layer without a bias is linear. */
static void bias_act(const dc_call *c, int64_t n)
{
    if (c->node->n_in > 2) dc_dense_bias_act((dc_act)c->node->whole[0], c->in[2], n, c->node->shape.width, c->out);
}

/* The call may have more rows than the batch; those are zero. */
static void forward_sparse(const dc_call *c, int64_t n)
{
    const int64_t out = c->node->shape.width, stored = DC_MIN(c->csr.n, n);
    dc_csr_times(&c->csr, 0, stored, c->in[1], out, out, c->out);
    dc_zero_floats(c->out + stored * out, (size_t)((n - stored) * out));
    bias_act(c, n);
}

static void forward(const dc_call *c)
{
    const int64_t n = c->tile->n, in = dc_in_width(c, 0), out = c->node->shape.width;
    if (!c->in[0]) {
        forward_sparse(c, n);
        return;
    }
    dc_gemm(DC_N, DC_N, n, out, in, 1, c->in[0], in, c->in[1], out, 0, c->out, out);
    bias_act(c, n);
}

static void forward_all(const dc_call *c, int64_t n)
{
    const int64_t in = dc_in_width(c, 0), out = c->node->shape.width;
    if (!c->in[0]) {
        forward_sparse(c, n);
        return;
    }
    dc_gemm_rows(DC_ROW_TILE, n, out, in, c->in[0], in, c->in[1], out, c->out, out);
    bias_act(c, n);
}

/* Transposes W once for all tiles; the library would do it again for every tile. */
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

/* ---- Tied -------------------------------------------------------------------------------------------------------- */

static void forward_tied(const dc_call *c)
{
    const int64_t n = c->tile->n, in = dc_in_width(c, 0), out = c->node->shape.width;
    dc_gemm(DC_N, DC_T, n, out, in, 1, c->in[0], in, c->in[1], in, 0, c->out, out);
    bias_act(c, n);
}

static void forward_all_tied(const dc_call *c, int64_t n)
{
    const int64_t in = dc_in_width(c, 0), out = c->node->shape.width;
    dc_transpose(out, in, c->in[1], c->scratch);
    dc_gemm_rows(DC_ROW_TILE, n, out, in, c->in[0], in, c->scratch, out, c->out, out);
    bias_act(c, n);
}

static void backward_all_tied(const dc_call *c, int64_t n)
{
    const int64_t in = dc_in_width(c, 0), out = c->node->shape.width;
    float *dX = c->adds[0] ? c->spill : c->din[0];
    dc_dense_act_grad((dc_act)c->node->whole[0], c->out, n, out, c->dout, NULL);
    if (!c->din[0]) return;
    dc_gemm_rows(DC_ROW_TILE, n, in, out, c->dout, out, c->in[1], in, dX, in);
    if (c->adds[0]) dc_add_floats((size_t)(n * in), dX, c->din[0]);
}

/* Gradient of the bias, which in a tied layer does not lie next to the weights. */
static void partial_tied(const dc_call *c, int k, double *sum)
{
    const int64_t out = c->node->shape.width;
    (void)k;
    for (int64_t i = 0; i < c->tile->n; i++)
        for (int64_t j = 0; j < out; j++) sum[j] += (double)c->dout[i * out + j];
}

/* ---- Gradients as values: dX is a layer of the other kind, applied to dT with the same weights ------------------ */

static dc_val gradient(dc_graph *g, const dc_op *op, int i, dc_val dout)
{
    const dc_node *x = &g->node[i];
    const dc_val slope = dc_act_slope(g, (dc_act)x->whole[0], dout, (dc_val){i});
    const dc_val weight = (dc_use)(g, &dc_node_in(g, x, 1)->tensor);
    return dc_record(g, (dc_node){.op = op, .n_in = 2, .in = {slope.id, weight.id}, .whole = {DC_ACT_LINEAR}},
                     dc_node_in(g, x, 0)->shape);
}

static dc_val grad(dc_graph *g, int i, int k, dc_val dout)
{
    (void)k;
    return gradient(g, &dc_op_dense_tied, i, dout);
}

static dc_val grad_tied(dc_graph *g, int i, int k, dc_val dout)
{
    (void)k;
    return gradient(g, &dc_op_dense, i, dout);
}

/* ---- Recording --------------------------------------------------------------------------------------------------- */

const dc_op dc_op_dense = {.name = "dense",
                           .forward = forward,
                           .forward_all = forward_all,
                           .backward_all = backward_all,
                           .sparse = 1,
                           .product = DC_PRODUCT_DENSE,
                           .grad = grad,
                           .scratch = scratch,
                           .flops = flops};
const dc_op dc_op_dense_tied = {.name = "dense-tied",
                                .forward = forward_tied,
                                .forward_all = forward_all_tied,
                                .backward_all = backward_all_tied,
                                .partial = partial_tied,
                                .product = DC_PRODUCT_TIED,
                                .grad = grad_tied,
                                .scratch = scratch,
                                .flops = flops};

/* owner: the layer whose weights `layer` uses. */
static dc_val dense(dc_graph *g, const dc_layer *layer, const dc_layer *owner, dc_pass pass, dc_val x)
{
    const bool trained = pass != DC_FIXED;
    const dc_tensor weight = {owner->name, owner->weight, owner->in, owner->out, trained},
                    bias = {layer->name, layer->bias, 1, layer->out, trained};
    const dc_op *op = layer->tied ? &dc_op_dense_tied : &dc_op_dense;
    DC_ASSERT(!layer->tied || (owner->in == layer->out && owner->out == layer->in));
    const dc_shape shape = {DC_ROWS, 1, layer->out};
    const int w = (dc_use)(g, &weight).id;
    if (layer->norm) {
        x = dc_record(g, (dc_node){.op = op, .n_in = 2, .in = {x.id, w}, .whole = {DC_ACT_LINEAR}}, shape);
        return dc_norm_layer(g, layer, pass, x);
    }
    const int b = (dc_use)(g, &bias).id;
    const bool apart = layer->act == DC_ACT_GELU;
    const dc_node node = {.op = op, .n_in = 3, .in = {x.id, w, b}, .whole = {apart ? DC_ACT_LINEAR : layer->act}};
    const dc_val y = dc_record(g, node, shape);
    return apart ? dc_act_gelu(g, y) : y;
}

dc_val(dc_layers)(dc_graph *g, const dc_net *net, int first, int last, dc_pass pass, dc_val x)
{
    for (int l = first; l < last; l++) {
        const dc_layer *layer = &net->layer[l];
        const dc_layer *owner = layer->tied ? dc_net_mirror(net, l) : layer;
        if (dc_graph_shape(g, x).space != DC_ROWS || dc_graph_shape(g, x).width != layer->in)
            return dc_refuse(g, "layer %s reads rows of width %lld, it is given width %lld", layer->name,
                             (long long)layer->in, (long long)dc_graph_shape(g, x).width);
        x = dc_layer_is_pool(layer)      ? dc_pool_layer(g, layer, x)
            : dc_layer_has_window(layer) ? dc_conv_layer(g, layer, owner, pass, x)
                                         : dense(g, layer, owner, pass, x);
    }
    return x;
}
