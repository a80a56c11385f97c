/* The plan of a recorded step: which operations run, which gradients are formed, where each value lies, and which sums
 * over rows are made. It is made before the data are read, without allocating memory; the executor and the memory
 * estimate use it.
 *
 * Operations run level by level. A SUM operation is one level above its operands; before it, one reduction over all
 * ranks serves all sums of its level. An ALL operation is also one level above its operands; before it, the rows that
 * it reads are gathered from all ranks. Any other operation has the level of its highest operand. Gradients are formed
 * from the highest level down. Within a level, SUM and ALL operations come last; apart from that, the order is the
 * reverse of the recorded one. */
#ifndef DCMPI_PLAN_H
#define DCMPI_PLAN_H

#include "dcmpi/op.h"

/* Plan of one node. A place is an offset in floats: for a row buffer, the floats per row of all row buffers before it;
 * for a vector, the floats of all vectors before it. */
typedef struct {
    bool live;                 /* its value is needed */
    bool differentiated;       /* a trained tensor, or a value that depends on one */
    bool adds[DC_NODE_INPUTS]; /* another node writes this row operand's gradient first: add to it */
    int level;
    size_t value, grad, aux;    /* places; grad: only if differentiated; aux: only if the operation has one */
    int summed[DC_NODE_INPUTS]; /* index of the operand's tensor in dc_plan.summed, -1: not there */
    size_t sum;                 /* SUM operation: index of its first double among the sums of its level */
    bool gathered;              /* an ALL operation reads its rows of the whole batch */
    size_t all;                 /* place of these rows, in floats per row of the batch */
    size_t all_dout, all_aux;   /* the same for gradient and aux of a differentiated ALL operation */
} dc_node_plan;

enum { DC_PLAN_SUMMED = 2 * DC_MAX_LAYERS + 32, DC_PLAN_PRODUCTS = DC_NODES_MAX / 3 };

/* A trained tensor whose gradient is a sum of products of rows. */
typedef struct {
    dc_tensor tensor;
    int n, node[DC_GRAPH_PRODUCTS]; /* the operations that form the products, in recorded order */
} dc_plan_product;

typedef struct {
    const dc_graph *graph;
    dc_node_plan node[DC_NODES_MAX];
    int n_levels;
    int batch;      /* node of the batch, -1 if there is none */
    bool sparse;    /* the batch stays sparse: every operation that reads it can do without its zeros */
    int n_products; /* entries of product[]: tensors in the order of their first use */
    dc_plan_product product[DC_PLAN_PRODUCTS];
    size_t row_floats;    /* floats per row of all row buffers */
    size_t one_floats;    /* floats of all vectors and their gradients */
    size_t scratch;       /* most floats that one operation needs besides its operands */
    size_t lane;          /* most floats that each thread of one operation needs for itself */
    size_t all_floats;    /* floats that every rank gathers and holds for each row of the whole batch */
    int64_t spill;        /* floats per row of results computed separately and then added */
    size_t n_sums;        /* doubles reduced together with the products: losses, then parts of gradients */
    size_t largest_level; /* doubles in the largest reduction within the passes; 0: no reductions */
    int n_summed;
    struct {
        dc_tensor tensor; /* its gradient is a sum of parts from every row */
        size_t at;        /* index of its first sum */
    } summed[DC_PLAN_SUMMED];
    double flops; /* per row of a step: forward, backward and products */
} dc_plan;

/* Plans training: the nodes that a loss, a move or a put depends on, with their gradients. values: how many values a
 * row of the batch has on average, if the rows are sparse; 0: they are dense. A sparse batch is filled up for all of a
 * step if something reads it that needs the zeros (noise on the input, a convolution), or if the weights of its layer
 * are used by another one (tied). */
void dc_plan_training(const dc_graph *g, double values, dc_plan *plan);
/* Plans inference: the nodes that an output depends on. */
void dc_plan_inference(const dc_graph *g, double values, dc_plan *plan);

/* Number of reductions over all ranks in the passes of a step, not counting the reduction of the products. */
int dc_plan_reductions(const dc_plan *plan);
/* Whether this level has sums. */
bool dc_plan_has_sums(const dc_plan *plan, int level);
/* Whether the gradient with respect to operand k of node i is needed. */
bool dc_plan_wants(const dc_plan *plan, int i, int k);
/* Whether node i is a vector but no tensor, and its gradient has partial sums over rows. They are added up when the
 * backward pass reaches node i. */
bool dc_plan_has_parts(const dc_plan *plan, int i);

#endif
