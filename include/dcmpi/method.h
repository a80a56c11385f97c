/* Clustering methods: a table of hooks. A method records its step (graph.h), owns its target and the meaning of its
 * extra trainable parameters (cluster centres first); train/ executes the step, decides when to refresh and when to
 * stop.
 *
 * A new method is one file in src/method/, with its keys, one row in registry.c, one deck. */
#ifndef DCMPI_METHOD_H
#define DCMPI_METHOD_H

#include "dcmpi/cluster.h"
#include "dcmpi/keys.h"
#include "dcmpi/nn.h"

/* Values that methods use; no deck here. */
typedef struct {
    const dc_part *part;
    int64_t K, L;
    const void *keys; /* the values of dc_method.keys */
    dc_kmeans_config kmeans;
    const dc_net *net;
    size_t extra_at;     /* first float of the method's parameters in the slab */
    int64_t epoch_steps; /* steps in which every row comes by once */
} dc_method_env;

enum { DC_METHOD_STEPS = 4 };
enum {
    DC_METHOD_TRAINS = 1,      /* has a loss: the trainer takes steps; without it one refresh gives the labels */
    DC_METHOD_RECONSTRUCTS = 2 /* trains the decoder, too */
};

/* What a refresh tells the trainer; global values. */
typedef struct {
    int64_t changed;     /* rows whose label has changed since the last refresh */
    double loss;         /* clustering loss over all rows with the fresh target */
    double sum_check;    /* max |sum_j q_ij - 1| */
    int64_t odd_targets; /* rows of the target that do not sum to 1, -1 without a target */
    double f_sum;        /* sum_j f_j: N if all is well */
    double k_effective;  /* exp of the entropy of f/N */
    double k_sized;      /* the same for the cluster sizes */
    int64_t largest;     /* rows of the largest cluster */
    int empty;           /* clusters without rows */
} dc_refresh;

typedef struct dc_graph dc_graph;
typedef struct dc_state dc_state;
typedef struct dc_method_state dc_method_state;

typedef struct {
    const char *name, *summary;
    unsigned flags;
    /* The section of the method's name in a deck: DC_METHOD_KEYS(). */
    const dc_key *keys; /* [n_keys] offsets into the method's own struct, */
    int n_keys;
    size_t keys_bytes; /* of this size */
    /* Floats of trainable parameters besides those of the network; centres [K x L] come first. */
    size_t (*n_extra)(const dc_method_env *env);
    const char *trained; /* names of those that its steps train, blanks between; NULL: none */
    /* Local. Errors: DC_ERR_MEMORY. *env must outlive the state. */
    dc_status (*create)(const dc_method_env *env, dc_method_state **out);
    /* First value of extra (global) and labels [n] (local) from the embedding Z [n x L] (local). */
    dc_status (*start)(dc_comm *comm, dc_method_state *state, const float *Z, float *extra, int32_t *labels);
    /* New target from Z; labels updated. */
    dc_status (*refresh)(dc_comm *comm, dc_method_state *state, const float *Z, const float *extra, int32_t *labels,
                         dc_refresh *out);
    /* Methods that train: steps [0, n_steps) that follow each other on every batch, and what each of them computes. The
     * losses "reconstruction" have a column of their own in the history. */
    int n_steps;
    void (*record)(dc_graph *g, const dc_method_state *state, int step);
    /* NULL, or registers with the run's state what cannot be computed from the weights at the last refresh. Local;
     * errors: those of dc_state_keep. destroy removes it from the state. */
    dc_status (*keep)(dc_method_state *state, dc_state *s);
    /* NULL, or sets the method's parameters that are a function of the step number. Local. */
    void (*anneal)(const dc_method_state *state, float *extra, int64_t step);
    /* Soft assignment q [n x K] and labels [n] of any rows. Local. */
    void (*assign_local)(const dc_method_env *env, const float *extra, const float *Z, int64_t n, float *q,
                         int32_t *label);
    void (*destroy)(dc_method_state **state);
} dc_method;

/* Sets the members of dc_method that describe its keys: an array of dc_key, and the struct type that their offsets
 * refer to. */
#define DC_METHOD_KEYS(rows, type) .keys = (rows), .n_keys = (int)DC_COUNT_OF(rows), .keys_bytes = sizeof(type)

/* NULL if unknown. */
const dc_method *dc_method_find(const char *name);
/* In table order, the default first; NULL after the last. */
const dc_method *dc_method_at(int i);

#endif
