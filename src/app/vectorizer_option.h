/* Options of convert that say how documents become rows. Private to app/. */
#ifndef DCMPI_APP_VECTORIZER_OPTION_H
#define DCMPI_APP_VECTORIZER_OPTION_H

#include "dcmpi/terms.h"

/* Sets the option ("--min-df") from its value; --stop-words may name a file. Errors: DC_ERR_USAGE, DC_ERR_DATA,
 * DC_ERR_IO. */
DC_CHECKED dc_status dc_vectorizer_option(dc_vectorizer *v, const char *option, const char *value);
/* Sets all options of a preset. Errors: DC_ERR_USAGE. */
DC_CHECKED dc_status dc_vectorizer_preset(dc_vectorizer *v, const char *name);

#endif
