/* Shapes of an autoencoder and the layout of its parameter slab: [decoder | encoder]. Each part is stored layer by
 * layer: the weight of a layer, its bias, then the vectors of its norm. */
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

static bool has_window(const dc_layer_text *layer)
{
    return layer->kind != DC_LAYER_DENSE;
}

static bool part_has_windows(const dc_part_text *part)
{
    bool has = false;
    for (int l = 0; l < part->n; l++) has |= has_window(&part->layer[l]);
    return has;
}

bool dc_net_text_has_windows(const dc_net_text *t)
{
    return part_has_windows(&t->encoder) || (t->kind == DC_DECODER_OWN && part_has_windows(&t->decoder));
}

static bool part_norms_rows(const dc_part_text *part)
{
    bool norms = false;
    for (int l = 0; l < part->n; l++) {
        const dc_layer_text *t = &part->layer[l];
        norms |= t->norm == DC_NORM_BATCH && t->kind == DC_LAYER_DENSE && t->image.h * t->image.w <= 1;
    }
    return norms;
}

bool dc_net_text_norms_rows(const dc_net_text *t)
{
    return part_norms_rows(&t->encoder) || (t->kind == DC_DECODER_OWN && part_norms_rows(&t->decoder));
}

/* Widths of images are not known yet: they count as equal. */
bool dc_net_text_is_mirror(const dc_net_text *t)
{
    const int n = t->encoder.n;
    bool same = t->kind != DC_DECODER_OWN || t->decoder.n == n;
    for (int j = 0; same && t->kind == DC_DECODER_OWN && j < n - 1; j++)
        same = has_window(&t->decoder.layer[j]) || has_window(&t->encoder.layer[n - 2 - j]) ||
               t->decoder.layer[j].width == width_before(&t->encoder, n - 1 - j);
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
    if (!decodes || has_window(last) || last->width == 0 || last->width == D) return DC_OK;
    return DC_FAIL(DC_ERR_USAGE,
                   "model.decoder: column %d, layer %s gives rows of width %lld, but the data have %lld columns; the "
                   "last width may be left to them: 'dense data'",
                   last->column, layer_name(name, true, part->n - 1), (long long)last->width, (long long)D);
}

static dc_status check_shape(const dc_net_text *t, int64_t D)
{
    const bool own = t->kind == DC_DECODER_OWN;
    const int n_decoder = own                          ? t->decoder.n
                          : t->kind == DC_DECODER_NONE ? 0
                                                       : t->encoder.n,
              n = t->encoder.n + n_decoder;
    dc_status st = DC_OK;
    if (t->encoder.n < 1 || (n_decoder < 1 && t->kind != DC_DECODER_NONE))
        return DC_FAIL(DC_ERR_USAGE, "network: no layers");
    if (n > DC_MAX_LAYERS)
        return DC_FAIL(DC_ERR_USAGE, "network: %d layers in encoder and decoder; at most %d are possible", n,
                       DC_MAX_LAYERS);
    if (D < 1 || D > DC_NET_WIDTH_MAX)
        return DC_FAIL(DC_ERR_USAGE, "network: input width %lld is not in 1..%d", (long long)D, DC_NET_WIDTH_MAX);
    DC_TRY(check_part(&t->encoder, false, D));
    if (own) DC_TRY(check_part(&t->decoder, true, D));
out:
    return st;
}

/* What layer l of the net gets: the images of the layer before it, or of the data. */
static dc_image image_before(const dc_net *net, dc_image data, int l)
{
    return l > 0 ? net->layer[l - 1].image : data;
}

/* Appends the layers of a part to those that the net already has. where: for messages: "model.encoder". */
static dc_status add_part(dc_net *net, const dc_net_text *t, const dc_part_text *part, bool decodes, const char *where)
{
    char why[DC_NET_WHY_MAX];
    for (int l = 0; l < part->n; l++) {
        dc_layer_text text = part->layer[l];
        dc_layer *layer = &net->layer[net->n_layers];
        const int64_t in = net->n_layers > 0 ? layer[-1].out : net->D;
        layer_name(layer->name, decodes, l);
        if (!has_window(&text) && text.width == 0) text.width = net->D;
        if (t->names_only) {
            *layer = (dc_layer){.in = 1,
                                .out = DC_MAX(text.width, (int64_t)1),
                                .act = text.act,
                                .norm = text.norm,
                                .rules = text.rules};
            layer_name(layer->name, decodes, l);
        } else if (!dc_layer_shape(layer, &text, in, image_before(net, t->image, net->n_layers), why)) {
            return DC_FAIL(DC_ERR_USAGE, "%s: column %d, layer %s: %s", where, text.column, layer->name, why);
        }
        net->n_layers++;
    }
    return DC_OK;
}

/* Appends the mirror of the encoder. */
static dc_status add_mirror(dc_net *net, const dc_net_text *t)
{
    const bool tied = t->kind == DC_DECODER_TIED;
    for (int j = 0; j < t->encoder.n; j++) {
        const int i = t->encoder.n - 1 - j;
        const dc_layer *from = &net->layer[i];
        dc_layer *layer = &net->layer[net->n_layers];
        if (!dc_layer_mirror(from, image_before(net, t->image, i), layer) || (tied && from->kind == DC_LAYER_DECONV))
            return DC_FAIL(DC_ERR_USAGE,
                           "model.decoder: column 1, layer %s of the encoder is %s, which %s~encoder cannot "
                           "mirror; write the decoder's layers",
                           from->name, dc_layer_kind_name(from->kind), tied ? "tied " : "");
        layer->act = i > 0 ? t->encoder.layer[i - 1].act : t->output_act;
        layer->norm = i > 0 ? t->encoder.layer[i - 1].norm : t->output_norm;
        layer->tied = tied;
        layer_name(layer->name, true, j);
        net->n_layers++;
    }
    return DC_OK;
}

/* The images that a decoder gives are those of the data. */
static dc_status check_output(const dc_net *net, const dc_part_text *decoder)
{
    const dc_layer *last = &net->layer[net->n_layers - 1];
    if (last->out == net->D) return DC_OK;
    return DC_FAIL(DC_ERR_USAGE,
                   "model.decoder: column %d, layer %s gives images of %lldx%lldx%lld, %lld values, but the data have "
                   "%lld columns",
                   decoder->layer[decoder->n - 1].column, last->name, (long long)last->image.h,
                   (long long)last->image.w, (long long)last->image.c, (long long)last->out, (long long)net->D);
}

/* Places layers [first, last) in the slab from `offset` on; returns the end. */
static size_t place_layers(dc_net *net, int first, int last, size_t offset)
{
    for (int l = first; l < last; l++) {
        dc_layer *layer = &net->layer[l];
        layer->weight = offset;
        layer->bias = offset + (layer->tied ? 0 : (size_t)(dc_layer_rows(layer) * dc_layer_columns(layer)));
        layer->gamma = layer->bias + (size_t)dc_layer_biases(layer);
        layer->mean = layer->gamma + (size_t)dc_layer_biases(layer);
        offset = layer->bias + (size_t)(dc_layer_vectors(layer) * dc_layer_biases(layer));
    }
    return offset;
}

dc_status dc_net_build(dc_net *net, int64_t D, const dc_net_text *t)
{
    dc_status st = DC_OK;
    const bool own = t->kind == DC_DECODER_OWN;
    DC_TRY(check_shape(t, D));
    *net = (dc_net){.n_encoder = t->encoder.n, .D = D};
    DC_TRY(add_part(net, t, &t->encoder, false, "model.encoder"));
    net->L = net->layer[net->n_encoder - 1].out;
    if (own)
        DC_TRY(add_part(net, t, &t->decoder, true, "model.decoder"));
    else if (t->kind != DC_DECODER_NONE)
        DC_TRY(add_mirror(net, t));
    if (own && !t->names_only) DC_TRY(check_output(net, &t->decoder));
    net->n_decoder = place_layers(net, net->n_encoder, net->n_layers, 0);
    net->n_params = place_layers(net, 0, net->n_encoder, net->n_decoder);
    net->n_encoder_params = net->n_params - net->n_decoder;
    for (int l = net->n_encoder; l < net->n_layers; l++)
        if (net->layer[l].tied) net->layer[l].weight = dc_net_mirror(net, l)->weight;
out:
    return st;
}

dc_status dc_net_chain(dc_net *net, const char *name, int64_t D, const char *text, size_t at, int stream)
{
    dc_status st = DC_OK;
    dc_net_text t = {0};
    char why[DC_NET_WHY_MAX];
    if (!dc_net_text_layers(text, name, &t.encoder, why)) return DC_FAIL(DC_ERR_USAGE, "network %s: %s", name, why);
    DC_TRY(check_part(&t.encoder, false, D));
    *net = (dc_net){.n_encoder = t.encoder.n, .D = D, .stream = stream};
    DC_TRY(add_part(net, &t, &t.encoder, false, name));
    net->L = net->layer[net->n_layers - 1].out;
    for (int l = 0; l < net->n_layers; l++) snprintf(net->layer[l].name, DC_LAYER_NAME_MAX, "%.19s_%d", name, l);
    net->n_params = net->n_encoder_params = place_layers(net, 0, net->n_layers, at) - at;
out:
    return st;
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
    for (int l = first; l < last; l++) flops += dc_layer_flops(&net->layer[l]);
    return flops;
}

double dc_net_train_flops(const dc_net *net, int first, int last)
{
    return 3 * dc_net_forward_flops(net, first, last) - dc_net_forward_flops(net, first, DC_MIN(first + 1, last));
}
