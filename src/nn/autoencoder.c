/* Shapes of a symmetric fully connected autoencoder and the layout of its parameter slab: [decoder | encoder], within
 * each part layer by layer, weight then bias. */
#include <stdio.h>

#include "dcmpi/nn.h"

enum { WIDTH_MAX = 1 << 24 };

static dc_status check_shape(int64_t D, const int64_t *hidden, int n_hidden, int64_t L)
{
    if (n_hidden < 0 || 2 * (n_hidden + 1) > DC_MAX_LAYERS)
        return DC_FAIL(DC_ERR_USAGE, "network: %d hidden layers; at most %d are possible", n_hidden,
                       DC_MAX_LAYERS / 2 - 1);
    if (D < 1 || D > WIDTH_MAX)
        return DC_FAIL(DC_ERR_USAGE, "network: input width %lld is not in 1..%d", (long long)D, WIDTH_MAX);
    if (L < 1 || L > WIDTH_MAX)
        return DC_FAIL(DC_ERR_USAGE, "network: latent width %lld is not in 1..%d", (long long)L, WIDTH_MAX);
    for (int i = 0; i < n_hidden; i++)
        if (hidden[i] < 1 || hidden[i] > WIDTH_MAX)
            return DC_FAIL(DC_ERR_USAGE, "network: width %lld of hidden layer %d is not in 1..%d", (long long)hidden[i],
                           i + 1, WIDTH_MAX);
    return DC_OK;
}

/* Width between the layers: 0 is the input, n_encoder the embedding, 2 n_encoder the output. */
static int64_t width_at(const dc_net *net, const int64_t *hidden, int i)
{
    const int depth = i <= net->n_encoder ? i : net->n_layers - i;
    return depth == 0 ? net->D : depth == net->n_encoder ? net->L : hidden[depth - 1];
}

/* Gives layers [first, last) their places from `offset` on; returns the end. */
static size_t place_layers(dc_net *net, int first, int last, size_t offset)
{
    for (int l = first; l < last; l++) {
        dc_layer *layer = &net->layer[l];
        layer->weight = offset;
        layer->bias = offset + (size_t)(layer->in * layer->out);
        offset = layer->bias + (size_t)layer->out;
    }
    return offset;
}

dc_status dc_net_init(dc_net *net, int64_t D, const int64_t *hidden, int n_hidden, int64_t L, dc_act hidden_act,
                      dc_act latent_act, dc_act output_act)
{
    const dc_status st = check_shape(D, hidden, n_hidden, L);
    if (st != DC_OK) return st;
    const int ne = n_hidden + 1;
    *net = (dc_net){.n_layers = 2 * ne, .n_encoder = ne, .D = D, .L = L};
    for (int l = 0; l < net->n_layers; l++) {
        dc_layer *layer = &net->layer[l];
        const bool encodes = l < ne;
        layer->in = width_at(net, hidden, l);
        layer->out = width_at(net, hidden, l + 1);
        layer->act = l == ne - 1 ? latent_act : l == net->n_layers - 1 ? output_act : hidden_act;
        snprintf(layer->name, sizeof layer->name, "%s_%d", encodes ? "encoder" : "decoder", encodes ? l : l - ne);
    }
    net->n_decoder = place_layers(net, ne, net->n_layers, 0);
    net->n_params = place_layers(net, 0, ne, net->n_decoder);
    net->n_encoder_params = net->n_params - net->n_decoder;
    return DC_OK;
}

dc_net dc_net_for_loss(const dc_net *net, dc_recon_loss loss)
{
    dc_net trained = *net;
    dc_layer *output = &trained.layer[net->n_layers - 1];
    if (loss == DC_LOSS_BCE && output->act == DC_ACT_SIGMOID) output->act = DC_ACT_LINEAR;
    return trained;
}

double dc_net_forward_flops(const dc_net *net, int first, int last)
{
    double flops = 0;
    for (int l = first; l < last; l++) flops += 2.0 * (double)net->layer[l].in * (double)net->layer[l].out;
    return flops;
}

double dc_net_train_flops(const dc_net *net, int first, int last)
{
    return 3 * dc_net_forward_flops(net, first, last) - dc_net_forward_flops(net, first, DC_MIN(first + 1, last));
}
