/* A method on golden rows, right before its first step: its steps recorded, the networks from "start/..." of a golden
 * file. Tests give tensors, labels and targets. */
#ifndef DCMPI_TESTS_GOLDEN_METHOD_H
#define DCMPI_TESTS_GOLDEN_METHOD_H

#include "golden/golden_net.h"
#include "method/methods.h"
#include "method_keys.h"

enum { GOLDEN_N = 17 };

typedef struct {
    golden_setup base;
    const char *file; /* of the start */
    const dc_method *method;
    dc_method_env env;
    dc_method_state *state;
    float Z[GOLDEN_N * GOLDEN_L];     /* what targets follow from */
    dc_graph *graph[DC_METHOD_STEPS]; /* [method->n_steps], as are the steps */
    dc_step *step[DC_METHOD_STEPS];
} golden_method;

/* Rows "x" of the file. net: the autoencoder; way: as in golden_set_way(). s must stay where it is. Collective. */
static inline void golden_method_open(dc_comm *comm, golden_method *s, const char *file, const char *method,
                                      const char *keys, int64_t K, const dc_net *net, int way)
{
    float x[GOLDEN_N * GOLDEN_D];
    *s = (golden_method){.file = file, .method = dc_method_find(method)};
    CHECK(golden_read_f32(file, "x", x, GOLDEN_N * GOLDEN_D));
    golden_data(comm, &s->base.data, x, GOLDEN_N, 0);
    s->base.net = *net;
    dc_slab_init(&s->base.slab, net);
    s->env = (dc_method_env){.part = &s->base.data.part,
                             .K = K,
                             .L = GOLDEN_L,
                             .keys = method_keys(s->method, keys),
                             .slab = &s->base.slab,
                             .epoch_steps = 1};
    s->method->build(&s->env, &s->base.slab);
    CHECK_OK(s->base.slab.st);
    CHECK_OK(dc_progress_open(&s->base.progress, NULL, 1e9));
    golden_model(&s->base, file);
    golden_set_way(&s->base.model, way);
    s->env.value = s->base.model.params.value;
    const dc_net *more;
    for (int i = 1; (more = dc_slab_net_at(&s->base.slab, i)) != NULL; i++)
        golden_read_slab(file, more, "start", s->env.value);
    s->env.Z = s->Z;
    CHECK_OK(s->method->create(&s->env, &s->state));
    const dc_row_source rows = dc_model_rows(&s->base.model);
    for (int i = 0; i < s->method->n_steps; i++) {
        CHECK_OK(dc_graph_create(&s->graph[i]));
        s->method->record(s->graph[i], s->state, i);
        CHECK_OK(dc_graph_finish(s->graph[i]));
        const dc_step_config cfg = dc_model_step(&s->base.model, s->graph[i], &rows, GOLDEN_N, DC_T_CLUSTER_GATHER);
        CHECK_OK(dc_step_create(&s->step[i], &cfg));
    }
}

static inline void golden_method_close(golden_method *s)
{
    for (int i = 0; i < s->method->n_steps; i++) dc_step_destroy(&s->step[i]), dc_graph_destroy(&s->graph[i]);
    s->method->destroy(&s->state);
    golden_close(&s->base);
}

/* Gives a tensor the array `name` of the file. */
static inline void golden_give_tensor(golden_method *s, const char *tensor, const char *name)
{
    const dc_tensor *t = dc_slab_find(&s->base.slab, tensor);
    CHECK(golden_read_f32(s->file, name, s->env.value + t->at, dc_tensor_floats(t)));
}

/* Reads this rank's rows of array `name`, [GOLDEN_N x width], into out[n x width]. */
static inline void golden_own_rows(const golden_method *s, const char *file, const char *name, int64_t width,
                                   float *out)
{
    float all[GOLDEN_N * GOLDEN_D];
    CHECK(golden_read_f32(file, name, all, (size_t)(GOLDEN_N * width)));
    memcpy(out, all + s->env.part->row_lo * width, (size_t)(dc_part_rows(s->env.part) * width) * sizeof *all);
}

/* Gives the targets p [GOLDEN_N x K] of the file: as the softmax of logits 0, z_1, z_2 ..., so K is at most L + 1. */
static inline void golden_give_target(golden_method *s, const char *name)
{
    float p[GOLDEN_N * GOLDEN_D];
    dc_soft_target *t = &s->state->target;
    const int64_t K = t->K, L = t->L;
    CHECK(K <= L + 1);
    golden_own_rows(s, s->file, name, K, p);
    t->kind = DC_TARGET_ROOT;
    t->model = DC_SOFT_HEAD;
    dc_mem_free(&t->param);
    CHECK_OK(dc_mem_alloc(&t->param, dc_target_params(t), sizeof *t->param, "target"));
    for (int64_t k = 0; k < K; k++) t->f[k] = 1;
    for (int64_t k = 1; k < K; k++) t->param[(k - 1) * K + k] = 1;
    for (int64_t i = 0; i < dc_part_rows(s->env.part); i++)
        for (int64_t k = 1; k < K; k++) s->Z[i * L + k - 1] = (float)log((double)p[i * K + k] / (double)p[i * K]);
}

/* Checks the losses of a step, their sum and the reconstruction's part, against "<prefix>/loss" of a file. */
static inline void golden_check_loss(const char *file, const char *prefix, const dc_graph *g, const double *loss)
{
    char name[64];
    double golden[2], total = 0, recon = 0;
    for (int i = 0; i < g->n_losses; i++) {
        total += loss[i];
        if (strcmp(g->loss[i].name, "reconstruction") == 0) recon += loss[i];
    }
    snprintf(name, sizeof name, "%s/loss", prefix);
    CHECK(golden_read(file, name, golden, 2));
    CHECK_NEAR(total, golden[0], 1e-6 * golden[0]);
    CHECK_NEAR(recon, golden[1], 1e-6 * golden[1]);
}

/* Checks all networks of a slab against "<prefix>/<layer>/..." of a file. */
static inline void golden_check_nets(const golden_method *s, const char *file, const char *prefix, const float *slab,
                                     double tolerance)
{
    const dc_net *net;
    for (int i = 0; (net = dc_slab_net_at(&s->base.slab, i)) != NULL; i++)
        golden_check_slab(file, net, prefix, slab, tolerance);
}

/* Checks a tensor of a slab against "<prefix>/<name>" of a file. */
static inline void golden_check_tensor(const golden_method *s, const char *tensor, const char *file, const char *prefix,
                                       const char *name, const float *slab, double tolerance)
{
    char full[128];
    float expected[GOLDEN_N * GOLDEN_L];
    const dc_tensor *t = dc_slab_find(&s->base.slab, tensor);
    snprintf(full, sizeof full, "%s/%s", prefix, name);
    CHECK(golden_read_f32(file, full, expected, dc_tensor_floats(t)));
    CHECK_ARRAY_NEAR(slab + t->at, expected, dc_tensor_floats(t), tolerance);
}

#endif
