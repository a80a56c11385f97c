/* Private to train/: the one loop of training. Pretraining, layer pairs, fine-tuning and clustering are phases: they
 * make steps on shuffled batches and, at intervals, records. A record may look at all rows, change what steps do not
 * change, and end the phase. Between steps and records the state is complete: the run may save it, or stop. A run that
 * continues from there gives the same results, on any number of ranks.
 *
 * A loss that is not finite ends the phase before its gradient touches the weights. The loss is summed over ranks
 * together with the gradient, so all ranks decide alike. */
#ifndef DCMPI_TRAIN_PHASE_H
#define DCMPI_TRAIN_PHASE_H

#include "dcmpi/train.h"

enum { DC_PHASE_STEPS = 4, DC_PHASE_TERMS = 4 };

/* What steps leave behind for records. */
typedef struct {
    double loss, recon; /* of the last step: the minimised loss, and the reconstruction's part of it */
    double sum, rows;   /* sums since the last record: of loss times rows, and of rows */
    double term[DC_PHASE_TERMS], term_rows[DC_PHASE_TERMS]; /* the same for each named loss */
} dc_phase_figures;

typedef struct dc_phase {
    /* Set by the caller; borrowed. */
    const char *name; /* in history, log and checkpoints; static text */
    dc_model *model;
    dc_history *history;
    const dc_opt_config *opt;     /* for steps without a turn */
    dc_turn turn[DC_PHASE_STEPS]; /* when step i runs; every = 0: on each batch, with opt */
    const char *advice;           /* what helps if the phase diverges */
    int64_t total;                /* steps of the phase in this run */
    int64_t total_before;         /* the same for the run that wrote the checkpoint */
    int64_t every;                /* steps between two records; there is one at the end, too */
    bool from_start;              /* there is also a record before the first step */
    bool records_divergence;
    void *ctx;
    /* NULL, or called before each step. Local. */
    void (*before)(void *ctx, int64_t step);
    /* Fills row[columns of history]; may set p->stop. Collective. */
    dc_status (*record)(dc_comm *comm, struct dc_phase *p, double *row);

    /* Made by dc_phase_create. */
    int n_steps;
    dc_graph *graph[DC_PHASE_STEPS]; /* owned, as are the steps */
    dc_step *step[DC_PHASE_STEPS];
    dc_params params[DC_PHASE_STEPS]; /* owned: moments of the steps after the first */
    /* Names of losses in recorded order, without "clustering" and "reconstruction". */
    int n_terms;
    const char *term[DC_PHASE_TERMS];
    bool reconstructs; /* there is a loss "reconstruction" */

    /* State. */
    int64_t at; /* step of the last record, -1 before the first */
    dc_phase_figures last;
    bool moved; /* a step or a record was made since this start */
    dc_stop stop;
} dc_phase;

/* Makes n steps; record(g, ctx, i) records step i. Local. Errors: those of the recording and of dc_step_create. */
dc_status dc_phase_create(dc_phase *p, int n, void (*record)(dc_graph *g, const void *ctx, int i), const void *ctx,
                          const dc_row_source *source, int64_t batch, dc_section gather);
void dc_phase_release(dc_phase *p);
/* Mean of named loss i over the rows since the last record; 0 if there were none. */
double dc_phase_term(const dc_phase *p, int i);
/* Number of batches in one pass over all rows; p->step[0] must exist. */
int64_t dc_phase_epoch(const dc_phase *p);
/* A step runs on every how manieth batch. */
int64_t dc_phase_cycle(const dc_phase *p, int step);
/* The optimizer of a step. */
const dc_opt_config *dc_phase_opt(const dc_phase *p, int step);
/* Makes history, moments, sums and the place in the phase part of the run's state; a run that continues gets them back.
 * p->total_before and p->every must be set. Collective. Errors: those of dc_state_keep, DC_ERR_FORMAT (a state that
 * this run cannot have had). */
dc_status dc_phase_keep(dc_comm *comm, dc_phase *p, int n_columns, const char *const *columns);
/* Runs the phase to its end. Collective. Errors: also DC_STOPPED. */
dc_status dc_phase_run(dc_comm *comm, dc_phase *p);

#endif
