/* depict: Deep Embedded Regularized Clustering (Dizaji, Herandi, Deng, Cai, Huang, ICCV 2017). One encoder is applied
 * twice, to rows with dropout in its layers (z~) and to clean ones (z); p = softmax of a linear head. Minimises
 *   -mean sum_k q_k log p_k(z~) + |x - x^|^2 / D + w sum over hidden layers l of |z_l - z^_l|^2 / width
 * where the decoder makes z^_l and x^ from z~, z_l is the clean encoder's layer, and the target q follows from p(z) of
 * all rows at each refresh: q_ik ~ p_ik / sqrt(sum over i of p_ik). The first target and the first head are those of
 * k-means' clusters. */
#include <math.h>

#include "dcmpi/comm.h"
#include "methods.h"

typedef struct {
    double hidden, dropout;
    int loss, target;
} depict_keys;

static const dc_key_choice targets[] = {{"root", DC_TARGET_ROOT}, {"square", DC_TARGET_SQUARE}, {NULL, 0}};

static const dc_key keys[] = {
    {.name = "hidden",
     .type = DC_KEY_FLOAT,
     .offset = offsetof(depict_keys, hidden),
     .fallback = "0.1",
     .min = 0,
     .max = 1e6,
     .also = "hlayer_loss_param",
     .source = "Dizaji et al. 2017, code",
     .doc =
         "Weight of the reconstruction of each hidden layer of the encoder; that of the data has weight 1. It needs a "
         "decoder that mirrors the encoder."},
    {.name = "dropout",
     .type = DC_KEY_FLOAT,
     .offset = offsetof(depict_keys, dropout),
     .fallback = "0.1",
     .min = 0,
     .max = 1,
     .range = DC_OPEN_MAX,
     .also = "noise corruption",
     .source = "Dizaji et al. 2017, code",
     .doc = "Dropout of the inputs of all layers of the noisy encoder but its last."},
    {.name = "target",
     .type = DC_KEY_CHOICE,
     .offset = offsetof(depict_keys, target),
     .fallback = "root",
     .choices = targets,
     .source = "Dizaji et al. 2017",
     .doc = "The target at each refresh, f_k the sum of p_ik. root: p_ik/sqrt(f_k), as in the paper. square: "
            "p_ik^2/f_k, as in the authors' code."},
    DC_LOSS_KEY(depict_keys, "mse", "Dizaji et al. 2017"),
};

/* Sets the head to the classifier of equal spherical Gaussians around the centres, whose labels are those of k-means:
 * logits z (c_k - c) / v - |c_k|^2 / 2v, up to what all of them have in common; c: mean of the centres. */
static void set_head(const dc_method_env *env, const float *centers, double variance)
{
    const int64_t K = env->K, L = env->L;
    const dc_layer *head = &dc_slab_net(env->slab, "head")->layer[0];
    float *weight = env->value + head->weight, *bias = env->value + head->bias;
    const double scale = variance > 0 ? 1 / variance : 1;
    for (int64_t k = 0; k < K; k++) bias[k] = 0;
    for (int64_t j = 0; j < L; j++) {
        double mean = 0;
        for (int64_t k = 0; k < K; k++) mean += (double)centers[k * L + j] / (double)K;
        for (int64_t k = 0; k < K; k++) {
            const double c = (double)centers[k * L + j];
            weight[j * K + k] = (float)(scale * (c - mean));
            bias[k] -= (float)(0.5 * scale * (c * c - mean * mean));
        }
    }
}

static dc_status start(dc_comm *comm, dc_method_state *s, const dc_inferred *rows)
{
    dc_status st = DC_OK;
    dc_kmeans_result km = {0};
    const dc_method_env *env = s->env;
    const dc_rows embedded = dc_rows_of_array(env->part, rows->Z, &env->L);
    DC_TRY(dc_kmeans(comm, &embedded, &env->kmeans, &km));
    set_head(env, km.centers, km.inertia / ((double)env->part->N * (double)env->L));
out:
    dc_kmeans_result_release(&km);
    return st;
}

static dc_status create(const dc_method_env *env, dc_method_state **out)
{
    const depict_keys *k = env->keys;
    return dc_centers_create_kind(env, (dc_target_kind)k->target, DC_SOFT_HEAD, out);
}

static dc_status refresh(dc_comm *comm, dc_method_state *s, const dc_inferred *rows, dc_refresh *out)
{
    const dc_status st = dc_head_refresh(comm, s, rows, out);
    return st == DC_OK ? dc_centers_refresh_target(comm, s, rows, out) : st;
}

/* ---- Steps ------------------------------------------------------------------------------------------------------- */

/* hidden[l]: input of encoder layer l of the clean pass, which batch norm learns nothing from. */
static void clean_layers(dc_graph *g, const dc_net *net, dc_val x, dc_val *hidden)
{
    for (int l = 0; l < net->n_encoder; l++) {
        hidden[l] = x;
        if (l + 1 < net->n_encoder) x = dc_layers(g, net, l, l + 1, DC_QUIET, x);
    }
}

static dc_val noisy_code(dc_graph *g, const dc_net *net, double rate, dc_val x)
{
    for (int l = 0; l < net->n_encoder; l++) {
        if (rate > 0 && l + 1 < net->n_encoder) x = dc_dropout(g, rate, l, x);
        x = dc_layers(g, net, l, l + 1, DC_TRAINED, x);
    }
    return x;
}

/* weight / width times |a - b|^2 of each row. */
static dc_val distance(dc_graph *g, double weight, dc_val a, dc_val b)
{
    const dc_val e = dc_map(g, DC_SUB, a, b);
    return dc_map(g, DC_MUL, dc_dot(g, e, e), dc_number(g, weight / (double)dc_graph_shape(g, a).width));
}

static void record(dc_graph *g, const dc_method_state *s, int step)
{
    const dc_method_env *env = s->env;
    const depict_keys *k = env->keys;
    const dc_net *net = &env->slab->net;
    dc_val hidden[DC_MAX_LAYERS], sum = DC_NONE;
    (void)step;
    const dc_val x = dc_batch(g, net->D), z = noisy_code(g, net, k->dropout, x);
    clean_layers(g, net, x, hidden);
    dc_minimize(g, "clustering", 1, dc_cross_entropy(g, dc_centers_target(g, s), dc_head_of(g, env, DC_TRAINED, z)));
    dc_val y = z;
    for (int l = net->n_encoder; l < net->n_layers; l++) {
        y = dc_layers(g, net, l, l + 1, DC_TRAINED, y);
        if (l + 1 == net->n_layers || k->hidden == 0) continue;
        const dc_val d = distance(g, k->hidden, hidden[net->n_layers - 1 - l], y);
        sum = sum.id < 0 ? d : dc_map(g, DC_ADD, sum, d);
    }
    dc_minimize(g, "reconstruction", 1, dc_recon(g, (dc_recon_loss)k->loss, x, y));
    if (sum.id >= 0) dc_minimize(g, "hidden", 1, sum);
}

static const dc_method_failure *failed(const dc_method_env *env, const dc_refresh *last, const double *loss, size_t n,
                                       int stride)
{
    static const dc_method_failure empty = {"the softmax layer has left most clusters",
                                            "lower cluster.lr, pretrain longer, or take fewer clusters"};
    (void)loss, (void)n, (void)stride;
    return dc_head_is_empty(env, last) ? &empty : NULL;
}

const dc_method dc_method_depict = {
    .name = "depict",
    .summary = "Deep Embedded Regularized Clustering: softmax of a noisy encoder, target of the clean one, all layers "
               "reconstructed",
    .flags = DC_METHOD_TRAINS | DC_METHOD_RECONSTRUCTS | DC_METHOD_HEAD,
    DC_METHOD_KEYS(keys, depict_keys),
    .build = dc_head_build,
    .create = create,
    .start = start,
    .refresh = refresh,
    .n_steps = 1,
    .record = record,
    .infer = dc_head_infer,
    .failed = failed,
    .destroy = dc_centers_destroy,
};
