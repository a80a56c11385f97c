/* Forward and backward through a range of fully connected layers, on memory made beforehand.
 *
 * Layer: T = X W + b, Y = act(T). With dT = dY * act'(T), elementwise and from Y:
 *   dW = X^T dT,  db = column sums of dT,  dX = dT W^T.
 * The order in which rows are added within dW is the GEMM's. No communication, no allocation in a pass. */
#include "dcmpi/la.h"
#include "dcmpi/mem.h"
#include "dcmpi/nn.h"
#include "nn/nn_kern.h"

/* Width of the input of layer l; for l = n_layers the output of the network. */
static int64_t width_before(const dc_net *net, int l)
{
    return l == 0 ? net->D : net->layer[l - 1].out;
}

/* Floats of a buffer of n_max rows, rounded up to whole cache lines; SIZE_MAX if that does not fit. */
static size_t buffer_floats(int64_t n_max, int64_t width)
{
    const size_t line = DC_MEM_ALIGN / sizeof(float), floats = dc_mul_size((size_t)n_max, (size_t)width);
    return floats > SIZE_MAX - line ? SIZE_MAX : (floats + line - 1) / line * line;
}

static size_t add_size(size_t a, size_t b)
{
    return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

static int64_t widest(const dc_net *net, int first, int last)
{
    int64_t width = 0;
    for (int l = first; l <= last; l++) width = DC_MAX(width, width_before(net, l));
    return width;
}

/* The next buffer of the slab, zeroed row block by row block by the threads that will fill it. */
static float *take_buffer(float **next, size_t floats)
{
    float *buffer = *next;
    *next += floats;
    dc_zero_floats(buffer, floats);
    return buffer;
}

dc_status dc_net_work_create(dc_net_work *w, const dc_net *net, int first, int last, int64_t n_max, bool backward)
{
    *w = (dc_net_work){.n_max = n_max};
    const size_t delta = backward ? buffer_floats(n_max, widest(net, first, last)) : 0;
    size_t total = add_size(delta, delta);
    for (int l = first; l <= last; l++) total = add_size(total, buffer_floats(n_max, width_before(net, l)));
    const dc_status st = dc_mem_alloc_raw(&w->slab, total, sizeof(float), "activations");
    if (st != DC_OK) return st;
    float *next = w->slab;
    for (int l = first; l <= last; l++) w->act[l] = take_buffer(&next, buffer_floats(n_max, width_before(net, l)));
    for (int i = 0; backward && i < 2; i++) w->delta[i] = take_buffer(&next, delta);
    return DC_OK;
}

void dc_net_work_release(dc_net_work *w)
{
    dc_mem_free(&w->slab);
    *w = (dc_net_work){0};
}

static void forward_layer(const dc_layer *layer, const float *value, const float *X, int64_t n, float *Y)
{
    dc_gemm(DC_N, DC_N, n, layer->out, layer->in, 1, X, layer->in, value + layer->weight, layer->out, 0, Y, layer->out);
    dc_dense_bias_act(layer->act, value + layer->bias, n, layer->out, Y);
}

void dc_net_forward(const dc_net *net, const float *value, dc_net_work *w, int first, int last, int64_t n)
{
    DC_ASSERT(n <= w->n_max);
    for (int l = first; l < last; l++) forward_layer(&net->layer[l], value, w->act[l], n, w->act[l + 1]);
}

/* dY: gradient by the layer's output, overwritten by dT; dX may be NULL. */
static void backward_layer(const dc_layer *layer, const float *value, const float *X, const float *Y, int64_t n,
                           float *dY, float *grad, float *dX)
{
    const int64_t in = layer->in, out = layer->out;
    dc_dense_act_grad(layer->act, Y, n, out, dY, grad + layer->bias);
    dc_gemm(DC_T, DC_N, in, out, n, 1, X, in, dY, out, 0, grad + layer->weight, out);
    if (dX) dc_gemm(DC_N, DC_T, n, in, out, 1, dY, out, value + layer->weight, out, 0, dX, in);
}

void dc_net_backward(const dc_net *net, const float *value, float *grad, dc_net_work *w, int first, int last, int64_t n,
                     float *dout, float *dx)
{
    DC_ASSERT(n <= w->n_max);
    float *dY = dout;
    for (int l = last - 1; l >= first; l--) {
        float *dX = l == first ? dx : dY == w->delta[0] ? w->delta[1] : w->delta[0];
        backward_layer(&net->layer[l], value, w->act[l], w->act[l + 1], n, dY, grad, dX);
        dY = dX;
    }
}
