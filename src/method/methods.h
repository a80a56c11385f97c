/* What methods share. Private to this folder. */
#ifndef DCMPI_METHOD_METHODS_H
#define DCMPI_METHOD_METHODS_H

#include "dcmpi/graph.h"
#include "dcmpi/method.h"

/* Squares as the reconstruction loss: dc_recon_loss. */
extern const dc_key_choice dc_square_losses[];

typedef struct {
    double alpha;  /* of Student's t */
} dc_centers_keys; /* the first member of the method's own struct of keys, or all of it */
#define DC_CENTERS_KEYS                                                                                                \
    {                                                                                                                  \
        .name = "alpha", .type = DC_KEY_FLOAT, .offset = offsetof(dc_centers_keys, alpha), .fallback = "1.0",          \
        .min = 0, .max = 1e6, .range = DC_OPEN_MIN, .also = "dof degrees_of_freedom", .source = "Xie et al. 2016",     \
        .doc = "Degrees of freedom of Student's t in the soft assignment q, from which confidence is taken, too."      \
    }
/* The key `loss`, a member of the struct `keys`: int, a dc_recon_loss; what: the default, from: its source. */
#define DC_LOSS_KEY(keys, what, from)                                                                                  \
    {                                                                                                                  \
        .name = "loss", .type = DC_KEY_CHOICE, .offset = offsetof(keys, loss), .fallback = what,                       \
        .choices = dc_square_losses, .also = "reconstruction_loss", .source = from,                                    \
        .doc = "Reconstruction loss, as pretrain.loss."                                                                \
    }

/* Methods with K centres in the latent space, the tensor "centers", whose q is the Student-t assignment. Used by
 * embedding the state as the whole state. */
struct dc_method_state {
    const dc_method_env *env;
    float *P;        /* [n x K] local target; NULL: not kept */
    dc_table target; /* P */
    float *labels;   /* [n x 1] local; NULL: not kept */
    dc_state *saved; /* what the labels are part of, or NULL; borrowed */
    dc_table label;  /* the same */
    dc_sum *loss;    /* of the target */
};

/* "centers" [K x L], trained. */
void dc_centers_build(const dc_method_env *env, dc_slab *slab);
dc_status dc_centers_create(const dc_method_env *env, dc_method_state **out);
/* With a target. */
dc_status dc_centers_create_target(const dc_method_env *env, dc_method_state **out);
dc_status dc_centers_start(dc_comm *comm, dc_method_state *state, const dc_inferred *rows);
/* The sharpened target in P and its KL loss: DEC and what extends it. */
dc_status dc_centers_refresh_target(dc_comm *comm, dc_method_state *state, const dc_inferred *rows, dc_refresh *out);
/* Rows x through the encoder; trained: it learns. */
dc_val dc_centers_encode(dc_graph *g, const dc_method_env *env, bool trained, dc_val x);
/* The centres. */
dc_val dc_centers_use(dc_graph *g, const dc_method_env *env);
/* Minimises the reconstruction of rows x from their embedding z with weight 1; the decoder learns. */
void dc_centers_reconstruct(dc_graph *g, const dc_method_env *env, dc_recon_loss loss, dc_val x, dc_val z);
/* KL(P || Q) of each row of the batch, embedded at z, with the target of the last refresh. */
dc_val dc_centers_kl(dc_graph *g, const dc_method_state *state, dc_val z);
/* Embedding, Student-t assignment, nearest centre. */
void dc_centers_infer(dc_graph *g, const dc_method_env *env);
void dc_centers_destroy(dc_method_state **state);

#endif
