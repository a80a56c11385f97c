/* The gradient of an activation as an operation, for dc_grad of a layer: with y = act(t), it computes g = d act'(t)
 * elementwise from y. */
#include "dcmpi/op.h"
#include "nn/act.h"

enum { D, Y };

static dc_act act_of(const dc_node *x)
{
    return (dc_act)x->whole[0];
}

static void forward(const dc_call *c)
{
    const int64_t count = c->tile->n * c->node->shape.width;
    for (int64_t j = 0; j < count; j += DC_VEC_LANES)
        dc_vec_store(c->out + j, count - j,
                     dc_vec_act_grad(act_of(c->node), dc_vec_load(c->in[Y] + j, count - j),
                                     dc_vec_load(c->in[D] + j, count - j)));
}

/* The derivative of act'(t) with respect to y. */
static dc_vec bend(dc_act act, dc_vec y)
{
    return act == DC_ACT_TANH ? -2.0f * y : 1.0f - 2.0f * y;
}

static inline void give(const dc_call *c, int k, int64_t j, int64_t count, dc_vec v)
{
    float *d = c->din[k] + j;
    dc_vec_store(d, count, c->adds[k] ? dc_vec_load(d, count) + v : v);
}

static void backward(const dc_call *c)
{
    const dc_act act = act_of(c->node);
    const int64_t count = c->tile->n * c->node->shape.width;
    for (int64_t j = 0; j < count; j += DC_VEC_LANES) {
        const int64_t rest = count - j;
        const dc_vec y = dc_vec_load(c->in[Y] + j, rest), dout = dc_vec_load(c->dout + j, rest),
                     d = dc_vec_load(c->in[D] + j, rest);
        if (c->din[D]) give(c, D, j, rest, dc_vec_act_grad(act, y, dout));
        if (c->din[Y]) give(c, Y, j, rest, d * dout * bend(act, y));
    }
}

static const dc_op act_grad = {.name = "act-grad", .forward = forward, .backward = backward};

/* Whether act' varies with y; for the other activations it is piecewise constant. */
static bool is_curved(dc_act act)
{
    return act == DC_ACT_TANH || act == DC_ACT_SIGMOID;
}

dc_val dc_act_slope(dc_graph *g, dc_act act, dc_val d, dc_val y)
{
    if (act == DC_ACT_LINEAR) return d;
    const dc_node node = {
        .op = &act_grad, .n_in = 2, .in = {d.id, y.id}, .constant = is_curved(act) ? 0 : 1u << Y, .whole = {act}};
    return dc_record(g, node, dc_graph_shape(g, d));
}
