/* The parameter slab: values, gradients and two moments of all trainable floats, in four contiguous arrays.
 *
 * Every rank needs all values. It needs gradients and moments only where it computes and updates them; in strict mode
 * this is a share of the slab. So these arrays are pages that take memory only when a thread first writes to them. */
#include "dcmpi/mem.h"
#include "nn/nn_kern.h"

/* Adds the biases in the order of the slab: decoder first. */
void dc_params_add_biases(dc_params *p, const dc_net *net)
{
    DC_ASSERT(p->n_biases + net->n_layers <= DC_MAX_BIASES);
    for (int i = 0; i < net->n_layers; i++) {
        const dc_layer *layer = &net->layer[(i + net->n_encoder) % net->n_layers];
        p->bias[p->n_biases].lo = layer->bias;
        p->bias[p->n_biases++].hi = layer->bias + (size_t)dc_layer_biases(layer);
    }
}

void dc_params_shape(dc_params *p, const dc_net *net, size_t n_extra)
{
    *p = (dc_params){.n = net->n_params + n_extra, .n_extra = n_extra};
    dc_params_add_biases(p, net);
}

dc_status dc_params_create(dc_params *p, const dc_net *net, size_t n_extra)
{
    dc_status st = DC_OK;
    dc_params_shape(p, net, n_extra);
    DC_TRY(dc_mem_alloc_raw(&p->value, p->n, sizeof *p->value, "network parameters"));
    dc_zero_floats(p->value, p->n);
    DC_TRY(dc_mem_alloc_pages(&p->grad, p->n, sizeof *p->grad, "gradients"));
    DC_TRY(dc_mem_alloc_pages(&p->m1, p->n, sizeof *p->m1, "first moments of the optimizer"));
    DC_TRY(dc_mem_alloc_pages(&p->m2, p->n, sizeof *p->m2, "second moments of the optimizer"));
out:
    if (st != DC_OK) dc_params_release(p);
    return st;
}

dc_status dc_params_share(dc_params *p, const dc_params *of)
{
    dc_status st = DC_OK;
    *p = *of;
    p->m1 = p->m2 = NULL;
    p->shares = true;
    DC_TRY(dc_mem_alloc_pages(&p->m1, p->n, sizeof *p->m1, "first moments of the optimizer"));
    DC_TRY(dc_mem_alloc_pages(&p->m2, p->n, sizeof *p->m2, "second moments of the optimizer"));
out:
    if (st != DC_OK) dc_params_release(p);
    return st;
}

void dc_params_release(dc_params *p)
{
    if (!p->shares) dc_mem_free(&p->value);
    if (!p->shares) dc_mem_free(&p->grad);
    dc_mem_free(&p->m1);
    dc_mem_free(&p->m2);
    *p = (dc_params){0};
}

void dc_params_reset(dc_params *p)
{
    dc_mem_zero_pages(p->grad);
    dc_mem_zero_pages(p->m1);
    dc_mem_zero_pages(p->m2);
}
