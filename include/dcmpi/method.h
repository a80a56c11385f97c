/* Clustering methods: a table of hooks. A method names what it trains and keeps (slab.h), records its steps and its
 * inference (graph.h) and owns its target; train/ executes, decides when to refresh and when to stop.
 *
 * A new method is one file in src/method/, with its keys, one row in registry.c, one deck. */
#ifndef DCMPI_METHOD_H
#define DCMPI_METHOD_H

#include "dcmpi/cluster.h"
#include "dcmpi/keys.h"
#include "dcmpi/optim.h"
#include "dcmpi/results.h"
#include "dcmpi/slab.h"

/* Values that methods use; no deck here. */
typedef struct {
    const dc_part *part;
    int64_t K, L;
    const void *keys; /* the values of dc_method.keys */
    dc_kmeans_config kmeans;
    const dc_slab *slab; /* the autoencoder, and what the method's build() added */
    float *value;        /* [slab->n] of this run */
    int64_t epoch_steps; /* steps in which every row comes by once */
} dc_method_env;

enum { DC_METHOD_STEPS = 4 };
/* How a step takes part: on batches number every - 1, 2 every - 1 ..., with this optimizer, whose moments and count are
 * the step's own. */
typedef struct {
    int64_t every;
    dc_opt_config opt;
} dc_turn;
enum {
    DC_METHOD_TRAINS = 1,      /* has a loss: the trainer takes steps; without it one refresh gives the labels */
    DC_METHOD_RECONSTRUCTS = 2 /* trains the decoder, too */
};

/* Rows as the method's inference sees them, all of this rank. */
typedef struct {
    const float *Z;       /* [n x L] "embedding" */
    const float *q;       /* [n x K] "q", soft assignment */
    const int32_t *label; /* [n] "label"; without such an output the first largest q */
    const double *f;      /* [K] sum of q over all N rows; NULL before the first refresh */
} dc_inferred;

/* What is known after a refresh; global values. The method fills in the first two. */
typedef struct {
    double loss;         /* clustering loss over all rows with the fresh target */
    int64_t odd_targets; /* rows of the target that do not sum to 1, -1 without a target */
    int64_t changed;     /* rows whose label is another one than at the last refresh */
    double sum_check;    /* max |sum_j q_ij - 1| */
    double f_sum;        /* sum_j f_j: N if all is well */
    double k_effective;  /* exp of the entropy of f/N */
    double k_sized;      /* the same for the cluster sizes */
    int64_t largest;     /* rows of the largest cluster */
    int empty;           /* clusters without rows */
} dc_refresh;

typedef struct dc_state dc_state;
typedef struct dc_method_state dc_method_state;

typedef struct {
    const char *name, *summary;
    unsigned flags;
    /* The section of the method's name in a deck: DC_METHOD_KEYS(). */
    const dc_key *keys; /* [n_keys] offsets into the method's own struct, */
    int n_keys;
    size_t keys_bytes; /* of this size */
    /* Adds what it trains or keeps beside the autoencoder; env: K, L, keys. NULL: nothing. */
    void (*build)(const dc_method_env *env, dc_slab *slab);
    /* Local. Errors: DC_ERR_MEMORY. *env must outlive the state. */
    dc_status (*create)(const dc_method_env *env, dc_method_state **out);
    /* First values of what build() added, from the rows with the weights as they are; of *rows Z alone means something.
     * Collective. */
    dc_status (*start)(dc_comm *comm, dc_method_state *state, const dc_inferred *rows);
    /* NULL: no target, and a loss of 0 in the records; or a new target: *out comes with loss 0 and odd_targets -1.
     * Collective. */
    dc_status (*refresh)(dc_comm *comm, dc_method_state *state, const dc_inferred *rows, dc_refresh *out);
    /* Methods that train: steps [0, n_steps) that follow each other on every batch, and what each of them computes. The
     * losses "reconstruction" have a column of their own in the history. */
    int n_steps;
    void (*record)(dc_graph *g, const dc_method_state *state, int step);
    /* NULL, or where a step has an optimizer or a cycle of its own: *turn comes with the deck's. */
    void (*turn)(const dc_method_env *env, int step, dc_turn *turn);
    /* Rows through the trained model: outputs "embedding" [x L] and "q" [x K], and, if labels are not those of the
     * largest q, "label" [x 1]. */
    void (*infer)(dc_graph *g, const dc_method_env *env);
    /* NULL, or makes part of the run's state what does not follow from the weights at the last refresh. Collective;
     * errors: those of dc_state_keep. destroy takes it out again. */
    dc_status (*keep)(dc_comm *comm, dc_method_state *state, dc_state *s);
    /* NULL, or registers what the result tells beside the tensors of build(), under "/NAME OF THE METHOD/...". Local.
     */
    dc_status (*results)(const dc_method_state *state, dc_results *r);
    /* NULL, or sets what the method keeps that follows from the number of a step. Local. */
    void (*anneal)(const dc_method_state *state, int64_t step);
    void (*destroy)(dc_method_state **state);
} dc_method;

/* Sets the members of dc_method that describe its keys: an array of dc_key, and the struct type that their offsets
 * refer to. */
#define DC_METHOD_KEYS(rows, type) .keys = (rows), .n_keys = (int)DC_COUNT_OF(rows), .keys_bytes = sizeof(type)

/* k-means of all rows Z [n x L] gives the tensor "centers" [K x L] its values; label[n], unless NULL. Collective.
 * Errors: those of dc_kmeans. */
DC_CHECKED dc_status dc_method_kmeans(dc_comm *comm, const dc_method_env *env, const float *Z, int32_t *label);

/* NULL if unknown. */
const dc_method *dc_method_find(const char *name);
/* In table order, the default first; NULL after the last. */
const dc_method *dc_method_at(int i);

#endif
