/* Functions of a whole row: softmax, unit length, dot product, entropy, one-hot. Arithmetic in double, values in float.
 */
#include <math.h>

#include "dcmpi/op.h"

static inline void give(const dc_call *c, int k, int64_t at, double d)
{
    c->din[k][at] = c->adds[k] ? c->din[k][at] + (float)d : (float)d;
}

/* ---- Softmax of scale * x: (y), dx_j = scale y_j (dy_j - sum_k dy_k y_k) ---------------------------------------- */

static double scale_of(const dc_call *c)
{
    return c->node->n_in > 1 ? (double)c->in[1][0] : 1;
}

static void softmax(const dc_call *c)
{
    const int64_t width = c->node->shape.width;
    const double scale = scale_of(c);
    for (int64_t i = 0; i < c->tile->n; i++) {
        const float *x = c->in[0] + i * width;
        float *y = c->out + i * width;
        double most = scale * (double)x[0], sum = 0;
        for (int64_t j = 1; j < width; j++) most = fmax(most, scale * (double)x[j]);
        for (int64_t j = 0; j < width; j++) sum += exp(scale * (double)x[j] - most);
        for (int64_t j = 0; j < width; j++) y[j] = (float)(exp(scale * (double)x[j] - most) / sum);
    }
}

static void softmax_back(const dc_call *c)
{
    const int64_t width = c->node->shape.width;
    const double scale = scale_of(c);
    for (int64_t i = 0; i < c->tile->n; i++) {
        const float *y = c->out + i * width, *dy = c->dout + i * width;
        double mean = 0;
        for (int64_t j = 0; j < width; j++) mean += (double)dy[j] * (double)y[j];
        for (int64_t j = 0; j < width; j++) give(c, 0, i * width + j, scale * (double)y[j] * ((double)dy[j] - mean));
    }
}

static const dc_op op_softmax = {.name = "softmax", .constant = 2, .forward = softmax, .backward = softmax_back};

dc_val(dc_softmax)(dc_graph *g, dc_val x, dc_val scale)
{
    const dc_shape s = dc_graph_shape(g, scale);
    if (scale.id >= 0 && (s.space != DC_ONE || s.n * s.width != 1)) return dc_refuse(g, "softmax takes one scale");
    return dc_record(g, (dc_node){.op = &op_softmax, .n_in = scale.id >= 0 ? 2 : 1, .in = {x.id, scale.id}},
                     dc_graph_shape(g, x));
}

/* ---- x / |x|: dx = (dy - y (y dy)) / |x| ------------------------------------------------------------------------ */

static double length_of(const float *x, int64_t width)
{
    double sum = 0;
    for (int64_t j = 0; j < width; j++) sum += (double)x[j] * (double)x[j];
    return sqrt(sum);
}

static void unit(const dc_call *c)
{
    const int64_t width = c->node->shape.width;
    for (int64_t i = 0; i < c->tile->n; i++) {
        const float *x = c->in[0] + i * width;
        const double length = length_of(x, width);
        for (int64_t j = 0; j < width; j++) c->out[i * width + j] = length > 0 ? (float)((double)x[j] / length) : 0;
    }
}

static void unit_back(const dc_call *c)
{
    const int64_t width = c->node->shape.width;
    for (int64_t i = 0; i < c->tile->n; i++) {
        const float *y = c->out + i * width, *dy = c->dout + i * width;
        const double length = length_of(c->in[0] + i * width, width);
        double along = 0;
        for (int64_t j = 0; j < width; j++) along += (double)y[j] * (double)dy[j];
        for (int64_t j = 0; j < width; j++)
            give(c, 0, i * width + j, length > 0 ? ((double)dy[j] - (double)y[j] * along) / length : 0);
    }
}

static const dc_op op_unit = {.name = "unit", .forward = unit, .backward = unit_back};

dc_val(dc_unit)(dc_graph *g, dc_val x)
{
    return dc_record(g, (dc_node){.op = &op_unit, .n_in = 1, .in = {x.id}}, dc_graph_shape(g, x));
}

/* ---- Dot product ------------------------------------------------------------------------------------------------ */

static void dot(const dc_call *c)
{
    const int64_t width = dc_in_width(c, 0);
    for (int64_t i = 0; i < c->tile->n; i++) {
        double sum = 0;
        for (int64_t j = 0; j < width; j++) sum += (double)c->in[0][i * width + j] * (double)c->in[1][i * width + j];
        c->out[i] = (float)sum;
    }
}

static void dot_back(const dc_call *c)
{
    const int64_t width = dc_in_width(c, 0);
    for (int k = 0; k < 2; k++)
        for (int64_t i = 0; c->din[k] && i < c->tile->n * width; i++)
            give(c, k, i, (double)c->dout[i / width] * (double)c->in[1 - k][i]);
}

static const dc_op op_dot = {.name = "dot", .forward = dot, .backward = dot_back};

dc_val(dc_dot)(dc_graph *g, dc_val a, dc_val b)
{
    const dc_shape x = dc_graph_shape(g, a), y = dc_graph_shape(g, b);
    if (x.space != y.space || x.n != y.n || x.width != y.width)
        return dc_refuse(g, "dot product of rows of width %lld and %lld", (long long)x.width, (long long)y.width);
    return dc_record(g, (dc_node){.op = &op_dot, .n_in = 2, .in = {a.id, b.id}}, (dc_shape){x.space, x.n, 1});
}

/* ---- sum x log x: dx_j = dy (1 + log x_j) ----------------------------------------------------------------------- */

static void neg_entropy(const dc_call *c)
{
    const int64_t width = dc_in_width(c, 0);
    for (int64_t i = 0; i < c->tile->n; i++) {
        double sum = 0;
        for (int64_t j = 0; j < width; j++) {
            const double x = (double)c->in[0][i * width + j];
            sum += x > 0 ? x * log(x) : x == 0 ? 0 : NAN;
        }
        c->out[i] = (float)sum;
    }
}

/* At 0 the derivative is that at the least positive float: large and finite. */
static void neg_entropy_back(const dc_call *c)
{
    const int64_t width = dc_in_width(c, 0);
    for (int64_t i = 0; i < c->tile->n * width; i++)
        give(c, 0, i, (double)c->dout[i / width] * (1 + log(fmax((double)c->in[0][i], 0x1p-149))));
}

static const dc_op op_neg_entropy = {.name = "neg-entropy", .forward = neg_entropy, .backward = neg_entropy_back};

dc_val(dc_neg_entropy)(dc_graph *g, dc_val x)
{
    const dc_shape s = dc_graph_shape(g, x);
    return dc_record(g, (dc_node){.op = &op_neg_entropy, .n_in = 1, .in = {x.id}}, (dc_shape){s.space, s.n, 1});
}

/* ---- Constants -------------------------------------------------------------------------------------------------- */

static void copy(const dc_call *c)
{
    for (int64_t i = 0; i < c->tile->n * c->node->shape.width; i++) c->out[i] = c->in[0][i];
}

static const dc_op op_stop = {.name = "stop-gradient", .constant = 1, .forward = copy};

dc_val(dc_stop_gradient)(dc_graph *g, dc_val x)
{
    return dc_record(g, (dc_node){.op = &op_stop, .n_in = 1, .in = {x.id}}, dc_graph_shape(g, x));
}

static void onehot(const dc_call *c)
{
    const int64_t width = c->node->shape.width;
    for (int64_t i = 0; i < c->tile->n; i++)
        for (int64_t j = 0; j < width; j++) c->out[i * width + j] = (float)j == c->in[0][i];
}

static const dc_op op_onehot = {.name = "onehot", .constant = 1, .forward = onehot};

dc_val(dc_onehot)(dc_graph *g, dc_val x, int64_t n)
{
    if (dc_graph_shape(g, x).width != 1) return dc_refuse(g, "one-hot of more than one value per row");
    return dc_record(g, (dc_node){.op = &op_onehot, .n_in = 1, .in = {x.id}}, (dc_shape){DC_ROWS, 1, n});
}
