/* Declarations that the methods share. Private to this folder. */
#ifndef DCMPI_METHOD_METHODS_H
#define DCMPI_METHOD_METHODS_H

#include "dcmpi/graph.h"
#include "dcmpi/method.h"
#include "dcmpi/mixture.h"

/* The reconstruction losses made of squares; the values are those of dc_recon_loss. */
extern const dc_key_choice dc_square_losses[];

typedef struct {
    double alpha;  /* of Student's t */
} dc_centers_keys; /* the first member of a method's key struct, or all of it */
#define DC_CENTERS_KEYS                                                                                                \
    {                                                                                                                  \
        .name = "alpha", .type = DC_KEY_FLOAT, .offset = offsetof(dc_centers_keys, alpha), .fallback = "1.0",          \
        .min = 0, .max = 1e6, .range = DC_OPEN_MIN, .also = "dof degrees_of_freedom", .source = "Xie et al. 2016",     \
        .doc = "Degrees of freedom of Student's t in the soft assignment q, from which confidence is taken, too."      \
    }
/* The key `loss`. The struct `keys` must have an int member `loss`, which holds a dc_recon_loss. what: the default;
 * from: the source of the default. */
#define DC_LOSS_KEY(keys, what, from)                                                                                  \
    {                                                                                                                  \
        .name = "loss", .type = DC_KEY_CHOICE, .offset = offsetof(keys, loss), .fallback = what,                       \
        .choices = dc_square_losses, .also = "reconstruction_loss", .source = from,                                    \
        .doc = "Reconstruction loss, as pretrain.loss."                                                                \
    }

/* A spectral embedding and its eigenvalues, of method spectral. */
typedef struct {
    float *rows;     /* [n x K], owned */
    double *value;   /* [K + 1], owned */
    int64_t stage;   /* whether they are there */
    dc_state *saved; /* the run state in which they are registered, or NULL; borrowed */
} dc_spectral_state;

/* State of the methods that have K centres in the latent space (tensor "centers") and use the Student-t assignment as
 * q. These methods have no other state. */
struct dc_method_state {
    const dc_method_env *env;
    dc_soft_target target;       /* K is 0: not kept */
    dc_table embedded;           /* the embedding of all rows at the last refresh, from which their target follows */
    float *labels;               /* [n x 1] local; NULL: not kept */
    double *number;              /* what a method reports of its fit; NULL: nothing */
    dc_state *saved;             /* the run state in which labels or numbers are registered, or NULL; borrowed */
    dc_table label;              /* the labels as a table */
    dc_net trained;              /* variational methods: the network as its loss needs it (dc_net_for_loss) */
    dc_spectral_state *spectral; /* method spectral, else NULL; owned */
};

/* Present values of a tensor of the method, and that tensor as a value of a step. */
float *dc_method_values(const dc_method_env *env, const char *tensor);
dc_val dc_method_use(dc_graph *g, const dc_method_env *env, const char *tensor);

/* Adds the trained tensor "centers" [K x L]. */
void dc_centers_build(const dc_method_env *env, dc_slab *slab);
dc_status dc_centers_create(const dc_method_env *env, dc_method_state **out);
/* Like dc_centers_create(), but also allocates a target of this kind, with q of this model. */
dc_status dc_centers_create_kind(const dc_method_env *env, dc_target_kind kind, dc_soft_model model,
                                 dc_method_state **out);
/* The same for DEC and its extensions: the sharpened target of the Student-t assignment. */
dc_status dc_centers_create_target(const dc_method_env *env, dc_method_state **out);
/* Like dc_centers_create(), but also keeps a number of each row, such as its label, as a table for steps. */
dc_status dc_centers_create_labels(const dc_method_env *env, dc_method_state **out);
/* Adds that table to a state. If there is no memory for it, the state is gone, too. */
dc_status dc_centers_add_labels(dc_method_state **state);
/* Registers the labels in a run state under this name; dc_centers_destroy() drops them. Collective. */
dc_status dc_centers_keep_labels(dc_comm *comm, dc_method_state *state, dc_state *c, const char *name);
dc_status dc_centers_start(dc_comm *comm, dc_method_state *state, const dc_inferred *rows);
/* Makes the target anew from the present model and the sums of q, and computes its KL loss. */
dc_status dc_centers_refresh_target(dc_comm *comm, dc_method_state *state, const dc_inferred *rows, dc_refresh *out);
/* The target of each row of the batch, [batch x K]. */
dc_val dc_centers_target(dc_graph *g, const dc_method_state *state);
/* Sends the rows of the batch through the encoder, for inference, and outputs them as the embedding if the network has
 * layers. */
dc_val dc_method_embed(dc_graph *g, const dc_method_env *env);
/* Sets what a task of a sweep says, in the configuration of its k-means. */
void dc_centers_take_task(dc_kmeans_config *cfg, const dc_sweep_task *task);
/* dc_method.sweep of methods whose clusters are those of k-means. */
dc_status dc_centers_sweep(dc_comm *comm, const dc_method_env *env, const dc_rows *rows, const dc_sweep_task *task,
                           dc_sweep_fit *out);
/* Sends rows x through the encoder. */
dc_val dc_centers_encode(dc_graph *g, const dc_method_env *env, dc_pass pass, dc_val x);
/* Minimises, with weight 1, the loss of reconstructing rows x from their embedding z; the decoder learns. */
void dc_centers_reconstruct(dc_graph *g, const dc_method_env *env, dc_recon_loss loss, dc_val x, dc_val z);
/* Returns KL(P || Q) of each row of the batch. z: embedding of the rows; P: the target of the last refresh. */
dc_val dc_centers_kl(dc_graph *g, const dc_method_state *state, dc_val z);
/* Outputs the embedding, the Student-t assignment and the nearest centre. */
void dc_centers_infer(dc_graph *g, const dc_method_env *env);
void dc_centers_destroy(dc_method_state **state);

/* ---- Mixtures of Gaussians --------------------------------------------------------------------------------------- */

/* Names of the tensors besides "centers": of a method itself, and of the final step of any method. */
typedef struct {
    const char *log_variances, *factors, *log_weights;
} dc_gaussian_names;
extern const dc_gaussian_names dc_gaussians_own, dc_gaussians_final;
/* Adds "centers", unless they are there, log variances (diagonal, spherical) or factors (full, tied), log weights. */
void dc_gaussians_build(const dc_method_env *env, const dc_gaussian_names *names, dc_covariance covariance,
                        bool trained, dc_slab *slab);
/* Sets them. */
void dc_gaussians_take(const dc_method_env *env, const dc_gaussian_names *names, const dc_mixture *m);
/* The responsibilities for rows z, [batch x K]. */
dc_val dc_gaussians_shares(dc_graph *g, const dc_method_env *env, const dc_gaussian_names *names, dc_val z);

/* What the keys of the method that is a mixture say; the caller sets `phase`, and the covariance of a final step. */
dc_mixture_config dc_mixture_config_of(const void *values, const dc_kmeans_config *kmeans);

/* ---- Softmax heads ----------------------------------------------------------------------------------------------- */

/* Adds the network "head", a linear layer [L x K], and the tensor "centers" [K x L], which no step trains. */
void dc_head_build(const dc_method_env *env, dc_slab *slab);
/* Sets the head to the classifier of equal spherical Gaussians around centers[K x L], whose labels are those of the
 * nearest centre: logits z (c_k - c) / v - |c_k|^2 / 2v, up to what all of them have in common; c: mean of the centres,
 * v: the variance in each direction. */
void dc_head_take(const dc_method_env *env, const float *centers, double variance);
/* The logits of rows, [batch x K]: from their embedding z, or from the rows x. */
dc_val dc_head_of(dc_graph *g, const dc_method_env *env, dc_pass pass, dc_val z);
dc_val dc_head_logits(dc_graph *g, const dc_method_env *env, dc_pass pass, dc_val x);
/* Sets the centres to the means of the embedded rows of each cluster. */
dc_status dc_head_refresh(dc_comm *comm, dc_method_state *state, const dc_inferred *rows, dc_refresh *out);
/* Whether the mean of q has left more than half of the clusters. */
bool dc_head_is_empty(const dc_method_env *env, const dc_refresh *last);
/* Outputs the embedding and the softmax of the head. */
void dc_head_infer(dc_graph *g, const dc_method_env *env);

/* ---- Variational autoencoders ------------------------------------------------------------------------------------ */

typedef struct {
    dc_centers_keys centers; /* of those that cluster by centres */
    int loss;                /* DC_LOSS_BCE or DC_LOSS_MSE */
    double weight;           /* of the reconstruction */
} dc_variational_keys;       /* the first member of a method's key struct */
extern const dc_key_choice dc_variational_losses[];
#define DC_VARIATIONAL_KEYS(from)                                                                                      \
    {.name = "loss",                                                                                                   \
     .type = DC_KEY_CHOICE,                                                                                            \
     .offset = offsetof(dc_variational_keys, loss),                                                                    \
     .fallback = "mse_sum",                                                                                            \
     .choices = dc_variational_losses,                                                                                 \
     .also = "reconstruction_loss",                                                                                    \
     .source = from,                                                                                                   \
     .doc = "Reconstruction loss of a row, summed over its columns: squared errors, or cross-entropy of bits "         \
            "(bce_sum), which needs data in [0, 1] and a sigmoid as output."},                                         \
    {                                                                                                                  \
        .name = "weight", .type = DC_KEY_FLOAT, .offset = offsetof(dc_variational_keys, weight), .fallback = "1.0",    \
        .min = 0, .max = 1e6, .also = "alpha_reconstruction ssl_loss_weight", .source = from,                          \
        .doc = "Weight of the reconstruction loss."                                                                    \
    }

/* Adds the second head of the encoder: a dense layer that gives log variances, from what the embedding layer reads. The
 * embedding is the mean. setting: as in dc_slab.unit_rows. */
void dc_variational_build(const dc_method_env *env, dc_slab *slab, const char *setting);
dc_status dc_variational_create(const dc_method_env *env, dc_method_state **out);
/* A row's Gaussian, and a value drawn from it. */
typedef struct {
    dc_val x, mean, log_var, z;
} dc_variational;
/* Minimises the reconstruction loss of rows from their drawn values; encoder and decoder learn. */
dc_variational dc_variational_record(dc_graph *g, const dc_method_state *state);
/* The failure that shows in the divergences of the rows' Gaussians, losses [0, terms): together they have come to
 * nothing. weight: of these losses. loss, n, stride: as in dc_method.failed. */
const dc_method_failure *dc_variational_failed(const dc_method_failure *f, int terms, double weight, const double *loss,
                                               size_t n, int stride);
/* Latent values for pictures: draws[n x L] of standard normal ones, for sample number `first` on. */
void dc_variational_draw(const dc_method_env *env, int64_t first, int64_t n, float *draws);

/* ---- Discriminators ---------------------------------------------------------------------------------------------- */

typedef struct {
    dc_int_list discriminator; /* widths of the hidden layers */
    double lr, weight;
    int64_t encoder_every;
} dc_adversary_keys; /* a member of a method's key struct */
#define DC_ADVERSARY_KEYS(keys, member, widths, act, from)                                                             \
    {.name = "discriminator",                                                                                          \
     .type = DC_KEY_LIST,                                                                                              \
     .offset = offsetof(keys, member.discriminator),                                                                   \
     .fallback = widths,                                                                                               \
     .min = 1,                                                                                                         \
     .max = 1 << 20,                                                                                                   \
     .also = "disc critic discriminator_hidden",                                                                       \
     .source = from,                                                                                                   \
     .doc = "Widths of the hidden layers of a discriminator, with activation " act "; its output is a sigmoid."},      \
        {.name = "discriminator_lr",                                                                                   \
         .type = DC_KEY_FLOAT,                                                                                         \
         .offset = offsetof(keys, member.lr),                                                                          \
         .fallback = "0",                                                                                              \
         .min = 0,                                                                                                     \
         .max = 1e6,                                                                                                   \
         .also = "d_lr critic_lr",                                                                                     \
         .doc = "Learning rate of a discriminator. 0: cluster.lr."},                                                   \
        {.name = "weight",                                                                                             \
         .type = DC_KEY_FLOAT,                                                                                         \
         .offset = offsetof(keys, member.weight),                                                                      \
         .fallback = "1.0",                                                                                            \
         .min = 0,                                                                                                     \
         .max = 1e6,                                                                                                   \
         .source = from,                                                                                               \
         .doc = "Weight of the loss by which the encoder learns to pass for what is drawn."},                          \
    {                                                                                                                  \
        .name = "encoder_every", .type = DC_KEY_INT, .offset = offsetof(keys, member.encoder_every), .fallback = "1",  \
        .min = 1, .max = 1e6, .unit = "batches", .also = "n_critic critic_steps", .source = from,                      \
        .doc = "The encoder learns from a discriminator on each such batch only: 5 gives five steps of the "           \
               "discriminator to one of the encoder."                                                                  \
    }

/* Adds a discriminator of rows with `width` columns; act: of its hidden layers. */
void dc_adversary_build(dc_slab *slab, const char *name, int64_t width, const dc_adversary_keys *keys, const char *act);
/* -ln D(drawn) - ln(1 - D(made)) of each row; D learns, but not what made the rows. */
dc_val dc_adversary_tells(dc_graph *g, const dc_net *net, dc_val drawn, dc_val made);
/* -ln D(made) of each row; D does not learn. */
dc_val dc_adversary_passes(dc_graph *g, const dc_net *net, dc_val made);
/* Optimizer and cycle of the discriminator's step or of the encoder's. */
void dc_adversary_turn(const dc_adversary_keys *keys, bool of_discriminator, dc_turn *turn);
typedef struct {
    dc_method_failure wins, idle;
} dc_adversary_failures;
/* The failure that the discriminator's losses show, if any: it wins, or has never learnt anything (if idle has a text).
 * loss, n, stride: as in dc_method.failed. */
const dc_method_failure *dc_adversary_failed(const dc_adversary_failures *f, const double *loss, size_t n, int stride);

#endif
