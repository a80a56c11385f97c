/* Records the operations of a step. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dcmpi/mem.h"
#include "dcmpi/op.h"

dc_status dc_graph_create(dc_graph **out)
{
    return dc_mem_alloc(out, 1, sizeof **out, "recorded step");
}

void dc_graph_destroy(dc_graph **g)
{
    dc_mem_free(g);
}

/* A trained tensor gets its gradient from row operations only; refuses a trained tensor that an operation on vectors
 * reads. */
static void check_tensors(dc_graph *g)
{
    for (int i = 0; i < g->n_nodes; i++) {
        const dc_node *x = &g->node[i];
        for (int k = 0; k < x->n_in && x->shape.space == DC_ONE && x->op->reach == DC_REACH_ROW; k++) {
            const dc_node *in = dc_node_in(g, x, k);
            if (in->op != &dc_op_use || !in->tensor.trained || x->constant >> k & 1) continue;
            g->file = x->file, g->line = x->line;
            (void)dc_refuse(g, "%s is trained and read by an operation on vectors", in->tensor.name);
        }
    }
}

static bool is_trained(const dc_node *x)
{
    return x->op == &dc_op_use && x->tensor.trained;
}

/* The operand number of node i in the product that uses it; 0 if no product does. */
static int product_operand(const dc_graph *g, int i)
{
    for (int j = i + 1; j < g->n_nodes; j++)
        for (int k = 1; k < g->node[j].n_in; k++)
            if (g->node[j].in[k] == i && dc_op_has_product(g->node[j].op, k)) return k;
    return 0;
}

static bool overlap(const dc_tensor *a, const dc_tensor *b)
{
    return a->at < b->at + dc_tensor_floats(b) && b->at < a->at + dc_tensor_floats(a);
}

static bool same(const dc_tensor *a, const dc_tensor *b)
{
    return a->at == b->at && a->n == b->n && a->width == b->width;
}

/* The gradient of a tensor is either a sum of products or a sum of partial sums, never both. */
static void check_products(dc_graph *g)
{
    for (int i = 0; i < g->n_nodes; i++) {
        const dc_node *x = &g->node[i];
        const int operand = product_operand(g, i);
        int places = 1;
        for (int j = 0; j < i && is_trained(x); j++) {
            const dc_node *other = &g->node[j];
            const int of_other = product_operand(g, j);
            if (!is_trained(other) || !overlap(&x->tensor, &other->tensor) || (!operand && !of_other)) continue;
            g->file = x->file, g->line = x->line;
            if (operand != of_other || !same(&x->tensor, &other->tensor))
                (void)dc_refuse(g, "%s is trained as a layer and as something else", x->tensor.name);
            else if (++places > DC_GRAPH_PRODUCTS)
                (void)dc_refuse(g, "layer %s is trained at more than %d places of a step", x->tensor.name,
                                DC_GRAPH_PRODUCTS);
        }
    }
}

void dc_graph_differentiated(const dc_graph *g, bool *out)
{
    bool minimised[DC_NODES_MAX] = {0};
    for (int i = 0; i < g->n_losses; i++) minimised[g->loss[i].node] = true;
    for (int i = g->n_nodes - 1; i >= 0; i--)
        for (int k = 0; minimised[i] && k < g->node[i].n_in; k++)
            if (!(g->node[i].constant >> k & 1)) minimised[g->node[i].in[k]] = true;
    for (int i = 0; i < g->n_nodes; i++) {
        const dc_node *x = &g->node[i];
        out[i] = minimised[i] && is_trained(x);
        for (int k = 0; minimised[i] && k < x->n_in; k++) out[i] |= !(x->constant >> k & 1) && out[x->in[k]];
    }
}

/* A gradient may be differentiated only through operations that have a second derivative. */
static void check_gradients(dc_graph *g)
{
    bool differentiated[DC_NODES_MAX];
    dc_graph_differentiated(g, differentiated);
    for (int i = 0; i < g->n_nodes; i++) {
        const dc_node *x = &g->node[i];
        for (int k = 0; differentiated[i] && x->op->barred && k < x->n_in; k++) {
            if (x->constant >> k & 1 || !differentiated[x->in[k]]) continue;
            const char *name = x->op->barred(g, x, k);
            g->file = x->file, g->line = x->line;
            if (name) (void)dc_refuse(g, "a gradient is differentiated, and %s has no second derivative", name);
        }
    }
}

dc_status dc_graph_finish(dc_graph *g)
{
    check_tensors(g);
    check_products(g);
    check_gradients(g);
    return g->st;
}

dc_graph *dc_graph_at(dc_graph *g, const char *file, int line)
{
    g->file = file;
    g->line = line;
    return g;
}

dc_val dc_refuse(dc_graph *g, const char *format, ...)
{
    if (g->st == DC_OK) {
        char text[256];
        va_list list;
        va_start(list, format);
        vsnprintf(text, sizeof text, format, list);
        va_end(list);
        g->st = dc_fail_at(g->file, g->line, DC_ERR_USAGE, "network: %s (recorded at %s:%d)", text, g->file, g->line);
    }
    return (dc_val){-1};
}

const dc_node *dc_node_of(const dc_graph *g, dc_val x)
{
    return g->st == DC_OK && x.id >= 0 && x.id < g->n_nodes ? &g->node[x.id] : NULL;
}

dc_shape dc_graph_shape(const dc_graph *g, dc_val x)
{
    const dc_node *node = dc_node_of(g, x);
    return node ? node->shape : (dc_shape){.n = 1};
}

dc_val dc_record(dc_graph *g, dc_node node, dc_shape shape)
{
    if (g->st != DC_OK) return (dc_val){-1};
    for (int k = 0; k < node.n_in; k++)
        if (node.in[k] < 0 || node.in[k] >= g->n_nodes)
            return dc_refuse(g, "operand %d of %s is not a value of this step", k + 1, node.op->name);
    if (g->n_nodes == DC_NODES_MAX) return dc_refuse(g, "a step has more than %d operations", DC_NODES_MAX);
    if (shape.n < 1 || shape.width < 1) return dc_refuse(g, "%s has an empty value", node.op->name);
    node.constant |= node.op->constant;
    node.shape = shape;
    node.file = g->file;
    node.line = g->line;
    g->node[g->n_nodes] = node;
    return (dc_val){g->n_nodes++};
}

/* ---- Sources ---------------------------------------------------------------------------------------------------- */

static void forward_entry(const dc_call *c)
{
    const dc_table *table = c->node->table;
    for (int64_t i = 0; i < c->tile->n; i++)
        memcpy(c->out + i * table->width, table->rows + c->tile->row[i] * table->width,
               (size_t)table->width * sizeof *c->out);
}

static void forward_number(const dc_call *c)
{
    for (int64_t i = 0; i < c->tile->n * c->node->shape.width; i++) c->out[i] = (float)c->node->real[0];
}

/* Batch rows and tensors are in place before the operations run; numbers and entries are written by `forward`. */
const dc_op dc_op_batch = {.name = "batch"};
const dc_op dc_op_use = {.name = "use"};
const dc_op dc_op_number = {.name = "number", .forward = forward_number};
const dc_op dc_op_entry = {.name = "entry", .keyed = true, .forward = forward_entry};

/* Every call returns the same node: a step has only one batch. */
dc_val(dc_batch)(dc_graph *g, int64_t width)
{
    for (int i = 0; i < g->n_nodes; i++) {
        if (g->node[i].op != &dc_op_batch) continue;
        if (g->node[i].shape.width == width) return (dc_val){i};
        return dc_refuse(g, "the rows of the batch have width %lld and %lld", (long long)g->node[i].shape.width,
                         (long long)width);
    }
    return dc_record(g, (dc_node){.op = &dc_op_batch}, (dc_shape){DC_ROWS, 1, width});
}

dc_val(dc_entry)(dc_graph *g, const dc_table *table)
{
    return dc_record(g, (dc_node){.op = &dc_op_entry, .table = table}, (dc_shape){DC_ROWS, 1, table->width});
}

dc_val(dc_use)(dc_graph *g, const dc_tensor *tensor)
{
    return dc_record(g, (dc_node){.op = &dc_op_use, .tensor = *tensor}, (dc_shape){DC_ONE, tensor->n, tensor->width});
}

dc_val(dc_number)(dc_graph *g, double value)
{
    return dc_record(g, (dc_node){.op = &dc_op_number, .real = {value}}, (dc_shape){DC_ONE, 1, 1});
}

/* ---- Results ---------------------------------------------------------------------------------------------------- */

void(dc_minimize)(dc_graph *g, const char *name, double weight, dc_val loss)
{
    const dc_node *node = dc_node_of(g, loss);
    if (!node || node->shape.n != 1 || node->shape.width != 1)
        (void)dc_refuse(g, "%s: what is minimised is one value for each row of the batch, or one for all", name);
    else if (node->op == &dc_op_use)
        (void)dc_refuse(g, "%s: what is minimised is computed", name);
    else if (g->n_losses == DC_GRAPH_LOSSES)
        (void)dc_refuse(g, "%s: a step has more than %d losses", name, DC_GRAPH_LOSSES);
    else {
        g->loss[g->n_losses].name = name;
        g->loss[g->n_losses].weight = weight;
        g->loss[g->n_losses++].node = loss.id;
    }
}

void(dc_move)(dc_graph *g, const dc_tensor *tensor, dc_val value)
{
    const dc_node *node = dc_node_of(g, value);
    if (!node || node->shape.space != DC_ONE || node->shape.n != tensor->n || node->shape.width != tensor->width)
        (void)dc_refuse(g, "%s [%lld x %lld] takes a vector of its shape", tensor->name, (long long)tensor->n,
                        (long long)tensor->width);
    else if (node->op == &dc_op_use)
        (void)dc_refuse(g, "%s takes a vector that is computed", tensor->name);
    else if (tensor->trained)
        (void)dc_refuse(g, "%s is moved and trained in one step", tensor->name);
    else if (g->n_moves == DC_GRAPH_MOVES)
        (void)dc_refuse(g, "a step moves more than %d tensors", DC_GRAPH_MOVES);
    else {
        g->move[g->n_moves].tensor = *tensor;
        g->move[g->n_moves++].node = value.id;
    }
}

void(dc_put)(dc_graph *g, const dc_table *table, dc_val value)
{
    const dc_node *node = dc_node_of(g, value);
    if (!node || node->shape.space != DC_ROWS || node->shape.width != table->width)
        (void)dc_refuse(g, "an entry of %s has %lld values", table->name, (long long)table->width);
    else if (g->n_puts == DC_GRAPH_PUTS)
        (void)dc_refuse(g, "a step puts more than %d values", DC_GRAPH_MOVES);
    else {
        g->put[g->n_puts].table = table;
        g->put[g->n_puts++].node = value.id;
    }
}

void(dc_output)(dc_graph *g, const char *name, dc_val x)
{
    const dc_node *node = dc_node_of(g, x);
    if (!node || node->shape.space != DC_ROWS)
        (void)dc_refuse(g, "%s: an output has a row for each row of the data", name);
    else if (g->n_outputs == DC_GRAPH_OUTPUTS)
        (void)dc_refuse(g, "%s: more than %d outputs", name, DC_GRAPH_OUTPUTS);
    else {
        g->output[g->n_outputs].name = name;
        g->output[g->n_outputs++].node = x.id;
    }
}

static int output_of(const dc_graph *g, const char *name)
{
    for (int i = 0; i < g->n_outputs; i++)
        if (strcmp(g->output[i].name, name) == 0) return i;
    return -1;
}

dc_val dc_find_output(const dc_graph *g, const char *name)
{
    const int i = output_of(g, name);
    return i < 0 ? DC_NONE : (dc_val){g->output[i].node};
}

void dc_drop_output(dc_graph *g, const char *name)
{
    const int i = output_of(g, name);
    if (i < 0) return;
    g->n_outputs--;
    memmove(&g->output[i], &g->output[i + 1], (size_t)(g->n_outputs - i) * sizeof g->output[0]);
}
