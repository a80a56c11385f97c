/* What the methods share that cluster by a mixture of Gaussians: its tensors and its responsibilities. The centres are
 * the means; variances are logarithms [K x L], or factors of the inverse matrices [K L x L] or, of one matrix for all,
 * [L x L]. */
#include <math.h>

#include "methods.h"

const dc_gaussian_names dc_gaussians_own = {"log_variances", "factors", "log_weights"},
                        dc_gaussians_final = {"final_log_variances", "final_factors", "final_log_weights"};

void dc_gaussians_build(const dc_method_env *env, const dc_gaussian_names *names, dc_covariance covariance,
                        bool trained, dc_slab *slab)
{
    if (!dc_slab_find(slab, "centers")) dc_slab_add(slab, "centers", env->K, env->L, trained);
    if (covariance == DC_COVARIANCE_DIAGONAL || covariance == DC_COVARIANCE_SPHERICAL)
        dc_slab_add(slab, names->log_variances, env->K, env->L, trained);
    else
        dc_slab_add(slab, names->factors, covariance == DC_COVARIANCE_FULL ? env->K * env->L : env->L, env->L, trained);
    dc_slab_add(slab, names->log_weights, 1, env->K, trained);
}

static void take_variances(const dc_method_env *env, const dc_gaussian_names *names, const dc_mixture *m)
{
    float *log_variance = dc_method_values(env, names->log_variances);
    for (int64_t i = 0; i < env->K * env->L; i++)
        log_variance[i] = (float)log(m->variance[m->covariance == DC_COVARIANCE_DIAGONAL ? i : i / env->L]);
}

static void take_factors(const dc_method_env *env, const dc_gaussian_names *names, const dc_mixture *m)
{
    const dc_tensor *factors = dc_slab_find(env->slab, names->factors);
    for (size_t i = 0; i < dc_tensor_floats(factors); i++) env->value[factors->at + i] = (float)m->factor[i];
}

void dc_gaussians_take(const dc_method_env *env, const dc_gaussian_names *names, const dc_mixture *m)
{
    float *mean = dc_method_values(env, "centers"), *log_weight = dc_method_values(env, names->log_weights);
    for (int64_t i = 0; i < env->K * env->L; i++) mean[i] = (float)m->mean[i];
    for (int64_t k = 0; k < env->K; k++) log_weight[k] = (float)log(m->weight[k]);
    if (m->factor)
        take_factors(env, names, m);
    else
        take_variances(env, names, m);
}

dc_val dc_gaussians_shares(dc_graph *g, const dc_method_env *env, const dc_gaussian_names *names, dc_val z)
{
    const dc_val mean = dc_method_use(g, env, "centers");
    const dc_val density = dc_slab_find(env->slab, names->factors)
                               ? dc_gauss_factor_log(g, z, mean, dc_method_use(g, env, names->factors))
                               : dc_gauss_log(g, z, mean, dc_method_use(g, env, names->log_variances));
    return dc_softmax(g, dc_map(g, DC_ADD, density, dc_method_use(g, env, names->log_weights)), DC_NONE);
}
