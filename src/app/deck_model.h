/* The model that a deck asks for. Private to app/. */
#ifndef DCMPI_APP_DECK_MODEL_H
#define DCMPI_APP_DECK_MODEL_H

#include "dcmpi/config.h"
#include "dcmpi/data.h"
#include "dcmpi/method.h"

/* Makes the deck's network for rows of D columns (0: number not known yet, only names are set); with cluster.on: input
 * it has no layers. Local. Errors: those of dc_net_build; DC_ERR_USAGE, it has layers for images and the deck does not
 * say what images the rows are. */
DC_CHECKED dc_status dc_deck_net(const dc_config *cfg, int64_t D, dc_net *net);
/* dc_method_env.final of the deck. */
int dc_deck_final(const dc_config *cfg);
/* Makes the same network together with everything else that the deck's method trains and keeps. */
DC_CHECKED dc_status dc_deck_slab(const dc_config *cfg, int64_t D, dc_slab *slab);
/* What the deck's network takes a row for; c 0: no image, or the deck does not say which. Local. */
dc_image dc_deck_image(const dc_config *cfg);

/* Makes the shape of the images in the data part of the deck, if its network needs one and the deck has none. Local. */
void dc_deck_take_images(dc_config *cfg, const dc_data_header *head);

/* The optimizer of a phase, including the factors that layers set themselves. */
dc_opt_config dc_deck_optimizer(const dc_opt_config *opt, const dc_net *net);

#endif
