/* Private to train/: trains an autoencoder on its reconstruction loss. Joint pretraining, layer-wise pretraining and
 * fine-tuning all use this. */
#ifndef DCMPI_TRAIN_RECON_H
#define DCMPI_TRAIN_RECON_H

#include "needs.h"

/* Dropout during training: of the network's input (the loss compares with the clean input) and of its encoder's output.
 */
typedef struct {
    double input, hidden; /* rates in [0, 1), 0: none */
    int site;             /* dropout site of `hidden`; that of `input` is site - 1 */
} dc_denoising;

/* Trains all of m->net for the epochs or steps in *cfg, continuing from the run's checkpoint if there is one, and saves
 * at the end. Makes *history. Sets *stop to DC_STOP_EPOCHS, DC_STOP_MAX_ITER (if *cfg counts steps) or
 * DC_STOP_DIVERGED. Collective. Errors: also DC_STOPPED. */
DC_CHECKED dc_status dc_recon_train(dc_comm *comm, dc_model *m, const dc_pretrain_config *cfg,
                                    const dc_row_source *source, const dc_denoising *noise, dc_history *history,
                                    dc_stop *stop);
/* Finds out in rehearsal r (needs.h) what dc_recon_train() will need. m is r's model or a part of it. Collective. */
DC_CHECKED dc_status dc_recon_needs(dc_comm *comm, const dc_rehearsal *r, dc_model *m, const dc_pretrain_config *cfg,
                                    const dc_row_source *source, const dc_denoising *noise, dc_phase_needs *out);
/* If the run's checkpoint was written after this phase, restores the phase's history and sets *finished. */
DC_CHECKED dc_status dc_recon_recall(dc_comm *comm, const dc_model *m, const char *phase, dc_history *history,
                                     bool *finished);
/* Checks that DC_LOSS_BCE has a sigmoid output (DC_ERR_USAGE) and data in [0, 1] (DC_ERR_DATA); reads all rows once.
 * Collective. */
DC_CHECKED dc_status dc_recon_check(dc_comm *comm, const dc_model *m, dc_recon_loss loss);

#endif
