/* imsat: Information Maximizing Self-Augmented Training (Hu, Miyato, Tokui, Matsumoto, Sugiyama, ICML 2017). A network
 * with a softmax p(k|x) at its end is trained from its first weights, without a decoder; it minimises
 *   mean KL(p(x) || p(x + r)) + lambda (mean H(p(x)) - mu H(mean p(x)))
 * where r is the direction of length e(x) in which p changes most, found by one step of power iteration (virtual
 * adversarial training, Miyato et al. 2016), and p(x) of the first term counts as a constant. e(x) is a share of the
 * distance from x to its 10th neighbour among all rows. */
#include <math.h>

#include "dcmpi/comm.h"
#include "dcmpi/knn.h"
#include "dcmpi/mem.h"
#include "methods.h"

typedef struct {
    double lambda, mu, xi, radius, output_scale;
    int64_t neighbours;
} imsat_keys;

static const dc_key keys[] = {
    {.name = "lambda",
     .type = DC_KEY_FLOAT,
     .offset = offsetof(imsat_keys, lambda),
     .fallback = "0.1",
     .min = 0,
     .max = 1e6,
     .also = "lam weight",
     .source = "Hu et al. 2017",
     .doc = "Weight of the mutual information between rows and clusters; that of smoothness is 1."},
    {.name = "mu",
     .type = DC_KEY_FLOAT,
     .offset = offsetof(imsat_keys, mu),
     .fallback = "4",
     .min = 0,
     .max = 1e6,
     .also = "marginal",
     .source = "Hu et al. 2017",
     .doc = "Weight of the entropy of the batch's mean p within the mutual information: larger values make clusters of "
            "more equal sizes."},
    {.name = "xi",
     .type = DC_KEY_FLOAT,
     .offset = offsetof(imsat_keys, xi),
     .fallback = "10",
     .min = 0,
     .max = 1e6,
     .range = DC_OPEN_MIN,
     .source = "Hu et al. 2017, code",
     .doc = "Length of the drawn vector at which the power iteration looks for the worst direction."},
    {.name = "radius",
     .type = DC_KEY_FLOAT,
     .offset = offsetof(imsat_keys, radius),
     .fallback = "0.25",
     .min = 0,
     .max = 1e6,
     .also = "alpha epsilon prop_eps",
     .source = "Hu et al. 2017",
     .doc = "How far rows are moved, as a share of their distance to the neighbour that `neighbours` says. 0: rows are "
            "not moved, and smoothness costs nothing."},
    {.name = "neighbours",
     .type = DC_KEY_INT,
     .offset = offsetof(imsat_keys, neighbours),
     .fallback = "10",
     .min = 1,
     .max = 1000,
     .also = "neighbors k",
     .source = "Hu et al. 2017",
     .doc =
         "The number of that neighbour: 1 is the nearest other row. One exact pass over all pairs of rows before the "
         "training finds it."},
    {.name = "output_scale",
     .type = DC_KEY_FLOAT,
     .offset = offsetof(imsat_keys, output_scale),
     .fallback = "1e-4",
     .min = 0,
     .max = 1e6,
     .range = DC_OPEN_MIN,
     .source = "Hu et al. 2017, code",
     .doc = "Factor of the first weights of the softmax layer: at first all rows have nearly the same p."},
};

static dc_status check_rows(const dc_method_env *env, int64_t N)
{
    const int64_t k = ((const imsat_keys *)env->keys)->neighbours;
    if (k < N) return DC_OK;
    return DC_FAIL(DC_ERR_DATA, "%lld rows have no %lld other rows each; lower imsat.neighbours or use more rows",
                   (long long)N, (long long)k);
}

static double start_bytes(const dc_method_env *env)
{
    return dc_knn_bytes(env->part, env->input.d, ((const imsat_keys *)env->keys)->neighbours);
}

static dc_status start(dc_comm *comm, dc_method_state *s, const dc_inferred *rows)
{
    dc_status st = DC_OK;
    dc_knn knn = {0};
    const dc_method_env *env = s->env;
    const imsat_keys *k = env->keys;
    const dc_knn_config find = {.k = k->neighbours};
    const dc_layer *head = &dc_slab_net(env->slab, "head")->layer[0];
    (void)rows;
    DC_TRY(dc_knn_find(comm, &env->input, &find, &knn));
    for (int64_t i = 0; i < dc_part_rows(env->part); i++)
        s->labels[i] = (float)(k->radius * sqrt(knn.square[(i + 1) * knn.k - 1]));
    for (size_t i = 0; i < (size_t)(head->in * head->out); i++) env->value[head->weight + i] *= (float)k->output_scale;
out:
    dc_knn_release(&knn);
    return st;
}

/* The radius of each row is too dear to be found again. */
static dc_status keep(dc_comm *comm, dc_method_state *s, dc_state *c)
{
    return dc_centers_keep_labels(comm, s, c, "cluster/radius");
}

static dc_val moved(dc_graph *g, dc_val x, dc_val by, dc_val direction)
{
    return dc_map(g, DC_ADD, x, dc_map(g, DC_MUL, direction, by));
}

/* The direction of each row in which p changes most, of length 1. Moments of batch norm are those of the moved batch.
 */
static dc_val worst(dc_graph *g, const dc_method_env *env, dc_val x, dc_val p)
{
    const imsat_keys *k = env->keys;
    const dc_val d = dc_unit(g, dc_noise(g, env->slab->net.D, 0));
    const dc_val near = dc_head_logits(g, env, DC_QUIET, moved(g, x, dc_number(g, k->xi), d));
    return dc_stop_gradient(g, dc_unit(g, dc_grad(g, dc_cross_entropy(g, p, near), d)));
}

static void record(dc_graph *g, const dc_method_state *s, int step)
{
    const dc_method_env *env = s->env;
    const imsat_keys *k = env->keys;
    (void)step;
    const dc_val x = dc_batch(g, env->slab->net.D), p = dc_softmax(g, dc_head_logits(g, env, DC_TRAINED, x), DC_NONE);
    const dc_val fixed = dc_stop_gradient(g, p), away = moved(g, x, dc_entry(g, &s->label), worst(g, env, x, fixed));
    const dc_val near = dc_head_logits(g, env, DC_QUIET, away);
    dc_minimize(g, "smooth", 1, dc_map(g, DC_ADD, dc_cross_entropy(g, fixed, near), dc_neg_entropy(g, fixed)));
    dc_minimize(g, "conditional", -k->lambda, dc_neg_entropy(g, p));
    dc_minimize(g, "marginal", k->lambda * k->mu, dc_neg_entropy(g, dc_mean(g, p)));
}

static const dc_method_failure *failed(const dc_method_env *env, const dc_refresh *last, const double *loss, size_t n,
                                       int stride)
{
    static const dc_method_failure empty = {"the mean of p has left most clusters",
                                            "raise imsat.mu, lower cluster.lr, or take fewer clusters"};
    (void)loss, (void)n, (void)stride;
    return dc_head_is_empty(env, last) ? &empty : NULL;
}

const dc_method dc_method_imsat = {
    .name = "imsat",
    .summary =
        "Information Maximizing Self-Augmented Training: clusters that tell much of rows and hardly change near them",
    .flags = DC_METHOD_TRAINS | DC_METHOD_SCRATCH | DC_METHOD_HEAD,
    DC_METHOD_KEYS(keys, imsat_keys),
    .build = dc_head_build,
    .check_rows = check_rows,
    .create = dc_centers_create_labels,
    .start = start,
    .start_bytes = start_bytes,
    .refresh = dc_head_refresh,
    .keep = keep,
    .n_steps = 1,
    .record = record,
    .infer = dc_head_infer,
    .failed = failed,
    .destroy = dc_centers_destroy,
};
