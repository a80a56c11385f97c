/* Rate factors by name. Private to app/. */
#ifndef DCMPI_APP_RATES_H
#define DCMPI_APP_RATES_H

#include "dcmpi/config.h"

/* Whether all that lr_factors of the phases in use name is trained there. Local. Errors: DC_ERR_USAGE, telling the
 * names. */
DC_CHECKED dc_status dc_rates_check(const dc_config *cfg);

#endif
