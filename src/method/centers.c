/* What the centre-based methods share: k-means on the embedding gives the first centres, Student-t assignment gives q.
 */
#include <math.h>
#include <string.h>

#include "dcmpi/mem.h"
#include "methods.h"

#include "dcmpi/comm.h"

static double alpha_of(const dc_method_env *env)
{
    return ((const dc_centers_keys *)env->keys)->alpha;
}

size_t dc_centers_n_extra(const dc_method_env *env)
{
    return (size_t)(env->K * env->L);
}

dc_tensor dc_centers_tensor(const dc_method_env *env, bool trained)
{
    return (dc_tensor){"centers", env->extra_at, env->K, env->L, trained};
}

static dc_status create(const dc_method_env *env, bool keeps_target, dc_method_state **out)
{
    dc_status st = DC_OK;
    dc_method_state *s = NULL;
    const size_t n = (size_t)dc_part_rows(env->part), K = (size_t)env->K;
    DC_TRY(dc_mem_alloc(&s, 1, sizeof *s, "method state"));
    s->env = env;
    if (keeps_target) DC_TRY(dc_mem_alloc(&s->P, n * K, sizeof *s->P, "target P"));
    s->target = (dc_table){"target", s->P, env->K};
    DC_TRY(dc_mem_alloc(&s->f, K, sizeof *s->f, "soft cluster frequencies"));
    DC_TRY(dc_mem_alloc(&s->size, K, sizeof *s->size, "cluster sizes"));
    DC_TRY(dc_sum_create(&s->loss, env->part, DC_TARGET_SUMS));
out:
    if (st != DC_OK) dc_centers_destroy(&s);
    *out = s;
    return st;
}

dc_status dc_centers_create(const dc_method_env *env, dc_method_state **out)
{
    return create(env, false, out);
}

dc_status dc_centers_create_target(const dc_method_env *env, dc_method_state **out)
{
    return create(env, true, out);
}

dc_status dc_centers_start(dc_comm *comm, dc_method_state *state, const float *Z, float *extra, int32_t *labels)
{
    dc_status st = DC_OK;
    const dc_method_env *env = state->env;
    dc_kmeans_result km = {0};
    const dc_rows rows = dc_rows_of_array(env->part, Z, &env->L);
    DC_TRY(dc_kmeans(comm, &rows, &env->kmeans, &km));
    memcpy(extra, km.centers, dc_centers_n_extra(env) * sizeof *extra);
    const size_t n = (size_t)dc_part_rows(env->part);
    if (n) memcpy(labels, km.labels, n * sizeof *labels);
out:
    dc_kmeans_result_release(&km);
    return st;
}

/* Its part of an entropy. */
static double entropy_of(double share)
{
    return share > 0 ? -share * log(share) : 0;
}

static void summarize(const dc_method_state *s, const dc_soft_stats *stats, dc_refresh *out)
{
    *out = (dc_refresh){.changed = stats->changed, .sum_check = stats->sum_check, .odd_targets = -1};
    double soft = 0, sized = 0;
    for (int64_t j = 0; j < s->env->K; j++) out->f_sum += s->f[j];
    for (int64_t j = 0; j < s->env->K; j++) {
        soft += entropy_of(s->f[j] / out->f_sum);
        sized += entropy_of((double)s->size[j] / (double)s->env->part->N);
        if (s->size[j] > out->largest) out->largest = s->size[j];
        out->empty += s->size[j] == 0;
    }
    out->k_effective = exp(soft);
    out->k_sized = exp(sized);
}

dc_status dc_centers_refresh(dc_comm *comm, dc_method_state *state, const float *Z, const float *extra, int32_t *labels,
                             dc_refresh *out)
{
    const dc_method_env *env = state->env;
    dc_soft_stats stats = {.f = state->f, .size = state->size};
    const dc_status st =
        dc_softassign_refresh(comm, env->part, Z, extra, env->K, env->L, alpha_of(env), state->P, labels, &stats);
    if (st == DC_OK) summarize(state, &stats, out);
    return st;
}

dc_status dc_centers_refresh_target(dc_comm *comm, dc_method_state *state, const float *Z, const float *extra,
                                    int32_t *labels, dc_refresh *out)
{
    const dc_method_env *env = state->env;
    const dc_status st = dc_centers_refresh(comm, state, Z, extra, labels, out);
    if (st != DC_OK) return st;
    out->loss = dc_target_refresh(comm, env->part, state->f, env->K, state->loss, state->P, &out->odd_targets);
    return DC_OK;
}

void dc_centers_reconstruct(dc_graph *g, const dc_method_state *state, dc_recon_loss loss, dc_val x, dc_val z)
{
    const dc_net *net = state->env->net;
    dc_minimize(g, "reconstruction", 1,
                dc_recon(g, loss, x, dc_layers(g, net, net->n_encoder, net->n_layers, true, z)));
}

dc_val dc_centers_kl(dc_graph *g, const dc_method_state *state, dc_val z)
{
    const dc_method_env *env = state->env;
    const dc_tensor centers = dc_centers_tensor(env, true);
    return dc_student_kl(g, alpha_of(env), z, dc_use(g, &centers), dc_entry(g, &state->target));
}

void dc_centers_assign_local(const dc_method_env *env, const float *extra, const float *Z, int64_t n, float *q,
                             int32_t *label)
{
    dc_softassign(Z, extra, n, env->K, env->L, alpha_of(env), q, label);
}

void dc_centers_destroy(dc_method_state **state)
{
    dc_method_state *s = *state;
    if (!s) return;
    dc_mem_free(&s->P);
    dc_state_drop(s->saved, s->labels);
    dc_mem_free(&s->labels);
    dc_mem_free(&s->f);
    dc_mem_free(&s->size);
    dc_sum_destroy(&s->loss);
    dc_mem_free(state);
}
