/* The plan of a step. A value that is used more than once gets its gradients in a fixed order; the plan determines
 * which use writes and which uses add. */
#include "dcmpi/plan.h"

#include <string.h>

static const dc_node *node_at(const dc_plan *p, int i)
{
    return &p->graph->node[i];
}

static bool is_row(const dc_plan *p, int i)
{
    return node_at(p, i)->shape.space == DC_ROWS;
}

bool dc_plan_wants(const dc_plan *p, int i, int k)
{
    const dc_node *x = node_at(p, i);
    return p->node[i].differentiated && !(x->constant >> k & 1) && p->node[x->in[k]].differentiated;
}

static void mark_live(dc_plan *p)
{
    for (int i = p->graph->n_nodes - 1; i >= 0; i--)
        for (int k = 0; p->node[i].live && k < node_at(p, i)->n_in; k++) p->node[node_at(p, i)->in[k]].live = true;
}

static void mark_levels(dc_plan *p)
{
    for (int i = 0; i < p->graph->n_nodes; i++) {
        const dc_node *x = node_at(p, i);
        int level = 0;
        if (!p->node[i].live) continue;
        for (int k = 0; k < x->n_in; k++) level = DC_MAX(level, p->node[x->in[k]].level);
        p->node[i].level = level + (x->op->reach != DC_REACH_ROW);
        p->n_levels = DC_MAX(p->n_levels, p->node[i].level + 1);
    }
}

static void mark_differentiated(dc_plan *p)
{
    bool differentiated[DC_NODES_MAX];
    dc_graph_differentiated(p->graph, differentiated);
    for (int i = 0; i < p->graph->n_nodes; i++) p->node[i].differentiated = differentiated[i];
}

/* Plans the gradients that node i gives to its row operands: the first to reach an operand writes, the others add. */
static void write_gradients(dc_plan *p, int i, bool *written)
{
    const dc_node *x = node_at(p, i);
    for (int k = 0; k < x->n_in; k++) {
        if (!dc_plan_wants(p, i, k) || !is_row(p, x->in[k])) continue;
        p->node[i].adds[k] = written[x->in[k]];
        written[x->in[k]] = true;
        if (p->node[i].adds[k] && x->op->backward_all) p->spill = DC_MAX(p->spill, node_at(p, x->in[k])->shape.width);
    }
}

/* Visits the nodes in the order of the backward pass. The gradient of a loss node is written first, by the loss itself.
 */
static void order_gradients(dc_plan *p)
{
    bool written[DC_NODES_MAX] = {0};
    const int n = p->graph->n_nodes;
    for (int i = 0; i < p->graph->n_losses; i++) written[p->graph->loss[i].node] = true;
    for (int level = p->n_levels - 1; level >= 0; level--) {
        for (int i = n - 1; i >= 0; i--)
            if (node_at(p, i)->op->reach != DC_REACH_ROW && p->node[i].level == level + 1)
                write_gradients(p, i, written);
        for (int i = n - 1; i >= 0; i--)
            if (node_at(p, i)->op->reach == DC_REACH_ROW && p->node[i].level == level) write_gradients(p, i, written);
    }
}

static bool reads_batch(const dc_plan *p, int i, int k)
{
    return node_at(p, node_at(p, i)->in[k])->op == &dc_op_batch;
}

/* Whether operation i forms a product with the batch. */
static bool multiplies_batch(const dc_plan *p, int i)
{
    return node_at(p, i)->op->product && reads_batch(p, i, 0);
}

static bool shares_weights(const dc_plan *p, int i)
{
    const size_t at = node_at(p, node_at(p, i)->in[1])->tensor.at;
    for (int j = 0; j < p->graph->n_nodes; j++)
        if (p->node[j].live && node_at(p, j)->op->product && !multiplies_batch(p, j) &&
            node_at(p, node_at(p, j)->in[1])->tensor.at == at)
            return true;
    return false;
}

static bool is_output(const dc_plan *p, int i)
{
    for (int k = 0; k < p->graph->n_outputs; k++)
        if (p->graph->output[k].node == i) return true;
    return false;
}

/* Whether the batch can stay sparse. */
static bool stays_sparse(const dc_plan *p)
{
    for (int i = 0; i < p->graph->n_nodes; i++) {
        const dc_node *x = node_at(p, i);
        if (!p->node[i].live) continue;
        if (x->op == &dc_op_batch && is_output(p, i)) return false;
        for (int k = 0; k < x->n_in; k++)
            if (reads_batch(p, i, k) && !(x->op->sparse >> k & 1)) return false;
        if (x->op->product && multiplies_batch(p, i) && dc_plan_wants(p, i, 1) && shares_weights(p, i)) return false;
    }
    return true;
}

static size_t take(size_t *floats, int64_t wanted)
{
    const size_t at = *floats;
    *floats += (size_t)wanted;
    return at;
}

static void place_buffers(dc_plan *p)
{
    for (int i = 0; i < p->graph->n_nodes; i++) {
        const dc_node *x = node_at(p, i);
        dc_node_plan *n = &p->node[i];
        if (!n->live || x->op == &dc_op_use) continue;
        const bool batch = x->op == &dc_op_batch, sparse = p->sparse && multiplies_batch(p, i);
        size_t *floats = is_row(p, i) ? &p->row_floats : &p->one_floats;
        const int64_t wanted = batch && p->sparse ? 0 : x->shape.n * x->shape.width;
        n->value = take(floats, wanted);
        if (n->differentiated) n->grad = take(floats, wanted);
        if (x->op->aux) n->aux = take(floats, x->op->aux(p->graph, x));
        if (x->op->scratch && !sparse) p->scratch = DC_MAX(p->scratch, x->op->scratch(p->graph, x));
        if (x->op->lane) p->lane = DC_MAX(p->lane, x->op->lane(p->graph, x));
        if (batch) p->batch = i;
        if (batch && p->sparse) p->lane = DC_MAX(p->lane, (size_t)x->shape.width);
    }
}

/* Assigns places to the rows of the whole batch that operations with reach ALL read. */
static void place_gathered(dc_plan *p)
{
    for (int i = 0; i < p->graph->n_nodes; i++) {
        const dc_node *x = node_at(p, i);
        dc_node_plan *n = &p->node[i];
        if (!n->live || x->op->reach != DC_REACH_ALL) continue;
        for (int k = 0; k < x->n_in; k++) {
            dc_node_plan *in = &p->node[x->in[k]];
            if (!(x->op->gathers >> k & 1) || in->gathered) continue;
            in->gathered = true;
            in->all = take(&p->all_floats, node_at(p, x->in[k])->shape.width);
        }
        if (!n->differentiated) continue;
        n->all_dout = take(&p->all_floats, x->shape.width);
        if (x->op->aux) n->all_aux = take(&p->all_floats, x->op->aux(p->graph, x));
    }
}

/* Returns the number of a tensor among the summed ones, and adds it if it is new. A tensor that several operations use
 * has one gradient. */
static int number_of(dc_plan *p, const dc_tensor *tensor)
{
    for (int i = 0; i < p->n_summed; i++)
        if (p->summed[i].tensor.at == tensor->at) return i;
    DC_ASSERT(p->n_summed < DC_PLAN_SUMMED);
    p->summed[p->n_summed].tensor = *tensor;
    p->summed[p->n_summed].at = p->n_sums;
    p->n_sums += dc_tensor_floats(tensor);
    return p->n_summed++;
}

/* A layer that is used twice has one gradient, the sum of two products. */
static void add_product(dc_plan *p, int i)
{
    const dc_tensor *tensor = &node_at(p, node_at(p, i)->in[1])->tensor;
    int k = 0;
    while (k < p->n_products && p->product[k].tensor.at != tensor->at) k++;
    dc_plan_product *product = &p->product[k];
    if (k == p->n_products) {
        DC_ASSERT(p->n_products < DC_PLAN_PRODUCTS);
        product->tensor = *tensor;
        p->n_products++;
    }
    DC_ASSERT(product->n < DC_GRAPH_PRODUCTS);
    product->node[product->n++] = i;
}

static void place_sums(dc_plan *p)
{
    p->n_sums = (size_t)p->graph->n_losses;
    for (int i = 0; i < p->graph->n_nodes; i++) {
        const dc_node *x = node_at(p, i);
        dc_node_plan *n = &p->node[i];
        if (n->live && x->op->product && dc_plan_wants(p, i, 1)) add_product(p, i);
        for (int k = 0; k < DC_NODE_INPUTS; k++) {
            n->summed[k] = -1;
            if (!x->op->partial || k >= x->n_in || dc_op_has_product(x->op, k) || !dc_plan_wants(p, i, k)) continue;
            if (node_at(p, x->in[k])->op == &dc_op_use) n->summed[k] = number_of(p, &node_at(p, x->in[k])->tensor);
        }
    }
}

bool dc_plan_has_parts(const dc_plan *p, int i)
{
    if (is_row(p, i) || node_at(p, i)->op == &dc_op_use) return false;
    for (int j = i + 1; j < p->graph->n_nodes; j++)
        for (int k = 0; is_row(p, j) && k < node_at(p, j)->n_in; k++)
            if (node_at(p, j)->in[k] == i && dc_plan_wants(p, j, k)) return true;
    return false;
}

/* Assigns places to the sums within the passes: values of a level are summed together, gradients of vectors one by one.
 */
static void place_levels(dc_plan *p)
{
    for (int level = 1; level < p->n_levels; level++) {
        size_t sums = 0;
        for (int i = 0; i < p->graph->n_nodes; i++) {
            const dc_node *x = node_at(p, i);
            if (!p->node[i].live || x->op->reach != DC_REACH_SUM || p->node[i].level != level) continue;
            p->node[i].sum = sums;
            sums += (size_t)(x->shape.n * x->shape.width);
        }
        p->largest_level = DC_MAX(p->largest_level, sums);
    }
    for (int i = 0; i < p->graph->n_nodes; i++)
        if (dc_plan_has_parts(p, i))
            p->largest_level = DC_MAX(p->largest_level, (size_t)(node_at(p, i)->shape.n * node_at(p, i)->shape.width));
}

bool dc_plan_has_sums(const dc_plan *p, int level)
{
    for (int i = 0; i < p->graph->n_nodes; i++)
        if (p->node[i].live && p->node[i].level == level && node_at(p, i)->op->reach == DC_REACH_SUM) return true;
    return false;
}

int dc_plan_reductions(const dc_plan *p)
{
    int n = 0;
    for (int level = 1; level < p->n_levels; level++) n += dc_plan_has_sums(p, level);
    for (int i = 0; i < p->graph->n_nodes; i++) n += dc_plan_has_parts(p, i);
    return n;
}

static void count_flops(dc_plan *p, double values)
{
    for (int i = 0; i < p->graph->n_nodes; i++) {
        const dc_node *x = node_at(p, i);
        if (!p->node[i].live || !x->op->flops) continue;
        int passes = 1;
        for (int k = 0; k < DC_MIN(x->n_in, 2); k++) passes += dc_plan_wants(p, i, k);
        const bool sparse = p->sparse && multiplies_batch(p, i);
        const double share = sparse ? values / (double)dc_node_in(p->graph, x, 0)->shape.width : 1;
        p->flops += passes * share * x->op->flops(p->graph, x);
    }
}

void dc_plan_training(const dc_graph *g, double values, dc_plan *plan)
{
    *plan = (dc_plan){.graph = g, .batch = -1, .n_levels = 1};
    for (int i = 0; i < g->n_losses; i++) plan->node[g->loss[i].node].live = true;
    for (int i = 0; i < g->n_moves; i++) plan->node[g->move[i].node].live = true;
    for (int i = 0; i < g->n_puts; i++) plan->node[g->put[i].node].live = true;
    mark_live(plan);
    mark_levels(plan);
    mark_differentiated(plan);
    order_gradients(plan);
    plan->sparse = values > 0 && stays_sparse(plan);
    place_buffers(plan);
    place_gathered(plan);
    place_sums(plan);
    place_levels(plan);
    count_flops(plan, values);
}

void dc_plan_inference(const dc_graph *g, double values, dc_plan *plan)
{
    *plan = (dc_plan){.graph = g, .batch = -1, .n_levels = 1};
    for (int i = 0; i < g->n_outputs; i++) plan->node[g->output[i].node].live = true;
    mark_live(plan);
    mark_levels(plan);
    plan->sparse = values > 0 && stays_sparse(plan);
    place_buffers(plan);
    count_flops(plan, values);
}
