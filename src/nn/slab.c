#include "dcmpi/slab.h"

#include <stdio.h>
#include <string.h>

#include "dcmpi/net_text.h"

void dc_slab_init(dc_slab *s, const dc_net *net)
{
    *s = (dc_slab){.net = *net, .n = net->n_params};
}

void dc_slab_add_net(dc_slab *s, const char *name, int64_t D, const char *text)
{
    int stream = s->net.n_layers;
    DC_ASSERT(s->n_more < DC_SLAB_NETS && !dc_slab_net(s, name));
    for (int i = 0; i < s->n_more; i++) stream += s->more[i].n_layers;
    const dc_status st = dc_net_chain(&s->more[s->n_more], name, D, text, s->n, stream);
    if (s->st == DC_OK) s->st = st;
    if (st == DC_OK) s->n += s->more[s->n_more++].n_params;
}

const dc_net *dc_slab_net(const dc_slab *s, const char *name)
{
    const size_t n = strlen(name);
    for (int i = 0; i < s->n_more; i++) {
        const char *first = s->more[i].layer[0].name;
        if (strncmp(first, name, n) == 0 && strcmp(first + n, "_0") == 0) return &s->more[i];
    }
    return NULL;
}

const dc_net *dc_slab_net_at(const dc_slab *s, int i)
{
    return i == 0 ? &s->net : i <= s->n_more ? &s->more[i - 1] : NULL;
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

/* Number of arrays of a layer: its weights, unless it is tied, its bias and the vectors of its norm; pooling has
 * none. */
static int layer_arrays(const dc_layer *layer)
{
    return dc_layer_is_pool(layer) ? 0 : (layer->tied ? 0 : 1) + dc_layer_vectors(layer);
}

/* Array i of a layer: first its weights, unless the layer is tied; then its bias and the vectors of its norm. */
static bool layer_array(const dc_layer *layer, int i, dc_slab_array *out)
{
    static const char *const names[] = {"/bias", "/gamma", "/mean", "/variance"};
    const int vector = i - (layer->tied ? 0 : 1);
    const int64_t width = dc_layer_biases(layer);
    if (i >= layer_arrays(layer)) return false;
    *out = vector < 0 ? array_of(layer->name, "/weight", dc_layer_rows(layer), dc_layer_columns(layer), layer->weight)
                      : array_of(layer->name, names[vector], 0, width, layer->bias + (size_t)(vector * width));
    return true;
}

bool dc_slab_at(const dc_slab *s, int i, dc_slab_array *out)
{
    for (int k = 0; k <= s->n_more; k++) {
        const dc_net *net = dc_slab_net_at(s, k);
        for (int l = 0; l < net->n_layers; l++) {
            if (layer_array(&net->layer[l], i, out)) return true;
            i -= layer_arrays(&net->layer[l]);
        }
    }
    if (i >= s->n_tensors) return false;
    const dc_tensor *t = &s->tensor[i];
    *out = array_of(t->name, "", t->n, t->width, t->at);
    return true;
}
