/* Private to train/: rehearsals of phases, which find out how much memory a run will need. A rehearsal creates a phase
 * as the run will, but without data and parameters, and in memory that is only counted, not written to (mem.h). It
 * releases the phase before its first step. */
#ifndef DCMPI_TRAIN_NEEDS_H
#define DCMPI_TRAIN_NEEDS_H

#include "phase.h"

typedef struct {
    dc_model model;   /* has only the shape of the parameters; has its own dc_state */
    size_t all, lazy; /* bytes held before the rehearsal */
} dc_rehearsal;
/* sketch: data and slab, no parameters. Collective. Errors: DC_ERR_MEMORY; call dc_rehearsal_end() even then. */
DC_CHECKED dc_status dc_rehearsal_begin(dc_comm *comm, dc_rehearsal *r, const dc_model *sketch);
/* What phase p needs, including everything created since dc_rehearsal_begin(). */
void dc_rehearsal_measure(const dc_rehearsal *r, const dc_phase *p, dc_phase_needs *out);
void dc_rehearsal_end(dc_rehearsal *r);

#endif
