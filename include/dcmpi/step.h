/* Executes recorded steps: in training on shuffled mini-batches, in inference on tiles of rows.
 *
 * A training step gathers the rows of the batch, runs the operations in recorded order and their gradients in reverse
 * order, sums over the rows of all ranks (outer.h) and updates. It does not allocate, and gives the same bits on any
 * number of ranks and threads unless the sums are formed by "allreduce" (outer.h). */
#ifndef DCMPI_STEP_H
#define DCMPI_STEP_H

#include "dcmpi/csr.h"
#include "dcmpi/data.h"
#include "dcmpi/optim.h"
#include "dcmpi/plan.h"
#include "dcmpi/state.h"
#include "dcmpi/timer.h"

typedef struct dc_comm dc_comm;

/* Where the rows of a batch come from: `gather` writes out[n x width of the batch] for n local row numbers. If csr is
 * not NULL, it holds the same rows; where all that read the batch can do without the zeros (plan.h), and few values are
 * not zero (dc_csr_pays), the batch stays sparse and gather is not called: the first layer and the gradient of its
 * weights then take time, memory and traffic for the stored values alone. csr may change until the first step. */
typedef struct {
    void (*gather)(const void *from, const int64_t *rows, int64_t n, float *out);
    const void *from;
    double flops; /* floating-point operations of gather per row */
    const dc_csr *csr;
    dc_rows_expect *expect; /* of `from`: is told early which rows will be gathered; NULL: need not be told */
} dc_row_source;

typedef struct {
    const dc_graph *graph; /* borrowed, like all pointers here */
    const dc_part *part;
    dc_row_source source;
    dc_params *params; /* slabs of values, gradients and moments; none allocated if only the costs are wanted */
    uint64_t seed;
    int64_t B;
    bool strict;         /* the same bits on any number of ranks and threads (parallel.reproducible) */
    int64_t gather_rows; /* strict: up to this batch size, rows are gathered instead of gradients */
    dc_state *state;     /* polled for wishes (wish.h) in each step, and saves the moments; NULL: none */
    dc_timers *timers;
    dc_section gather; /* timer section for gathering rows; the next three are network, sync and update */
} dc_step_config;

typedef struct dc_step dc_step;
/* Local. Errors: DC_ERR_MEMORY, DC_ERR_DATA, DC_ERR_USAGE. */
DC_CHECKED dc_status dc_step_create(dc_step **out, const dc_step_config *cfg);
void dc_step_destroy(dc_step **s);
const dc_batcher *dc_step_batcher(const dc_step *s);
const dc_plan *dc_step_plan(const dc_step *s);
/* Floating-point operations of a step per row of its batch. */
double dc_step_flops(const dc_step *s);
/* What a step costs; this is known before the first step. Its memory is what dc_step_create() allocates (see rehearsals
 * in mem.h). */
typedef struct {
    double flops;      /* of all ranks together */
    int reductions;    /* sums over all ranks: within the passes, one for losses and products, one for clip_norm */
    double sent_bytes; /* by this rank to others (outer.h) */
    double mpi_bytes;  /* memory of the MPI library during the step */
    double updated;    /* floats that this rank updates; gradients and moments take memory for these only */
} dc_step_costs;
dc_step_costs dc_step_costs_of(const dc_step *s, const dc_opt_config *opt);
/* Runs step number `step` up to its gradients. loss[n_losses of the graph]: weight times the mean over the batch.
 * Returns the number of rows of the batch over all ranks. Collective. The reduction of the step also sums the wishes
 * (wish.h), so dc_state_act() may follow. */
int64_t dc_step_run(dc_comm *comm, dc_step *s, int64_t step, double *loss);
/* Updates what the step trains; the result is equal on all ranks. t, total: see optim.h. clip_norm costs one more small
 * message, and uses the norm of this step's gradients only. Collective. */
void dc_step_update(dc_comm *comm, dc_step *s, const dc_opt_config *opt, int64_t t, int64_t total);
/* Makes the optimizer's moments for this step part of the run's state until the step is destroyed; a run that continues
 * gets them back. number: the step's number within its phase. Collective. */
DC_CHECKED dc_status dc_step_keep_moments(dc_comm *comm, dc_step *s, int number, const dc_opt_config *opt);

/* ---- Inference ---- */

/* Computes the outputs of a graph for tiles of rows, one thread per tile. Every product has tile_rows rows. csr: NULL,
 * or the rows, all N of which over all ranks are sparse. Errors: DC_ERR_MEMORY; DC_ERR_USAGE (an output needs the whole
 * batch or the row number). */
typedef struct dc_infer dc_infer;
DC_CHECKED dc_status dc_infer_create(dc_infer **out, const dc_graph *g, const float *value, int64_t tile_rows,
                                     const dc_csr *csr, dc_gidx N);
void dc_infer_destroy(dc_infer **infer);
/* Number of threads that may run at a time. */
int dc_infer_threads(const dc_infer *e);
/* Whether the input stays sparse, as in a step: then each tile is given by dc_infer_rows(), else in dc_infer_batch().
 */
bool dc_infer_is_sparse(const dc_infer *e);
/* The input buffer of `thread`, [tile_rows x width], which the caller fills. */
float *dc_infer_batch(const dc_infer *e, int thread);
/* The rows of the next run of `thread`: at most tile_rows; those missing are zero. Borrowed until the run ends. */
void dc_infer_rows(const dc_infer *e, int thread, const dc_csr *rows);
/* Computes the outputs of this thread, valid until its next run. */
void dc_infer_run(const dc_infer *e, int thread);
/* Index of the output with this name, or -1. */
int dc_infer_find(const dc_infer *e, const char *name);
/* The values of that output, [tile_rows x width]; the caller may change them. */
float *dc_infer_output(const dc_infer *e, int thread, int output);
int64_t dc_infer_width(const dc_infer *e, int output);
/* Floating-point operations per row. */
double dc_infer_flops(const dc_infer *e);

#endif
