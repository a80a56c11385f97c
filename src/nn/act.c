/* Names of activations and norms, as decks and model files write them. */
#include <string.h>

#include "dcmpi/nn.h"

static const char *const norms[] = {[DC_NORM_NONE] = "", [DC_NORM_BATCH] = "bn", [DC_NORM_LAYER] = "ln"};

const char *dc_norm_name(dc_norm norm)
{
    return norms[norm];
}

bool dc_norm_find(const char *name, dc_norm *norm)
{
    for (dc_norm i = DC_NORM_BATCH; i <= DC_NORM_LAYER; i++)
        if (strcmp(norms[i], name) == 0) {
            *norm = i;
            return true;
        }
    return false;
}

static const char *const names[] = {
    [DC_ACT_LINEAR] = "linear", [DC_ACT_RELU] = "relu",         [DC_ACT_LEAKY_RELU] = "leaky_relu",
    [DC_ACT_TANH] = "tanh",     [DC_ACT_SIGMOID] = "sigmoid",   [DC_ACT_ELU] = "elu",
    [DC_ACT_SELU] = "selu",     [DC_ACT_SOFTPLUS] = "softplus", [DC_ACT_GELU] = "gelu"};

const char *dc_act_name(dc_act act)
{
    return names[act];
}

bool dc_act_find(const char *name, dc_act *act)
{
    for (size_t i = 0; i < DC_COUNT_OF(names); i++)
        if (strcmp(names[i], name) == 0) {
            *act = (dc_act)i;
            return true;
        }
    return false;
}
