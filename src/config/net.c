/* Builds the network that a deck describes: the encoder from a text or from layer widths, the decoder from a text. */
#include "key.h"

static void add(dc_part_text *part, int64_t width, int act)
{
    part->layer[part->n++] = (dc_layer_text){.width = width, .act = (dc_act)act};
}

void dc_config_net(const dc_config *cfg, dc_net_text *out)
{
    char why[DC_NET_WHY_MAX];
    *out = (dc_net_text){.output_act = (dc_act)cfg->model.output_activation, .kind = DC_DECODER_NONE};
    if (cfg->cluster.on == DC_ON_INPUT) return;
    /* Both texts were checked when they were set. */
    if (cfg->model.encoder[0]) DC_ASSERT(dc_net_text_encoder(cfg->model.encoder, out, why));
    DC_ASSERT(dc_net_text_decoder(cfg->model.decoder, out, why));
    if (cfg->model.encoder[0]) return;
    for (int i = 0; i < cfg->model.hidden.n; i++) add(&out->encoder, cfg->model.hidden.v[i], cfg->model.activation);
    add(&out->encoder, cfg->model.latent, cfg->model.latent_activation);
}
