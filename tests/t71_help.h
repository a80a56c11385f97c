/* A trainer right before its first step: 97 glyphs, one hidden layer, four clusters, the first target. Seeds 1 and 3.
 */
#ifndef DCMPI_TESTS_T71_HELP_H
#define DCMPI_TESTS_T71_HELP_H

#include "check.h"
#include "train/trainer.h"

enum { N = 97, K = 4, L = 3, BATCH = 64 };

typedef struct {
    dc_dataset *data;
    dc_net net;
    dc_timers timers;
    dc_progress progress;
    dc_model model;
    dc_cluster_config cfg;
    dc_trainer trainer;
    float *Z;
    int32_t *labels;
} trainer_setup;

static inline void trainer_configure(trainer_setup *s, const dc_method *method, const dc_opt_config *opt)
{
    s->cfg = (dc_cluster_config){.method = method,
                                 .env = {.part = &s->data->part,
                                         .K = K,
                                         .L = L,
                                         .alpha = 1.7,
                                         .kmeans = {.K = K, .n_init = 1, .max_iter = 9, .seed = 1}},
                                 .batch = BATCH,
                                 .update_interval = 1,
                                 .max_iter = 1,
                                 .weight = 0.3,
                                 .recon_loss = DC_LOSS_MSE_SUM,
                                 .opt = *opt};
}

static inline void trainer_start(dc_comm *comm, trainer_setup *s)
{
    const dc_method *method = s->cfg.method;
    const size_t n = (size_t)dc_part_rows(&s->data->part);
    dc_refresh refresh;
    CHECK_OK(dc_model_grow(comm, &s->model, method->n_extra(&s->cfg.env)));
    CHECK_OK(dc_trainer_create(&s->trainer, &s->model, &s->cfg));
    CHECK_OK(dc_mem_alloc(&s->Z, n * L, sizeof *s->Z, "Z"));
    CHECK_OK(dc_mem_alloc(&s->labels, n, sizeof *s->labels, "labels"));
    dc_embed(s->trainer.embedder, &s->model, s->Z);
    CHECK_OK(method->init(comm, &s->trainer.env, s->Z, dc_trainer_extra(&s->trainer), s->labels, &s->trainer.state));
    CHECK_OK(method->refresh(comm, s->trainer.state, s->Z, dc_trainer_extra(&s->trainer), s->labels, &refresh));
}

/* hidden: units of the hidden layer; strict, gather_rows: how gradients meet. */
static inline void trainer_open(dc_comm *comm, const dc_method *method, bool strict, int64_t gather_rows,
                                int64_t hidden, const dc_opt_config *opt, trainer_setup *s)
{
    memset(s, 0, sizeof *s);
    CHECK_OK(dc_dataset_load(comm, DC_BUILTIN_GLYPHS, N, 8, DC_SCALE_UNIT, 1, K, &s->data));
    CHECK_OK(dc_net_init(&s->net, s->data->D, &hidden, 1, L, DC_ACT_TANH, DC_ACT_LINEAR, DC_ACT_LINEAR));
    CHECK_OK(dc_progress_open(&s->progress, NULL, 1e9));
    CHECK_OK(dc_model_create(&s->model, s->data, &s->net, DC_INIT_GLOROT, 3, &s->timers, &s->progress));
    s->model.strict = strict;
    s->model.gather_rows = gather_rows;
    trainer_configure(s, method, opt);
    trainer_start(comm, s);
}

static inline void trainer_close(trainer_setup *s)
{
    dc_trainer_release(&s->trainer);
    dc_model_release(&s->model);
    dc_progress_close(&s->progress);
    dc_mem_free(&s->Z);
    dc_mem_free(&s->labels);
    dc_dataset_destroy(&s->data);
}

#endif
