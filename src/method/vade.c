/* vade: Variational Deep Embedding (Jiang, Zheng, Tan, Tang, Zhou, IJCAI 2017): a variational autoencoder whose prior
 * is a mixture of Gaussians, trained with it. For a row x with Gaussian N(m, v) and one z drawn from it, with the
 * responsibilities g_c = p(c|z), it minimises minus the evidence lower bound:
 *   -log p(x|z) + sum_c g_c KL(N(m, v) || N(mu_c, s_c^2)) + KL(g || pi).
 * As in the authors' code, gradients also go through g. Theirs adds log pi_c to log N(z; mu_c, s_c^2) once per latent
 * dimension; here it is added once. pi is trained by its logits, s^2 by its logarithm. The mixture starts from k-means
 * on the pretrained embedding, then EM. */
#include <math.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "methods.h"

typedef struct {
    dc_variational_keys shared;
    int64_t em;
} vade_keys;

static const dc_key keys[] = {
    DC_VARIATIONAL_KEYS("Jiang et al. 2017"),
    {.name = "em",
     .type = DC_KEY_INT,
     .offset = offsetof(vade_keys, em),
     .fallback = "100",
     .min = 0,
     .max = 1000000,
     .unit = "steps",
     .also = "gmm_iterations em_iterations",
     .source = "Jiang et al. 2017, code",
     .doc = "Most steps of EM that fit the first mixture, from k-means on; 0: means, variances and shares of the "
            "clusters of k-means."},
};

static void build(const dc_method_env *env, dc_slab *slab)
{
    dc_variational_build(env, slab, "vade.loss = bce_sum");
    dc_gaussians_build(env, &dc_gaussians_own, DC_COVARIANCE_DIAGONAL, true, slab);
}

static dc_status start(dc_comm *comm, dc_method_state *s, const dc_inferred *rows)
{
    dc_status st = DC_OK;
    const dc_method_env *env = s->env;
    const vade_keys *k = env->keys;
    const dc_rows all = dc_rows_of_array(env->part, rows->Z, &env->L);
    const dc_mixture_config mixture = {.kmeans.K = env->K,
                                       .covariance = DC_COVARIANCE_DIAGONAL,
                                       .n_init = 1,
                                       .max_iter = (int)k->em,
                                       .tol = 1e-3,
                                       .reg_share = 1e-6};
    int32_t *label = NULL;
    dc_mixture m = {0};
    DC_TRY_ALL(comm, dc_mem_alloc(&label, (size_t)dc_part_rows(env->part), sizeof *label, "labels"));
    DC_TRY(dc_method_kmeans(comm, env, rows->Z, label));
    DC_TRY(dc_mixture_fit_from(comm, &all, &mixture, dc_method_values(env, "centers"), label, &m));
    dc_gaussians_take(env, &dc_gaussians_own, &m);
out:
    dc_mixture_release(&m);
    dc_mem_free(&label);
    return st;
}

/* ---- Recording --------------------------------------------------------------------------------------------------- */

static void record(dc_graph *g, const dc_method_state *s, int step)
{
    const dc_method_env *env = s->env;
    (void)step;
    const dc_variational v = dc_variational_record(g, s);
    const dc_val share = dc_gaussians_shares(g, env, &dc_gaussians_own, v.z),
                 apart = dc_gauss_kl(g, v.mean, v.log_var, dc_method_use(g, env, "centers"),
                                     dc_method_use(g, env, "log_variances"));
    dc_minimize(g, "prior", 1, dc_dot(g, share, apart));
    dc_minimize(g, "assignment", 1, dc_kl(g, share, dc_method_use(g, env, "log_weights")));
}

static void infer(dc_graph *g, const dc_method_env *env)
{
    const dc_val mean = dc_centers_encode(g, env, false, dc_batch(g, env->slab->net.D));
    dc_output(g, "embedding", mean);
    dc_output(g, "q", dc_gaussians_shares(g, env, &dc_gaussians_own, mean));
}

/* ---- Failures ---------------------------------------------------------------------------------------------------- */

/* Whether a Gaussian of the mixture has shrunk to a point, beside the others. */
static bool is_point(const dc_method_env *env)
{
    static const double PART = 1e-4;
    const float *log_variance = dc_method_values(env, "log_variances");
    double least = INFINITY, sum = 0;
    for (int64_t k = 0; k < env->K; k++) {
        double own = 0;
        for (int64_t j = 0; j < env->L; j++) own += exp((double)log_variance[k * env->L + j]);
        least = fmin(least, own);
        sum += own;
    }
    return least < PART * sum / (double)env->K;
}

static const dc_method_failure *failed(const dc_method_env *env, const dc_refresh *last, const double *loss, size_t n,
                                       int stride)
{
    static const dc_method_failure point = {
        "the variance of a cluster has collapsed",
        "its Gaussian has shrunk to a point: lower the rate of variances (cluster.lr_factors=[log_variances=0.1]) or "
        "cluster.lr, or use fewer clusters"};
    static const dc_method_failure prior = {
        "the rows' variances have collapsed to the prior's",
        "the embedding says nothing about a row any more (posterior collapse): lower cluster.lr, raise vade.weight, or "
        "pretrain longer"};
    (void)last;
    return is_point(env) ? &point : dc_variational_failed(&prior, 2, 1, loss, n, stride);
}

/* ---- Results ----------------------------------------------------------------------------------------------------- */

enum { SAMPLES = 10 };

/* Values drawn from each Gaussian; the decoder makes rows of them. */
static void draw(const dc_method_env *env, float *draws)
{
    const int64_t L = env->L;
    const float *mean = dc_method_values(env, "centers"), *log_variance = dc_method_values(env, "log_variances");
    dc_variational_draw(env, 0, env->K * SAMPLES, draws);
    for (int64_t i = 0; i < env->K * SAMPLES * L; i++) {
        const int64_t at = i / (SAMPLES * L) * L + i % L;
        draws[i] = mean[at] + expf(log_variance[at] / 2) * draws[i];
    }
}

static dc_status results(const dc_method_state *s, dc_results *r)
{
    dc_status st = DC_OK;
    const dc_method_env *env = s->env;
    const int64_t dim[] = {env->K, SAMPLES, env->L};
    float *draws = NULL;
    DC_TRY(dc_mem_alloc(&draws, (size_t)(dim[0] * dim[1] * dim[2]), sizeof *draws, "samples"));
    draw(env, draws);
    DC_TRY(dc_results_add(r, "/vade/samples", DC_STATE_F32, 3, dim, draws));
out:
    dc_mem_free(&draws);
    return st;
}

const dc_method dc_method_vade = {
    .name = "vade",
    .summary = "Variational Deep Embedding: a variational autoencoder whose prior is a mixture of Gaussians",
    .flags = DC_METHOD_TRAINS | DC_METHOD_RECONSTRUCTS,
    DC_METHOD_KEYS(keys, vade_keys),
    .build = build,
    .create = dc_variational_create,
    .start = start,
    .n_steps = 1,
    .record = record,
    .infer = infer,
    .results = results,
    .failed = failed,
    .destroy = dc_centers_destroy,
};
