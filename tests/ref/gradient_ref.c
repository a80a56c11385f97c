/* Forward and backward of one row at a time on numbers with a bound on their error: |computed - v| <= e. A sum of k
 * products in any order has a relative error of at most gamma(k) against the sum of their sizes (Higham, Accuracy and
 * Stability of Numerical Algorithms, 2nd ed., section 3.1). */
#include "gradient_ref.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    long double v, e;
} number;

static const long double UNIT = 0x1p-24L;

static long double gamma_of(int64_t k)
{
    return (long double)k * UNIT / (1 - (long double)k * UNIT);
}

/* Adds a * b to a sum of products; adds the error due to the factors to s->e, and the size to *size. */
static void add_product(number *s, long double *size, number a, number b)
{
    const long double largest = (fabsl(a.v) + a.e) * (fabsl(b.v) + b.e);
    s->v += a.v * b.v;
    s->e += largest - fabsl(a.v * b.v);
    *size += largest;
}

static number weight_at(const dc_layer *layer, const float *params, int64_t i, int64_t j)
{
    return (number){(long double)params[layer->weight + (size_t)(i * layer->out + j)], 0};
}

/* Our tanh is right to about 3 units; no slope is larger than 1. */
static number activate(dc_act act, number t)
{
    return act == DC_ACT_LINEAR ? t : (number){tanhl(t.v), t.e + 8 * UNIT * fabsl(tanhl(t.v))};
}

static void forward_layer(const dc_layer *layer, const float *params, const number *x, number *y)
{
    for (int64_t j = 0; j < layer->out; j++) {
        number t = {(long double)params[layer->bias + (size_t)j], 0};
        long double size = fabsl(t.v);
        for (int64_t i = 0; i < layer->in; i++) add_product(&t, &size, x[i], weight_at(layer, params, i, j));
        t.e += gamma_of(layer->in + 1) * size;
        y[j] = activate(layer->act, t);
    }
}

/* 2 (y - x) / (B D): three roundings. */
static number loss_slope(number y, float x, int64_t B, int64_t D)
{
    const long double s = 2 / ((long double)B * (long double)D), d = y.v - (long double)x;
    return (number){s * d, s * y.e + 4 * UNIT * s * (fabsl(d) + y.e)};
}

/* dy (1 - y^2): the bracket is rounded to two units of 1. */
static number slope_before(dc_act act, number y, number dy)
{
    if (act == DC_ACT_LINEAR) return dy;
    const number bracket = {1 - y.v * y.v, y.e * (2 * fabsl(y.v) + y.e) + 2 * UNIT};
    number d = {0, 0};
    long double size = 0;
    add_product(&d, &size, dy, bracket);
    d.e += UNIT * size;
    return d;
}

static void back_layer(const dc_layer *layer, const float *params, const number *dt, number *dx)
{
    for (int64_t i = 0; i < layer->in; i++) {
        long double size = 0;
        dx[i] = (number){0, 0};
        for (int64_t j = 0; j < layer->out; j++) add_product(&dx[i], &size, dt[j], weight_at(layer, params, i, j));
        dx[i].e += gamma_of(layer->out) * size;
    }
}

/* Adds x * dt to the gradient of the layer; gamma: that of the sum over the batch. */
static void add_outer(const dc_layer *layer, const number *x, const number *dt, long double gamma, double *value,
                      double *bound)
{
    for (int64_t i = 0; i <= layer->in; i++)
        for (int64_t j = 0; j < layer->out; j++) {
            const number one = {1, 0};
            const size_t at = i < layer->in ? layer->weight + (size_t)(i * layer->out + j) : layer->bias + (size_t)j;
            number p = {0, 0};
            long double size = 0;
            add_product(&p, &size, i < layer->in ? x[i] : one, dt[j]);
            value[at] += (double)p.v;
            bound[at] += (double)(p.e + gamma * size);
        }
}

static int64_t widest(const dc_net *net)
{
    int64_t width = net->D;
    for (int l = 0; l < net->n_layers; l++) width = DC_MAX(width, net->layer[l].out);
    return width;
}

void gradient_ref(const dc_net *net, const float *params, const float *x, int64_t n, int64_t B, double *value,
                  double *bound)
{
    const int last = net->n_layers;
    const int64_t width = widest(net);
    number *y = calloc((size_t)((last + 3) * width), sizeof *y), *dt = y + (last + 1) * width, *dx = dt + width;
    memset(value, 0, net->n_params * sizeof *value);
    memset(bound, 0, net->n_params * sizeof *bound);
    for (int64_t r = 0; r < n; r++) {
        for (int64_t i = 0; i < net->D; i++) y[i] = (number){(long double)x[r * net->D + i], 0};
        for (int l = 0; l < last; l++) forward_layer(&net->layer[l], params, y + l * width, y + (l + 1) * width);
        for (int64_t i = 0; i < net->D; i++) dx[i] = loss_slope(y[last * width + i], x[r * net->D + i], B, net->D);
        for (int l = last - 1; l >= 0; l--) {
            const dc_layer *layer = &net->layer[l];
            for (int64_t j = 0; j < layer->out; j++) dt[j] = slope_before(layer->act, y[(l + 1) * width + j], dx[j]);
            add_outer(layer, y + l * width, dt, gamma_of(B), value, bound);
            if (l > 0) back_layer(layer, params, dt, dx);
        }
    }
    free(y);
}
