#include "deck_model.h"

dc_status dc_deck_net(const dc_config *cfg, int64_t D, dc_net *net)
{
    dc_net_text text;
    dc_config_net(cfg, &text);
    if (dc_method_find(cfg->cluster.method)->flags & DC_METHOD_SCRATCH) text.kind = DC_DECODER_NONE;
    const dc_part_text *decoder = &text.decoder;
    const int64_t own = text.kind == DC_DECODER_OWN ? decoder->layer[decoder->n - 1].width : 0;
    return dc_net_build(net, D > 0 ? D : DC_MAX(own, (int64_t)1), &text);
}

dc_status dc_deck_slab(const dc_config *cfg, int64_t D, dc_slab *slab)
{
    dc_net net;
    const dc_method *method = dc_method_find(cfg->cluster.method);
    const dc_status st = dc_deck_net(cfg, D, &net);
    if (st != DC_OK) return st;
    const dc_method_env env = {.K = cfg->cluster.clusters, .L = net.L, .keys = dc_config_method_keys(cfg)};
    dc_slab_init(slab, &net);
    if (method->build) method->build(&env, slab);
    return slab->st;
}

dc_opt_config dc_deck_optimizer(const dc_opt_config *opt, const dc_net *net)
{
    dc_opt_config own = *opt;
    dc_factors_of_layers(net, &own.lr_factors);
    return own;
}
