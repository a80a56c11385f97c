#include "deck_model.h"

dc_status dc_deck_net(const dc_config *cfg, int64_t D, dc_net *net)
{
    return dc_net_init(net, D, cfg->model.hidden.v, cfg->model.hidden.n, cfg->model.latent,
                       (dc_act)cfg->model.activation, (dc_act)cfg->model.latent_activation,
                       (dc_act)cfg->model.output_activation);
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
    return DC_OK;
}
