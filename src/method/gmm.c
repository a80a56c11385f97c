/* gmm: a mixture of Gaussians by expectation-maximisation (Dempster, Laird, Rubin 1977), on the embedding of a
 * pretrained autoencoder or on the rows themselves (cluster.on). Nothing is trained. q are the responsibilities. */
#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "methods.h"

typedef struct {
    int covariance; /* dc_covariance */
    int64_t n_init, max_iter;
    double tol, reg;
} gmm_keys;

static const dc_key_choice covariances[] = {{"full", DC_COVARIANCE_FULL},
                                            {"tied", DC_COVARIANCE_TIED},
                                            {"diagonal", DC_COVARIANCE_DIAGONAL},
                                            {"spherical", DC_COVARIANCE_SPHERICAL},
                                            {NULL, 0}};

static const dc_key keys[] = {
    {.name = "covariance",
     .type = DC_KEY_CHOICE,
     .offset = offsetof(gmm_keys, covariance),
     .fallback = "full",
     .choices = covariances,
     .also = "covariance_type",
     .source = "scikit-learn",
     .doc = "full: a matrix for each Gaussian. tied: one matrix for all. diagonal: a variance for each Gaussian and "
            "column. spherical: a variance for each Gaussian. Work grows with the square of the columns for matrices."},
    {.name = "n_init",
     .type = DC_KEY_INT,
     .offset = offsetof(gmm_keys, n_init),
     .fallback = "1",
     .min = 1,
     .max = 10000,
     .unit = "starts",
     .source = "scikit-learn",
     .doc = "Starts of EM; the highest log likelihood wins. The first goes on from the best of cluster.n_init k-means, "
            "each other one from a k-means of its own."},
    {.name = "reg",
     .type = DC_KEY_FLOAT,
     .offset = offsetof(gmm_keys, reg),
     .fallback = "1e-6",
     .min = 0,
     .max = 1e12,
     .also = "reg_covar",
     .source = "scikit-learn",
     .doc =
         "Added to each variance, so that columns that are constant in a cluster do no harm. In squared units of what "
         "is clustered."},
    {.name = "tol",
     .type = DC_KEY_FLOAT,
     .offset = offsetof(gmm_keys, tol),
     .fallback = "1e-3",
     .min = 0,
     .max = 1e6,
     .source = "scikit-learn",
     .doc = "A start has converged when the log likelihood per row rises by less."},
    {.name = "max_iter",
     .type = DC_KEY_INT,
     .offset = offsetof(gmm_keys, max_iter),
     .fallback = "100",
     .min = 1,
     .max = 1e9,
     .unit = "iterations",
     .source = "scikit-learn",
     .doc = "Most iterations of EM per start."},
};

static void build(const dc_method_env *env, dc_slab *slab)
{
    const gmm_keys *k = env->keys;
    dc_gaussians_build(env, &dc_gaussians_own, (dc_covariance)k->covariance, false, slab);
}

dc_mixture_config dc_mixture_config_of(const void *values, const dc_kmeans_config *kmeans)
{
    const gmm_keys *k = values;
    return (dc_mixture_config){.kmeans = *kmeans,
                               .covariance = (dc_covariance)k->covariance,
                               .n_init = (int)k->n_init,
                               .max_iter = (int)k->max_iter,
                               .tol = k->tol,
                               .reg = k->reg,
                               .phase = "mixture"};
}

static double start_bytes(const dc_method_env *env)
{
    const gmm_keys *k = env->keys;
    return env->kmeans_bytes + dc_mixture_bytes(env->part, env->L, env->K, (dc_covariance)k->covariance);
}

static double start_saved_bytes(const dc_method_env *env)
{
    const gmm_keys *k = env->keys;
    return dc_mixture_saved_bytes(env->L, env->K, (dc_covariance)k->covariance);
}

/* ---- Sweep over numbers of clusters ------------------------------------------------------------------------------ */

static dc_status sweep(dc_comm *comm, const dc_method_env *env, const dc_rows *rows, const dc_sweep_task *task,
                       dc_sweep_fit *out)
{
    dc_status st = DC_OK;
    dc_mixture m = {0};
    int64_t *size = NULL;
    dc_mixture_config cfg = dc_mixture_config_of(env->keys, &env->kmeans);
    dc_centers_take_task(&cfg.kmeans, task);
    if (task->n_init) cfg.n_init = DC_MIN(cfg.n_init, task->n_init);
    cfg.phase = "sweep_mixture";
    DC_TRY_ALL(comm, dc_mem_alloc(&size, (size_t)task->K, sizeof *size, "cluster sizes"));
    DC_TRY_ALL(comm, dc_mem_alloc(&out->label, (size_t)dc_part_rows(rows->part), sizeof *out->label, "labels"));
    DC_TRY(dc_mixture_fit(comm, rows, &cfg, &m));
    DC_TRY_ALL(comm, dc_mixture_labels(&m, rows, out->label));
    DC_TRY(dc_cluster_inertia(comm, rows, out->label, task->K, size, &out->inertia));
    out->bic = m.bic;
    out->iterations = m.iterations;
    out->converged = m.converged;
    for (int64_t k = 0; k < task->K; k++) out->empty += size[k] == 0;
out:
    dc_mixture_release(&m);
    dc_mem_free(&size);
    return st;
}

/* ---- Fit --------------------------------------------------------------------------------------------------------- */

enum { LOG_LIKELIHOOD, BIC, AIC, ITERATIONS, N_NUMBERS };

static dc_status create(const dc_method_env *env, dc_method_state **out)
{
    dc_status st = dc_centers_create(env, out);
    if (st == DC_OK) st = dc_mem_alloc(&(*out)->number, N_NUMBERS, sizeof *(*out)->number, "numbers of a mixture");
    if (st != DC_OK) dc_centers_destroy(out);
    return st;
}

static dc_status start(dc_comm *comm, dc_method_state *s, const dc_inferred *rows)
{
    dc_status st = DC_OK;
    const dc_method_env *env = s->env;
    const dc_rows all = dc_method_rows(env, rows->Z);
    const dc_mixture_config cfg = dc_mixture_config_of(env->keys, &env->kmeans);
    dc_mixture m = {0};
    DC_TRY(dc_mixture_fit(comm, &all, &cfg, &m));
    if (!m.converged)
        dc_log_warning("gmm.max_iter=%d was reached before the log likelihood rose by less than gmm.tol", cfg.max_iter);
    dc_gaussians_take(env, &dc_gaussians_own, &m);
    s->number[LOG_LIKELIHOOD] = m.log_likelihood;
    s->number[BIC] = m.bic;
    s->number[AIC] = m.aic;
    s->number[ITERATIONS] = m.iterations;
out:
    dc_mixture_release(&m);
    return st;
}

static dc_status cluster(dc_comm *comm, const dc_method_env *env, const float *Z, int32_t *label)
{
    dc_status st = DC_OK;
    const dc_rows all = dc_method_rows(env, Z);
    const dc_mixture_config cfg = dc_mixture_config_of(env->keys, &env->kmeans);
    dc_mixture m = {0};
    DC_TRY(dc_mixture_fit(comm, &all, &cfg, &m));
    DC_TRY_ALL(comm, dc_mixture_labels(&m, &all, label));
out:
    dc_mixture_release(&m);
    return st;
}

static dc_status keep(dc_comm *comm, dc_method_state *s, dc_state *c)
{
    s->saved = c;
    return dc_state_keep(comm, c, "cluster/mixture", DC_STATE_F64, N_NUMBERS, s->number, NULL);
}

static void infer(dc_graph *g, const dc_method_env *env)
{
    dc_output(g, "q", dc_gaussians_shares(g, env, &dc_gaussians_own, dc_method_embed(g, env)));
}

static dc_status results(const dc_method_state *s, dc_results *r)
{
    static const char *const name[] = {[LOG_LIKELIHOOD] = "/gmm/log_likelihood",
                                       [BIC] = "/gmm/bic",
                                       [AIC] = "/gmm/aic",
                                       [ITERATIONS] = "/gmm/iterations"};
    dc_status st = DC_OK;
    for (int i = 0; st == DC_OK && i < N_NUMBERS; i++)
        st = dc_results_add(r, name[i], DC_STATE_F64, 1, (const int64_t[]){1}, &s->number[i]);
    return st;
}

const dc_method dc_method_gmm = {
    .name = "gmm",
    .summary = "mixture of Gaussians on the embedding of the pretrained autoencoder, or on the rows",
    .flags = DC_METHOD_LIKELIHOOD,
    DC_METHOD_KEYS(keys, gmm_keys),
    .build = build,
    .create = create,
    .start = start,
    .cluster = cluster,
    .start_bytes = start_bytes,
    .start_saved_bytes = start_saved_bytes,
    .infer = infer,
    .keep = keep,
    .results = results,
    .sweep = sweep,
    .destroy = dc_centers_destroy,
};
