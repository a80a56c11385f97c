/* Calls one operation of the table by hand on rows of the caller, as a thread of step/ does with a tile, but without a
 * step. The test names the operands in `call`; the shapes are those that were recorded. */
#ifndef DCMPI_TESTS_OP_CALL_H
#define DCMPI_TESTS_OP_CALL_H

#include "dcmpi/op.h"

typedef struct {
    dc_graph *graph; /* owned */
    dc_tile tile;    /* keys of tables and noise, set by the caller */
    dc_call call;
    float *aux, *scratch, *lanes, *spill; /* owned */
} op_call;

/* Opens c->graph for recording. Aborts without memory, as does the next function. */
void op_call_open(op_call *c);
/* The operation that makes x, with aux, scratch and spill for up to n_max rows; aborts if recording failed. */
void op_call_of(op_call *c, dc_val x, int64_t n_max);
void op_call_close(op_call *c);

/* Runs forward on n rows tile by tile; the operands of `call` and tile.row begin at the first row. */
void op_call_forward(const op_call *c, int64_t n);
void op_call_backward(const op_call *c, int64_t n);
/* Adds to sum. */
void op_call_partial(const op_call *c, int64_t n, int k, double *sum);

#endif
