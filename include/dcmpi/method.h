/* Clustering methods: a table of hooks. A method declares what it trains and keeps (slab.h), records its steps and its
 * inference (graph.h) and owns its target; train/ executes the steps and decides when to refresh and when to stop.
 *
 * A new method needs one file in src/method/ (with its keys), one row in registry.c, and one deck. */
#ifndef DCMPI_METHOD_H
#define DCMPI_METHOD_H

#include "dcmpi/cluster.h"
#include "dcmpi/keys.h"
#include "dcmpi/optim.h"
#include "dcmpi/results.h"
#include "dcmpi/slab.h"
#include "dcmpi/sweep.h"

/* Values that methods use, independent of the deck. */
typedef struct {
    const dc_part *part;
    int64_t K, L;
    int final;        /* 1 + a dc_covariance: a mixture of Gaussians is the final step; 0: none */
    bool finished;    /* the final step has been made: inference is that of its mixture */
    const void *keys; /* the values of dc_method.keys */
    dc_kmeans_config kmeans;
    const dc_slab *slab; /* the autoencoder, and what the method's build() added */
    float *value;        /* [slab->n] values of the slab in this run */
    float *Z; /* [n x L] where a run keeps the embedding of all rows as of the last refresh; NULL without layers */
    int64_t epoch_steps; /* steps per epoch: each row is seen once */
    dc_rows input;       /* the scaled rows of the data, which the network reads; without layers these are clustered */
    double kmeans_bytes; /* for start_bytes alone: memory of k-means on what is clustered */
    const struct dc_method *start_by; /* the first centres are the means of this method's clusters; NULL: k-means */
    const void *start_keys;           /* its keys */
    const void *final_keys;           /* those of the mixture in the final step */
    void *found;                      /* of choose(), or NULL */
} dc_method_env;

enum { DC_METHOD_STEPS = 4 };
/* When and how a step runs: on the batches with numbers every - 1, 2*every - 1, ..., with this optimizer and with
 * moments and a step count of its own. */
typedef struct {
    int64_t every;
    dc_opt_config opt;
} dc_turn;
enum {
    DC_METHOD_TRAINS = 1, /* has a loss and takes training steps; without this flag, one refresh gives the labels */
    DC_METHOD_RECONSTRUCTS = 2, /* also trains the decoder */
    DC_METHOD_SCRATCH = 4,      /* trains an encoder from its first weights: no pretraining, no decoder */
    DC_METHOD_HEAD = 8,         /* labels do not come from the centres, but from a softmax layer, for example */
    DC_METHOD_OWN_START = 16,   /* does not start from the centres of k-means */
    DC_METHOD_LIKELIHOOD = 64   /* has a likelihood: its BIC chooses the number of clusters */
};

/* Output of the method's inference for all rows of this rank. */
typedef struct {
    const float *Z;       /* [n x L] "embedding"; NULL without layers: dc_method_rows() gives what is clustered */
    const int32_t *label; /* [n] "label"; without that output, the index of the (first) largest q */
    const double *f;      /* [K] sum of q over all N rows; NULL before the first refresh */
} dc_inferred;

/* A way in which the training of a method fails. */
typedef struct {
    const char *what, *advice; /* "the discriminator wins", "lower its learning rate" */
} dc_method_failure;

/* Results of a refresh; global values. The method sets the first two. */
typedef struct {
    double loss;         /* clustering loss over all rows with the fresh target */
    int64_t odd_targets; /* rows of the target that do not sum to 1, -1 without a target */
    int64_t changed;     /* rows whose label changed since the last refresh */
    double sum_check;    /* max |sum_j q_ij - 1| */
    double f_sum;        /* sum_j f_j: N if all is well */
    double k_effective;  /* exp of the entropy of f/N */
    double k_sized;      /* the same, from the cluster sizes instead of f */
    int64_t largest;     /* rows of the largest cluster */
    int empty;           /* clusters without rows */
} dc_refresh;

typedef struct dc_state dc_state;
typedef struct dc_method_state dc_method_state;

typedef struct dc_method {
    const char *name, *summary;
    unsigned flags;
    /* Keys of the deck section that has the method's name; set by DC_METHOD_KEYS(). */
    const dc_key *keys; /* [n_keys]; their offsets refer to a struct of the method, */
    int n_keys;
    size_t keys_bytes; /* of this size */
    /* Adds what the method trains or keeps besides the autoencoder. Of env, it may use only K, L and keys. NULL: adds
     * nothing. */
    void (*build)(const dc_method_env *env, dc_slab *slab);
    /* Refuses data of too few rows before they are read; only K and keys of env are set. May be NULL. Local. Errors:
     * DC_ERR_DATA. */
    dc_status (*check_rows)(const dc_method_env *env, int64_t N);
    /* Local. Errors: DC_ERR_MEMORY. *env must outlive the state. */
    dc_status (*create)(const dc_method_env *env, dc_method_state **out);
    /* Records what joint pretraining and fine-tuning minimise for this network, which is that of the slab as the
     * `loss` of the section pretrain needs it (dc_net_for_loss). NULL: that loss of clean rows. */
    void (*pretrain)(dc_graph *g, const dc_net *net, const void *keys, dc_recon_loss loss);
    /* Sets the first values of what build() added, from the rows embedded with the current weights. Only Z of *rows is
     * set. Collective. */
    dc_status (*start)(dc_comm *comm, dc_method_state *state, const dc_inferred *rows);
    /* Memory that start() takes on this rank, if it is not that of k-means on the embedding. May be NULL. Local. */
    double (*start_bytes)(const dc_method_env *env);
    /* Refuses, with numbers, a start() that does not fit into room_bytes on each of env->part->P ranks, if it can say
     * more than the general check of memory. Of env, part, K, L and keys are set. May be NULL. Local. Errors:
     * DC_ERR_MEMORY.
     */
    dc_status (*check_room)(const dc_method_env *env, double room_bytes);
    /* With start_bytes: size in a checkpoint of what start() keeps, besides that of k-means. NULL: start() keeps
     * nothing, not even of k-means. Local. */
    double (*start_saved_bytes)(const dc_method_env *env);
    /* Moves what build() added and no step trains, at the start of each refresh but the first; the rows as in start().
     * Afterwards the rows are inferred again. NULL: nothing to move. Collective. */
    dc_status (*refit)(dc_comm *comm, dc_method_state *state, const dc_inferred *rows);
    /* Computes a new target; *out has loss 0 and odd_targets -1 on entry. NULL: there is no target, and records show a
     * loss of 0. Collective. */
    dc_status (*refresh)(dc_comm *comm, dc_method_state *state, const dc_inferred *rows, dc_refresh *out);
    /* For methods that train: steps [0, n_steps) run one after the other on every batch; record() records what a step
     * computes. Losses named "reconstruction" have their own column in the history;
     * up to four others, except "clustering", have a column with the mean since the last record. */
    int n_steps;
    void (*record)(dc_graph *g, const dc_method_state *state, int step);
    /* Gives a step an optimizer or a cycle of its own; on entry, *turn has those of the deck. May be NULL. */
    void (*turn)(const dc_method_env *env, int step, dc_turn *turn);
    /* Records inference with the trained model: outputs "embedding" [x L] if the network has layers, "q" [x K] and, if
     * the label is not that of the largest q, "label" [x 1]. */
    void (*infer)(dc_graph *g, const dc_method_env *env);
    /* Replaces what infer() gave for the local rows [lo, lo + n), q[n x K] and label[n] unless NULL, if labels do
     * not follow from a row alone; called before start(), too, and by several threads. NULL: they follow. Local. */
    void (*assign)(const dc_method_state *state, int64_t lo, int64_t n, float *q, int32_t *label);
    /* Refuses to give labels to rows of another file; only K, L and keys of env are set. NULL: infer() gives them.
     * Local. Errors: DC_ERR_USAGE. */
    dc_status (*check_predict)(const dc_method_env *env);
    /* Adds to the run's state whatever cannot be derived from the weights at the last refresh; destroy removes it
     * again. May be NULL. Collective; errors: those of dc_state_keep. */
    dc_status (*keep)(dc_comm *comm, dc_method_state *state, dc_state *s);
    /* Registers what the result file gets besides the tensors of build(), under "/NAME OF THE METHOD/...". May be NULL.
     * Local. */
    dc_status (*results)(const dc_method_state *state, dc_results *r);
    /* A failure of the training that shows in the last refresh or in the losses with names of their own; NULL: none.
     * Their columns, in recorded order, begin at loss[0] for the first interval between records and at loss[i * stride]
     * for interval i < n; n > 0. May be NULL. Local. */
    const dc_method_failure *(*failed)(const dc_method_env *env, const dc_refresh *last, const double *loss, size_t n,
                                       int stride);
    /* Clusters any rows, for sweep-k: of env, only keys and the settings of k-means count, but not its K, seed and
     * state. NULL: sweep-k cannot use the method. Collective; as in dc_sweep_method. */
    dc_status (*sweep)(dc_comm *comm, const dc_method_env *env, const dc_rows *rows, const dc_sweep_task *task,
                       dc_sweep_fit *out);
    /* Sets those kept values that depend on the step number. May be NULL. Local. */
    void (*anneal)(const dc_method_state *state, int64_t step);
    /* The first steps, in which the phase does not end because few labels change. NULL: none. Local. */
    int64_t (*settling)(const dc_method_env *env);
    void (*destroy)(dc_method_state **state);
    /* Clusters all rows for the start of another method, to which env belongs, but for its keys: sets label[n]. NULL:
     * does not serve as cluster.init. Collective. */
    dc_status (*cluster)(dc_comm *comm, const dc_method_env *env, const float *Z, int32_t *label);
    /* Chooses the number of clusters of `rows`, which are to be clustered, if cluster.clusters is auto: sets *K, at
     * most env->K, which is what most_clusters() says or less; *found, for env->found, is what it found on the way, or
     * NULL. Of env, part, K, L, keys and kmeans are set. NULL: does not choose. Collective. */
    dc_status (*choose)(dc_comm *comm, const dc_method_env *env, const dc_rows *rows, int64_t *K, void **found);
    void (*release_found)(void **found);
    int64_t (*most_clusters)(const void *keys);
} dc_method;

/* Sets the members of dc_method that describe its keys: an array of dc_key, and the struct type that their offsets
 * refer to. */
#define DC_METHOD_KEYS(rows, type) .keys = (rows), .n_keys = (int)DC_COUNT_OF(rows), .keys_bytes = sizeof(type)

/* What is clustered: the embedded rows Z, or those of the data if the network has no layers. A view. */
dc_rows dc_method_rows(const dc_method_env *env, const float *Z);

/* Sets the tensor "centers" [K x L] by k-means of all rows Z [n x L] (as in dc_method_rows), and label[n] unless NULL.
 * Collective. Errors: those of dc_kmeans. */
DC_CHECKED dc_status dc_method_kmeans(dc_comm *comm, const dc_method_env *env, const float *Z, int32_t *label);

/* The same from the present centres, so that clusters keep their numbers. */
DC_CHECKED dc_status dc_method_kmeans_again(dc_comm *comm, const dc_method_env *env, const float *Z, int32_t *label);

/* The final step, if env->final asks for one: adds its tensors to the slab; fits its mixture to what is clustered, and
 * moves the centres to its means; the memory that this takes on this rank and in a
 * checkpoint, besides k-means; records the method's
 * inference with the responsibilities of that mixture as q. Collective is the fit; errors: those of dc_mixture_fit. */
void dc_final_build(const dc_method_env *env, dc_slab *slab);
DC_CHECKED dc_status dc_final_fit(dc_comm *comm, const dc_method_env *env, const float *Z);
double dc_final_bytes(const dc_method_env *env);
double dc_final_saved_bytes(const dc_method_env *env);
void dc_final_infer(dc_graph *g, const dc_method *method, const dc_method_env *env);

/* NULL if unknown. */
const dc_method *dc_method_find(const char *name);
/* Method i in table order, the default first; NULL after the last. */
const dc_method *dc_method_at(int i);

#endif
