/* Private to train/: one training step of a clustering method. */
#ifndef DCMPI_TRAIN_TRAINER_H
#define DCMPI_TRAIN_TRAINER_H

#include "gradient.h"

typedef struct {
    dc_model *model;              /* borrowed */
    const dc_cluster_config *cfg; /* borrowed */
    dc_method_env env;            /* cfg->env with batch_rows filled in */
    dc_method_state *state;       /* owned, made by the method */
    dc_embedder *embedder;        /* owned */
    dc_gradient *gradient;        /* owned */
    float *dZ;                    /* [leaf rows x L] dLoss/dZ of the method, where the decoder has one, too */
    double *recon;                /* [leaves] reconstruction loss, where there is one */
    float *dextra;                /* [n_extra] of one leaf */
} dc_trainer;

/* Local. */
dc_status dc_trainer_create(dc_trainer *t, dc_model *m, const dc_cluster_config *cfg);
void dc_trainer_release(dc_trainer *t);
/* The method's parameters: centres [K x L] first. */
float *dc_trainer_extra(const dc_trainer *t);
typedef struct {
    double total; /* what is minimised */
    double recon; /* reconstruction part, 0 for methods without */
} dc_step_loss;
/* Step number `step`; *loss is that of the global batch. Collective. Nothing is updated if the loss is not finite.
 */
void dc_trainer_step(dc_comm *comm, dc_trainer *t, int64_t step, dc_step_loss *loss);

#endif
