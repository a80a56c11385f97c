/* What a recorded step needs: which operations run, which gradients are formed, where every value lies, which sums over
 * rows are made. Known before the data are read and without memory; the executor and the memory estimate both read it.
 *
 * Operations run level by level. The value of a SUM operation is there one level above its operands, after a reduction
 * over all ranks that the sums of a level share; that of an ALL operation, too, after the rows that it reads have come
 * from all ranks; everything else has the level of its highest operand. Gradients are
 * formed from the highest level down, within a level in the reverse of the recorded order. */
#ifndef DCMPI_PLAN_H
#define DCMPI_PLAN_H

#include "dcmpi/op.h"

/* Plan of one node. A place is a number of floats: for a row buffer the floats per row of all buffers before it, for a
 * vector the floats of all vectors before it. */
typedef struct {
    bool live;                 /* somebody needs its value */
    bool differentiated;       /* a trained tensor, or a value that depends on one */
    bool adds[DC_NODE_INPUTS]; /* this row operand gets a gradient from another node first */
    int level;
    size_t value, grad, aux;    /* places; grad: of differentiated values only; aux: of operations that have it */
    int summed[DC_NODE_INPUTS]; /* of trained tensors whose gradient comes in parts: number of the tensor, else -1 */
    size_t sum;                 /* reach SUM: first double among the sums of its level */
    bool gathered; /* an ALL operation reads its rows of the whole batch: where they lie, in floats per row */
    size_t all;    /* of the batch; and, of an ALL operation that is differentiated, */
    size_t all_dout, all_aux; /* its gradient and aux */
} dc_node_plan;

enum { DC_PLAN_SUMMED = 64, DC_PLAN_PRODUCTS = DC_NODES_MAX / 3 };

/* A trained tensor whose gradient is a sum of products of rows. */
typedef struct {
    dc_tensor tensor;
    int n, node[DC_GRAPH_PRODUCTS]; /* the operations that have them, in recorded order */
} dc_plan_product;

typedef struct {
    const dc_graph *graph;
    dc_node_plan node[DC_NODES_MAX];
    int n_levels;
    int batch;      /* node of the batch, -1 without one */
    int n_products; /* tensors, in the order in which they are first used */
    dc_plan_product product[DC_PLAN_PRODUCTS];
    size_t row_floats;    /* of all row buffers, per row */
    size_t one_floats;    /* of all vectors and their gradients */
    size_t scratch;       /* floats that one operation wants beside its operands */
    size_t all_floats;    /* per row of the batch: gathered by every rank in each step and held by it */
    int64_t spill;        /* floats per row that are computed apart and then added */
    size_t n_sums;        /* doubles that are summed with the products: the losses, then the parts of gradients */
    size_t largest_level; /* most doubles that one reduction within the passes has; 0: there is none */
    int n_summed;
    struct {
        dc_tensor tensor; /* its gradient comes in parts from every row, */
        size_t at;        /* and is the sums from this one on */
    } summed[DC_PLAN_SUMMED];
    double flops; /* of a step, per row: forward, backward and products */
} dc_plan;

/* For training: nodes that a loss, a move or a put depends on, with their gradients. */
void dc_plan_training(const dc_graph *g, dc_plan *plan);
/* For inference: nodes that an output depends on. */
void dc_plan_inference(const dc_graph *g, dc_plan *plan);

/* Reductions over all ranks in the passes of a step, besides the one for the products. */
int dc_plan_reductions(const dc_plan *plan);
/* Whether there are sums of this level. */
bool dc_plan_has_sums(const dc_plan *plan, int level);
/* Whether the gradient by operand k of node i is wanted. */
bool dc_plan_wants(const dc_plan *plan, int i, int k);
/* Whether the gradient of vector i, which is not a tensor, has parts from rows: they are summed when its turn comes. */
bool dc_plan_has_parts(const dc_plan *plan, int i);

#endif
