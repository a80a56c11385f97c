/* The deck that a result was made with, and the model that follows from it. Private to app/. */
#ifndef DCMPI_APP_RESULT_MODEL_H
#define DCMPI_APP_RESULT_MODEL_H

#include "dcmpi/config.h"
#include "dcmpi/h5.h"
#include "dcmpi/train.h"

/* The text of an open result's deck (dc_mem, caller frees). Serial. Errors: DC_ERR_FORMAT, DC_ERR_IO, DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_result_deck_text(dc_h5 *h5, char **out);
/* The deck of the result at `path`, of any verb. Serial. Errors: DC_ERR_FORMAT, DC_ERR_IO, DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_result_deck(const char *path, dc_config *out);
/* Reads the model of the result at `path`, which this version or an older one wrote. If `dcmpi fit` made it, also reads
 * its deck, with the method's keys. Serial. Errors: those of dc_trained_header and dc_trained_read; DC_ERR_FORMAT
 * (there is no deck, this program cannot read it, or its method is not that of the result). */
DC_CHECKED dc_status dc_result_model_read(const char *path, dc_config *deck, dc_trained *out);
/* Like dc_result_model_read, for all ranks; rank 0 reads. Collective. Errors are agreed. */
DC_CHECKED dc_status dc_result_model_load(dc_comm *comm, const char *path, dc_config *deck, dc_trained *out);

#endif
