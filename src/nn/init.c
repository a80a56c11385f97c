/* Initial weights that depend only on (seed, layer, element), so every rank computes the same weights without
 * messages. Biases are 0 in all schemes. (The scheme pca looks at the rows: train/init_pca.c.) */
#include <math.h>
#include <string.h>

#include "dcmpi/nn.h"
#include "dcmpi/rng.h"

static const double normal_sigma = 0.01;

static const char *const names[] = {[DC_INIT_FAN_IN] = "fan_in",
                                    [DC_INIT_GLOROT] = "glorot",
                                    [DC_INIT_XAVIER_SQRT2] = "xavier_sqrt2",
                                    [DC_INIT_NORMAL] = "normal",
                                    [DC_INIT_PCA] = "pca"};

const char *dc_init_name(dc_init init)
{
    return names[init];
}

bool dc_init_find(const char *name, dc_init *init)
{
    for (size_t i = 0; i < DC_COUNT_OF(names); i++)
        if (strcmp(names[i], name) == 0) {
            *init = (dc_init)i;
            return true;
        }
    return false;
}

/* Bound of a uniform scheme; 0 for the normal scheme. */
static double uniform_bound(dc_init scheme, const dc_layer *layer)
{
    /* As Keras counts: a window reaches as many values of each channel as it has pixels. */
    const double reach = dc_layer_has_window(layer) ? (double)(layer->window.kh * layer->window.kw) : 1,
                 in = (double)dc_layer_rows(layer), out = reach * (double)dc_layer_columns(layer);
    switch (scheme) {
    case DC_INIT_FAN_IN:
    case DC_INIT_PCA:
        return sqrt(1 / in);
    case DC_INIT_GLOROT:
        return sqrt(6 / (in + out));
    case DC_INIT_XAVIER_SQRT2:
        return sqrt(2) * sqrt(6 / (in + out));
    case DC_INIT_NORMAL:
        return 0;
    }
    DC_ASSERT(!"unknown scheme of initial weights");
}

static void draw(const dc_layer *layer, dc_init scheme, uint64_t seed, uint64_t stream, float *value)
{
    const size_t n = (size_t)(dc_layer_rows(layer) * dc_layer_columns(layer));
    if (scheme == DC_INIT_NORMAL)
        dc_rng_fill_normal(value, n, seed, stream, normal_sigma);
    else
        dc_rng_fill_uniform(value, n, seed, stream, uniform_bound(scheme, layer));
}

/* A norm's gamma and running variance start at 1, the running mean at 0. */
static void init_norm(const dc_layer *layer, float *value)
{
    const int64_t width = dc_layer_biases(layer);
    for (int64_t j = 0; layer->norm && j < width; j++) value[layer->gamma + (size_t)j] = 1;
    for (int64_t j = 0; layer->norm == DC_NORM_BATCH && j < width; j++) {
        value[layer->mean + (size_t)j] = 0;
        value[layer->mean + (size_t)(width + j)] = 1;
    }
}

void dc_net_init_weights(const dc_net *net, dc_init scheme, uint64_t seed, float *value)
{
    for (int l = 0; l < net->n_layers; l++) {
        const dc_layer *layer = &net->layer[l];
        const dc_init own = layer->rules.has_init ? layer->rules.init : scheme;
        if (!layer->tied) draw(layer, own, seed, (uint64_t)net->stream + (uint64_t)l, value + layer->weight);
        memset(value + layer->bias, 0, (size_t)dc_layer_biases(layer) * sizeof *value);
        init_norm(layer, value);
    }
}
