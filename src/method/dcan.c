/* dcan: Deep Clustering using Adversarial Nets (Lim, arXiv 2412.08933). A discriminator D in the latent space tells the
 * rows z = f(x) of the encoder from values drawn around centres; the encoder learns to pass for them. Per batch:
 *   1. D minimises      -ln D(z*) - ln(1 - D(z)),  z* ~ N(mu_k, variance_k) of the cluster k of the row;
 *   2. the encoder      -ln D(z), which has the fixed point of the paper's ln(1 - D(z)) but does not saturate.
 * At each refresh k-means goes on from its centres with the embedded rows as they now are. There is no decoder: an
 * autoencoder may be pretrained, but is not needed. */
#include <math.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "methods.h"

typedef struct {
    dc_centers_keys centers;
    dc_adversary_keys adversary;
    int variance, parameters;
} dcan_keys;

enum { SPHERICAL, DIAGONAL };
static const dc_key_choice variances[] = {{"spherical", SPHERICAL}, {"diagonal", DIAGONAL}, {NULL, 0}};

enum { KMEANS, GAUSSIANS };
static const dc_key_choice parameters[] = {{"kmeans", KMEANS}, {"gmm", GAUSSIANS}, {NULL, 0}};

static const dc_key keys[] = {
    DC_CENTERS_KEYS,
    DC_ADVERSARY_KEYS(dcan_keys, adversary, "[16]", "tanh", "Lim 2024"),
    {.name = "variance",
     .type = DC_KEY_CHOICE,
     .offset = offsetof(dcan_keys, variance),
     .fallback = "spherical",
     .choices = variances,
     .also = "covariance",
     .source = "Lim 2024",
     .doc = "Of the values drawn around a centre. spherical: one variance per cluster; diagonal: one per cluster and "
            "latent dimension."},
    {.name = "parameters",
     .type = DC_KEY_CHOICE,
     .offset = offsetof(dcan_keys, parameters),
     .fallback = "kmeans",
     .choices = parameters,
     .also = "mixture",
     .source = "Lim 2024",
     .doc =
         "Centres and variances of what is drawn. kmeans: of the clusters of k-means. gmm: of a mixture of Gaussians "
         "with such variances that EM finds from there; a row still belongs to its nearest centre."},
};

/* Centres and deviations are moved at refreshes, not trained. */
static void build(const dc_method_env *env, dc_slab *slab)
{
    const dcan_keys *k = env->keys;
    dc_adversary_build(slab, "discriminator", env->L, &k->adversary, "tanh");
    dc_slab_add(slab, "centers", env->K, env->L, false);
    dc_slab_add(slab, "deviations", env->K, env->L, false);
}

/* ---- Clusters ---------------------------------------------------------------------------------------------------- */

static dc_status measure(dc_comm *comm, const dc_method_state *s, const float *Z, const int32_t *label)
{
    dc_status st = DC_OK;
    const dc_method_env *env = s->env;
    const dcan_keys *k = env->keys;
    const dc_rows rows = dc_rows_of_array(env->part, Z, &env->L);
    float *deviation = dc_method_values(env, "deviations");
    DC_TRY(dc_cluster_variances(comm, &rows, dc_method_values(env, "centers"), label, env->K, deviation));
    for (int64_t c = 0; c < env->K; c++) {
        float *own = deviation + c * env->L;
        double mean = 0;
        for (int64_t j = 0; j < env->L; j++) mean += (double)own[j] / (double)env->L;
        for (int64_t j = 0; j < env->L; j++) own[j] = sqrtf(k->variance == SPHERICAL ? (float)mean : own[j]);
    }
out:
    return st;
}

/* EM from the clusters of k-means. */
static dc_status fit_gaussians(dc_comm *comm, const dc_method_state *s, const float *Z, const int32_t *label)
{
    dc_status st = DC_OK;
    const dc_method_env *env = s->env;
    const dcan_keys *k = env->keys;
    const dc_rows rows = dc_rows_of_array(env->part, Z, &env->L);
    const bool spherical = k->variance == SPHERICAL;
    const dc_mixture_config cfg = {.kmeans.K = env->K,
                                   .covariance = spherical ? DC_COVARIANCE_SPHERICAL : DC_COVARIANCE_DIAGONAL,
                                   .n_init = 1,
                                   .max_iter = 100,
                                   .tol = 1e-3,
                                   .reg_share = 1e-6};
    float *center = dc_method_values(env, "centers"), *deviation = dc_method_values(env, "deviations");
    dc_mixture m = {0};
    DC_TRY(dc_mixture_fit_from(comm, &rows, &cfg, center, label, &m));
    for (int64_t i = 0; i < env->K * env->L; i++) {
        center[i] = (float)m.mean[i];
        deviation[i] = (float)sqrt(m.variance[spherical ? i / env->L : i]);
    }
out:
    dc_mixture_release(&m);
    return st;
}

/* k-means, and what is drawn from it. again: from the present centres, so that clusters keep their numbers. */
static dc_status cluster(dc_comm *comm, dc_method_state *s, const dc_inferred *rows, bool again)
{
    dc_status st = DC_OK;
    const dcan_keys *k = s->env->keys;
    int32_t *label = NULL;
    DC_TRY_ALL(comm, dc_mem_alloc(&label, (size_t)dc_part_rows(s->env->part), sizeof *label, "labels"));
    DC_TRY(again ? dc_method_kmeans_again(comm, s->env, rows->Z, label)
                 : dc_method_kmeans(comm, s->env, rows->Z, label));
    DC_TRY(k->parameters == GAUSSIANS ? fit_gaussians(comm, s, rows->Z, label) : measure(comm, s, rows->Z, label));
out:
    dc_mem_free(&label);
    return st;
}

static dc_status start(dc_comm *comm, dc_method_state *s, const dc_inferred *rows)
{
    return cluster(comm, s, rows, false);
}

static dc_status refit(dc_comm *comm, dc_method_state *s, const dc_inferred *rows)
{
    return cluster(comm, s, rows, true);
}

/* Labels follow from the weights at the last refresh. */
static dc_status refresh(dc_comm *comm, dc_method_state *s, const dc_inferred *rows, dc_refresh *out)
{
    (void)comm, (void)out;
    for (int64_t i = 0; i < dc_part_rows(s->env->part); i++) s->labels[i] = (float)rows->label[i];
    return DC_OK;
}

/* ---- Steps ------------------------------------------------------------------------------------------------------- */

/* A value for each row, drawn around the centre of its cluster. */
static dc_val draw(dc_graph *g, const dc_method_state *s)
{
    const dc_method_env *env = s->env;
    const dc_val k = dc_entry(g, &s->label), mu = dc_pick(g, k, dc_method_use(g, env, "centers"));
    const dc_val deviation = dc_pick(g, k, dc_method_use(g, env, "deviations"));
    return dc_map(g, DC_ADD, mu, dc_map(g, DC_MUL, deviation, dc_noise(g, env->L, 0)));
}

static void record(dc_graph *g, const dc_method_state *s, int step)
{
    const dc_method_env *env = s->env;
    const dcan_keys *own = env->keys;
    const dc_net *D = dc_slab_net(env->slab, "discriminator");
    const dc_val z = dc_centers_encode(g, env, step == 1 ? DC_TRAINED : DC_QUIET, dc_batch(g, env->slab->net.D));
    if (step == 0)
        dc_minimize(g, "discriminator", 1, dc_adversary_tells(g, D, draw(g, s), z));
    else
        dc_minimize(g, "adversarial", own->adversary.weight, dc_adversary_passes(g, D, z));
}

static void turn(const dc_method_env *env, int step, dc_turn *out)
{
    const dcan_keys *k = env->keys;
    dc_adversary_turn(&k->adversary, step == 0, out);
}

static const dc_method_failure *failed(const dc_method_env *env, const dc_refresh *last, const double *loss, size_t n,
                                       int stride)
{
    (void)env, (void)last;
    static const dc_adversary_failures f = {
        {"the discriminator wins", "it tells every row and teaches the encoder nothing: lower dcan.discriminator_lr"},
        {"the discriminator learns nothing", "its loss stays at 2 ln 2: raise dcan.discriminator_lr, or widen "
                                             "dcan.discriminator"}};
    return dc_adversary_failed(&f, loss, n, stride);
}

const dc_method dc_method_dcan = {
    .name = "dcan",
    .summary = "clustering by an adversarial net: embedded rows must pass for draws around the centres of k-means",
    .flags = DC_METHOD_TRAINS,
    DC_METHOD_KEYS(keys, dcan_keys),
    .build = build,
    .create = dc_centers_create_labels,
    .start = start,
    .refit = refit,
    .refresh = refresh,
    .n_steps = 2,
    .record = record,
    .turn = turn,
    .infer = dc_centers_infer,
    .failed = failed,
    .destroy = dc_centers_destroy,
};
