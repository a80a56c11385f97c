/* Pooling of images (window.h), channel by channel: the largest value that a window sees, or the mean. Pixels outside
 * the image do not count. The gradient of a largest value goes to the first pixel that has it. */
#include <math.h>
#include <string.h>

#include "dcmpi/op.h"

/* A place of the window on one image: pixels [y0, y1) x [x0, x1). */
typedef struct {
    int64_t y0, y1, x0, x1;
} view;

static view view_at(const dc_window *w, int64_t place)
{
    const int64_t y = place / w->across * w->stride - w->top, x = place % w->across * w->stride - w->left;
    return (view){DC_MAX(y, (int64_t)0), DC_MIN(y + w->kh, w->h), DC_MAX(x, (int64_t)0), DC_MIN(x + w->kw, w->w)};
}

static const dc_window *window_of(const dc_call *c)
{
    return &c->node->window;
}

/* Calls f for each place of each image of a tile. */
typedef void (*at_place)(const dc_call *c, int64_t image, int64_t place, const view *v, const float *t, bool adds,
                         float *out);

static void each_place(const dc_call *c, at_place f, const float *t, bool adds, float *out)
{
    const dc_window *w = window_of(c);
    for (int64_t i = 0; i < c->tile->n; i++)
        for (int64_t p = 0; p < dc_window_places(w); p++) {
            const view v = view_at(w, p);
            f(c, i, p, &v, t, adds, out);
        }
}

/* Where the values of an image, and of a place, begin. */
static int64_t image_at(const dc_call *c, int64_t image)
{
    return image * dc_window_image(window_of(c));
}
static int64_t place_at(const dc_call *c, int64_t image, int64_t place)
{
    return image * c->node->shape.width + place * window_of(c)->c;
}

static void clear(const dc_call *c)
{
    if (!c->adds[0]) memset(c->din[0], 0, (size_t)image_at(c, c->tile->n) * sizeof *c->din[0]);
}

/* ---- Largest values ---------------------------------------------------------------------------------------------- */

static void largest(const dc_call *c, int64_t image, int64_t place, const view *v, const float *t, bool adds,
                    float *out)
{
    const dc_window *w = window_of(c);
    const float *in = c->in[0] + image_at(c, image);
    float *y = out + place_at(c, image, place);
    (void)t, (void)adds;
    for (int64_t k = 0; k < w->c; k++) y[k] = -INFINITY;
    for (int64_t iy = v->y0; iy < v->y1; iy++)
        for (int64_t ix = v->x0; ix < v->x1; ix++) {
            const float *pixel = in + (iy * w->w + ix) * w->c;
            for (int64_t k = 0; k < w->c; k++) y[k] = y[k] >= pixel[k] || y[k] != y[k] ? y[k] : pixel[k];
        }
}

/* The pixel whose value channel k of the place has; -1: a NaN is the largest. */
static int64_t owner(const dc_call *c, int64_t image, int64_t place, const view *v, int64_t k)
{
    const dc_window *w = window_of(c);
    const float *in = c->in[0] + image_at(c, image), y = c->out[place_at(c, image, place) + k];
    for (int64_t iy = v->y0; iy < v->y1; iy++)
        for (int64_t ix = v->x0; ix < v->x1; ix++)
            if (in[(iy * w->w + ix) * w->c + k] == y) return (iy * w->w + ix) * w->c + k;
    return -1;
}

static void give_largest(const dc_call *c, int64_t image, int64_t place, const view *v, const float *t, bool adds,
                         float *out)
{
    (void)t, (void)adds;
    for (int64_t k = 0; k < window_of(c)->c; k++) {
        const int64_t at = owner(c, image, place, v, k);
        if (at >= 0) out[image_at(c, image) + at] += c->dout[place_at(c, image, place) + k];
    }
}

static void move_largest(const dc_call *c, int64_t image, int64_t place, const view *v, const float *t, bool adds,
                         float *out)
{
    for (int64_t k = 0; k < window_of(c)->c; k++) {
        const int64_t at = owner(c, image, place, v, k);
        float *y = &out[place_at(c, image, place) + k];
        const float moved = at >= 0 ? t[image_at(c, image) + at] : NAN;
        *y = adds ? *y + moved : moved;
    }
}

static void forward_max(const dc_call *c)
{
    each_place(c, largest, NULL, false, c->out);
}

static void backward_max(const dc_call *c)
{
    clear(c);
    each_place(c, give_largest, NULL, true, c->din[0]);
}

static void tangent_max(const dc_call *c, int k, const float *t, bool adds, float *out)
{
    (void)k;
    each_place(c, move_largest, t, adds, out);
}

/* ---- Means ------------------------------------------------------------------------------------------------------- */

static float share(const view *v)
{
    return 1 / (float)((v->y1 - v->y0) * (v->x1 - v->x0));
}

static void mean(const dc_call *c, int64_t image, int64_t place, const view *v, const float *t, bool adds, float *out)
{
    const dc_window *w = window_of(c);
    for (int64_t k = 0; k < w->c; k++) {
        float sum = 0, *y = &out[place_at(c, image, place) + k];
        for (int64_t iy = v->y0; iy < v->y1; iy++)
            for (int64_t ix = v->x0; ix < v->x1; ix++) sum += t[image_at(c, image) + (iy * w->w + ix) * w->c + k];
        *y = adds ? *y + share(v) * sum : share(v) * sum;
    }
}

static void give_mean(const dc_call *c, int64_t image, int64_t place, const view *v, const float *t, bool adds,
                      float *out)
{
    const dc_window *w = window_of(c);
    const float *d = c->dout + place_at(c, image, place), part = share(v);
    (void)t, (void)adds;
    for (int64_t iy = v->y0; iy < v->y1; iy++)
        for (int64_t ix = v->x0; ix < v->x1; ix++) {
            float *pixel = out + image_at(c, image) + (iy * w->w + ix) * w->c;
            for (int64_t k = 0; k < w->c; k++) pixel[k] += part * d[k];
        }
}

static void forward_avg(const dc_call *c)
{
    each_place(c, mean, c->in[0], false, c->out);
}

static void backward_avg(const dc_call *c)
{
    clear(c);
    each_place(c, give_mean, NULL, true, c->din[0]);
}

static void tangent_avg(const dc_call *c, int k, const float *t, bool adds, float *out)
{
    (void)k;
    each_place(c, mean, t, adds, out);
}

/* ---- Recording --------------------------------------------------------------------------------------------------- */

static double flops(const dc_graph *g, const dc_node *x)
{
    (void)g;
    return (double)(x->window.kh * x->window.kw) * (double)x->shape.width;
}

static const dc_op op_maxpool = {
    .name = "maxpool", .forward = forward_max, .backward = backward_max, .tangent = tangent_max, .flops = flops};
static const dc_op op_avgpool = {
    .name = "avgpool", .forward = forward_avg, .backward = backward_avg, .tangent = tangent_avg, .flops = flops};

dc_val dc_pool_layer(dc_graph *g, const dc_layer *layer, dc_val x)
{
    return dc_record(g,
                     (dc_node){.op = layer->kind == DC_LAYER_MAXPOOL ? &op_maxpool : &op_avgpool,
                               .n_in = 1,
                               .in = {x.id},
                               .window = layer->window},
                     (dc_shape){DC_ROWS, 1, layer->out});
}
