/* What a recorded step needs: which operations run, which gradients are formed, where every value lies, which sums over
 * rows are made. Known before the data are read and without memory; the executor and the memory estimate both read it.
 */
#ifndef DCMPI_PLAN_H
#define DCMPI_PLAN_H

#include "dcmpi/op.h"

/* Of one node. A buffer is a place: floats per row, before it those of other buffers. */
typedef struct {
    bool live;                  /* somebody needs its value */
    bool differentiated;        /* a trained tensor, or a row value that depends on one */
    bool adds[DC_NODE_INPUTS];  /* its gradient by this operand is not the first that the operand gets */
    size_t value, grad, aux;    /* see above; of differentiated rows, of operations that have aux */
    int summed[DC_NODE_INPUTS]; /* of vector operands whose gradient comes in parts: number of the tensor, else -1 */
} dc_node_plan;

enum { DC_PLAN_SUMMED = 64 };

typedef struct {
    const dc_graph *graph;
    dc_node_plan node[DC_NODES_MAX];
    int batch;         /* node of the batch, -1 without one */
    int n_products;    /* gradients that are products of rows */
    size_t row_floats; /* of all buffers, per row */
    size_t scratch;    /* floats that one operation wants beside its operands */
    int64_t spill;     /* floats per row that are computed apart and then added */
    size_t n_sums;     /* doubles that are summed over the rows: the losses, then the parts of gradients */
    int n_summed;
    struct {
        dc_tensor tensor; /* its gradient comes in parts from every row, */
        size_t at;        /* and is the sums from this one on */
    } summed[DC_PLAN_SUMMED];
    double flops; /* of a step, per row: forward, backward and products */
} dc_plan;

/* For training: nodes that a loss depends on, with their gradients. */
void dc_plan_training(const dc_graph *g, dc_plan *plan);
/* For inference: nodes that an output depends on. */
void dc_plan_inference(const dc_graph *g, dc_plan *plan);

#endif
