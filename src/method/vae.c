/* vae: Auto-Encoding Variational Bayes (Kingma and Welling, ICLR 2014), then k-means on the means. Minimises
 *   -E log p(x|z) + beta KL(N(m(x), v(x)) || N(0, I)),   z = m + sqrt(v) noise,
 * where beta = 1 is minus the bound of the paper (others: Higgins et al., ICLR 2017). At each refresh k-means goes on
 * from its centres with the embedded rows as they now are. */
#include "dcmpi/mem.h"
#include "methods.h"

typedef struct {
    dc_variational_keys shared;
    double beta;
} vae_keys;

static const dc_key keys[] = {
    DC_CENTERS_KEYS,
    DC_VARIATIONAL_KEYS("Kingma and Welling 2014"),
    {.name = "beta",
     .type = DC_KEY_FLOAT,
     .offset = offsetof(vae_keys, beta),
     .fallback = "1.0",
     .min = 0,
     .max = 1e6,
     .also = "kl_weight",
     .source = "Kingma and Welling 2014",
     .doc = "Weight of the divergence of a row's Gaussian from the standard normal one."},
};

/* Centres are moved at refreshes, not trained. */
static void build(const dc_method_env *env, dc_slab *slab)
{
    dc_variational_build(env, slab, "vae.loss = bce_sum");
    dc_slab_add(slab, "centers", env->K, env->L, false);
}

static dc_status refit(dc_comm *comm, dc_method_state *s, const dc_inferred *rows)
{
    return dc_method_kmeans_again(comm, s->env, rows->Z, NULL);
}

static void record(dc_graph *g, const dc_method_state *s, int step)
{
    const vae_keys *k = s->env->keys;
    (void)step;
    const dc_variational v = dc_variational_record(g, s);
    dc_minimize(g, "prior", k->beta, dc_gauss_kl(g, v.mean, v.log_var, DC_NONE, DC_NONE));
}

static const dc_method_failure *failed(const dc_method_env *env, const dc_refresh *last, const double *loss, size_t n,
                                       int stride)
{
    (void)env, (void)last;
    static const dc_method_failure collapse = {
        "the rows' variances have collapsed to the prior's",
        "the embedding says nothing about a row any more (posterior collapse): lower vae.beta or cluster.lr, raise "
        "vae.weight, or pretrain longer"};
    return dc_variational_failed(&collapse, 1, loss, n, stride);
}

enum { SAMPLES = 32 };

/* Values drawn from the prior; the decoder makes rows of them. */
static dc_status results(const dc_method_state *s, dc_results *r)
{
    float *draws = NULL;
    const int64_t dim[] = {SAMPLES, s->env->L};
    dc_status st = dc_mem_alloc(&draws, (size_t)(dim[0] * dim[1]), sizeof *draws, "samples");
    if (st != DC_OK) return st;
    dc_variational_draw(s->env, 0, SAMPLES, draws);
    st = dc_results_add(r, "/vae/samples", DC_STATE_F32, 2, dim, draws);
    dc_mem_free(&draws);
    return st;
}

const dc_method dc_method_vae = {
    .name = "vae",
    .summary = "variational autoencoder, and k-means on the means of its Gaussians",
    .flags = DC_METHOD_TRAINS | DC_METHOD_RECONSTRUCTS,
    DC_METHOD_KEYS(keys, vae_keys),
    .build = build,
    .create = dc_variational_create,
    .start = dc_centers_start,
    .refit = refit,
    .n_steps = 1,
    .record = record,
    .infer = dc_centers_infer,
    .results = results,
    .failed = failed,
    .destroy = dc_centers_destroy,
};
