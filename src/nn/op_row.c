/* Functions of a whole row: softmax, unit length, dot product, entropy, one-hot. Arithmetic in double, values in float.
 */
#include <math.h>

#include "dcmpi/op.h"

static inline void give(const dc_call *c, int k, int64_t at, double d)
{
    c->din[k][at] = c->adds[k] ? c->din[k][at] + (float)d : (float)d;
}

static inline void put(float *out, bool adds, double d)
{
    *out = adds ? *out + (float)d : (float)d;
}

/* sum_j a_j b_j. */
static double product_of(const float *a, const float *b, int64_t width)
{
    double sum = 0;
    for (int64_t j = 0; j < width; j++) sum += (double)a[j] * (double)b[j];
    return sum;
}

/* The gradient depends on the first operand only. */
static unsigned first_curved(const dc_node *x, int k)
{
    (void)x, (void)k;
    return 1;
}

/* ---- y = softmax(scale * x): dx_j = scale y_j (dy_j - sum_k dy_k y_k) ------------------------------------------- */

static double scale_of(const dc_call *c)
{
    return c->node->n_in > 1 ? (double)c->in[1][0] : 1;
}

void dc_softmax_rows(const float *X, int64_t n, int64_t width, double scale, float *Y)
{
    for (int64_t i = 0; i < n; i++) {
        const float *x = X + i * width;
        float *y = Y + i * width;
        double most = scale * (double)x[0], sum = 0;
        for (int64_t j = 1; j < width; j++) most = fmax(most, scale * (double)x[j]);
        for (int64_t j = 0; j < width; j++) sum += exp(scale * (double)x[j] - most);
        for (int64_t j = 0; j < width; j++) y[j] = (float)(exp(scale * (double)x[j] - most) / sum);
    }
}

static void softmax(const dc_call *c)
{
    dc_softmax_rows(c->in[0], c->tile->n, c->node->shape.width, scale_of(c), c->out);
}

static void softmax_back(const dc_call *c)
{
    const int64_t width = c->node->shape.width;
    const double scale = scale_of(c);
    for (int64_t i = 0; i < c->tile->n; i++) {
        const float *y = c->out + i * width, *dy = c->dout + i * width;
        const double mean = product_of(dy, y, width);
        for (int64_t j = 0; j < width; j++) give(c, 0, i * width + j, scale * (double)y[j] * ((double)dy[j] - mean));
    }
}

static void softmax_tangent(const dc_call *c, int k, const float *t, bool adds, float *out)
{
    const int64_t width = c->node->shape.width;
    const double scale = scale_of(c);
    (void)k;
    for (int64_t i = 0; i < c->tile->n; i++, t += width) {
        const float *y = c->out + i * width;
        const double mean = product_of(t, y, width);
        for (int64_t j = 0; j < width; j++)
            put(out + i * width + j, adds, scale * (double)y[j] * ((double)t[j] - mean));
    }
}

/* Differentiates sum_j dy_j (tangent of y_j along t). The derivative with respect to y is h_j = scale (dy_j t_j - dy_j
 * (t y) - t_j (dy y)); with respect to x it is scale y_j (h_j - (h y)). */
static void softmax_curve(const dc_call *c, int k, const float *t)
{
    const int64_t width = c->node->shape.width;
    const double scale = scale_of(c);
    (void)k;
    for (int64_t i = 0; i < c->tile->n; i++, t += width) {
        const float *y = c->out + i * width, *dy = c->dout + i * width;
        const double of_dy = product_of(dy, y, width), of_t = product_of(t, y, width);
        double both = 0;
        for (int64_t j = 0; j < width; j++) both += (double)dy[j] * (double)t[j] * (double)y[j];
        for (int64_t j = 0; j < width; j++) {
            const double h = (double)dy[j] * ((double)t[j] - of_t) - (double)t[j] * of_dy;
            give(c, 0, i * width + j, scale * scale * (double)y[j] * (h - (both - 2 * of_t * of_dy)));
        }
    }
}

static const dc_op op_softmax = {.name = "softmax",
                                 .constant = 2,
                                 .forward = softmax,
                                 .backward = softmax_back,
                                 .tangent = softmax_tangent,
                                 .curved = first_curved,
                                 .curve = softmax_curve};

dc_val(dc_softmax)(dc_graph *g, dc_val x, dc_val scale)
{
    const dc_shape s = dc_graph_shape(g, scale);
    if (scale.id >= 0 && (s.space != DC_ONE || s.n * s.width != 1)) return dc_refuse(g, "softmax takes one scale");
    return dc_record(g, (dc_node){.op = &op_softmax, .n_in = scale.id >= 0 ? 2 : 1, .in = {x.id, scale.id}},
                     dc_graph_shape(g, x));
}

/* ---- y = x / |x|: dx = (dy - y (y dy)) / |x| -------------------------------------------------------------------- */

static void unit(const dc_call *c)
{
    const int64_t width = c->node->shape.width;
    for (int64_t i = 0; i < c->tile->n; i++) {
        const float *x = c->in[0] + i * width;
        const double length = sqrt(product_of(x, x, width));
        for (int64_t j = 0; j < width; j++) c->out[i * width + j] = length > 0 ? (float)((double)x[j] / length) : 0;
    }
}

/* The Jacobian is symmetric, so gradients and tangents are computed by the same function. */
static double turn(double d, double y, double along, double length)
{
    return length > 0 ? (d - y * along) / length : 0;
}

static void unit_back(const dc_call *c)
{
    const int64_t width = c->node->shape.width;
    for (int64_t i = 0; i < c->tile->n; i++) {
        const float *x = c->in[0] + i * width, *y = c->out + i * width, *dy = c->dout + i * width;
        const double length = sqrt(product_of(x, x, width)), along = product_of(y, dy, width);
        for (int64_t j = 0; j < width; j++) give(c, 0, i * width + j, turn((double)dy[j], (double)y[j], along, length));
    }
}

static void unit_tangent(const dc_call *c, int k, const float *t, bool adds, float *out)
{
    const int64_t width = c->node->shape.width;
    (void)k;
    for (int64_t i = 0; i < c->tile->n; i++, t += width) {
        const float *x = c->in[0] + i * width, *y = c->out + i * width;
        const double length = sqrt(product_of(x, x, width)), along = product_of(y, t, width);
        for (int64_t j = 0; j < width; j++)
            put(out + i * width + j, adds, turn((double)t[j], (double)y[j], along, length));
    }
}

/* Gives (y (3 (dy y)(t y) - (dy t)) - dy (t y) - t (dy y)) / |x|^2. */
static void unit_curve(const dc_call *c, int k, const float *t)
{
    const int64_t width = c->node->shape.width;
    (void)k;
    for (int64_t i = 0; i < c->tile->n; i++, t += width) {
        const float *x = c->in[0] + i * width, *y = c->out + i * width, *dy = c->dout + i * width;
        const double square = product_of(x, x, width), of_dy = product_of(dy, y, width), of_t = product_of(t, y, width),
                     along = 3 * of_dy * of_t - product_of(dy, t, width);
        for (int64_t j = 0; j < width; j++) {
            const double d = (double)y[j] * along - (double)dy[j] * of_t - (double)t[j] * of_dy;
            give(c, 0, i * width + j, square > 0 ? d / square : 0);
        }
    }
}

static const dc_op op_unit = {.name = "unit",
                              .forward = unit,
                              .backward = unit_back,
                              .tangent = unit_tangent,
                              .curved = first_curved,
                              .curve = unit_curve};

dc_val(dc_unit)(dc_graph *g, dc_val x)
{
    return dc_record(g, (dc_node){.op = &op_unit, .n_in = 1, .in = {x.id}}, dc_graph_shape(g, x));
}

/* ---- Dot product ------------------------------------------------------------------------------------------------ */

static void dot(const dc_call *c)
{
    const int64_t width = dc_in_width(c, 0);
    for (int64_t i = 0; i < c->tile->n; i++)
        c->out[i] = (float)product_of(c->in[0] + i * width, c->in[1] + i * width, width);
}

static void dot_back(const dc_call *c)
{
    const int64_t width = dc_in_width(c, 0);
    for (int k = 0; k < 2; k++)
        for (int64_t i = 0; c->din[k] && i < c->tile->n * width; i++)
            give(c, k, i, (double)c->dout[i / width] * (double)c->in[1 - k][i]);
}

static void dot_tangent(const dc_call *c, int k, const float *t, bool adds, float *out)
{
    const int64_t width = dc_in_width(c, 0);
    for (int64_t i = 0; i < c->tile->n; i++)
        put(out + i, adds, product_of(t + i * width, c->in[1 - k] + i * width, width));
}

static unsigned dot_curved(const dc_node *x, int k)
{
    (void)x;
    return 1u << (1 - k);
}

static void dot_curve(const dc_call *c, int k, const float *t)
{
    const int64_t width = dc_in_width(c, 0);
    for (int64_t i = 0; i < c->tile->n * width; i++) give(c, 1 - k, i, (double)c->dout[i / width] * (double)t[i]);
}

static const dc_op op_dot = {.name = "dot",
                             .forward = dot,
                             .backward = dot_back,
                             .tangent = dot_tangent,
                             .curved = dot_curved,
                             .curve = dot_curve};

dc_val(dc_dot)(dc_graph *g, dc_val a, dc_val b)
{
    const dc_shape x = dc_graph_shape(g, a), y = dc_graph_shape(g, b);
    if (x.space != y.space || x.n != y.n || x.width != y.width)
        return dc_refuse(g, "dot product of rows of width %lld and %lld", (long long)x.width, (long long)y.width);
    return dc_record(g, (dc_node){.op = &op_dot, .n_in = 2, .in = {a.id, b.id}}, (dc_shape){x.space, x.n, 1});
}

/* ---- y = sum x log x: dx_j = dy (1 + log x_j) ------------------------------------------------------------------- */

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

/* At 0 we use the derivative at the smallest positive float, which is large but finite. */
static const double LEAST = 0x1p-149;

static void neg_entropy_back(const dc_call *c)
{
    const int64_t width = dc_in_width(c, 0);
    for (int64_t i = 0; i < c->tile->n * width; i++)
        give(c, 0, i, (double)c->dout[i / width] * (1 + log(fmax((double)c->in[0][i], LEAST))));
}

static void neg_entropy_tangent(const dc_call *c, int k, const float *t, bool adds, float *out)
{
    const int64_t width = dc_in_width(c, 0);
    (void)k;
    for (int64_t i = 0; i < c->tile->n; i++, t += width) {
        double sum = 0;
        for (int64_t j = 0; j < width; j++)
            sum += (double)t[j] * (1 + log(fmax((double)c->in[0][i * width + j], LEAST)));
        put(out + i, adds, sum);
    }
}

static void neg_entropy_curve(const dc_call *c, int k, const float *t)
{
    const int64_t width = dc_in_width(c, 0);
    (void)k;
    for (int64_t i = 0; i < c->tile->n * width; i++) {
        const double x = (double)c->in[0][i];
        give(c, 0, i, x > LEAST ? (double)c->dout[i / width] * (double)t[i] / x : 0);
    }
}

static const dc_op op_neg_entropy = {.name = "neg-entropy",
                                     .forward = neg_entropy,
                                     .backward = neg_entropy_back,
                                     .tangent = neg_entropy_tangent,
                                     .curved = first_curved,
                                     .curve = neg_entropy_curve};

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
