/* idec: Improved Deep Embedded Clustering (Guo, Gao, Liu, Yin, IJCAI 2017). The decoder stays: the loss is
 * reconstruction + gamma * KL(P || Q), so that the embedding forms clusters and still keeps what reconstruction
 * needs. */
#include "methods.h"

typedef struct {
    dc_centers_keys centers;
    double gamma;
    int loss; /* dc_recon_loss */
} idec_keys;

static const dc_key keys[] = {
    DC_CENTERS_KEYS,
    {.name = "gamma",
     .type = DC_KEY_FLOAT,
     .offset = offsetof(idec_keys, gamma),
     .fallback = "0.1",
     .min = 0,
     .max = 1e6,
     .also = "weight coefficient",
     .source = "Guo et al. 2017",
     .doc =
         "Weight of the clustering loss; the reconstruction loss has weight 1. 0.1 belongs to loss mse: with mse_sum "
         "the same balance needs 0.1 times the columns."},
    DC_LOSS_KEY(idec_keys, "mse", "Guo et al. 2017"),
};

static void record(dc_graph *g, const dc_method_state *s, int step)
{
    const idec_keys *k = s->env->keys;
    (void)step;
    const dc_val x = dc_batch(g, s->env->slab->net.D), z = dc_centers_encode(g, s->env, true, x);
    dc_minimize(g, "clustering", k->gamma, dc_centers_kl(g, s, z));
    dc_centers_reconstruct(g, s->env, (dc_recon_loss)k->loss, x, z);
}

const dc_method dc_method_idec = {
    .name = "idec",
    .summary = "Improved DEC: reconstruction + gamma * KL(P || Q), the decoder is kept",
    .flags = DC_METHOD_TRAINS | DC_METHOD_RECONSTRUCTS,
    DC_METHOD_KEYS(keys, idec_keys),
    .build = dc_centers_build,
    .create = dc_centers_create_target,
    .start = dc_centers_start,
    .refresh = dc_centers_refresh_target,
    .n_steps = 1,
    .record = record,
    .infer = dc_centers_infer,
    .destroy = dc_centers_destroy,
};
