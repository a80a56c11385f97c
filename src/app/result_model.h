/* The deck that a result was made with, and the model that follows from it. Private to app/. */
#ifndef DCMPI_APP_RESULT_MODEL_H
#define DCMPI_APP_RESULT_MODEL_H

#include "dcmpi/config.h"
#include "dcmpi/h5.h"
#include "dcmpi/train.h"

/* The text of an open result's deck (dc_mem, caller frees). Serial. Errors: DC_ERR_FORMAT, DC_ERR_IO, DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_result_deck_text(dc_h5 *h5, char **out);
/* The model of the result at `path`, of this version or an older one, and, if `dcmpi fit` made it, its deck, which has
 * the method's keys. Serial. Errors: those of dc_trained_header and dc_trained_read; DC_ERR_FORMAT (no deck, one that
 * this program does not read, one of another method than the result). */
DC_CHECKED dc_status dc_result_model_read(const char *path, dc_config *deck, dc_trained *out);
/* The same on all ranks, rank 0 reads. Collective. Errors are agreed. */
DC_CHECKED dc_status dc_result_model_load(dc_comm *comm, const char *path, dc_config *deck, dc_trained *out);

#endif
