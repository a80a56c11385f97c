/* Naive twin of a recorded graph: evaluates every node for all rows of the batch at once, by loops in double, as
 * graph.h and cluster.h define its operation. Gradients are central differences of the twin. */
#ifndef DCMPI_TESTS_GRAPH_REF_H
#define DCMPI_TESTS_GRAPH_REF_H

#include "dcmpi/op.h"

typedef struct {
    const dc_graph *graph; /* borrowed, as are all pointers to what is const */
    int64_t n;             /* rows of the batch, over all ranks */
    const dc_gidx *row;    /* [n] global numbers of the rows */
    dc_gidx row_lo;        /* global number of row 0 of the tables */
    uint64_t seed;
    int64_t step;
    const double *batch;         /* [n x width] */
    const double *slab;          /* parameters */
    double *value[DC_NODES_MAX]; /* owned: [n x width], vectors [n of the shape x width] */
    double *held[DC_NODES_MAX];  /* owned, NULL before graph_ref_hold(): what counts as a constant is read from here */
} graph_ref;

/* Opens the twin of a graph with one kind of batch, for n rows; the values exist after graph_ref_run(). */
void graph_ref_open(graph_ref *r, const dc_graph *graph, int64_t n);
void graph_ref_close(graph_ref *r);
/* Evaluates the nodes from `first` on; the caller has put the values of those before it into `value`. */
void graph_ref_run(graph_ref *r, int first);
/* Row i of node x: out[width]; or what that row adds to a sum: out[n of the shape x width]. */
void graph_ref_row(const graph_ref *r, int x, int64_t i, double *out);
/* From here on, values that count as constants keep what they are now. */
void graph_ref_hold(graph_ref *r);
/* Rows of node i: n, or those of the vector. */
int64_t graph_ref_rows(const graph_ref *r, int i);
/* What the step minimises. */
double graph_ref_loss(const graph_ref *r);
/* grad[hi - lo]: derivatives of the loss with respect to floats [lo, hi) of the slab, which is r->slab. Runs, holds,
 * and leaves the values of the slab as it is. */
void graph_ref_gradient(graph_ref *r, double *slab, size_t lo, size_t hi, double *grad);

/* Operands of an operation that count as constants: bit k for operand k. */
unsigned graph_ref_constant(const char *operation);
/* Functions of dc_map: the first GRAPH_REF_FUNCTIONS take any number, the rest positive numbers. */
enum { GRAPH_REF_FUNCTIONS = DC_LOG, GRAPH_REF_FUNCTIONS_END = DC_RECIPROCAL + 1 };
bool graph_ref_has_two(dc_function f);

#endif
