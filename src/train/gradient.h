/* Private to train/: one gradient step of a network and its extra parameters over all ranks.
 *
 * A phase calls, for each step: plan (which rows), fills the input rows, forward, writes the gradient of its loss at
 * the outputs leaf by leaf, backward, sync (losses come back global), and, if the loss is finite, update.
 *
 * parallel.reproducible decides how gradients meet, and nothing above this file knows:
 *   off     each rank's whole gradient, one allreduce in the order of the MPI library;
 *   strict  the same bits for every number of ranks and threads. Up to model->gather_rows rows per batch (gather): the
 * deltas of the batch go to all ranks and its activations to those who need them, each rank computes its own slice of
 * the weight gradient as full-depth products on fixed tiles, updates it, and the weights are gathered. Beyond (tree):
 *           a leaf is one shard's rows of the step, padded to ceil(B/V); leaves are added by a fixed binary tree per
 * tile, the sums at the roots of a rank's shards go to the owners of slices, who finish the tree. The way follows from
 *           the batch alone. Both need less traffic than an allreduce has. */
#ifndef DCMPI_TRAIN_GRADIENT_H
#define DCMPI_TRAIN_GRADIENT_H

#include "dcmpi/train.h"

/* Rows of one shard in this step (off: all rows of this rank). */
typedef struct {
    const int64_t *rows; /* [n] local row numbers */
    int64_t n;
    int64_t at; /* first row in the activation buffers */
    int shard;
} dc_leaf;

typedef struct {
    int64_t step;
    int64_t n, n_global; /* rows of this rank, of all ranks */
    int n_leaves;
    dc_leaf *leaf; /* [n_leaves] */
} dc_plan;

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
/* No step has more leaves. */
int dc_gradient_max_leaves(const dc_gradient *g);
/* Rows of the activation buffers. */
int64_t dc_gradient_max_rows(const dc_gradient *g);
/* Step `step`: which rows. Valid until the next call. */
const dc_plan *dc_gradient_plan(dc_gradient *g, int64_t step);
/* Activation buffer: input of layer l, or for l = last the output. Row `at` of a leaf is its first. */
float *dc_gradient_act(const dc_gradient *g, int l);
/* What noise writes: the input of cfg.noisy_layer, used by forward and backward from that layer on. */
float *dc_gradient_noisy(const dc_gradient *g);
/* dLoss/d(output of layer l): what a loss writes for its rows before backward. Clear it before, if losses write only
 * the rows of leaves: rows between leaves must be zero. */
float *dc_gradient_delta(const dc_gradient *g, int l);
void dc_gradient_clear_delta(dc_gradient *g, int l);
void dc_gradient_forward(dc_gradient *g, int first, int last);
/* Layers [first, last) from dc_gradient_delta(g, last - 1). Wants dLoss/d(input) where first > 0: it becomes
 * dc_gradient_delta(g, first - 1), overwritten. */
void dc_gradient_backward(dc_gradient *g, int first, int last);
/* Losses [n_losses] and gradient of the extra parameters [n_extra] of leaf i, in order, all leaves. */
void dc_gradient_leaf(dc_gradient *g, int i, const double *losses, const float *dextra);
/* Collective: loss[n_losses] over the batch. Wishes of wish.h ride along: dc_state_act() may follow. The gradient
 * of this rank's slice is complete afterwards. */
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
