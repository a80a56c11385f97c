/* The rows of the method table, and what methods share. Private to this folder. */
#ifndef DCMPI_METHOD_METHODS_H
#define DCMPI_METHOD_METHODS_H

#include "dcmpi/graph.h"
#include "dcmpi/method.h"

extern const dc_method dc_method_aekm;
extern const dc_method dc_method_dcn;
extern const dc_method dc_method_dec;
extern const dc_method dc_method_dkm;
extern const dc_method dc_method_idec;

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
/* The key `loss`, a member of the struct `keys`: int, a dc_recon_loss. */
#define DC_LOSS_KEY(keys, what, from)                                                                                  \
    {                                                                                                                  \
        .name = "loss", .type = DC_KEY_CHOICE, .offset = offsetof(keys, loss), .fallback = what,                       \
        .choices = dc_square_losses, .also = "reconstruction_loss", .source = from,                                    \
        .doc = "Reconstruction loss, as pretrain.loss."                                                                \
    }

/* Methods whose extra parameters are K centres in the latent space and whose q is the Student-t assignment: state,
 * k-means start, refresh without a target. Used by embedding them as the whole state. */
struct dc_method_state {
    const dc_method_env *env;
    float *P;            /* [n x K] local: q after dc_centers_refresh, target after that; NULL: not kept */
    dc_table target;     /* P */
    double *f;           /* [K] global */
    int64_t *size;       /* [K] global */
    float *labels;       /* [n x 1] local; NULL: not kept */
    size_t *label_bytes; /* [P] of all ranks; NULL: not kept */
    dc_state *saved;     /* what the labels are part of, or NULL; borrowed */
    dc_table label;      /* the same */
    dc_sum *loss;        /* one double per block */
};

size_t dc_centers_n_extra(const dc_method_env *env);
/* The centres [K x L]. */
dc_tensor dc_centers_tensor(const dc_method_env *env, bool trained);
dc_status dc_centers_create(const dc_method_env *env, dc_method_state **out);
/* With a target. */
dc_status dc_centers_create_target(const dc_method_env *env, dc_method_state **out);
dc_status dc_centers_start(dc_comm *comm, dc_method_state *state, const float *Z, float *extra, int32_t *labels);
/* Soft assignment of all rows: P = q, f, sizes, labels, and all of `out` but the loss. */
dc_status dc_centers_refresh(dc_comm *comm, dc_method_state *state, const float *Z, const float *extra, int32_t *labels,
                             dc_refresh *out);
/* The same with the sharpened target in P and its KL loss: DEC and what extends it. */
dc_status dc_centers_refresh_target(dc_comm *comm, dc_method_state *state, const float *Z, const float *extra,
                                    int32_t *labels, dc_refresh *out);
/* Minimises the reconstruction of rows x from their embedding z with weight 1; the decoder learns. */
void dc_centers_reconstruct(dc_graph *g, const dc_method_state *state, dc_recon_loss loss, dc_val x, dc_val z);
/* KL(P || Q) of each row of the batch, embedded at z, with the target of the last refresh. */
dc_val dc_centers_kl(dc_graph *g, const dc_method_state *state, dc_val z);
void dc_centers_assign_local(const dc_method_env *env, const float *extra, const float *Z, int64_t n, float *q,
                             int32_t *label);
void dc_centers_destroy(dc_method_state **state);

#endif
