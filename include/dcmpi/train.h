/* Training phases: pretraining of the autoencoder, embedding of all rows, the clustering loop. */
#ifndef DCMPI_TRAIN_H
#define DCMPI_TRAIN_H

#include "dcmpi/data.h"
#include "dcmpi/h5.h"
#include "dcmpi/la.h"
#include "dcmpi/levels.h"
#include "dcmpi/method.h"
#include "dcmpi/nn.h"
#include "dcmpi/optim.h"
#include "dcmpi/progress.h"
#include "dcmpi/step.h"

/* Why a phase ended. */
typedef enum {
    DC_STOP_NONE,
    DC_STOP_CONVERGED, /* fewer than tol N labels changed between two refreshes */
    DC_STOP_MAX_ITER,
    DC_STOP_EPOCHS,    /* all epochs done */
    DC_STOP_ASSIGNED,  /* the method does not train: the labels come from k-means */
    DC_STOP_COLLAPSED, /* nearly all rows in one cluster, or half of the clusters' weight gone */
    DC_STOP_DIVERGED   /* loss not finite: no update was applied */
} dc_stop;
const char *dc_stop_name(dc_stop s);

/* ---- The model in training -------------------------------------------------------------------------------------- */

/* What all phases work on. Borrowed: data, slab, timers, progress, state. Owned: params. */
typedef struct {
    const dc_dataset *data;
    const dc_slab *slab;
    const dc_net *net; /* of slab */
    dc_timers *timers;
    dc_progress *progress;
    dc_params params; /* of slab */
    uint64_t seed;
    bool strict;         /* gradients with the same bits on any number of ranks and threads (parallel.reproducible) */
    int64_t gather_rows; /* strict: up to this batch size, rows are gathered instead of gradients */
    int64_t hash_steps;  /* steps between two comparisons of the ranks' weights; 0: only with records */
    dc_state *state;     /* the run state that contains the weights, or NULL; borrowed */
} dc_model;

/* Creates the parameter slab, with the network's weights initialized by `init` and all else 0. */
DC_CHECKED dc_status dc_model_create(dc_model *m, const dc_dataset *data, const dc_slab *slab, dc_init init,
                                     uint64_t seed, dc_timers *timers, dc_progress *progress);
/* Makes the slab part of the run's state until release; a run that continues gets its saved values back. Collective. */
DC_CHECKED dc_status dc_model_keep(dc_comm *comm, dc_model *m, dc_state *c);
void dc_model_release(dc_model *m);
/* Sets the weights of all encoder layers whose scheme, `init` or their own, is pca, and those of their mirrors if the
 * decoder is one. The bits do not depend on ranks and threads. Collective. Errors: DC_ERR_USAGE (a layer that is not
 * dense, or too wide), DC_ERR_MEMORY, DC_ERR_NUMERIC, DC_STOPPED. */
DC_CHECKED dc_status dc_model_init_pca(dc_comm *comm, dc_model *m, dc_init init);
/* Memory that dc_model_init_pca() takes on each rank, and more on rank 0, given a model without rows; 0: nothing is to
 * be done. */
void dc_model_init_needs(const dc_model *sketch, dc_init init, double *work, double *root);
/* A row source that gives the rows of the data. */
dc_row_source dc_model_rows(const dc_model *m);
/* The configuration of a step on this model; gather: the timer section for gathering the step's rows. */
dc_step_config dc_model_step(dc_model *m, const dc_graph *graph, const dc_row_source *source, int64_t batch,
                             dc_section gather);
/* Proves that all ranks hold the same weights. Errors: DC_ERR_NUMERIC naming the odd rank. */
DC_CHECKED dc_status dc_model_check_replicas(dc_comm *comm, const dc_model *m);

/* Serial: writes the slab by name: networks and tensors under /model, "centers" as /cluster_centers. */
DC_CHECKED dc_status dc_model_save(dc_h5 *h5, const dc_slab *slab, const float *value);
/* Serial: reads value[slab->n] back and verifies checksums. Errors: DC_ERR_FORMAT (an array is missing, has another
 * shape, is damaged or not finite), DC_ERR_IO. */
DC_CHECKED dc_status dc_model_read(dc_h5 *h5, const char *path, const dc_slab *slab, float *value);
/* Collective: rank 0 reads the network of `path`, all ranks get its weights. Errors: DC_ERR_FORMAT (no model, other
 * widths), DC_ERR_USAGE (other activations; another scaling than the data's), DC_ERR_IO. */
DC_CHECKED dc_status dc_model_load(dc_comm *comm, const char *path, dc_model *m);
/* Local: whether `path` has weights for this network and these data (NULL: not known yet). Errors: as dc_model_load. */
DC_CHECKED dc_status dc_model_check_file(const char *path, const dc_net *net, const dc_dataset *data);
/* Local: hash of the names and values of all arrays under /model, and if `all` of centres and scaling; 0 if there are
 * none. Errors: DC_ERR_FORMAT, DC_ERR_IO. */
DC_CHECKED dc_status dc_model_hash_file(const char *path, bool all, uint64_t *hash);

/* ---- Phases ----------------------------------------------------------------------------------------------------- */

/* A run may continue from a checkpoint of a shorter run if it would pass through the same state itself. For the last
 * checkpoint of a phase this holds because it is written before the work that is done only at the end of the shorter
 * phase (the record of a cut epoch, a refresh between two regular refreshes). The configuration contains the lengths of
 * the shorter run: */
typedef struct {
    int64_t epochs, steps; /* as in dc_pretrain_config */
} dc_pretrain_length;
typedef struct {
    int64_t max_iter;
    double tol;
} dc_cluster_length;

typedef struct {
    int64_t epochs;                   /* length, unless steps > 0 */
    int64_t steps;                    /* length in steps; the last epoch may be cut short */
    const dc_pretrain_length *before; /* of the run that wrote the checkpoint; NULL: the same */
    int64_t batch;
    dc_recon_loss loss;
    dc_opt_config opt;
    const char *phase;              /* name in history and log; static text */
    const struct dc_method *method; /* it and its keys say what is minimised, if it has a pretrain() */
    const void *keys;
} dc_pretrain_config;
/* Joint training of encoder and decoder; also fine-tunes a stack. One record per epoch begun: epochs done, mean loss,
 * rate. *stop is EPOCHS (MAX_ITER for a length in steps) or DIVERGED, equal on all ranks. Errors, agreed: for
 * DC_LOSS_BCE DC_ERR_USAGE without sigmoid output and DC_ERR_DATA for values outside [0, 1]; DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_pretrain(dc_comm *comm, dc_model *m, const dc_pretrain_config *cfg, dc_history *history,
                                 dc_stop *stop);

enum { DC_MAX_PAIRS = DC_MAX_LAYERS / 2 };
typedef struct {
    dc_pretrain_config layer; /* of each layer pair; phase is not used */
    double input_dropout;     /* rate for the data, which are the input of the first pair; [0, 1) */
    double dropout;           /* rate for the inputs of the other pairs and for hidden outputs, not for the embedding */
    size_t cache_bytes;       /* memory of a rank for outputs of frozen layers; affects only speed */
} dc_layerwise_config;
/* Greedy denoising pretraining, pair by pair from the data upwards: phases "layer_1", "layer_2" ... with one history
 * each, owned by the caller (zeroed before). Fine-tune the stack afterwards with dc_pretrain. With DC_LOSS_BCE, pairs
 * that do not end in a sigmoid use DC_LOSS_MSE. A pair that diverges ends the training. *stop and errors as in
 * dc_pretrain, and DC_ERR_USAGE for a decoder that does not mirror the encoder. */
DC_CHECKED dc_status dc_pretrain_layerwise(dc_comm *comm, dc_model *m, const dc_layerwise_config *cfg,
                                           dc_history history[DC_MAX_PAIRS], dc_stop *stop);

/* Number of rows per tile when rows of this partition are embedded, equal on all ranks; affects the bits of the
 * result. */
int64_t dc_embed_tile_rows(const dc_part *part);
/* Runs a method's inference on this rank's rows, in tiles that depend on the partition alone; threaded. */
typedef struct dc_embedder dc_embedder;
typedef struct {
    float *Z;       /* [n x L], or NULL: not wanted; not used if the network has no layers */
    int32_t *label; /* [n] the output "label", or else the index of the (first) largest q; NULL: not wanted */
    /* Where not NULL, these get q[n x K] and label[n] (or NULL) of rows [lo, lo + n), which nobody keeps: see() from
     * several threads and in any order, count() from one thread at a time and in the order of the rows. see() may
     * change q. */
    void (*see)(void *ctx, int64_t lo, int64_t n, float *q, int32_t *label);
    void (*count)(void *ctx, int64_t lo, int64_t n, const float *q, const int32_t *label);
    void *ctx;
} dc_embedded;
/* Uses the members part, K, L, final, finished, keys, slab and value of env, which is borrowed. Errors: DC_ERR_MEMORY,
 * those of the recording. */
DC_CHECKED dc_status dc_embedder_create(dc_embedder **out, const dc_method *method, const dc_method_env *env);
void dc_embedder_destroy(dc_embedder **e);
/* FLOP per row. */
double dc_embed_flops(const dc_embedder *e);
/* Embeds all rows of this rank. Local. */
void dc_embed(const dc_embedder *e, const dc_dataset *data, dc_timers *timers, const dc_embedded *out);
/* Embeds all rows in pieces; between pieces the run may stop (DC_STOPPED) and, with may_save, save its state.
 * Collective. */
DC_CHECKED dc_status dc_embed_all(dc_comm *comm, const dc_embedder *e, const dc_model *m, bool may_save,
                                  const dc_embedded *out);

/* All q of a result are refused beyond so many bytes. setting: the key or option, for the message. Errors:
 * DC_ERR_USAGE.
 */
#define DC_Q_BYTES_MAX 0x1p36
DC_CHECKED dc_status dc_q_check(const char *setting, dc_gidx N, int64_t K);
/* The M <= K largest q of each row, largest first: that of the label, then the others, equal ones by their clusters. */
typedef struct {
    int64_t M;        /* 0: none are wanted */
    float *value;     /* [n x M], owned */
    int32_t *cluster; /* [n x M], owned */
} dc_q_top;
DC_CHECKED dc_status dc_q_top_create(dc_q_top *t, int64_t n, int64_t M); /* DC_ERR_MEMORY */
void dc_q_top_release(dc_q_top *t);
/* Takes those of rows [lo, lo + n) from q [n x K] and label[n]. */
void dc_q_top_take(const dc_q_top *t, int64_t lo, int64_t n, int64_t K, const float *q, const int32_t *label);

/* q of the rows of this rank after training, computed again piece by piece, so that nobody keeps it. Local. */
typedef struct dc_q_rows dc_q_rows;
int64_t dc_q_rows_pieces(const dc_q_rows *q);
/* *rows: q[n x K] of piece i, valid until the next call; returns n. Pieces follow each other without gaps. */
int64_t dc_q_rows_get(dc_q_rows *q, int64_t i, const float **rows);
void dc_q_rows_destroy(dc_q_rows **q_rows);

typedef struct {
    const dc_method *method;
    dc_method_env env;
    int64_t batch, update_interval, max_iter;
    double tol;
    const dc_cluster_length *before; /* of the run that wrote the checkpoint; NULL: the same */
    bool gives_q;                    /* the result can give q of all rows */
    int64_t q_top;                   /* how many of the largest q of a row it holds, at most K */
    bool final_kmeans; /* labels and centres come from k-means on the final embedding, not from training */
    dc_opt_config opt;
} dc_cluster_config;
typedef struct {
    float *Z;          /* [n x L] local, owned; NULL if the network has no layers */
    int32_t *labels;   /* [n] local, owned */
    float *confidence; /* [n] local, owned: q of the row's label, its largest q */
    dc_stop stop;
    int64_t iterations;               /* steps taken */
    dc_refresh last;                  /* at the last refresh */
    int64_t start_largest;            /* rows of the largest cluster at the first refresh */
    double start_sized;               /* effective number of clusters by size at the first refresh */
    const dc_method_failure *failure; /* of the training, seen by the method; NULL: none */
    dc_q_rows *q;                     /* owned; NULL without gives_q */
    dc_q_top top;                     /* local, owned */
    dc_results more;                  /* owned: soft sizes of the clusters, and what the method registers */
} dc_cluster_result;
/* Computes embedding and initial centres, then runs the refresh/step loop of cfg->method, whose tensors are in m->slab.
 * Afterwards m->params holds what the method trained and kept. */
DC_CHECKED dc_status dc_train_cluster(dc_comm *comm, dc_model *m, const dc_cluster_config *cfg, dc_history *history,
                                      dc_cluster_result *out);
void dc_cluster_result_release(dc_cluster_result *r);

/* ---- What phases need -------------------------------------------------------------------------------------------- */

/* These needs are measured before data are loaded: a rehearsal (mem.h) creates the phase as the run will, then releases
 * it. The model `sketch` has neither rows nor parameters; only its data (part, D), slab, network, seed and settings for
 * gradients are used. Bytes are those of this rank. */
typedef struct {
    const char *name;
    double params_bytes; /* all parameters held during the phase */
    double state_bytes;  /* gradient and moments, for the parameters that this rank updates */
    double held_bytes;   /* all else held before the first step */
    double step_bytes;   /* memory first written to by the steps */
    int64_t rows;        /* of a batch; 0: the phase has no steps */
    double flops;        /* of a step on all ranks; like the next two, per batch if it does not run on every batch */
    double reductions;   /* of a step: sums over all ranks */
    double sent_bytes;   /* of a step, from this rank to others */
    double saved_bytes;  /* size of a checkpoint */
} dc_phase_needs;
/* Collective. Errors: DC_ERR_MEMORY (the address space of this process is too small for the phase), those of
 * recording. */
DC_CHECKED dc_status dc_pretrain_needs(dc_comm *comm, const dc_model *sketch, const dc_pretrain_config *cfg,
                                       dc_phase_needs *out);
/* The needs of layer pair l. */
DC_CHECKED dc_status dc_layerwise_needs(dc_comm *comm, const dc_model *sketch, const dc_layerwise_config *cfg, int l,
                                        dc_phase_needs *out);
typedef struct {
    dc_phase_needs phase;     /* its held_bytes include result_bytes */
    double result_bytes;      /* the result, which stays after the phase */
    double refit_bytes;       /* of k-means at refreshes; 0: none */
    double final_bytes;       /* of the final mixture and its k-means; 0: none */
    double final_saved_bytes; /* of its state, in a checkpoint */
    dc_kmeans_needs kmeans;   /* for the initial and the final centres, besides the phase */
} dc_cluster_needs;
DC_CHECKED dc_status dc_cluster_needs_of(dc_comm *comm, const dc_model *sketch, const dc_cluster_config *cfg,
                                         dc_cluster_needs *out);

/* ---- A trained model --------------------------------------------------------------------------------------------- */

/* What a result file says about its model, equal on all ranks. Owned: the arrays. */
typedef struct {
    bool has_method;   /* false: k-means on the scaled data, by the verb kmeans */
    int64_t D;         /* width of the data, after any transforms of counts */
    int64_t K, width;  /* clusters; width of their centres, which is the width of the embedding or of the scaled data */
    int shards;        /* shards of the run's partition */
    int64_t tile_rows; /* rows of its tiles */
    int gemm;          /* dc_gemm_backend; decides the bits */
    int isa;           /* dc_isa; decides the bits, too */
    bool knows_isa;    /* whether the file stores isa */
    char written_by[80]; /* version and commit of the program */
    double range[2];     /* minimum and maximum scaled value of the training data; infinite if not stored */
    char method[32];
    char matrix[256];    /* input.matrix of the run, "" if it was not set */
    char labels[256];    /* input.label_dataset of the run, likewise */
    bool has_clip;       /* values are clipped before scaling */
    dc_count_map counts; /* what is done to rows before that; its columns are an array */
    bool chooses_columns;
    dc_slab slab;     /* the run's slab: set by the caller between reading header and arrays */
    const void *keys; /* values of the method's keys, if has_method; borrowed; set by the caller */
    int final;        /* as in dc_method_env; set by the caller */
    float *value;     /* [slab.n] */
    float *shift, *scale;
    dc_pca pca;      /* k is known with the header; if it is 0, the columns enter the network */
    bool has_offset; /* pca.offset is in the file */
    dc_row_norm norm;
    dc_levels levels;          /* above the clusters; n is 0 if there are none */
    double *clip_lo, *clip_hi; /* NULL if the run did not clip */
    int64_t sparse_values;     /* if the rows entered the network sparse: values that they store, and their number; */
    dc_gidx sparse_rows;       /* both decide the bits */
} dc_trained;
/* Columns of the rows that the model takes. */
static inline int64_t dc_trained_columns(const dc_trained *t)
{
    return t->counts.used ? t->counts.D : t->D;
}
/* Reads all but slab, keys and arrays. Serial. Errors: DC_ERR_FORMAT (not a result, incomplete, no model in it),
 * DC_ERR_IO. */
DC_CHECKED dc_status dc_trained_header(const char *path, dc_trained *t);
/* Reads the arrays and verifies checksums. Serial. Errors: DC_ERR_FORMAT (damaged, shapes differ from the slab's),
 * DC_ERR_IO, DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_trained_read(const char *path, dc_trained *t);
/* Sends the arrays of rank 0 to all ranks, which already have the header and the slab. Collective. Errors:
 * DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_trained_spread(dc_comm *comm, dc_trained *t);
void dc_trained_release(dc_trained *t);

/* Applies a trained model to any rows, in pieces of at most `capacity` >= tile_rows rows. `part` partitions the rows; a
 * piece holds as many whole tiles as fit. source: where the rows come from, for messages. Local. */
typedef struct dc_predictor dc_predictor;
DC_CHECKED dc_status dc_predictor_create(dc_predictor **out, const dc_trained *t, const dc_part *part, dc_dtype dtype,
                                         bool sparse, int64_t capacity, const char *source);
void dc_predictor_destroy(dc_predictor **p);
/* From now on each piece also gets its rows' distances to their centres and, unless it is NULL, their cosines with
 * them: arrays [capacity], borrowed. */
void dc_predictor_measure(dc_predictor *p, double *distance, double *cosine);
/* From now on each piece also gets the largest q of its rows, arrays of `capacity` rows, and unless `all` is NULL all q
 * [capacity x K]; borrowed. Only with a method. */
void dc_predictor_give_q(dc_predictor *p, const dc_q_top *top, float *all);
/* Number of pieces for this rank's rows. */
int64_t dc_predict_pieces(const dc_trained *t, const dc_part *part, int64_t capacity);
/* Goes to the next piece; returns its number of rows, 0 after the last. */
int64_t dc_predictor_next(dc_predictor *p);
/* Rows with values far outside the range of the training data. */
typedef struct {
    int64_t count; /* local rows with a value outside the training range by more than ten times that range */
    dc_gidx row;   /* the first of them, global; INT64_MAX if there is none */
    int64_t column;
} dc_strange_rows;
/* Computes embedding Z [n x L], labels and confidence [n] of the piece's rows X [n x columns], given in their stored
 * type; or of sparse rows, if not NULL, which are transformed and clipped in place. Z may be NULL if the network has no
 * layers, confidence without a method. Adds to *strange. Local, threaded. On the same type of CPU, a row gets the same
 * bits as in the training run. Errors: DC_ERR_DATA (a scaled value that float cannot hold, a value that is not a
 * count), DC_ERR_MEMORY, DC_ERR_NUMERIC (an embedding that is not finite); they name the row. */
DC_CHECKED dc_status dc_predictor_run(dc_predictor *p, const void *X, const dc_csr *rows, float *Z, int32_t *label,
                                      float *confidence, dc_strange_rows *strange);

/* Finds the m members of each cluster with the highest confidence (nearest) and with the lowest (border): global row
 * numbers [K x m], -1 where a cluster has fewer members. Ties go to the lowest row. Collective. */
DC_CHECKED dc_status dc_cluster_examples(dc_comm *comm, const dc_part *part, const int32_t *labels,
                                         const float *confidence, int64_t K, int64_t m, int64_t *nearest,
                                         int64_t *border);
/* Memory that dc_cluster_examples() takes on each of P ranks. */
double dc_cluster_examples_bytes(int P, int64_t K, int64_t m);

#endif
