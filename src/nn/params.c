/* The parameter slab: values, gradients and two moments of all trainable floats, each one contiguous array. */
#include "dcmpi/mem.h"
#include "nn/nn_kern.h"

/* Large arrays are first touched by the threads that will update them: their pages land on those threads' memory. */
static dc_status alloc_zeroed(float **out, size_t n, const char *what)
{
    const dc_status st = dc_mem_alloc_raw(out, n, sizeof **out, what);
    if (st == DC_OK) dc_zero_floats(*out, n);
    return st;
}

/* In the order of the slab: decoder first. */
static void list_biases(dc_params *p, const dc_net *net)
{
    p->n_biases = net->n_layers;
    for (int i = 0; i < net->n_layers; i++) {
        const dc_layer *layer = &net->layer[(i + net->n_encoder) % net->n_layers];
        p->bias[i].lo = layer->bias;
        p->bias[i].hi = layer->bias + (size_t)layer->out;
    }
}

dc_status dc_params_create(dc_params *p, const dc_net *net, size_t n_extra)
{
    dc_status st = DC_OK;
    *p = (dc_params){.n = net->n_params + n_extra, .n_extra = n_extra};
    list_biases(p, net);
    DC_TRY(alloc_zeroed(&p->value, p->n, "network parameters"));
    DC_TRY(alloc_zeroed(&p->grad, p->n + DC_GRAD_TAIL, "gradients"));
    DC_TRY(alloc_zeroed(&p->m1, p->n, "first moments of the optimizer"));
    DC_TRY(alloc_zeroed(&p->m2, p->n, "second moments of the optimizer"));
out:
    if (st != DC_OK) dc_params_release(p);
    return st;
}

void dc_params_release(dc_params *p)
{
    dc_mem_free(&p->value);
    dc_mem_free(&p->grad);
    dc_mem_free(&p->m1);
    dc_mem_free(&p->m2);
    *p = (dc_params){0};
}

void dc_params_reset_moments(dc_params *p)
{
    dc_zero_floats(p->m1, p->n);
    dc_zero_floats(p->m2, p->n);
}
