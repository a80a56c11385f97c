/* What a recorded step needs: which operations run, which gradients are formed, where each value lies, which sums over
 * rows are made. It is made before the data are read and without allocating; the executor and the memory estimate use
 * it.
 *
 * Operations run level by level. A SUM operation is one level above its operands, after a reduction over all ranks that
 * all sums of a level share; an ALL operation too, after its rows have been gathered from all ranks. Any other
 * operation has the level of its highest operand. Gradients are formed from the highest level down and, within a level,
 * in the reverse of the recorded order. */
#ifndef DCMPI_PLAN_H
#define DCMPI_PLAN_H

#include "dcmpi/op.h"

/* Plan of one node. A place is a number of floats: for a row buffer the floats per row of all buffers before it, for a
 * vector the floats of all vectors before it. */
typedef struct {
    bool live;                 /* its value is needed */
    bool differentiated;       /* a trained tensor, or a value that depends on one */
    bool adds[DC_NODE_INPUTS]; /* another node gives this row operand a gradient first: add to it */
    int level;
    size_t value, grad, aux;    /* places; grad only for differentiated values, aux only for operations that have it */
    int summed[DC_NODE_INPUTS]; /* number of a trained tensor whose gradient comes in partial sums, else -1 */
    size_t sum;                 /* reach SUM: first double among the sums of its level */
    bool gathered;              /* an ALL operation reads its rows of the whole batch */
    size_t all;                 /* where these rows lie, in floats per row of the batch */
    size_t all_dout, all_aux;   /* the same for gradient and aux of a differentiated ALL operation */
} dc_node_plan;

enum { DC_PLAN_SUMMED = 64, DC_PLAN_PRODUCTS = DC_NODES_MAX / 3 };

/* A trained tensor whose gradient is a sum of products of rows. */
typedef struct {
    dc_tensor tensor;
    int n, node[DC_GRAPH_PRODUCTS]; /* the operations that form them, in recorded order */
} dc_plan_product;

typedef struct {
    const dc_graph *graph;
    dc_node_plan node[DC_NODES_MAX];
    int n_levels;
    int batch;      /* node of the batch, -1 if there is none */
    int n_products; /* tensors, in the order in which they are first used */
    dc_plan_product product[DC_PLAN_PRODUCTS];
    size_t row_floats;    /* floats per row of all row buffers */
    size_t one_floats;    /* floats of all vectors and their gradients */
    size_t scratch;       /* most floats that an operation needs besides its operands, */
    size_t lane;          /* and each thread for itself */
    size_t all_floats;    /* floats per row of the batch that every rank gathers in each step and holds */
    int64_t spill;        /* floats per row computed separately and then added */
    size_t n_sums;        /* doubles that are summed with the products: the losses, then the parts of gradients */
    size_t largest_level; /* most doubles in one reduction within the passes; 0: no reductions */
    int n_summed;
    struct {
        dc_tensor tensor; /* its gradient is a sum of parts from every row */
        size_t at;        /* number of its first sum */
    } summed[DC_PLAN_SUMMED];
    double flops; /* of a step, per row: forward, backward and products */
} dc_plan;

/* For training: nodes that a loss, a move or a put depends on, with their gradients. */
void dc_plan_training(const dc_graph *g, dc_plan *plan);
/* For inference: nodes that an output depends on. */
void dc_plan_inference(const dc_graph *g, dc_plan *plan);

/* Reductions over all ranks in the passes of a step, besides the one for the products. */
int dc_plan_reductions(const dc_plan *plan);
/* Whether this level has sums. */
bool dc_plan_has_sums(const dc_plan *plan, int level);
/* Whether the gradient with respect to operand k of node i is needed. */
bool dc_plan_wants(const dc_plan *plan, int i, int k);
/* Whether the gradient of vector i, which is not a tensor, has partial sums over rows; they are added up when the
 * backward pass reaches it. */
bool dc_plan_has_parts(const dc_plan *plan, int i);

#endif
