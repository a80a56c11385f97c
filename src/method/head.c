/* What methods with a softmax layer on the embedding share: network "head", and centres for the result, the means of
 * the embedded rows of each cluster. */
#include <stdio.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "methods.h"

void dc_head_build(const dc_method_env *env, dc_slab *slab)
{
    char text[64];
    snprintf(text, sizeof text, "dense %lld", (long long)env->K);
    dc_slab_add_net(slab, "head", env->L, text);
    dc_slab_add(slab, "centers", env->K, env->L, false);
}

void dc_head_take(const dc_method_env *env, const float *centers, double variance)
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

dc_val dc_head_of(dc_graph *g, const dc_method_env *env, dc_pass pass, dc_val z)
{
    return dc_layers(g, dc_slab_net(env->slab, "head"), 0, 1, pass, z);
}

dc_val dc_head_logits(dc_graph *g, const dc_method_env *env, dc_pass pass, dc_val x)
{
    return dc_head_of(g, env, pass, dc_centers_encode(g, env, pass, x));
}

dc_status dc_head_refresh(dc_comm *comm, dc_method_state *state, const dc_inferred *rows, dc_refresh *out)
{
    const dc_method_env *env = state->env;
    const dc_rows embedded = dc_rows_of_array(env->part, rows->Z, &env->L);
    (void)out;
    return dc_cluster_means(comm, &embedded, rows->label, env->K, dc_method_values(env, "centers"));
}

void dc_head_infer(dc_graph *g, const dc_method_env *env)
{
    const dc_val z = dc_centers_encode(g, env, DC_FIXED, dc_batch(g, env->slab->net.D));
    dc_output(g, "embedding", z);
    dc_output(g, "q", dc_softmax(g, dc_head_of(g, env, DC_FIXED, z), DC_NONE));
}

bool dc_head_is_empty(const dc_method_env *env, const dc_refresh *last)
{
    return last->k_effective < 0.5 * (double)env->K;
}
