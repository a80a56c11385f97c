/* depict: Deep Embedded Regularized Clustering (Dizaji, Herandi, Deng, Cai, Huang, ICCV 2017). One encoder is applied
 * twice, to rows with dropout in its layers (z~) and to clean ones (z); p = softmax of a linear head. Minimises
 *   -mean sum_k q_k log p_k(z~) + |x - x^|^2 / D + w sum over hidden layers l of |z_l - z^_l|^2 / width
 * where the decoder makes z^_l and x^ from z~, z_l is the clean encoder's layer, and the target q follows from p(z) of
 * all rows at each refresh: q_ik ~ p_ik / sqrt(sum over i of p_ik). Pretraining minimises the same without the first
 * term. The first head is the classifier of k-means' clusters; in the first epochs q is the label that k-means gave. */
#include <math.h>

#include "dcmpi/comm.h"
#include "methods.h"

typedef struct {
    double hidden, dropout;
    int loss, target;
    int64_t label_epochs;
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
         "Weight of the reconstruction of each hidden layer of the encoder, in pretraining, too; that of the data has "
         "weight 1. It needs a decoder that mirrors the encoder."},
    {.name = "dropout",
     .type = DC_KEY_FLOAT,
     .offset = offsetof(depict_keys, dropout),
     .fallback = "0.1",
     .min = 0,
     .max = 1,
     .range = DC_OPEN_MAX,
     .also = "noise corruption",
     .source = "Dizaji et al. 2017, code",
     .doc = "Dropout of the inputs of all layers of the noisy encoder but its last, in pretraining, too."},
    {.name = "target",
     .type = DC_KEY_CHOICE,
     .offset = offsetof(depict_keys, target),
     .fallback = "root",
     .choices = targets,
     .source = "Dizaji et al. 2017",
     .doc = "The target at each refresh, f_k the sum of p_ik. root: p_ik/sqrt(f_k), as in the paper. square: "
            "p_ik^2/f_k, as in the authors' code."},
    {.name = "label_epochs",
     .type = DC_KEY_INT,
     .offset = offsetof(depict_keys, label_epochs),
     .fallback = "0",
     .max = 1000000,
     .unit = "epochs",
     .also = "init_epochs",
     .doc = "Epochs, at the beginning, in which the labels of k-means are the target; they are part of "
            "cluster.max_iter. 0: none, the softmax layer follows from the centres of k-means alone."},
    DC_LOSS_KEY(depict_keys, "mse", "Dizaji et al. 2017"),
};

static void build(const dc_method_env *env, dc_slab *slab)
{
    const depict_keys *k = env->keys;
    dc_head_build(env, slab);
    if (k->label_epochs > 0) dc_slab_add(slab, "label_share", 1, 1, false); /* of k-means' labels in the target */
}

static dc_status start(dc_comm *comm, dc_method_state *s, const dc_inferred *rows)
{
    dc_status st = DC_OK;
    dc_kmeans_result km = {0};
    const dc_method_env *env = s->env;
    const dc_rows embedded = dc_rows_of_array(env->part, rows->Z, &env->L);
    DC_TRY(dc_kmeans(comm, &embedded, &env->kmeans, &km));
    dc_head_take(env, km.centers, km.inertia / ((double)env->part->N * (double)env->L));
    for (int64_t i = 0; s->labels && i < dc_part_rows(env->part); i++) s->labels[i] = (float)km.labels[i];
out:
    dc_kmeans_result_release(&km);
    return st;
}

static dc_status create(const dc_method_env *env, dc_method_state **out)
{
    const depict_keys *k = env->keys;
    const dc_status st = dc_centers_create_kind(env, (dc_target_kind)k->target, DC_SOFT_HEAD, out);
    return st == DC_OK && k->label_epochs > 0 ? dc_centers_add_labels(out) : st;
}

static dc_status keep(dc_comm *comm, dc_method_state *s, dc_state *c)
{
    return s->labels ? dc_centers_keep_labels(comm, s, c, "depict/labels") : DC_OK;
}

static int64_t settling(const dc_method_env *env)
{
    const depict_keys *k = env->keys;
    return k->label_epochs * env->epoch_steps;
}

static void anneal(const dc_method_state *s, int64_t step)
{
    if (s->labels) *dc_method_values(s->env, "label_share") = step < settling(s->env) ? 1 : 0;
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

/* Minimises the reconstruction of rows x and of the clean hidden layers from the noisy embedding z. */
static void reconstruct(dc_graph *g, const dc_net *net, const depict_keys *k, dc_recon_loss loss, dc_val x, dc_val z)
{
    dc_val hidden[DC_MAX_LAYERS], sum = DC_NONE, y = z;
    clean_layers(g, net, x, hidden);
    for (int l = net->n_encoder; l < net->n_layers; l++) {
        y = dc_layers(g, net, l, l + 1, DC_TRAINED, y);
        if (l + 1 == net->n_layers || k->hidden == 0) continue;
        const dc_val d = distance(g, k->hidden, hidden[net->n_layers - 1 - l], y);
        sum = sum.id < 0 ? d : dc_map(g, DC_ADD, sum, d);
    }
    dc_minimize(g, "reconstruction", 1, dc_recon(g, loss, x, y));
    if (sum.id >= 0) dc_minimize(g, "hidden", 1, sum);
}

static void pretrain(dc_graph *g, const dc_net *net, const void *values, dc_recon_loss loss)
{
    const depict_keys *k = values;
    const dc_val x = dc_batch(g, net->D);
    reconstruct(g, net, k, loss, x, noisy_code(g, net, k->dropout, x));
}

/* The target of the last refresh; while label_share is 1, the label of k-means. */
static dc_val target(dc_graph *g, const dc_method_state *s)
{
    const dc_val soft = dc_centers_target(g, s);
    if (!s->labels) return soft;
    const dc_val hard = dc_onehot(g, dc_entry(g, &s->label), s->env->K);
    const dc_val share = dc_method_use(g, s->env, "label_share");
    return dc_map(g, DC_ADD, soft, dc_map(g, DC_MUL, dc_map(g, DC_SUB, hard, soft), share));
}

static void record(dc_graph *g, const dc_method_state *s, int step)
{
    const dc_method_env *env = s->env;
    const depict_keys *k = env->keys;
    (void)step;
    const dc_net *net = &env->slab->net;
    const dc_val x = dc_batch(g, net->D), z = noisy_code(g, net, k->dropout, x);
    dc_minimize(g, "clustering", 1, dc_cross_entropy(g, target(g, s), dc_head_of(g, env, DC_TRAINED, z)));
    reconstruct(g, net, k, (dc_recon_loss)k->loss, x, z);
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
    .build = build,
    .create = create,
    .pretrain = pretrain,
    .start = start,
    .refresh = refresh,
    .n_steps = 1,
    .record = record,
    .infer = dc_head_infer,
    .keep = keep,
    .failed = failed,
    .anneal = anneal,
    .settling = settling,
    .destroy = dc_centers_destroy,
};
