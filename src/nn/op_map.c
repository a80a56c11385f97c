/* Elementwise functions. If a function has two operands, they may be spread: a vector over all rows, a value per row
 * over the row's columns, a scalar over both. */
#include <math.h>

#include "dcmpi/op.h"

static dc_function function_of(const dc_call *c)
{
    return (dc_function)c->node->whole[0];
}

/* Distances between the values of an operand: from one row to the next, and from one column to the next. */
typedef struct {
    int64_t row, column;
} stride;

static stride stride_of(const dc_call *c, int k)
{
    const dc_node *in = dc_node_in(c->graph, c->node, k);
    const int64_t width = in->shape.width;
    const bool one_row = in->shape.n == 1 && in->shape.space == DC_ONE && c->node->shape.space == DC_ROWS;
    const bool spread = in->shape.n == 1 && in->shape.space == DC_ONE && c->node->shape.n > 1;
    return (stride){.row = one_row || spread ? 0 : width, .column = width == 1 ? 0 : 1};
}

/* Never overflows. */
static float sigmoid(float a)
{
    const float u = expf(-fabsf(a));
    return (a < 0 ? u : 1) / (1 + u);
}

static float value_of(dc_function f, float a, float b)
{
    switch (f) {
    case DC_ADD:
        return a + b;
    case DC_SUB:
        return a - b;
    case DC_MUL:
        return a * b;
    case DC_EXP:
        return expf(a);
    case DC_SQUARE:
        return a * a;
    case DC_TANH:
        return tanhf(a);
    case DC_SIGMOID:
        return sigmoid(a);
    case DC_SOFTPLUS:
        return fmaxf(a, 0) + log1pf(expf(-fabsf(a)));
    case DC_LOG:
        return logf(a);
    case DC_SQRT:
        return sqrtf(a);
    case DC_RECIPROCAL:
        return 1 / a;
    }
    DC_ASSERT(!"unknown function");
}

/* Derivative with respect to operand k. */
static float slope_of(dc_function f, int k, float a, float b, float out)
{
    switch (f) {
    case DC_ADD:
        return 1;
    case DC_SUB:
        return k == 0 ? 1 : -1;
    case DC_MUL:
        return k == 0 ? b : a;
    case DC_EXP:
        return out;
    case DC_SQUARE:
        return 2 * a;
    case DC_TANH:
        return 1 - out * out;
    case DC_SIGMOID:
        return out * (1 - out);
    case DC_SOFTPLUS:
        return sigmoid(a);
    case DC_LOG:
        return 1 / a;
    case DC_SQRT:
        return 0.5f / out;
    case DC_RECIPROCAL:
        return -out * out;
    }
    DC_ASSERT(!"unknown function");
}

static void forward(const dc_call *c)
{
    const int64_t width = c->node->shape.width;
    const stride a = stride_of(c, 0), b = c->node->n_in > 1 ? stride_of(c, 1) : (stride){0};
    const float *second = c->node->n_in > 1 ? c->in[1] : c->in[0];
    for (int64_t i = 0; i < c->tile->n; i++)
        for (int64_t j = 0; j < width; j++)
            c->out[i * width + j] =
                value_of(function_of(c), c->in[0][i * a.row + j * a.column], second[i * b.row + j * b.column]);
}

/* The nonzero second derivative: with respect to both operands of a product, or twice to the only operand of another
 * function. */
static float bend_of(dc_function f, float a, float out)
{
    switch (f) {
    case DC_ADD:
    case DC_SUB:
        return 0;
    case DC_MUL:
        return 1;
    case DC_EXP:
        return out;
    case DC_SQUARE:
        return 2;
    case DC_TANH:
        return -2 * out * (1 - out * out);
    case DC_SIGMOID:
        return out * (1 - out) * (1 - 2 * out);
    case DC_SOFTPLUS:
        return sigmoid(a) * (1 - sigmoid(a));
    case DC_LOG:
        return -1 / (a * a);
    case DC_SQRT:
        return -0.25f / (a * out);
    case DC_RECIPROCAL:
        return 2 * out * out * out;
    }
    DC_ASSERT(!"unknown function");
}

/* What is differentiated with respect to the operands. t NULL: the operation itself; else sum dout * tangent, where t
 * is the tangent's direction in operand `along`. */
typedef struct {
    const dc_call *c;
    const float *t;
    int along;
} source;

static float slope_at(const dc_call *c, int k, int64_t i, int64_t j)
{
    const stride a = stride_of(c, 0), b = c->node->n_in > 1 ? stride_of(c, 1) : (stride){0};
    const float second = c->node->n_in > 1 ? c->in[1][i * b.row + j * b.column] : 0;
    return slope_of(function_of(c), k, c->in[0][i * a.row + j * a.column], second,
                    c->out[i * c->node->shape.width + j]);
}

/* What element (i, j) of the result adds to the gradient of operand k. */
static float gradient_at(const source *s, int k, int64_t i, int64_t j)
{
    const dc_call *c = s->c;
    const int64_t at = i * c->node->shape.width + j;
    if (!s->t) return c->dout[at] * slope_at(c, k, i, j);
    const stride t = stride_of(c, s->along), a = stride_of(c, 0);
    return c->dout[at] * s->t[i * t.row + j * t.column] *
           bend_of(function_of(c), c->in[0][i * a.row + j * a.column], c->out[at]);
}

/* Gives operand k its gradient. A value that is spread over columns gets the sum over them. add_parts() handles vectors
 * that are spread over the rows of the batch. */
static void give(const source *s, int k)
{
    const dc_call *c = s->c;
    const int64_t width = c->node->shape.width, in_width = dc_in_width(c, k);
    const stride to = stride_of(c, k);
    float *d = c->din[k];
    if (!c->adds[k])
        for (int64_t i = 0; i < c->tile->n * in_width; i++) d[i] = 0;
    for (int64_t i = 0; i < c->tile->n; i++) {
        if (to.column) {
            for (int64_t j = 0; j < width; j++) d[i * to.row + j] += gradient_at(s, k, i, j);
            continue;
        }
        double sum = 0;
        for (int64_t j = 0; j < width; j++) sum += (double)gradient_at(s, k, i, j);
        d[i * to.row] += (float)sum;
    }
}

static void add_parts(const source *s, int k, double *sum)
{
    const dc_call *c = s->c;
    const stride to = stride_of(c, k);
    for (int64_t i = 0; i < c->tile->n; i++)
        for (int64_t j = 0; j < c->node->shape.width; j++) sum[j * to.column] += (double)gradient_at(s, k, i, j);
}

static void backward(const dc_call *c)
{
    const source s = {.c = c};
    for (int k = 0; k < c->node->n_in; k++)
        if (c->din[k]) give(&s, k);
}

static void partial(const dc_call *c, int k, double *sum)
{
    const source s = {.c = c};
    add_parts(&s, k, sum);
}

static void tangent(const dc_call *c, int k, const float *t, bool adds, float *out)
{
    const int64_t width = c->node->shape.width;
    const stride along = stride_of(c, k);
    for (int64_t i = 0; i < c->tile->n; i++)
        for (int64_t j = 0; j < width; j++) {
            const float d = t[i * along.row + j * along.column] * slope_at(c, k, i, j);
            out[i * width + j] = adds ? out[i * width + j] + d : d;
        }
}

static unsigned curved(const dc_node *x, int k)
{
    const dc_function f = (dc_function)x->whole[0];
    if (f == DC_MUL) return 1u << (1 - k);
    return f != DC_ADD && f != DC_SUB;
}

static void curve(const dc_call *c, int k, const float *t)
{
    const source s = {c, t, k};
    for (int j = 0; j < c->node->n_in; j++)
        if (c->din[j]) give(&s, j);
}

static void curve_partial(const dc_call *c, int k, const float *t, int j, double *sum)
{
    const source s = {c, t, k};
    add_parts(&s, j, sum);
}

static const dc_op map = {.name = "map",
                          .forward = forward,
                          .backward = backward,
                          .partial = partial,
                          .tangent = tangent,
                          .curved = curved,
                          .curve = curve,
                          .curve_partial = curve_partial};

static bool has_two(dc_function f)
{
    return f == DC_ADD || f == DC_SUB || f == DC_MUL;
}

/* Whether operand x can be spread to the shape `to`. */
static bool spreads(dc_shape x, dc_shape to)
{
    if (x.space == DC_ROWS && to.space == DC_ONE) return false;
    const bool rows = x.space == to.space ? x.n == to.n || x.n == 1 : x.n == 1;
    return rows && (x.width == to.width || x.width == 1);
}

dc_val(dc_map)(dc_graph *g, dc_function f, dc_val a, dc_val b)
{
    if (!has_two(f))
        return dc_record(g, (dc_node){.op = &map, .n_in = 1, .in = {a.id}, .whole = {f}}, dc_graph_shape(g, a));
    const dc_shape x = dc_graph_shape(g, a), y = dc_graph_shape(g, b);
    const bool rows = x.space == DC_ROWS || y.space == DC_ROWS;
    const dc_shape out = {rows ? DC_ROWS : DC_ONE, DC_MAX(x.n, y.n), DC_MAX(x.width, y.width)};
    if (!spreads(x, out) || !spreads(y, out))
        return dc_refuse(g, "values of [%lld x %lld] and [%lld x %lld] do not fit together", (long long)x.n,
                         (long long)x.width, (long long)y.n, (long long)y.width);
    return dc_record(g, (dc_node){.op = &map, .n_in = 2, .in = {a.id, b.id}, .whole = {f}}, out);
}
