/* The golden autoencoder 12-7-5-3-5-7-12 and its data inside our structures. */
#ifndef DCMPI_TESTS_GOLDEN_NET_H
#define DCMPI_TESTS_GOLDEN_NET_H

#include "check.h"
#include "dcmpi/train.h"
#include "golden/golden.h"

enum { GOLDEN_D = 12, GOLDEN_L = 3, GOLDEN_SHARDS = 8 };

/* Arrays "<prefix>/<layer>/weight" and ".../bias" of every layer into a slab. */
static inline void golden_read_slab(const char *file, const dc_net *net, const char *prefix, float *slab)
{
    bool ok = true;
    for (int l = 0; l < net->n_layers; l++) {
        const dc_layer *layer = &net->layer[l];
        char name[128];
        snprintf(name, sizeof name, "%s/%s/weight", prefix, layer->name);
        ok = ok && golden_read_f32(file, name, slab + layer->weight,
                                   (size_t)(dc_layer_rows(layer) * dc_layer_columns(layer)));
        snprintf(name, sizeof name, "%s/%s/bias", prefix, layer->name);
        ok = ok && golden_read_f32(file, name, slab + layer->bias, (size_t)dc_layer_biases(layer));
    }
    CHECK(ok);
}

/* Checks a network's part of a slab against "<prefix>/<layer>/..." of the file. */
static inline void golden_check_slab(const char *file, const dc_net *net, const char *prefix, const float *slab,
                                     double tolerance)
{
    const size_t first = net->layer[0].weight - net->n_decoder; /* the decoder comes before the encoder */
    float *expected = malloc((first + net->n_params) * sizeof *expected);
    if (check_rank_ == 0) printf("# %s\n", prefix);
    golden_read_slab(file, net, prefix, expected);
    CHECK_ARRAY_NEAR(slab + first, expected + first, net->n_params, tolerance);
    free(expected);
}

typedef struct {
    dc_dataset data;
    dc_net net;
    dc_slab slab;
    dc_timers timers;
    dc_progress progress;
    dc_model model;
} golden_setup;

/* This rank's part of the rows all[N x GOLDEN_D], entering the network as x + shift. */
static inline void golden_data(dc_comm *comm, dc_dataset *data, const float *all, dc_gidx N, float shift)
{
    *data = (dc_dataset){.D = GOLDEN_D, .dtype = DC_F32, .source = "made up"};
    CHECK_OK(dc_part_init(&data->part, N, GOLDEN_SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    const size_t n = (size_t)(dc_part_rows(&data->part) * GOLDEN_D);
    CHECK_OK(dc_mem_alloc(&data->X, n, sizeof(float), "X"));
    memcpy(data->X, all + data->part.row_lo * GOLDEN_D, n * sizeof *all);
    CHECK_OK(dc_mem_alloc(&data->shift, GOLDEN_D, sizeof(float), "shift"));
    CHECK_OK(dc_mem_alloc(&data->scale, GOLDEN_D, sizeof(float), "scale"));
    for (int c = 0; c < GOLDEN_D; c++) data->shift[c] = -shift, data->scale[c] = 1;
}

/* The model of s->slab with the weights "start/..." of the file. */
static inline void golden_model(golden_setup *s, const char *file)
{
    dc_model_release(&s->model);
    CHECK_OK(dc_model_create(&s->model, &s->data, &s->slab, DC_INIT_FAN_IN, 1, &s->timers, &s->progress));
    golden_read_slab(file, &s->net, "start", s->model.params.value);
}

enum { GOLDEN_WAYS = 3 };

/* How gradients meet. 0: fast; strict: 1: gathered rows, 2: a tree. */
static inline void golden_set_way(dc_model *m, int way)
{
    m->strict = way > 0;
    m->gather_rows = way == 1 ? m->data->part.N : 0;
}

static inline dc_net golden_net(dc_act hidden, dc_act output)
{
    dc_net net;
    CHECK_OK(dc_net_init(&net, GOLDEN_D, (int64_t[]){7, 5}, 2, GOLDEN_L, hidden, DC_ACT_LINEAR, output));
    return net;
}

/* The rows, and the autoencoder with the weights "start/..." of the file. */
static inline void golden_open(dc_comm *comm, golden_setup *s, const char *file, const float *all, dc_gidx N,
                               float shift, dc_act hidden, dc_act output)
{
    golden_data(comm, &s->data, all, N, shift);
    s->net = golden_net(hidden, output);
    dc_slab_init(&s->slab, &s->net);
    s->model = (dc_model){0};
    s->timers = (dc_timers){0};
    CHECK_OK(dc_progress_open(&s->progress, NULL, 1e9));
    golden_model(s, file);
}

static inline void golden_close(golden_setup *s)
{
    dc_model_release(&s->model);
    dc_progress_close(&s->progress);
    dc_mem_free(&s->data.X);
    dc_mem_free(&s->data.shift);
    dc_mem_free(&s->data.scale);
}

#endif
