/* A method on golden rows, right before its first step: its steps recorded, the networks from "start/..." of a golden
 * file. Tests give tensors and labels, and refresh the target. */
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
    dc_graph *graph[DC_METHOD_STEPS]; /* [method->n_steps], as are the steps */
    dc_step *step[DC_METHOD_STEPS];
    float Z[GOLDEN_N * GOLDEN_L]; /* [n x L] the embedding at the last refresh */
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
                             .Z = s->Z,
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

/* Refreshes the target with the present parameters, and checks its loss: "refresh/z" of the file is the embedding,
 * ".../f" the sums of q, ".../loss" the loss. Collective. */
static inline void golden_refresh(dc_comm *comm, golden_method *s)
{
    const int32_t label[GOLDEN_N] = {0};
    double f[GOLDEN_N], loss;
    dc_refresh out = {.odd_targets = -1};
    golden_own_rows(s, s->file, "refresh/z", GOLDEN_L, s->Z);
    CHECK(golden_read(s->file, "refresh/f", f, (size_t)s->env.K));
    CHECK(golden_read(s->file, "refresh/loss", &loss, 1));
    CHECK_OK(s->method->refresh(comm, s->state, &(dc_inferred){.Z = s->Z, .label = label, .f = f}, &out));
    CHECK_NEAR(out.loss, loss, 1e-6);
    CHECK_INT(out.odd_targets, 0);
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
