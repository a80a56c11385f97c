/* Learning-rate factors by name. Private to app/. */
#ifndef DCMPI_APP_RATES_H
#define DCMPI_APP_RATES_H

#include "dcmpi/config.h"

/* For each phase in use, checks that its lr_factors name only what the phase trains. Local. Errors: DC_ERR_USAGE,
 * listing the names that are allowed. */
DC_CHECKED dc_status dc_rates_check(const dc_config *cfg);

#endif
