/* dkm: Deep k-Means (Fard, Thonet, Gaussier, Pattern Recognition Letters 2020). Encoder, decoder and centres minimise
 *   mean |x - x^|^2 + lambda mean sum_k |z - r_k|^2 softmax_k(-alpha |z - r_k|^2)
 * together. The softmax is a smooth form of k-means' choice of a centre; alpha rises during training: alpha_1 = 0.1,
 * alpha_(i+1) = 2^(1 / ln(i+1)^2) alpha_i, 40 values, 5 epochs each. After pretraining, the authors keep alpha at 1000
 * instead. */
#include <math.h>

#include "methods.h"

typedef struct {
    dc_centers_keys centers;
    double lambda, sharpness;
    int loss; /* dc_recon_loss */
} dkm_keys;

static const dc_key keys[] = {
    DC_CENTERS_KEYS,
    {.name = "lambda",
     .type = DC_KEY_FLOAT,
     .offset = offsetof(dkm_keys, lambda),
     .fallback = "1.0",
     .min = 0,
     .max = 1e6,
     .also = "gamma weight",
     .source = "Fard et al. 2020",
     .doc = "Weight of the distances to the centres; the reconstruction loss has weight 1."},
    {.name = "sharpness",
     .type = DC_KEY_FLOAT,
     .offset = offsetof(dkm_keys, sharpness),
     .fallback = "1000",
     .min = 0,
     .max = 1e12,
     .source = "Fard et al. 2020, from a pretrained autoencoder",
     .doc =
         "The paper's alpha: how sharply the softmax of the distances chooses a centre. 0: it rises in 40 values of 5 "
         "epochs each, from 0.1 on, as the paper has it without pretraining."},
    DC_LOSS_KEY(dkm_keys, "mse_sum", "Fard et al. 2020"),
};

/* The slab's "alpha" holds -alpha. */
static void build(const dc_method_env *env, dc_slab *slab)
{
    dc_centers_build(env, slab);
    dc_slab_add(slab, "alpha", 1, 1, false);
}

static void record(dc_graph *g, const dc_method_state *s, int step)
{
    const dc_method_env *env = s->env;
    const dkm_keys *k = env->keys;
    (void)step;
    const dc_val x = dc_batch(g, env->slab->net.D), z = dc_centers_encode(g, env, true, x);
    const dc_val d = dc_sqdist(g, z, dc_method_use(g, env, "centers")), scale = dc_method_use(g, env, "alpha");
    dc_minimize(g, "clustering", k->lambda, dc_dot(g, d, dc_softmax(g, d, scale)));
    dc_centers_reconstruct(g, env, (dc_recon_loss)k->loss, x, z);
}

enum { VALUES = 40, EPOCHS = 5 };

static double alpha_at(const dc_method_env *env, int64_t step)
{
    const dkm_keys *k = env->keys;
    if (k->sharpness > 0) return k->sharpness;
    const int64_t value = DC_MIN(step / (env->epoch_steps * EPOCHS), (int64_t)VALUES - 1);
    double alpha = 0.1;
    for (int64_t i = 2; i <= value + 1; i++) alpha *= exp2(1 / (log((double)i) * log((double)i)));
    return alpha;
}

static void anneal(const dc_method_state *s, int64_t step)
{
    const dc_method_env *env = s->env;
    *dc_method_values(env, "alpha") = -(float)alpha_at(env, step);
}

const dc_method dc_method_dkm = {
    .name = "dkm",
    .summary = "Deep k-Means: reconstruction and distances to centres, chosen by an annealed softmax",
    .flags = DC_METHOD_TRAINS | DC_METHOD_RECONSTRUCTS,
    DC_METHOD_KEYS(keys, dkm_keys),
    .build = build,
    .create = dc_centers_create,
    .start = dc_centers_start,
    .n_steps = 1,
    .record = record,
    .infer = dc_centers_infer,
    .anneal = anneal,
    .destroy = dc_centers_destroy,
};
