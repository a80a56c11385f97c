/* aae: clustering by an adversarial autoencoder (Makhzani et al. 2015, section 6). The latent code of a row is a soft
 * category y, the softmax of the first K columns of the encoder, and a style z, its other columns. Two discriminators
 * tell y from one-hot draws of K equally likely categories, and z from standard normal draws. Per batch:
 *   1. reconstruction: encoder and decoder, from the code;
 *   2. both discriminators;
 *   3. the encoder learns to pass for what is drawn.
 * The label is the category of the largest y; centres, for the result, are means of codes. */
#include <string.h>

#include "methods.h"

typedef struct {
    dc_adversary_keys adversary;
    double encoder_lr, momentum, input_dropout;
    int loss; /* dc_recon_loss */
} aae_keys;

static const dc_key keys[] = {
    DC_ADVERSARY_KEYS(aae_keys, adversary, "[3000, 3000]", "relu", "Makhzani et al. 2015"),
    {.name = "encoder_lr",
     .type = DC_KEY_FLOAT,
     .offset = offsetof(aae_keys, encoder_lr),
     .fallback = "0",
     .min = 0,
     .max = 1e6,
     .also = "generator_lr g_lr",
     .doc = "Learning rate of the encoder when it learns from the discriminators. 0: cluster.lr."},
    {.name = "momentum",
     .type = DC_KEY_FLOAT,
     .offset = offsetof(aae_keys, momentum),
     .fallback = "0.1",
     .min = 0,
     .max = 1,
     .range = DC_OPEN_MAX,
     .also = "beta1 adversarial_momentum",
     .source = "Makhzani et al. 2015",
     .doc =
         "Momentum, or beta1 of adam, of the adversarial steps; the reconstruction has that of the section cluster."},
    {.name = "input_dropout",
     .type = DC_KEY_FLOAT,
     .offset = offsetof(aae_keys, input_dropout),
     .fallback = "0.2",
     .min = 0,
     .max = 1,
     .range = DC_OPEN_MAX,
     .also = "dropout corruption",
     .source = "Makhzani et al. 2015",
     .doc = "Dropout rate of the encoder's input in training."},
    DC_LOSS_KEY(aae_keys, "mse", "Makhzani et al. 2015"),
};

static void build(const dc_method_env *env, dc_slab *slab)
{
    const aae_keys *k = env->keys;
    if (env->L <= env->K && slab->st == DC_OK)
        slab->st = DC_FAIL(DC_ERR_USAGE,
                           "method aae needs an embedding wider than cluster.clusters = %lld, for the categories and a "
                           "style of at least one column; model.latent is %lld",
                           (long long)env->K, (long long)env->L);
    dc_adversary_build(slab, "category", env->K, &k->adversary, "relu");
    dc_adversary_build(slab, "style", DC_MAX(env->L - env->K, (int64_t)1), &k->adversary, "relu");
    dc_slab_add(slab, "centers", env->K, env->L, false);
}

static dc_status start(dc_comm *comm, dc_method_state *s, const dc_inferred *rows)
{
    (void)comm, (void)s, (void)rows;
    return DC_OK;
}

/* ---- Steps ------------------------------------------------------------------------------------------------------- */

typedef struct {
    dc_val y, z;
} code;

static code encode(dc_graph *g, const dc_method_env *env, dc_pass pass, dc_val x)
{
    const dc_val h = dc_centers_encode(g, env, pass, x);
    return (code){dc_softmax(g, dc_columns(g, h, 0, env->K), DC_NONE), dc_columns(g, h, env->K, env->L - env->K)};
}

/* One-hot: the largest of K normal values is each of them with the same probability, and far above the others at this
 * scale. */
static dc_val draw_category(dc_graph *g, const dc_method_env *env)
{
    return dc_softmax(g, dc_noise(g, env->K, 0), dc_number(g, 1e9));
}

static void tell(dc_graph *g, const dc_method_env *env, code made)
{
    dc_minimize(g, "category", 1,
                dc_adversary_tells(g, dc_slab_net(env->slab, "category"), draw_category(g, env), made.y));
    dc_minimize(g, "style", 1,
                dc_adversary_tells(g, dc_slab_net(env->slab, "style"), dc_noise(g, env->L - env->K, 1), made.z));
}

static void pass(dc_graph *g, const dc_method_env *env, code made)
{
    const aae_keys *k = env->keys;
    dc_minimize(g, "pass_category", k->adversary.weight,
                dc_adversary_passes(g, dc_slab_net(env->slab, "category"), made.y));
    dc_minimize(g, "pass_style", k->adversary.weight, dc_adversary_passes(g, dc_slab_net(env->slab, "style"), made.z));
}

enum { RECONSTRUCT, TELL, PASS, STEPS };

static void record(dc_graph *g, const dc_method_state *s, int step)
{
    const dc_method_env *env = s->env;
    const aae_keys *k = env->keys;
    const dc_val x = dc_batch(g, env->slab->net.D);
    const code made =
        encode(g, env, step == RECONSTRUCT ? DC_TRAINED : DC_QUIET, dc_dropout(g, k->input_dropout, 0, x));
    if (step == RECONSTRUCT)
        dc_centers_reconstruct(g, env, (dc_recon_loss)k->loss, x, dc_concat(g, made.y, made.z));
    else if (step == TELL)
        tell(g, env, made);
    else
        pass(g, env, made);
}

static void turn(const dc_method_env *env, int step, dc_turn *out)
{
    const aae_keys *k = env->keys;
    if (step == RECONSTRUCT) return;
    dc_adversary_turn(&k->adversary, step == TELL, out);
    if (step == PASS && k->encoder_lr > 0) out->opt.lr = k->encoder_lr;
    out->opt.momentum = out->opt.beta1 = k->momentum;
}

static void infer(dc_graph *g, const dc_method_env *env)
{
    const code made = encode(g, env, DC_FIXED, dc_batch(g, env->slab->net.D));
    dc_output(g, "embedding", dc_concat(g, made.y, made.z));
    dc_output(g, "q", made.y);
}

static const dc_method_failure *failed(const dc_method_env *env, const dc_refresh *last, const double *loss, size_t n,
                                       int stride)
{
    static const char wins[] = "it tells every row and teaches the encoder nothing: lower aae.discriminator_lr",
                      idle[] = "its loss stays at 2 ln 2: raise aae.discriminator_lr, or widen aae.discriminator";
    static const dc_adversary_failures category = {{"the discriminator of categories wins", wins},
                                                   {"the discriminator of categories learns nothing", idle}},
                                       style = {
                                           .wins = {"the discriminator of styles wins", wins}}; /* often soon done */
    static const dc_method_failure few = {
        "rows fall into less than half of the categories",
        "put batch norm into model.encoder (\"dense 256 bn relu\"), lower aae.encoder_lr, or raise "
        "aae.discriminator_lr"};
    const dc_method_failure *f = dc_adversary_failed(&category, loss, n, stride);
    if (!f) f = dc_adversary_failed(&style, loss + 1, n, stride);
    return !f && dc_head_is_empty(env, last) ? &few : f;
}

const dc_method dc_method_aae = {
    .name = "aae",
    .summary = "adversarial autoencoder: a categorical and a Gaussian part of the code, each held by a discriminator",
    .flags = DC_METHOD_TRAINS | DC_METHOD_RECONSTRUCTS | DC_METHOD_OWN_START,
    DC_METHOD_KEYS(keys, aae_keys),
    .build = build,
    .create = dc_centers_create,
    .start = start,
    .refresh = dc_head_refresh,
    .n_steps = STEPS,
    .record = record,
    .turn = turn,
    .infer = infer,
    .failed = failed,
    .destroy = dc_centers_destroy,
};
