/* The deck of the built-in problem, which `dcmpi` runs if no deck is given. It takes about a minute on two cores. */
#include "key.h"

#include <string.h>

static const char deck[] = "run: {output: runs/glyphs}\n"
                           "input: {data: \"builtin:glyphs\", scale: unit}\n"
                           "model: {hidden: [256, 256, 512], latent: 10, init: glorot}\n"
                           "pretrain: {epochs: 25, optimizer: adam, lr: 0.001}\n"
                           "cluster: {clusters: 10, n_init: 10, update_interval: 40, max_iter: 2000, optimizer: sgd,\n"
                           "          lr: 0.01}\n";

void dc_config_builtin(dc_config *cfg)
{
    dc_config_defaults(cfg);
    DC_ASSERT(dc_config_parse(cfg, "built-in deck", deck, strlen(deck), NULL, 0, "fit") == DC_OK);
    cfg->input.rows = 0; /* the next parse fills it in again, unless an override names other data */
}
