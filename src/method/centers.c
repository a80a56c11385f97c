/* What the centre-based methods share: first centres from k-means on the embedding, and q from the Student-t
 * assignment. */
#include <string.h>

#include "dcmpi/mem.h"
#include "methods.h"

#include "dcmpi/comm.h"

static double alpha_of(const dc_method_env *env)
{
    return ((const dc_centers_keys *)env->keys)->alpha;
}

float *dc_method_values(const dc_method_env *env, const char *tensor)
{
    return env->value + dc_slab_find(env->slab, tensor)->at;
}

dc_val dc_method_use(dc_graph *g, const dc_method_env *env, const char *tensor)
{
    return dc_use(g, dc_slab_find(env->slab, tensor));
}

dc_rows dc_method_rows(const dc_method_env *env, const float *Z)
{
    return env->slab->net.n_layers > 0 ? dc_rows_of_array(env->part, Z, &env->L) : env->input;
}

void dc_centers_build(const dc_method_env *env, dc_slab *slab)
{
    dc_slab_add(slab, "centers", env->K, env->L, true);
}

dc_status dc_centers_create(const dc_method_env *env, dc_method_state **out)
{
    const dc_status st = dc_mem_alloc(out, 1, sizeof **out, "method state");
    if (st == DC_OK) (*out)->env = env;
    return st;
}

dc_status dc_centers_create_kind(const dc_method_env *env, dc_target_kind kind, dc_soft_model model,
                                 dc_method_state **out)
{
    dc_status st = dc_centers_create(env, out);
    if (st != DC_OK) return st;
    dc_method_state *s = *out;
    s->embedded = (dc_table){"embedding", env->Z, env->L};
    s->target = (dc_soft_target){
        .kind = kind, .model = model, .alpha = model == DC_SOFT_STUDENT ? alpha_of(env) : 0, .K = env->K, .L = env->L};
    st = dc_target_create(&s->target, env->part);
    if (st != DC_OK) dc_centers_destroy(out);
    return st;
}

dc_status dc_centers_create_target(const dc_method_env *env, dc_method_state **out)
{
    return dc_centers_create_kind(env, DC_TARGET_SQUARE, DC_SOFT_STUDENT, out);
}

dc_status dc_centers_add_labels(dc_method_state **state)
{
    dc_method_state *s = *state;
    const dc_status st = dc_mem_alloc(&s->labels, (size_t)dc_part_rows(s->env->part), sizeof *s->labels, "labels");
    s->label = (dc_table){"labels", s->labels, 1};
    if (st != DC_OK) dc_centers_destroy(state);
    return st;
}

dc_status dc_centers_create_labels(const dc_method_env *env, dc_method_state **out)
{
    const dc_status st = dc_centers_create(env, out);
    return st == DC_OK ? dc_centers_add_labels(out) : st;
}

dc_status dc_centers_keep_labels(dc_comm *comm, dc_method_state *state, dc_state *c, const char *name)
{
    state->saved = c;
    return dc_state_keep_rows(comm, c, name, DC_STATE_F32, 1, state->env->part, state->labels);
}

static dc_status set_centers(dc_comm *comm, const dc_method_env *env, const dc_kmeans_config *cfg, const float *Z,
                             int32_t *label)
{
    dc_status st = DC_OK;
    dc_kmeans_result km = {0};
    const dc_tensor *centers = dc_slab_find(env->slab, "centers");
    const dc_rows rows = dc_method_rows(env, Z);
    const size_t n = (size_t)dc_part_rows(env->part);
    DC_ASSERT(centers);
    DC_TRY(dc_kmeans(comm, &rows, cfg, &km));
    memcpy(env->value + centers->at, km.centers, dc_tensor_floats(centers) * sizeof *km.centers);
    if (label && n) memcpy(label, km.labels, n * sizeof *label);
out:
    dc_kmeans_result_release(&km);
    return st;
}

/* Sets the centres to the means of the clusters of another method. */
static dc_status start_by(dc_comm *comm, const dc_method_env *env, const float *Z, int32_t *label)
{
    dc_status st = DC_OK;
    dc_method_env own = *env;
    int32_t *found = NULL;
    const dc_rows rows = dc_method_rows(env, Z);
    const size_t n = (size_t)dc_part_rows(env->part);
    own.keys = env->start_keys;
    DC_TRY_ALL(comm, dc_mem_alloc(&found, n, sizeof *found, "labels"));
    DC_TRY(env->start_by->cluster(comm, &own, Z, found));
    DC_TRY(dc_cluster_means(comm, &rows, found, env->K, dc_method_values(env, "centers")));
    if (label && n) memcpy(label, found, n * sizeof *label);
out:
    dc_mem_free(&found);
    return st;
}

dc_status dc_method_kmeans(dc_comm *comm, const dc_method_env *env, const float *Z, int32_t *label)
{
    if (env->start_by) return start_by(comm, env, Z, label);
    return set_centers(comm, env, &env->kmeans, Z, label);
}

dc_status dc_method_kmeans_again(dc_comm *comm, const dc_method_env *env, const float *Z, int32_t *label)
{
    dc_kmeans_config cfg = env->kmeans;
    cfg.first = dc_method_values(env, "centers");
    cfg.n_init = 1;
    cfg.state = NULL;
    cfg.quiet = true;
    return set_centers(comm, env, &cfg, Z, label);
}

dc_status dc_centers_start(dc_comm *comm, dc_method_state *state, const dc_inferred *rows)
{
    return dc_method_kmeans(comm, state->env, rows->Z, NULL);
}

/* Where the parameters lie that q follows from. */
static const float *model_of(const dc_method_state *s)
{
    if (s->target.model == DC_SOFT_STUDENT) return dc_method_values(s->env, "centers");
    return s->env->value + dc_slab_net(s->env->slab, "head")->layer[0].weight; /* the bias lies behind */
}

dc_status dc_centers_refresh_target(dc_comm *comm, dc_method_state *state, const dc_inferred *rows, dc_refresh *out)
{
    dc_soft_target *t = &state->target;
    memcpy(t->param, model_of(state), dc_target_params(t) * sizeof *t->param);
    memcpy(t->f, rows->f, (size_t)t->K * sizeof *t->f);
    out->loss = dc_target_loss(comm, t, rows->Z, &out->odd_targets);
    return DC_OK;
}

void dc_centers_take_task(dc_kmeans_config *cfg, const dc_sweep_task *task)
{
    cfg->K = task->K;
    cfg->seed = task->seed;
    cfg->state = task->state;
    cfg->quiet = true;
    if (task->n_init) cfg->n_init = task->n_init;
}

dc_status dc_centers_sweep(dc_comm *comm, const dc_method_env *env, const dc_rows *rows, const dc_sweep_task *task,
                           dc_sweep_fit *out)
{
    dc_kmeans_result km;
    dc_kmeans_config cfg = env->kmeans;
    dc_centers_take_task(&cfg, task);
    const dc_status st = dc_kmeans(comm, rows, &cfg, &km);
    if (st != DC_OK) return st;
    *out = (dc_sweep_fit){.label = km.labels,
                          .inertia = km.inertia,
                          .bic = dc_sweep_bic(km.size, task->K, rows->part->N, rows->d, km.inertia),
                          .iterations = km.iterations,
                          .converged = km.converged};
    for (int64_t k = 0; k < task->K; k++) out->empty += km.size[k] == 0;
    km.labels = NULL;
    dc_kmeans_result_release(&km);
    return DC_OK;
}

/* ---- Recording --------------------------------------------------------------------------------------------------- */

dc_val dc_centers_encode(dc_graph *g, const dc_method_env *env, dc_pass pass, dc_val x)
{
    return dc_layers(g, &env->slab->net, 0, env->slab->net.n_encoder, pass, x);
}

void dc_centers_reconstruct(dc_graph *g, const dc_method_env *env, dc_recon_loss loss, dc_val x, dc_val z)
{
    const dc_net *net = &env->slab->net;
    dc_minimize(g, "reconstruction", 1,
                dc_recon(g, loss, x, dc_layers(g, net, net->n_encoder, net->n_layers, true, z)));
}

dc_val dc_centers_target(dc_graph *g, const dc_method_state *state)
{
    return dc_target_of(g, &state->target, dc_entry(g, &state->embedded));
}

dc_val dc_centers_kl(dc_graph *g, const dc_method_state *state, dc_val z)
{
    const dc_method_env *env = state->env;
    return dc_student_kl(g, alpha_of(env), z, dc_method_use(g, env, "centers"), dc_centers_target(g, state));
}

dc_val dc_method_embed(dc_graph *g, const dc_method_env *env)
{
    const dc_val z = dc_centers_encode(g, env, false, dc_batch(g, env->slab->net.D));
    if (env->slab->net.n_layers > 0) dc_output(g, "embedding", z);
    return z;
}

void dc_centers_infer(dc_graph *g, const dc_method_env *env)
{
    const dc_val z = dc_method_embed(g, env), m = dc_method_use(g, env, "centers");
    dc_output(g, "q", dc_student(g, alpha_of(env), z, m));
    dc_output(g, "label", dc_nearest_center(g, z, m));
}

void dc_centers_destroy(dc_method_state **state)
{
    dc_method_state *s = *state;
    if (!s) return;
    dc_target_release(&s->target);
    dc_state_drop(s->saved, s->labels);
    dc_state_drop(s->saved, s->number);
    dc_mem_free(&s->labels);
    dc_mem_free(&s->number);
    dc_mem_free(state);
}
