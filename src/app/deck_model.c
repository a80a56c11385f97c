#include "deck_model.h"

#include <math.h>

#include "dcmpi/mixture.h"

dc_image dc_deck_image(const dc_config *cfg)
{
    dc_net_text text;
    const dc_int_list *shape = &cfg->input.image_shape;
    dc_config_net(cfg, &text);
    if (!dc_net_text_has_windows(&text) || shape->n < 2 || shape->n > 3) return (dc_image){0};
    return (dc_image){shape->v[0], shape->v[1], shape->n == 3 ? shape->v[2] : 1};
}

/* Images of a square number of columns may be guessed by people, not by us. */
static dc_status refuse_rows(int64_t D)
{
    const int64_t side = (int64_t)lround(sqrt((double)D));
    char guess[64] = "";
    if (side * side == D) snprintf(guess, sizeof guess, "; is it [%lld, %lld]?", (long long)side, (long long)side);
    return DC_FAIL(
        DC_ERR_USAGE,
        "model.encoder has layers for images, but nothing says what images the rows of %lld columns are: set "
        "input.image_shape to [height, width] or [height, width, channels], or make the data file with "
        "`dcmpi convert --image-shape=HxW`%s",
        (long long)D, guess);
}

dc_status dc_deck_net(const dc_config *cfg, int64_t D, dc_net *net)
{
    dc_net_text text;
    dc_config_net(cfg, &text);
    if (dc_method_find(cfg->cluster.method)->flags & DC_METHOD_SCRATCH) text.kind = DC_DECODER_NONE;
    const dc_part_text *decoder = &text.decoder;
    const int64_t own = text.kind == DC_DECODER_OWN ? decoder->layer[decoder->n - 1].width : 0;
    text.names_only = D == 0;
    text.image = dc_deck_image(cfg);
    if (D > 0 && dc_net_text_has_windows(&text) && text.image.c == 0) return refuse_rows(D);
    if (text.encoder.n == 0) {
        *net = (dc_net){.D = DC_MAX(D, (int64_t)1), .L = DC_MAX(D, (int64_t)1)};
        return DC_OK;
    }
    return dc_net_build(net, D > 0 ? D : DC_MAX(own, (int64_t)1), &text);
}

void dc_deck_take_images(dc_config *cfg, const dc_data_header *head)
{
    dc_net_text text;
    dc_int_list *shape = &cfg->input.image_shape;
    dc_config_net(cfg, &text);
    if (!dc_net_text_has_windows(&text) || shape->n > 0 || head->n_image_dims < 2 || head->n_image_dims > 3) return;
    for (int i = 0; i < head->n_image_dims; i++) shape->v[shape->n++] = head->image_shape[i];
}

int dc_deck_final(const dc_config *cfg)
{
    static const int of[] = {[DC_FINAL_NONE] = 0,
                             [DC_FINAL_GMM] = 1 + DC_COVARIANCE_FULL,
                             [DC_FINAL_GMM_TIED] = 1 + DC_COVARIANCE_TIED,
                             [DC_FINAL_GMM_DIAGONAL] = 1 + DC_COVARIANCE_DIAGONAL,
                             [DC_FINAL_GMM_SPHERICAL] = 1 + DC_COVARIANCE_SPHERICAL};
    return of[cfg->cluster.final];
}

dc_status dc_deck_slab(const dc_config *cfg, int64_t D, dc_slab *slab)
{
    dc_net net;
    const dc_method *method = dc_method_find(cfg->cluster.method);
    const dc_status st = dc_deck_net(cfg, D, &net);
    if (st != DC_OK) return st;
    const dc_method_env env = {.K = DC_MAX(cfg->cluster.clusters, 1),
                               .L = net.L,
                               .final = dc_deck_final(cfg),
                               .keys = dc_config_method_keys(cfg)};
    dc_slab_init(slab, &net);
    if (method->build) method->build(&env, slab);
    dc_final_build(&env, slab);
    return slab->st;
}

dc_opt_config dc_deck_optimizer(const dc_opt_config *opt, const dc_net *net)
{
    dc_opt_config own = *opt;
    dc_factors_of_layers(net, &own.lr_factors);
    return own;
}
