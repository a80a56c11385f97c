/* Activations as operations of their own.
 *
 * act-grad: the gradient of an activation, for dc_grad of a layer: with y = act(t), it computes g = d act'(t)
 * elementwise from y.
 *
 * gelu: y = t Phi(t). It takes most of its values at two places, so its derivative Phi(t) + t phi(t) needs t, not y. */
#include <math.h>

#include "dcmpi/op.h"
#include "nn/act.h"

enum { D, Y };

static dc_act act_of(const dc_node *x)
{
    return (dc_act)x->whole[0];
}

static inline void put(float *out, int64_t count, bool adds, dc_vec v)
{
    dc_vec_store(out, count, adds ? dc_vec_load(out, count) + v : v);
}

static int64_t count_of(const dc_call *c)
{
    return c->tile->n * c->node->shape.width;
}

static void slope(const dc_call *c)
{
    const int64_t count = count_of(c);
    for (int64_t j = 0; j < count; j += DC_VEC_LANES)
        dc_vec_store(c->out + j, count - j,
                     dc_vec_act_grad(act_of(c->node), dc_vec_load(c->in[Y] + j, count - j),
                                     dc_vec_load(c->in[D] + j, count - j)));
}

/* The derivative of act'(t) with respect to y. */
static dc_vec bend(dc_act act, dc_vec y)
{
    switch (act) {
    case DC_ACT_TANH:
        return -2.0f * y;
    case DC_ACT_SIGMOID:
        return 1.0f - 2.0f * y;
    case DC_ACT_SOFTPLUS:
        return dc_vec_exp(-y);
    default: /* elu and selu */
        return dc_vec_select(y > 0.0f, (dc_vec){0}, (dc_vec){0} + 1.0f);
    }
}

static void slope_back(const dc_call *c)
{
    const dc_act act = act_of(c->node);
    const int64_t count = count_of(c);
    for (int64_t j = 0; j < count; j += DC_VEC_LANES) {
        const int64_t rest = count - j;
        const dc_vec y = dc_vec_load(c->in[Y] + j, rest), dout = dc_vec_load(c->dout + j, rest),
                     d = dc_vec_load(c->in[D] + j, rest);
        if (c->din[D]) put(c->din[D] + j, rest, c->adds[D], dc_vec_act_grad(act, y, dout));
        if (c->din[Y]) put(c->din[Y] + j, rest, c->adds[Y], d * dout * bend(act, y));
    }
}

static const dc_op act_grad = {.name = "act-grad", .forward = slope, .backward = slope_back};

/* Whether act' varies with y; for the other activations it is piecewise constant. */
static bool is_curved(dc_act act)
{
    return act != DC_ACT_RELU && act != DC_ACT_LEAKY_RELU;
}

dc_val dc_act_slope(dc_graph *g, dc_act act, dc_val d, dc_val y)
{
    if (act == DC_ACT_LINEAR) return d;
    const dc_node node = {
        .op = &act_grad, .n_in = 2, .in = {d.id, y.id}, .constant = is_curved(act) ? 0 : 1u << Y, .whole = {act}};
    return dc_record(g, node, dc_graph_shape(g, d));
}

/* ---- gelu ------------------------------------------------------------------------------------------------------- */

/* Phi(t), and the density phi(t). Abramowitz and Stegun, 7.1.26: erfc(u) = exp(-u^2) (a1 s + .. + a5 s^5) with
 * s = 1 / (1 + p u), u = |t| / sqrt(2); error below 1e-7. */
static inline dc_vec normal_parts(dc_vec t, dc_vec *density)
{
    const dc_vec u = dc_vec_abs(t) * (float)M_SQRT1_2, e = dc_vec_exp(-u * u), s = 1.0f / (1.0f + 0.3275911f * u);
    const dc_vec p = ((((1.061405429f * s - 1.453152027f) * s + 1.421413741f) * s - 0.284496736f) * s + 0.254829592f);
    const dc_vec tail = 0.5f * e * (p * s);
    *density = e * (float)(0.5 * M_2_SQRTPI * M_SQRT1_2);
    return dc_vec_select(t < 0.0f, tail, 1.0f - tail);
}

static void gelu(const dc_call *c)
{
    const int64_t count = count_of(c);
    for (int64_t j = 0; j < count; j += DC_VEC_LANES) {
        dc_vec density;
        const dc_vec t = dc_vec_load(c->in[0] + j, count - j);
        dc_vec_store(c->out + j, count - j, t * normal_parts(t, &density));
    }
}

/* out = d gelu'(t), or out += that. */
static void gelu_along(const dc_call *c, const float *d, bool adds, float *out)
{
    const int64_t count = count_of(c);
    for (int64_t j = 0; j < count; j += DC_VEC_LANES) {
        dc_vec density;
        const dc_vec t = dc_vec_load(c->in[0] + j, count - j), phi = normal_parts(t, &density);
        put(out + j, count - j, adds, dc_vec_load(d + j, count - j) * (phi + t * density));
    }
}

static void gelu_back(const dc_call *c)
{
    gelu_along(c, c->dout, c->adds[0], c->din[0]);
}

static void gelu_tangent(const dc_call *c, int k, const float *t, bool adds, float *out)
{
    (void)k;
    gelu_along(c, t, adds, out);
}

static unsigned gelu_curved(const dc_node *x, int k)
{
    (void)x, (void)k;
    return 1;
}

/* gelu''(t) = phi(t) (2 - t^2). */
static void gelu_curve(const dc_call *c, int k, const float *along)
{
    const int64_t count = count_of(c);
    (void)k;
    for (int64_t j = 0; j < count; j += DC_VEC_LANES) {
        const int64_t rest = count - j;
        dc_vec density;
        const dc_vec t = dc_vec_load(c->in[0] + j, rest);
        (void)normal_parts(t, &density);
        put(c->din[0] + j, rest, c->adds[0],
            dc_vec_load(c->dout + j, rest) * dc_vec_load(along + j, rest) * density * (2.0f - t * t));
    }
}

static const dc_op op_gelu = {.name = "gelu",
                              .forward = gelu,
                              .backward = gelu_back,
                              .tangent = gelu_tangent,
                              .curved = gelu_curved,
                              .curve = gelu_curve};

dc_val dc_act_gelu(dc_graph *g, dc_val t)
{
    return dc_record(g, (dc_node){.op = &op_gelu, .n_in = 1, .in = {t.id}}, dc_graph_shape(g, t));
}
