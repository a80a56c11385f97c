/* A recorded step on rows in memory: losses, the whole gradient, values and their gradients in the order of the rows.
 * It does what the trainer does with steps, but without data sets and phases; on one rank or more. */
#ifndef DCMPI_TESTS_ONE_STEP_H
#define DCMPI_TESTS_ONE_STEP_H

#include "dcmpi/outer.h"
#include "dcmpi/step.h"

typedef struct {
    int64_t N, width; /* rows over all ranks */
    const float *x;   /* [N x width] all of them, on every rank; borrowed */
    int V;            /* shards */
    int64_t B;        /* rows of a batch */
    dc_outer_way way;
    uint64_t seed;
    const dc_csr *csr; /* the same rows if they are given as sparse ones, too; borrowed */
} one_step_rows;

typedef struct {
    dc_graph *graph; /* owned */
    dc_step *step;   /* owned */
    dc_params *params;
    dc_part part;
    one_step_rows rows;
    dc_csr own; /* this rank's rows of rows.csr */
    dc_timers timers;
} one_step;

/* Opens s->graph for recording. Aborts without memory. */
void one_step_open(one_step *s);
/* Makes x a value that has a gradient, by a trained layer of weights I and biases 0. They take width * width + width
 * floats of the slab `value` from float `at` on. */
dc_val one_step_input(one_step *s, dc_val x, int64_t width, size_t at, float *value);
/* Creates the recorded step for the rank and size of comm. Returns the errors of the recording and of dc_step_create().
 * Local. */
DC_CHECKED dc_status one_step_create(dc_comm *comm, one_step *s, dc_params *params, const one_step_rows *rows);
void one_step_close(one_step *s);

/* Runs step number `step`: returns the sum of the losses; params.grad is complete on all ranks. Collective. */
double one_step_run(dc_comm *comm, one_step *s, int64_t step);
/* Collects on all ranks the parts of grad that the ranks own. Collective. */
void one_step_share(dc_comm *comm, const dc_step *step, float *grad);
/* Whether the step trains float i of the slab. */
bool one_step_trains(const dc_step *step, size_t i);
/* Values of x, or gradients with respect to x, of this rank's rows in the last step, each at its global number in
 * out[N x width]; the other rows are left alone. */
void one_step_values(const one_step *s, dc_val x, float *out);
void one_step_slopes(const one_step *s, dc_val x, float *out);

#endif
