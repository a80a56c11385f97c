/* Clustering methods over one trainer: a table of hooks. The trainer owns network, optimizer, batches, gradient sync,
 * stop rules and timing; a method owns its target and the meaning of its extra trainable parameters (cluster centres
 * first).
 *
 * A new method is one file in src/method/, one row in registry.c, its keys in the key table, one gradient test, one
 * deck. On paper the hooks were tried on methods to come: VaDE fits as it is (extra parameters pi, mu, log var; noise
 * as a function of rows and step of the batch); DCN needs one more, for centres that move outside the gradient after a
 * step; DCAN one that sees the whole batch within a step. A convolutional encoder is invisible here: a method sees Z
 * only.
 */
#ifndef DCMPI_METHOD_H
#define DCMPI_METHOD_H

#include "dcmpi/cluster.h"

/* Values from the deck that methods use; no deck here. */
typedef struct {
    const dc_part *part;
    int64_t K, L;
    int64_t batch_rows; /* no step gives this rank more rows than this; the trainer fills it in */
    double alpha;
    dc_kmeans_config kmeans;
    bool has_centers; /* the run continues: extra holds its centres, init leaves it and the labels alone */
} dc_method_env;

enum {
    DC_METHOD_TRAINS = 1,      /* has a loss: the trainer takes steps; without it one refresh gives the labels */
    DC_METHOD_RECONSTRUCTS = 2 /* trains the decoder, too: reconstruction + weight * loss of the method */
};

/* What a refresh tells the trainer; global values. */
typedef struct {
    int64_t changed;     /* rows whose label is another one than at the last refresh */
    double loss;         /* clustering loss over all rows with the fresh target */
    double sum_check;    /* max |sum_j q_ij - 1| */
    int64_t odd_targets; /* rows of the target that do not sum to 1, -1 without a target */
    double f_sum;        /* sum_j f_j: N if all is well */
    double k_effective;  /* exp of the entropy of f/N */
    double k_sized;      /* the same of the cluster sizes */
    int64_t largest;     /* rows of the largest cluster */
    int empty;           /* clusters without rows */
} dc_refresh;

/* One step's rows of this rank. */
typedef struct {
    const int64_t *rows; /* [n] local row numbers */
    int64_t n;           /* may be 0 */
    int64_t B;           /* rows of the batch over all ranks */
    int64_t step;
} dc_method_batch;

typedef struct dc_method_state dc_method_state;

typedef struct {
    const char *name, *summary;
    unsigned flags;
    /* Floats of trainable parameters beside the network; centres [K x L] come first. */
    size_t (*n_extra)(const dc_method_env *env);
    /* From the embedding Z [n x L] (local): state, first value of extra (global), labels [n] (local). */
    dc_status (*init)(dc_comm *comm, const dc_method_env *env, const float *Z, float *extra, int32_t *labels,
                      dc_method_state **out);
    /* New target from Z; labels updated. */
    dc_status (*refresh)(dc_comm *comm, dc_method_state *state, const float *Z, const float *extra, int32_t *labels,
                         dc_refresh *out);
    /* Loss of the batch and its gradients: dZ [n x L], dextra (this rank's part); both are written. Local. */
    double (*loss_grad)(dc_method_state *state, const dc_method_batch *batch, const float *Z, const float *extra,
                        float *dZ, float *dextra);
    /* Soft assignment q [n x K] and labels [n] of any rows. Local. */
    void (*assign_local)(const dc_method_env *env, const float *extra, const float *Z, int64_t n, float *q,
                         int32_t *label);
    void (*destroy)(dc_method_state **state);
} dc_method;

/* NULL if unknown. */
const dc_method *dc_method_find(const char *name);
/* In table order; NULL behind the last. */
const dc_method *dc_method_at(int i);

#endif
