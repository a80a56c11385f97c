#include "dcmpi/slab.h"

#include <stdio.h>
#include <string.h>

void dc_slab_init(dc_slab *s, const dc_net *net)
{
    *s = (dc_slab){.net = *net, .n = net->n_params};
}

void dc_slab_add(dc_slab *s, const char *name, int64_t n, int64_t width, bool trained)
{
    DC_ASSERT(s->n_tensors < DC_SLAB_TENSORS && !dc_slab_find(s, name));
    const dc_tensor tensor = {name, s->n, n, width, trained};
    s->tensor[s->n_tensors++] = tensor;
    s->n += dc_tensor_floats(&tensor);
}

const dc_tensor *dc_slab_find(const dc_slab *s, const char *name)
{
    for (int i = 0; i < s->n_tensors; i++)
        if (strcmp(s->tensor[i].name, name) == 0) return &s->tensor[i];
    return NULL;
}

static dc_slab_array array_of(const char *owner, const char *part, int64_t n, int64_t width, size_t at)
{
    dc_slab_array a = {.n_dims = n > 0 ? 2 : 1, .dim = {n > 0 ? n : width, width}, .at = at};
    snprintf(a.name, sizeof a.name, "%s%s", owner, part);
    return a;
}

/* Array i of a layer: its weights, unless it is tied, then its bias. */
static bool layer_array(const dc_layer *layer, int i, dc_slab_array *out)
{
    if (i == 0 && !layer->tied) {
        *out = array_of(layer->name, "/weight", layer->in, layer->out, layer->weight);
        return true;
    }
    *out = array_of(layer->name, "/bias", 0, layer->out, layer->bias);
    return i < (layer->tied ? 1 : 2);
}

bool dc_slab_at(const dc_slab *s, int i, dc_slab_array *out)
{
    for (int l = 0; l < s->net.n_layers; l++) {
        if (layer_array(&s->net.layer[l], i, out)) return true;
        i -= s->net.layer[l].tied ? 1 : 2;
    }
    if (i >= s->n_tensors) return false;
    const dc_tensor *t = &s->tensor[i];
    *out = array_of(t->name, "", t->n, t->width, t->at);
    return true;
}
