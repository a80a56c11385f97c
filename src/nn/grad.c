/* Gradients as recorded values: dc_grad() walks back from y to x and records the gradient of each operation on the way.
 * The gradient by a vector that rows read is a sum over the batch.
 *
 * Let J be the derivative of an operation by (with respect to) its operand k. The gradient by operand k is a value
 * g = J' dout, computed by the operation's own `backward`. If t is the gradient of the loss by g, then the gradient of
 * the loss
 *   by dout is J t: the operation's `tangent`;
 *   by the operands that J depends on is the derivative of dout' J t: the operation's `curve`.
 * So the backward pass through a gradient sends tangents forward, from the first layer to the last. The gradient of a
 * layer's weights is then a product of tangents and deltas (op_dense.c). */
#include "dcmpi/op.h"

/* A gradient node stores the number of the operation's node, and k. Its operands are those of the operation, then the
 * operation's value, then dout. The value is a function of the other operands, so it gets no gradient. */
static const dc_node *inner_node(const dc_graph *g, const dc_node *x)
{
    return &g->node[x->whole[0]];
}

static int operand_of(const dc_node *x)
{
    return (int)x->whole[1];
}

/* The call of the operation itself, with no gradient requested. */
static dc_call inner_call(const dc_call *c)
{
    const dc_node *x = inner_node(c->graph, c->node);
    dc_call inner = {.graph = c->graph,
                     .node = x,
                     .tile = c->tile,
                     .out = (float *)c->in[x->n_in],
                     .dout = (float *)c->in[x->n_in + 1]};
    for (int j = 0; j < x->n_in; j++) inner.in[j] = c->in[j];
    return inner;
}

static void forward(const dc_call *c)
{
    dc_call inner = inner_call(c);
    inner.din[operand_of(c->node)] = c->out;
    inner.node->op->backward(&inner);
}

/* Sets gradients in the order of the operands: those of the operation first, dout last. */
static void backward(const dc_call *c)
{
    dc_call inner = inner_call(c);
    const dc_op *op = inner.node->op;
    const int k = operand_of(c->node), dout = inner.node->n_in + 1;
    bool curved = false;
    for (int j = 0; j < inner.node->n_in; j++) {
        inner.din[j] = c->din[j];
        inner.adds[j] = c->adds[j];
        curved |= c->din[j] != NULL;
    }
    if (curved) op->curve(&inner, k, c->dout);
    if (c->din[dout]) op->tangent(&inner, k, c->dout, c->adds[dout], c->din[dout]);
}

static void partial(const dc_call *c, int j, double *sum)
{
    const dc_call inner = inner_call(c);
    inner.node->op->curve_partial(&inner, operand_of(c->node), c->dout, j, sum);
}

static const char *barred(const dc_graph *g, const dc_node *x, int k)
{
    const dc_op *op = inner_node(g, x)->op;
    const bool rows = dc_node_in(g, x, k)->shape.space == DC_ROWS;
    const bool known = k == x->n_in - 1 ? op->tangent != NULL : rows ? op->curve != NULL : op->curve_partial != NULL;
    return known ? NULL : op->name;
}

static const dc_op op_grad = {
    .name = "grad", .forward = forward, .backward = backward, .partial = partial, .barred = barred};

/* The gradient by a vector is a sum over the batch. */
static void add(const dc_call *c, double *sum)
{
    const dc_call inner = inner_call(c);
    inner.node->op->partial(&inner, operand_of(c->node), sum);
}

static double all_of(const dc_tile *tile)
{
    (void)tile;
    return 1;
}

static const char *barred_sum(const dc_graph *g, const dc_node *x, int k)
{
    (void)k;
    return inner_node(g, x)->op->name;
}

static const dc_op op_grad_sum = {
    .name = "grad-sum", .reach = DC_REACH_SUM, .add = add, .share = all_of, .barred = barred_sum};

/* Operands of a gradient node that get no gradient. If the operation has no `tangent`, J may depend on any operand. */
static unsigned constants(const dc_node *x, int k)
{
    const unsigned operands = (1u << x->n_in) - 1, curved = x->op->curved ? x->op->curved(x, k) : 0;
    return 1u << x->n_in | x->op->constant | (x->op->tangent ? operands & ~curved : 0);
}

/* Whether operation x has functions from which the gradient by an operand of this shape can be made a value. */
static bool has_gradient(const dc_node *x, dc_shape in)
{
    if (x->op->aux || x->n_in + 2 > DC_NODE_INPUTS || x->op->reach == DC_REACH_ALL) return false;
    if (in.space == DC_ONE && x->shape.space == DC_ROWS) return x->op->partial != NULL;
    return x->op->backward != NULL && (in.space == DC_ROWS || in.n == x->shape.n);
}

/* Records the gradient by operand k of node i. */
static dc_val record(dc_graph *g, int i, int k, dc_val dout)
{
    const dc_node *x = &g->node[i];
    const dc_shape shape = dc_node_in(g, x, k)->shape;
    const bool summed = shape.space == DC_ONE && x->shape.space == DC_ROWS;
    if (x->op->grad && !summed) return x->op->grad(g, i, k, dout);
    if (!has_gradient(x, shape))
        return dc_refuse(g, "a gradient is asked for that goes through %s, whose gradient is no value", x->op->name);
    dc_node node = {
        .op = summed ? &op_grad_sum : &op_grad, .n_in = x->n_in + 2, .constant = constants(x, k), .whole = {i, k}};
    for (int j = 0; j < x->n_in; j++) node.in[j] = x->in[j];
    node.in[x->n_in] = i;
    node.in[x->n_in + 1] = dout.id;
    return dc_record(g, node, shape);
}

/* Finds the nodes that depend on x. */
static void find_dependent(const dc_graph *g, int x, bool *depends)
{
    depends[x] = true;
    for (int i = x + 1; i < g->n_nodes; i++)
        for (int k = 0; k < g->node[i].n_in; k++)
            depends[i] |= !(g->node[i].constant >> k & 1) && depends[g->node[i].in[k]];
}

/* Adds what operation i contributes to the gradients of its operands. */
static void go_back(dc_graph *g, int i, const bool *depends, dc_val *slope)
{
    for (int k = 0; k < g->node[i].n_in; k++) {
        const int in = g->node[i].in[k];
        if (g->node[i].constant >> k & 1 || !depends[in]) continue;
        const dc_val d = record(g, i, k, slope[i]);
        slope[in] = slope[in].id < 0 ? d : (dc_map)(g, DC_ADD, slope[in], d);
    }
}

dc_val(dc_grad)(dc_graph *g, dc_val y, dc_val x)
{
    bool depends[DC_NODES_MAX] = {0};
    dc_val slope[DC_NODES_MAX];
    const dc_node *of = dc_node_of(g, y), *by = dc_node_of(g, x);
    if (!of || !by || of->shape.space != DC_ROWS || of->shape.width != 1 || by->shape.space != DC_ROWS)
        return dc_refuse(g, "a gradient is that of one value for each row of the batch, by rows");
    find_dependent(g, x.id, depends);
    if (y.id == x.id || !depends[y.id]) return dc_refuse(g, "a gradient by rows that the value does not depend on");
    for (int i = 0; i < DC_NODES_MAX; i++) slope[i] = DC_NONE;
    slope[y.id] = dc_record(g, (dc_node){.op = &dc_op_number, .real = {1}}, of->shape);
    for (int i = y.id; i > x.id; i--)
        if (depends[i] && slope[i].id >= 0) go_back(g, i, depends, slope);
    return slope[x.id];
}
