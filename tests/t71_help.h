/* Clustering right before its first step: 97 glyphs, one hidden layer, three clusters, the first target. Seeds 1 and 3.
 */
#ifndef DCMPI_TESTS_T71_HELP_H
#define DCMPI_TESTS_T71_HELP_H

#include "check.h"
#include "dcmpi/train.h"
#include "method_keys.h"

enum { N = 97, K = 3, L = 4, BATCH = 64 };

typedef struct {
    dc_dataset *data;
    dc_slab slab;
    dc_timers timers;
    dc_progress progress;
    dc_model model;
    const dc_method *method;
    dc_method_env env;
    dc_method_state *state;
    dc_graph *graph[DC_METHOD_STEPS]; /* [method->n_steps], as are the steps */
    dc_step *step[DC_METHOD_STEPS];
    float *Z;
    int32_t *labels;
} clustering_setup;

/* radius=0: IMSAT's perturbation counts as a constant, but differences of the loss would see it move. */
static inline void clustering_configure(clustering_setup *s)
{
    s->env = (dc_method_env){
        .part = &s->data->part,
        .input = dc_rows_of_dataset(s->data),
        .K = K,
        .L = L,
        .keys = method_keys(s->method,
                            "alpha=1.7 weight=0.3 sharpness=0 loss=mse_sum discriminator=[4] output_scale=1 radius=0"),
        .kmeans = {.K = K, .n_init = 1, .max_iter = 9, .seed = 1},
        .slab = &s->slab,
        .epoch_steps = (N - 1) / BATCH + 1};
}

static inline void clustering_count(void *ctx, int64_t lo, int64_t n, const float *q, const int32_t *label)
{
    int32_t before[K];
    for (int64_t i = 0; i < n; i++) dc_soft_add(ctx, lo + i, 1, q + i * K, label + i, before);
}

/* Centres, labels and target. */
static inline void clustering_start(dc_comm *comm, clustering_setup *s)
{
    const size_t n = (size_t)dc_part_rows(&s->data->part);
    double f[K];
    int64_t size[K];
    dc_embedder *embedder;
    dc_refresh refresh;
    dc_soft_counter *counter;
    dc_soft_stats stats = {.f = f, .size = size};
    CHECK_OK(dc_mem_alloc(&s->labels, n, sizeof *s->labels, "labels"));
    CHECK_OK(dc_embedder_create(&embedder, s->method, &s->env));
    CHECK_OK(dc_soft_create(&counter, &s->data->part, K));
    dc_embedded out = {.Z = s->Z, .label = s->labels};
    dc_inferred rows = {.Z = s->Z, .label = s->labels};
    dc_embed(embedder, s->data, &s->timers, &out);
    CHECK_OK(s->method->start(comm, s->state, &rows));
    dc_soft_begin(counter);
    out.count = clustering_count, out.ctx = counter;
    dc_embed(embedder, s->data, &s->timers, &out);
    dc_embedder_destroy(&embedder);
    dc_soft_finish(comm, counter, &stats);
    dc_soft_destroy(&counter);
    rows.f = f;
    if (s->method->refresh) CHECK_OK(s->method->refresh(comm, s->state, &rows, &refresh));
}

static inline void clustering_make_steps(clustering_setup *s)
{
    const dc_row_source data = dc_model_rows(&s->model);
    for (int i = 0; i < s->method->n_steps; i++) {
        const dc_step_config cfg = dc_model_step(&s->model, s->graph[i], &data, BATCH, DC_T_CLUSTER_GATHER);
        CHECK_OK(dc_step_create(&s->step[i], &cfg));
    }
}

static inline void clustering_drop_steps(clustering_setup *s)
{
    for (int i = 0; i < s->method->n_steps; i++) dc_step_destroy(&s->step[i]);
}

/* What comes before each step. */
static inline void clustering_anneal(clustering_setup *s, int64_t step)
{
    if (s->method->anneal) s->method->anneal(s->state, step);
}

/* hidden: units of the hidden layer; strict, gather_rows: how gradients meet. */
static inline void clustering_open(dc_comm *comm, const dc_method *method, bool strict, int64_t gather_rows,
                                   int64_t hidden, clustering_setup *s)
{
    memset(s, 0, sizeof *s);
    s->method = method;
    CHECK_OK(dc_dataset_load(comm, DC_BUILTIN_GLYPHS, N, 8, DC_SCALE_UNIT, 1, K, &s->data));
    dc_net net;
    CHECK_OK(dc_net_init(&net, s->data->D, &hidden, 1, L, DC_ACT_TANH, DC_ACT_LINEAR, DC_ACT_LINEAR));
    dc_slab_init(&s->slab, &net);
    clustering_configure(s);
    method->build(&s->env, &s->slab);
    CHECK_OK(dc_progress_open(&s->progress, NULL, 1e9));
    CHECK_OK(dc_model_create(&s->model, s->data, &s->slab, DC_INIT_GLOROT, 3, &s->timers, &s->progress));
    s->model.strict = strict;
    s->model.gather_rows = gather_rows;
    s->env.value = s->model.params.value;
    CHECK_OK(dc_mem_alloc(&s->Z, (size_t)(dc_part_rows(&s->data->part) * L), sizeof *s->Z, "Z"));
    s->env.Z = s->Z;
    CHECK_OK(method->create(&s->env, &s->state));
    clustering_start(comm, s);
    for (int i = 0; i < method->n_steps; i++) {
        CHECK_OK(dc_graph_create(&s->graph[i]));
        method->record(s->graph[i], s->state, i);
        CHECK_OK(dc_graph_finish(s->graph[i]));
    }
    clustering_make_steps(s);
}

static inline void clustering_close(clustering_setup *s)
{
    clustering_drop_steps(s);
    for (int i = 0; i < s->method->n_steps; i++) dc_graph_destroy(&s->graph[i]);
    s->method->destroy(&s->state);
    dc_model_release(&s->model);
    dc_progress_close(&s->progress);
    dc_mem_free(&s->Z);
    dc_mem_free(&s->labels);
    dc_dataset_destroy(&s->data);
}

#endif
