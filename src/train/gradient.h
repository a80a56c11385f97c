/* Private to train/: one gradient step of a network and its extra parameters over all ranks.
 *
 * A phase calls, for each step: plan (which rows), fills the input rows, forward, writes the gradient of its loss at
 * the outputs leaf by leaf, backward, sync (losses come back global), and, if the loss is finite, update. How the
 * gradients of the ranks meet is the business of outer.h. */
#ifndef DCMPI_TRAIN_GRADIENT_H
#define DCMPI_TRAIN_GRADIENT_H

#include "dcmpi/outer.h"
#include "dcmpi/train.h"

typedef struct dc_gradient dc_gradient;

typedef struct {
    const dc_model *model; /* rows and timers; borrowed */
    const dc_net *net;     /* borrowed */
    dc_params *params;     /* borrowed: value and grad of [decoder | encoder | extra] */
    int last;              /* layers [0, last) are trained */
    int noisy_layer;       /* its input is a noisy copy of the output before; 0: none */
    int n_losses;          /* values per leaf that are summed over the batch */
    int64_t B;
} dc_gradient_config;

/* Local. Errors: DC_ERR_MEMORY, DC_ERR_DATA, DC_ERR_USAGE. */
DC_CHECKED dc_status dc_gradient_create(dc_gradient **out, const dc_gradient_config *cfg);
void dc_gradient_destroy(dc_gradient **g);

const dc_batcher *dc_gradient_batcher(const dc_gradient *g);
/* The places of the activation buffers; those of the last step that was planned. */
const dc_places *dc_gradient_places(const dc_gradient *g);
/* Step `step`: which rows, and where in the activation buffers. Valid until the next call. */
const dc_places *dc_gradient_plan(dc_gradient *g, int64_t step);
/* Activation buffer: input of layer l, or for l = last the output. */
float *dc_gradient_act(const dc_gradient *g, int l);
/* What noise writes: the input of cfg.noisy_layer, used by forward and backward from that layer on. */
float *dc_gradient_noisy(const dc_gradient *g);
/* dLoss/d(output of layer l): what a loss writes for its rows before backward. Clear it before, if losses write only
 * the rows of leaves. */
float *dc_gradient_delta(const dc_gradient *g, int l);
void dc_gradient_clear_delta(dc_gradient *g, int l);
void dc_gradient_forward(dc_gradient *g, int first, int last);
/* Layers [first, last) from dc_gradient_delta(g, last - 1). Wants dLoss/d(input) where first > 0: it becomes
 * dc_gradient_delta(g, first - 1), overwritten. */
void dc_gradient_backward(dc_gradient *g, int first, int last);
/* Losses [n_losses] and gradient of the extra parameters [n_extra] of leaf i, in order, all leaves. */
void dc_gradient_leaf(dc_gradient *g, int i, const double *losses, const float *dextra);
/* Collective: loss[n_losses] over the batch, infinite if it is beyond float. Wishes of wish.h ride along:
 * dc_state_act() may follow. The gradient of this rank's slice is complete afterwards. */
void dc_gradient_sync(dc_comm *comm, dc_gradient *g, double *loss);
/* Seconds of the last sync that were products of this rank, not messages. */
double dc_gradient_product_s(const dc_gradient *g);
/* Seconds of the last update that were messages. */
double dc_gradient_message_s(const dc_gradient *g);
/* Collective: update by the optimizer, equal weights on all ranks. */
void dc_gradient_update(dc_comm *comm, dc_gradient *g, const dc_opt_config *opt, int64_t t, int64_t total);

/* ---- Moments of the optimizer, for checkpoints: m is dc_params.m1 or m2 of cfg.params --------------------------- */

/* Collective: the whole slab m, brought together from the ranks that update it, into all[params->n] on rank 0; 0 for
 * layers that are not trained. `all` is NULL elsewhere. */
void dc_gradient_gather_moments(dc_comm *comm, const dc_gradient *g, const float *m, float *all);
/* What this rank updates of a whole slab all[params->n] into m; the rest of m is left alone. Local. */
void dc_gradient_take_moments(const dc_gradient *g, const float *all, float *m);

/* Makes the moments that this optimizer has part of the run's state, until the gradient is destroyed; a run that
 * continues gets them back. */
DC_CHECKED dc_status dc_gradient_keep_moments(dc_gradient *g, const dc_opt_config *opt);

#endif
