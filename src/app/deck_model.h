/* The model that a deck asks for. Private to app/. */
#ifndef DCMPI_APP_DECK_MODEL_H
#define DCMPI_APP_DECK_MODEL_H

#include "dcmpi/config.h"
#include "dcmpi/method.h"

/* The deck's network for rows of D columns; 0: it is not known yet how many there are. Local. Errors: those of
 * dc_net_build. */
DC_CHECKED dc_status dc_deck_net(const dc_config *cfg, int64_t D, dc_net *net);
/* The same with what the deck's method trains and keeps. */
DC_CHECKED dc_status dc_deck_slab(const dc_config *cfg, int64_t D, dc_slab *slab);

/* The optimizer of a phase, with the factors of the layers' own. */
dc_opt_config dc_deck_optimizer(const dc_opt_config *opt, const dc_net *net);

#endif
