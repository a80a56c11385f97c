/* Declarations that the methods share. Private to this folder. */
#ifndef DCMPI_METHOD_METHODS_H
#define DCMPI_METHOD_METHODS_H

#include "dcmpi/graph.h"
#include "dcmpi/method.h"

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

/* State of the methods that have K centres in the latent space (tensor "centers") and use the Student-t assignment as
 * q. These methods have no other state. */
struct dc_method_state {
    const dc_method_env *env;
    float *P;        /* [n x K] local target; NULL: not kept */
    dc_table target; /* P as a table */
    float *labels;   /* [n x 1] local; NULL: not kept */
    dc_state *saved; /* the run state in which the labels are registered, or NULL; borrowed */
    dc_table label;  /* the labels as a table */
    dc_sum *loss;    /* sums of the target refresh */
};

/* Adds the trained tensor "centers" [K x L]. */
void dc_centers_build(const dc_method_env *env, dc_slab *slab);
dc_status dc_centers_create(const dc_method_env *env, dc_method_state **out);
/* Like dc_centers_create(), but also allocates the target P. */
dc_status dc_centers_create_target(const dc_method_env *env, dc_method_state **out);
dc_status dc_centers_start(dc_comm *comm, dc_method_state *state, const dc_inferred *rows);
/* Computes the sharpened target into P, and its KL loss; for DEC and its extensions. */
dc_status dc_centers_refresh_target(dc_comm *comm, dc_method_state *state, const dc_inferred *rows, dc_refresh *out);
/* Sends rows x through the encoder; trained: the encoder learns. */
dc_val dc_centers_encode(dc_graph *g, const dc_method_env *env, bool trained, dc_val x);
/* Returns the centres as a value of the step. */
dc_val dc_centers_use(dc_graph *g, const dc_method_env *env);
/* Minimises, with weight 1, the loss of reconstructing rows x from their embedding z; the decoder learns. */
void dc_centers_reconstruct(dc_graph *g, const dc_method_env *env, dc_recon_loss loss, dc_val x, dc_val z);
/* Returns KL(P || Q) of each row of the batch. z: embedding of the rows; P: the target of the last refresh. */
dc_val dc_centers_kl(dc_graph *g, const dc_method_state *state, dc_val z);
/* Outputs the embedding, the Student-t assignment and the nearest centre. */
void dc_centers_infer(dc_graph *g, const dc_method_env *env);
void dc_centers_destroy(dc_method_state **state);

#endif
