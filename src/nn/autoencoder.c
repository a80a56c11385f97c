/* Shapes of a fully connected autoencoder and the layout of its parameter slab: [decoder | encoder]. Each part is
 * stored layer by layer: the weight of a layer, its bias, then the vectors of its norm. */
#include <stdio.h>

#include "dcmpi/net_text.h"

static const char *layer_name(char out[DC_LAYER_NAME_MAX], bool decodes, int l)
{
    snprintf(out, DC_LAYER_NAME_MAX, "%s_%d", decodes ? "decoder" : "encoder", l);
    return out;
}

/* ---- Layers ------------------------------------------------------------------------------------------------------ */

/* Width of the input of encoder layer i; 0: the width of the data. */
static int64_t width_before(const dc_part_text *encoder, int i)
{
    return i > 0 ? encoder->layer[i - 1].width : 0;
}

static void mirror(const dc_net_text *t, dc_part_text *decoder)
{
    const dc_part_text *encoder = &t->encoder;
    decoder->n = encoder->n;
    for (int j = 0; j < decoder->n; j++) {
        const int i = encoder->n - 1 - j; /* the encoder layer that it mirrors */
        decoder->layer[j] = (dc_layer_text){.width = width_before(encoder, i),
                                            .act = i > 0 ? encoder->layer[i - 1].act : t->output_act,
                                            .norm = i > 0 ? encoder->layer[i - 1].norm : t->output_norm,
                                            .rules = encoder->layer[i].rules};
    }
}

bool dc_net_text_is_mirror(const dc_net_text *t)
{
    const int n = t->encoder.n;
    bool same = t->kind != DC_DECODER_OWN || t->decoder.n == n;
    for (int j = 0; same && t->kind == DC_DECODER_OWN && j < n - 1; j++)
        same = t->decoder.layer[j].width == width_before(&t->encoder, n - 1 - j);
    return same;
}

static dc_status check_part(const dc_part_text *part, bool decodes, int64_t D)
{
    char name[DC_LAYER_NAME_MAX];
    const dc_layer_text *last = &part->layer[part->n - 1];
    for (int l = 0; l < part->n; l++)
        if (part->layer[l].width < 0 || part->layer[l].width > DC_NET_WIDTH_MAX)
            return DC_FAIL(DC_ERR_USAGE, "network: width %lld of %s is not in 1..%d", (long long)part->layer[l].width,
                           layer_name(name, decodes, l), DC_NET_WIDTH_MAX);
    if (!decodes || last->width == 0 || last->width == D) return DC_OK;
    return DC_FAIL(DC_ERR_USAGE,
                   "model.decoder: column %d, layer %s gives rows of width %lld, but the data have %lld columns; the "
                   "last width may be left to them: 'dense data'",
                   last->column, layer_name(name, true, part->n - 1), (long long)last->width, (long long)D);
}

static dc_status check_shape(const dc_net_text *t, const dc_part_text *decoder, int64_t D)
{
    const int n = t->encoder.n + decoder->n;
    dc_status st = DC_OK;
    if (t->encoder.n < 1 || (decoder->n < 1 && t->kind != DC_DECODER_NONE))
        return DC_FAIL(DC_ERR_USAGE, "network: no layers");
    if (n > DC_MAX_LAYERS)
        return DC_FAIL(DC_ERR_USAGE, "network: %d layers in encoder and decoder; at most %d are possible", n,
                       DC_MAX_LAYERS);
    if (D < 1 || D > DC_NET_WIDTH_MAX)
        return DC_FAIL(DC_ERR_USAGE, "network: input width %lld is not in 1..%d", (long long)D, DC_NET_WIDTH_MAX);
    DC_TRY(check_part(&t->encoder, false, D));
    if (decoder->n > 0) DC_TRY(check_part(decoder, true, D));
out:
    return st;
}

/* Appends the layers of a part to those that the net already has. */
static void add_part(dc_net *net, const dc_part_text *part, bool decodes, bool tied)
{
    for (int l = 0; l < part->n; l++) {
        const dc_layer_text *from = &part->layer[l];
        dc_layer *layer = &net->layer[net->n_layers];
        layer->in = net->n_layers > 0 ? layer[-1].out : net->D;
        layer->out = from->width ? from->width : net->D;
        layer->act = from->act;
        layer->norm = from->norm;
        layer->rules = from->rules;
        layer->tied = tied;
        layer_name(layer->name, decodes, l);
        net->n_layers++;
    }
}

/* Places layers [first, last) in the slab from `offset` on; returns the end. */
static size_t place_layers(dc_net *net, int first, int last, size_t offset)
{
    for (int l = first; l < last; l++) {
        dc_layer *layer = &net->layer[l];
        layer->weight = offset;
        layer->bias = offset + (layer->tied ? 0 : (size_t)(layer->in * layer->out));
        layer->gamma = layer->bias + (size_t)layer->out;
        layer->mean = layer->gamma + (size_t)layer->out;
        offset = layer->bias + (size_t)(dc_layer_vectors(layer) * layer->out);
    }
    return offset;
}

dc_status dc_net_build(dc_net *net, int64_t D, const dc_net_text *t)
{
    dc_part_text mirrored;
    const bool own = t->kind == DC_DECODER_OWN;
    mirrored.n = 0;
    if (!own && t->kind != DC_DECODER_NONE) mirror(t, &mirrored);
    const dc_part_text *decoder = own ? &t->decoder : &mirrored;
    const dc_status st = check_shape(t, decoder, D);
    if (st != DC_OK) return st;
    *net = (dc_net){.n_encoder = t->encoder.n, .D = D, .L = t->encoder.layer[t->encoder.n - 1].width};
    add_part(net, &t->encoder, false, false);
    add_part(net, decoder, true, t->kind == DC_DECODER_TIED);
    net->n_decoder = place_layers(net, net->n_encoder, net->n_layers, 0);
    net->n_params = place_layers(net, 0, net->n_encoder, net->n_decoder);
    net->n_encoder_params = net->n_params - net->n_decoder;
    for (int l = net->n_encoder; l < net->n_layers; l++)
        if (net->layer[l].tied) net->layer[l].weight = dc_net_mirror(net, l)->weight;
    return DC_OK;
}

dc_status dc_net_chain(dc_net *net, const char *name, int64_t D, const char *text, size_t at, int stream)
{
    dc_part_text part;
    char why[DC_NET_WHY_MAX];
    if (!dc_net_text_layers(text, name, &part, why)) return DC_FAIL(DC_ERR_USAGE, "network %s: %s", name, why);
    const dc_status st = check_part(&part, false, D);
    if (st != DC_OK) return st;
    *net = (dc_net){.n_encoder = part.n, .D = D, .L = part.layer[part.n - 1].width, .stream = stream};
    add_part(net, &part, false, false);
    for (int l = 0; l < net->n_layers; l++) snprintf(net->layer[l].name, DC_LAYER_NAME_MAX, "%.20s_%d", name, l);
    net->n_params = net->n_encoder_params = place_layers(net, 0, net->n_layers, at) - at;
    return DC_OK;
}

static dc_status check_widths(const int64_t *hidden, int n_hidden, int64_t L)
{
    if (n_hidden < 0 || 2 * (n_hidden + 1) > DC_MAX_LAYERS)
        return DC_FAIL(DC_ERR_USAGE, "network: %d hidden layers; at most %d are possible", n_hidden,
                       DC_MAX_LAYERS / 2 - 1);
    if (L < 1 || L > DC_NET_WIDTH_MAX)
        return DC_FAIL(DC_ERR_USAGE, "network: latent width %lld is not in 1..%d", (long long)L, DC_NET_WIDTH_MAX);
    for (int i = 0; i < n_hidden; i++)
        if (hidden[i] < 1 || hidden[i] > DC_NET_WIDTH_MAX)
            return DC_FAIL(DC_ERR_USAGE, "network: width %lld of hidden layer %d is not in 1..%d", (long long)hidden[i],
                           i + 1, DC_NET_WIDTH_MAX);
    return DC_OK;
}

dc_status dc_net_init(dc_net *net, int64_t D, const int64_t *hidden, int n_hidden, int64_t L, dc_act hidden_act,
                      dc_act latent_act, dc_act output_act)
{
    const dc_status st = check_widths(hidden, n_hidden, L);
    if (st != DC_OK) return st;
    dc_net_text t = {.encoder.n = n_hidden + 1, .output_act = output_act};
    for (int i = 0; i < n_hidden; i++) t.encoder.layer[i] = (dc_layer_text){.width = hidden[i], .act = hidden_act};
    t.encoder.layer[n_hidden] = (dc_layer_text){.width = L, .act = latent_act};
    return dc_net_build(net, D, &t);
}

bool dc_net_is_mirror(const dc_net *net)
{
    bool same = net->n_layers == 2 * net->n_encoder;
    for (int l = 0; same && l < net->n_encoder; l++)
        same = dc_net_mirror(net, l)->in == net->layer[l].out && dc_net_mirror(net, l)->out == net->layer[l].in;
    return same;
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
