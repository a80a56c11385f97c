/* Private to train/: rehearsals of phases, from which people learn what a run will take. A phase is made in one as it
 * will be in the run, without data and parameters, in memory that is counted and not written to (mem.h); and taken
 * apart before its first step. */
#ifndef DCMPI_TRAIN_NEEDS_H
#define DCMPI_TRAIN_NEEDS_H

#include "phase.h"

typedef struct {
    dc_model model;   /* with the parameters' shape, part of a register of state of its own */
    size_t all, lazy; /* what was held before */
} dc_rehearsal;
/* sketch: data and slab, no parameters. Collective. Errors: DC_ERR_MEMORY; dc_rehearsal_end() then, too. */
DC_CHECKED dc_status dc_rehearsal_begin(dc_comm *comm, dc_rehearsal *r, const dc_model *sketch);
/* What phase p takes, and what was made since the begin. */
void dc_rehearsal_measure(const dc_rehearsal *r, const dc_phase *p, dc_phase_needs *out);
void dc_rehearsal_end(dc_rehearsal *r);

#endif
