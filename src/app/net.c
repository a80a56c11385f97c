/* The network that the deck describes, for these data. */
#include "run.h"

dc_status dc_run_net(const dc_config *cfg, int64_t D, dc_net *net)
{
    dc_net_text text;
    dc_config_net(cfg, &text);
    const dc_part_text *decoder = &text.decoder;
    const int64_t own = text.kind == DC_DECODER_OWN ? decoder->layer[decoder->n - 1].width : 0;
    return dc_net_build(net, D > 0 ? D : DC_MAX(own, (int64_t)1), &text);
}

dc_opt_config dc_run_optimizer(const dc_opt_config *opt, const dc_net *net)
{
    dc_opt_config own = *opt;
    dc_factors_of_layers(net, &own.lr_factors);
    return own;
}
