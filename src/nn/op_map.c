/* Functions element by element. The second operand of a function of two may be spread: a vector over all rows, a value
 * per row over its columns, a scalar over both. */
#include <math.h>

#include "dcmpi/op.h"

static dc_function function_of(const dc_call *c)
{
    return (dc_function)c->node->whole[0];
}

/* Where the values of operand k for row i begin, and their distance. */
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

/* Gradient of element (i, j) with respect to operand k. */
static float gradient_at(const dc_call *c, int k, int64_t i, int64_t j)
{
    const int64_t at = i * c->node->shape.width + j;
    const stride a = stride_of(c, 0), b = c->node->n_in > 1 ? stride_of(c, 1) : (stride){0};
    const float second = c->node->n_in > 1 ? c->in[1][i * b.row + j * b.column] : 0;
    return c->dout[at] * slope_of(function_of(c), k, c->in[0][i * a.row + j * a.column], second, c->out[at]);
}

/* A value that is spread over columns gets the sum over them; a vector that is spread over rows is summed apart if the
 * rows are those of the batch. */
static void give(const dc_call *c, int k)
{
    const int64_t width = c->node->shape.width, in_width = dc_in_width(c, k);
    const stride to = stride_of(c, k);
    float *d = c->din[k];
    if (!c->adds[k])
        for (int64_t i = 0; i < c->tile->n * in_width; i++) d[i] = 0;
    for (int64_t i = 0; i < c->tile->n; i++) {
        if (to.column) {
            for (int64_t j = 0; j < width; j++) d[i * to.row + j] += gradient_at(c, k, i, j);
            continue;
        }
        double sum = 0;
        for (int64_t j = 0; j < width; j++) sum += (double)gradient_at(c, k, i, j);
        d[i * to.row] += (float)sum;
    }
}

static void backward(const dc_call *c)
{
    for (int k = 0; k < c->node->n_in; k++)
        if (c->din[k]) give(c, k);
}

static void partial(const dc_call *c, int k, double *sum)
{
    const stride to = stride_of(c, k);
    for (int64_t i = 0; i < c->tile->n; i++)
        for (int64_t j = 0; j < c->node->shape.width; j++) sum[j * to.column] += (double)gradient_at(c, k, i, j);
}

static const dc_op map = {.name = "map", .forward = forward, .backward = backward, .partial = partial};

static bool has_two(dc_function f)
{
    return f == DC_ADD || f == DC_SUB || f == DC_MUL;
}

/* Whether operand x may stand for a value of this shape. */
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
