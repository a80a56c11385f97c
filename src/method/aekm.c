/* aekm: an autoencoder, then k-means on its embedding. Nothing is trained after k-means. */
#include "methods.h"

static const dc_key keys[] = {DC_CENTERS_KEYS};

const dc_method dc_method_aekm = {
    .name = "aekm",
    .summary = "autoencoder + k-means: clusters the embedding of the pretrained autoencoder",
    .flags = 0,
    DC_METHOD_KEYS(keys, dc_centers_keys),
    .build = dc_centers_build,
    .create = dc_centers_create,
    .start = dc_centers_start,
    .infer = dc_centers_infer,
    .sweep = dc_centers_sweep,
    .destroy = dc_centers_destroy,
};
