/* The deck that a result was made with. Private to app/. */
#ifndef DCMPI_APP_RESULT_DECK_H
#define DCMPI_APP_RESULT_DECK_H

#include "dcmpi/config.h"
#include "dcmpi/h5.h"

/* The text of an open result's deck (dc_mem, caller frees). Serial. Errors: DC_ERR_FORMAT, DC_ERR_IO, DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_result_deck_text(dc_h5 *h5, char **out);
/* Reads the deck of the result at `path` of `dcmpi fit`, of this version or an older one. Serial. Errors:
 * DC_ERR_FORMAT (none, one that this program does not read, one of another method than `method`), DC_ERR_IO,
 * DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_result_deck_read(const char *path, const char *method, dc_config *out);

#endif
