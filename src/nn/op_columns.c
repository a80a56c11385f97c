/* Columns of rows, or of a vector: two values side by side, and some of the columns of one. */
#include "dcmpi/op.h"

static inline void give(float *d, bool adds, float v)
{
    *d = adds ? *d + v : v;
}

/* Operand k of a concatenation lies in the columns from this one on. */
static int64_t first_of(const dc_call *c, int k)
{
    return k == 0 ? 0 : dc_in_width(c, 0);
}

static void concat(const dc_call *c)
{
    const int64_t width = c->node->shape.width;
    for (int k = 0; k < 2; k++) {
        const int64_t in = dc_in_width(c, k), first = first_of(c, k);
        for (int64_t i = 0; i < c->tile->n; i++)
            for (int64_t j = 0; j < in; j++) c->out[i * width + first + j] = c->in[k][i * in + j];
    }
}

static void concat_back(const dc_call *c)
{
    const int64_t width = c->node->shape.width;
    for (int k = 0; k < 2; k++) {
        const int64_t in = dc_in_width(c, k), first = first_of(c, k);
        for (int64_t i = 0; c->din[k] && i < c->tile->n; i++)
            for (int64_t j = 0; j < in; j++) give(&c->din[k][i * in + j], c->adds[k], c->dout[i * width + first + j]);
    }
}

static void concat_tangent(const dc_call *c, int k, const float *t, bool adds, float *out)
{
    const int64_t width = c->node->shape.width, in = dc_in_width(c, k), first = first_of(c, k);
    for (int64_t i = 0; i < c->tile->n; i++)
        for (int64_t j = 0; j < width; j++)
            give(&out[i * width + j], adds, j >= first && j < first + in ? t[i * in + j - first] : 0);
}

static const dc_op op_concat = {
    .name = "concat", .forward = concat, .backward = concat_back, .tangent = concat_tangent};

dc_val(dc_concat)(dc_graph *g, dc_val a, dc_val b)
{
    const dc_shape x = dc_graph_shape(g, a), y = dc_graph_shape(g, b);
    if (x.space != y.space || x.n != y.n) return dc_refuse(g, "columns of rows and of a vector do not fit together");
    return dc_record(g, (dc_node){.op = &op_concat, .n_in = 2, .in = {a.id, b.id}},
                     (dc_shape){x.space, x.n, x.width + y.width});
}

/* ---- The columns from whole[0] on ------------------------------------------------------------------------------- */

static void columns(const dc_call *c)
{
    const int64_t width = c->node->shape.width, in = dc_in_width(c, 0), first = c->node->whole[0];
    for (int64_t i = 0; i < c->tile->n; i++)
        for (int64_t j = 0; j < width; j++) c->out[i * width + j] = c->in[0][i * in + first + j];
}

static void columns_back(const dc_call *c)
{
    const int64_t width = c->node->shape.width, in = dc_in_width(c, 0), first = c->node->whole[0];
    for (int64_t i = 0; i < c->tile->n; i++)
        for (int64_t j = 0; j < in; j++)
            give(&c->din[0][i * in + j], c->adds[0],
                 j >= first && j < first + width ? c->dout[i * width + j - first] : 0);
}

static void columns_tangent(const dc_call *c, int k, const float *t, bool adds, float *out)
{
    const int64_t width = c->node->shape.width, in = dc_in_width(c, k), first = c->node->whole[0];
    for (int64_t i = 0; i < c->tile->n; i++)
        for (int64_t j = 0; j < width; j++) give(&out[i * width + j], adds, t[i * in + first + j]);
}

static const dc_op op_columns = {
    .name = "columns", .forward = columns, .backward = columns_back, .tangent = columns_tangent};

dc_val(dc_columns)(dc_graph *g, dc_val x, int64_t first, int64_t count)
{
    const dc_shape s = dc_graph_shape(g, x);
    if (first < 0 || count < 1 || first + count > s.width)
        return dc_refuse(g, "columns %lld to %lld of %lld", (long long)first, (long long)(first + count - 1),
                         (long long)s.width);
    return dc_record(g, (dc_node){.op = &op_columns, .n_in = 1, .in = {x.id}, .whole = {first}},
                     (dc_shape){s.space, s.n, count});
}
