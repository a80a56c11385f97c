/* Forward and backward on fixed tiles of rows: the bits of a row depend on its place in its tile and on nothing else,
 * so ranks and threads may share out the rows as they like. The elementwise kernels have that property by themselves.
 *
 * The backward pass keeps dLoss/d(pre-activation) of every layer: weight gradients are sums over rows of the whole
 * batch, and whoever computes them (train/gradient) needs all of it. */
#include "dcmpi/la.h"
#include "dcmpi/nn.h"
#include "nn/nn_kern.h"

void dc_net_forward_tiled(const dc_net *net, const float *value, dc_net_work *w, int first, int last, int64_t n)
{
    DC_ASSERT(n <= w->n_max);
    for (int l = first; l < last; l++) {
        const dc_layer *layer = &net->layer[l];
        dc_gemm_rows(DC_ROW_TILE, n, layer->out, layer->in, w->act[l], layer->in, value + layer->weight, layer->out,
                     w->act[l + 1], layer->out);
        dc_dense_bias_act(layer->act, value + layer->bias, n, layer->out, w->act[l + 1]);
    }
}

size_t dc_net_transposed_floats(const dc_net *net, int last)
{
    size_t floats = 0;
    for (int l = 1; l < last; l++) floats = DC_MAX(floats, (size_t)(net->layer[l].in * net->layer[l].out));
    return floats;
}

/* dX = dT W^T. The library would transpose W anew for every tile. */
static void input_gradient(const dc_layer *layer, const float *value, int64_t n, const float *dT, float *transposed,
                           float *dX)
{
    dc_transpose(layer->in, layer->out, value + layer->weight, transposed);
    dc_gemm_rows(DC_ROW_TILE, n, layer->in, layer->out, dT, layer->out, transposed, layer->in, dX, layer->in);
}

void dc_net_backward_tiled(const dc_net *net, const float *value, const dc_net_work *w, int first, int last, int64_t n,
                           float *const *delta, float *dx, float *transposed)
{
    DC_ASSERT(n <= w->n_max);
    for (int l = last - 1; l >= first; l--) {
        const dc_layer *layer = &net->layer[l];
        float *dX = l == first ? dx : delta[l - 1];
        dc_dense_act_grad(layer->act, w->act[l + 1], n, layer->out, delta[l], NULL);
        if (dX) input_gradient(layer, value, n, delta[l], transposed, dX);
    }
}
