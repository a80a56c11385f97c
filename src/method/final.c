/* The final step of any method (cluster.final): a mixture of Gaussians on what the method has embedded. Its means
 * become the centres; its responsibilities are q, in the run and in predictions. */
#include "methods.h"

static dc_covariance covariance_of(const dc_method_env *env)
{
    return (dc_covariance)(env->final - 1);
}

void dc_final_build(const dc_method_env *env, dc_slab *slab)
{
    if (env->final) dc_gaussians_build(env, &dc_gaussians_final, covariance_of(env), false, slab);
}

dc_status dc_final_fit(dc_comm *comm, const dc_method_env *env, const float *Z)
{
    dc_status st = DC_OK;
    const dc_rows rows = dc_method_rows(env, Z);
    dc_mixture_config cfg = dc_mixture_config_of(env->final_keys, &env->kmeans);
    dc_mixture m = {0};
    cfg.covariance = covariance_of(env);
    cfg.phase = "final_mixture";
    DC_TRY(dc_mixture_fit(comm, &rows, &cfg, &m));
    dc_gaussians_take(env, &dc_gaussians_final, &m);
out:
    dc_mixture_release(&m);
    return st;
}

double dc_final_bytes(const dc_method_env *env)
{
    return env->final ? dc_mixture_bytes(env->part, env->L, env->K, covariance_of(env)) : 0;
}

double dc_final_saved_bytes(const dc_method_env *env)
{
    return env->final ? dc_mixture_saved_bytes(env->L, env->K, covariance_of(env)) : 0;
}

void dc_final_infer(dc_graph *g, const dc_method *method, const dc_method_env *env)
{
    method->infer(g, env);
    const dc_val z = dc_find_output(g, "embedding");
    dc_drop_output(g, "q");
    dc_drop_output(g, "label");
    dc_output(g, "q", dc_gaussians_shares(g, env, &dc_gaussians_final, z.id < 0 ? dc_batch(g, env->slab->net.D) : z));
}
