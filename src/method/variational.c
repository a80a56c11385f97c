/* What variational autoencoders share (Kingma and Welling 2014). The encoder has two heads: the embedding layer gives
 * the mean of a row's Gaussian, a layer beside it the logarithm of its variance. */
#include <stdio.h>

#include "dcmpi/mem.h"
#include "dcmpi/rng.h"
#include "methods.h"

const dc_key_choice dc_variational_losses[] = {{"mse_sum", DC_LOSS_MSE}, {"bce_sum", DC_LOSS_BCE}, {NULL, 0}};

static const char head[] = "log_variance";

static const dc_variational_keys *keys_of(const dc_method_env *env)
{
    return env->keys;
}

void dc_variational_build(const dc_method_env *env, dc_slab *slab, const char *setting)
{
    char text[32];
    const bool bits = keys_of(env)->loss == DC_LOSS_BCE;
    if (bits) slab->unit_rows = setting;
    if (bits && slab->st == DC_OK && slab->net.layer[slab->net.n_layers - 1].act != DC_ACT_SIGMOID)
        slab->st = DC_FAIL(DC_ERR_USAGE,
                           "%s needs a decoder that ends in a sigmoid: model.output_activation = sigmoid, or the last "
                           "layer of model.decoder",
                           setting);
    snprintf(text, sizeof text, "dense %lld", (long long)env->L);
    dc_slab_add_net(slab, head, slab->net.layer[slab->net.n_encoder - 1].in, text);
}

dc_status dc_variational_create(const dc_method_env *env, dc_method_state **out)
{
    const dc_status st = dc_centers_create(env, out);
    if (st == DC_OK) (*out)->trained = dc_net_for_loss(&env->slab->net, (dc_recon_loss)keys_of(env)->loss);
    return st;
}

dc_variational dc_variational_record(dc_graph *g, const dc_method_state *s)
{
    const dc_method_env *env = s->env;
    const dc_net *net = &s->trained;
    const int embedding = net->n_encoder - 1;
    dc_variational v = {.x = dc_batch(g, net->D)};
    const dc_val h = dc_layers(g, net, 0, embedding, true, v.x);
    v.mean = dc_layers(g, net, embedding, embedding + 1, true, h);
    v.log_var = dc_layers(g, dc_slab_net(env->slab, head), 0, 1, true, h);
    v.z = dc_gauss_sample(g, v.mean, v.log_var, 0);
    const dc_val xhat = dc_layers(g, net, net->n_encoder, net->n_layers, true, v.z);
    dc_minimize(g, "reconstruction", keys_of(env)->weight * (double)net->D,
                dc_recon(g, (dc_recon_loss)keys_of(env)->loss, v.x, xhat));
    return v;
}

const dc_method_failure *dc_variational_failed(const dc_method_failure *f, int terms, const double *loss, size_t n,
                                               int stride)
{
    static const double LEAST = 0.05; /* nats per row */
    double rate = 0;
    for (int i = 0; i < terms && n > 0; i++) rate += loss[(n - 1) * (size_t)stride + (size_t)i];
    return n > 0 && rate < LEAST ? f : NULL;
}

void dc_variational_draw(const dc_method_env *env, int64_t first, int64_t n, float *draws)
{
    const int64_t L = env->L, blocks = (L + 3) / 4;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < L; j++) {
            uint32_t w[4];
            double pair[2];
            dc_rng4(env->kmeans.seed, DC_STREAM_SAMPLE, 1, (uint64_t)((first + i) * blocks + j / 4), w);
            dc_rng_normal2(w[j % 4 / 2 * 2], w[j % 4 / 2 * 2 + 1], pair);
            draws[i * L + j] = (float)pair[j % 2];
        }
}
