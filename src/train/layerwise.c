/* Greedy layer-wise pretraining of a stack of denoising autoencoders (Vincent et al., JMLR 2010; constants of Xie et
 * al., ICML 2016).
 *
 * Pair l is encoder layer l and its mirror in the decoder. It is trained as a network of its own, whose input x is the
 * output of the encoder layers below; these are frozen:
 *   x~ = Dropout(x), h = act(x~ W1 + b1), h~ = Dropout(h), y = act2(h~ W2 + b2), min loss(x, y).
 * Each layer keeps the activation that it has in the stack: h of the last pair is linear if the embedding is, and
 * y of the first pair is linear if the output is; all others have the hidden activation. By default data and embedding
 * have no dropout.
 *
 * A pair's weights start as copies of the stack's (model.init); once trained, they replace the stack's. So the stack
 * that is fine-tuned afterwards consists of trained pairs alone, and no new weights are drawn for it. */
#include <string.h>

#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/net_text.h"
#include "frozen.h"
#include "recon.h"

#include "dcmpi/comm.h"

static const char *const phases[DC_MAX_PAIRS] = {"layer_1",  "layer_2",  "layer_3",  "layer_4",  "layer_5",  "layer_6",
                                                 "layer_7",  "layer_8",  "layer_9",  "layer_10", "layer_11", "layer_12",
                                                 "layer_13", "layer_14", "layer_15", "layer_16"};

typedef struct {
    dc_slab slab;   /* two layers */
    dc_model model; /* its weights are in slab; it borrows what it can from the stack */
    dc_frozen below;
} pair;

static void release(pair *p)
{
    dc_frozen_release(&p->below);
    dc_model_release(&p->model);
}

static void copy_layer(const dc_layer *from, const float *source, const dc_layer *to, float *target)
{
    if (!from->tied)
        memcpy(target + to->weight, source + from->weight,
               (size_t)(dc_layer_rows(from) * dc_layer_columns(from)) * sizeof *target);
    memcpy(target + to->bias, source + from->bias,
           (size_t)(dc_layer_vectors(from) * dc_layer_biases(from)) * sizeof *target);
}

/* The encoder and decoder layer of the stack that form pair l. */
static const dc_layer *encoder_of(const dc_model *stack, int l)
{
    return &stack->net->layer[l];
}
static const dc_layer *decoder_of(const dc_model *stack, int l)
{
    return dc_net_mirror(stack->net, l);
}

/* Builds a network of an encoder layer and its mirror. */
static dc_status build_net(dc_net *net, const dc_layer *encoder, const dc_layer *decoder)
{
    dc_net_text t = {.image = decoder->image, /* what it gives is what the encoder's layer gets */
                     .encoder = {1, {dc_layer_text_of(encoder)}},
                     .kind = decoder->tied ? DC_DECODER_TIED : DC_DECODER_MIRROR,
                     .output_act = decoder->act,
                     .output_norm = decoder->norm};
    t.encoder.layer[0].rules = (dc_layer_rules){0};
    const dc_status st = dc_net_build(net, encoder->in, &t);
    if (st != DC_OK) return st;
    memcpy(net->layer[0].name, encoder->name, sizeof encoder->name);
    memcpy(net->layer[1].name, decoder->name, sizeof decoder->name);
    return DC_OK;
}

/* Sets up a pair except for its parameters. */
static dc_status shape(pair *p, const dc_model *stack, int l)
{
    dc_status st = DC_OK;
    const dc_layer *encoder = encoder_of(stack, l), *decoder = decoder_of(stack, l);
    dc_net net;
    DC_TRY(build_net(&net, encoder, decoder));
    dc_slab_init(&p->slab, &net);
    p->model = *stack;
    p->model.slab = &p->slab;
    p->model.net = &p->slab.net;
    dc_params_shape(&p->model.params, &net, 0);
out:
    return st;
}

static dc_status create(pair *p, const dc_model *stack, int l)
{
    dc_status st = DC_OK;
    const dc_net *net = &p->slab.net;
    DC_TRY(shape(p, stack, l));
    DC_TRY(dc_params_create(&p->model.params, net, 0));
    copy_layer(encoder_of(stack, l), stack->params.value, &net->layer[0], p->model.params.value);
    copy_layer(decoder_of(stack, l), stack->params.value, &net->layer[1], p->model.params.value);
out:
    return st;
}

/* Makes the pair's parameters part of the run's state. */
static dc_status keep_pair(dc_comm *comm, const dc_model *stack, const pair *p)
{
    return dc_state_keep(comm, stack->state, "pair", DC_STATE_F32, p->slab.n, p->model.params.value, NULL);
}

static void keep(const pair *p, dc_model *stack, int l)
{
    copy_layer(&p->slab.net.layer[0], p->model.params.value, encoder_of(stack, l), stack->params.value);
    copy_layer(&p->slab.net.layer[1], p->model.params.value, decoder_of(stack, l), stack->params.value);
}

/* Cross-entropy needs outputs in [0, 1]: pairs that do not end in a sigmoid use the mean square instead. */
static dc_recon_loss loss_of(const pair *p, dc_recon_loss wanted)
{
    return wanted == DC_LOSS_BCE && p->slab.net.layer[1].act != DC_ACT_SIGMOID ? DC_LOSS_MSE : wanted;
}

static dc_pretrain_config training_of(const pair *p, const dc_layerwise_config *cfg, int l)
{
    dc_pretrain_config training = cfg->layer;
    training.phase = phases[l];
    training.loss = loss_of(p, cfg->layer.loss);
    training.method = NULL;
    return training;
}

static dc_row_source source_of(const pair *p, const dc_model *stack, int l)
{
    return (dc_row_source){.gather = dc_frozen_gather,
                           .from = &p->below,
                           .csr = l == 0 ? dc_dataset_csr(stack->data) : NULL,
                           .expect = dc_dataset_streams(stack->data) ? dc_frozen_expect : NULL,
                           .flops = p->below.cache ? 0 : dc_net_forward_flops(stack->net, 0, l)};
}

static dc_denoising noise_of(const dc_model *stack, const dc_layerwise_config *cfg, int l)
{
    return (dc_denoising){.input = l == 0 ? cfg->input_dropout : cfg->dropout,
                          .hidden = l == stack->net->n_encoder - 1 ? 0 : cfg->dropout,
                          .site = 2 * l + 1};
}

/* has_output() looks at no more than this many rows of each rank; usually the first row decides. */
enum { ALIVE_ROWS = 1024 };

static bool has_output(const dc_frozen *below, float *row)
{
    const int64_t n = DC_MIN(dc_part_rows(&below->data->part), (int64_t)ALIVE_ROWS);
    for (int64_t i = 0; i < n; i++) {
        dc_frozen_gather(below, &i, 1, row);
        for (int64_t c = 0; c < dc_frozen_width(below); c++)
            if (row[c] != 0) return true;
    }
    return false;
}

/* A layer of rectifiers can die: too large a step leaves all of its units at 0 for every row. The loss of the next pair
 * then stays 0, which is finite and so not noticed otherwise. Such a stack has diverged: *stop is set to say so, and a
 * warning names the `phase` that trained the layer. */
static dc_status check_alive(dc_comm *comm, const dc_dataset *data, const dc_frozen *below, const char *phase,
                             dc_stop *stop)
{
    dc_status st = DC_OK;
    float *row = NULL;
    DC_TRY_ALL(comm, dc_mem_alloc(&row, (size_t)dc_frozen_width(below), sizeof *row, "row"));
    int64_t alive = has_output(below, row);
    dc_comm_max_i64(comm, &alive, 1);
    if (!alive) {
        *stop = DC_STOP_DIVERGED;
        char advice[DC_DATA_ADVICE_MAX];
        dc_log_warning("%s diverged: its outputs are 0 for all rows; %s", phase,
                       dc_dataset_advice(data, "lower pretrain.lr", advice));
    }
out:
    dc_mem_free(&row);
    return st;
}

static void describe(const pair *p, int l)
{
    const int64_t in = p->slab.net.D, out = p->slab.net.L;
    const char *how = p->below.depth == 0 ? "the data" : p->below.cache ? "kept in memory" : "computed for each batch";
    dc_log("%-9s %lld -> %lld -> %lld; its input: %s", phases[l], (long long)in, (long long)out, (long long)in, how);
}

static dc_status train_pair(dc_comm *comm, dc_model *stack, const dc_layerwise_config *cfg, int l, dc_history *history,
                            dc_stop *stop)
{
    dc_status st = DC_OK;
    pair p = {0};
    bool finished;
    const dc_denoising noise = noise_of(stack, cfg, l);
    DC_TRY(dc_recon_recall(comm, stack, phases[l], history, &finished));
    if (finished) goto out;
    DC_TRY_ALL(comm, create(&p, stack, l));
    DC_TRY(keep_pair(comm, stack, &p));
    DC_TRY(dc_frozen_create(comm, &p.below, stack, l, cfg->cache_bytes));
    DC_TRY_ALL(comm, dc_frozen_fill(&p.below, stack->timers));
    if (l > 0) DC_TRY(check_alive(comm, stack->data, &p.below, phases[l - 1], stop));
    if (*stop == DC_STOP_DIVERGED) goto out;
    describe(&p, l);
    const dc_pretrain_config training = training_of(&p, cfg, l);
    const dc_row_source source = source_of(&p, stack, l);
    DC_TRY(dc_recon_train(comm, &p.model, &training, &source, &noise, history, stop));
    keep(&p, stack, l);
out:
    release(&p);
    return st;
}

dc_status dc_pretrain_layerwise(dc_comm *comm, dc_model *m, const dc_layerwise_config *cfg,
                                dc_history history[DC_MAX_PAIRS], dc_stop *stop)
{
    dc_status st = DC_OK;
    *stop = DC_STOP_NONE;
    if (!dc_net_is_mirror(m->net))
        return DC_FAIL(DC_ERR_USAGE, "layer-wise pretraining needs a decoder that mirrors the encoder");
    DC_TRY(dc_recon_check(comm, m, cfg->layer.loss));
    for (int l = 0; l < m->net->n_encoder && *stop != DC_STOP_DIVERGED; l++)
        DC_TRY(train_pair(comm, m, cfg, l, &history[l], stop));
out:
    return st;
}

dc_status dc_layerwise_needs(dc_comm *comm, const dc_model *sketch, const dc_layerwise_config *cfg, int l,
                             dc_phase_needs *out)
{
    dc_status st = DC_OK;
    pair p = {0};
    dc_rehearsal r;
    DC_TRY(dc_rehearsal_begin(comm, &r, sketch));
    DC_TRY(shape(&p, &r.model, l));
    DC_TRY(keep_pair(comm, &r.model, &p));
    DC_TRY(dc_frozen_create(comm, &p.below, &r.model, l, cfg->cache_bytes));
    const dc_denoising noise = noise_of(&r.model, cfg, l);
    const dc_pretrain_config training = training_of(&p, cfg, l);
    const dc_row_source source = source_of(&p, &r.model, l);
    DC_TRY(dc_recon_needs(comm, &r, &p.model, &training, &source, &noise, out));
    out->params_bytes += sizeof(float) * (double)r.model.params.n; /* parameters of the stack */
out:
    release(&p);
    dc_rehearsal_end(&r);
    return st;
}
