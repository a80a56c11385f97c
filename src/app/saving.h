/* The life of a run that can be saved and stopped. Private to app/. */
#ifndef DCMPI_APP_SAVING_H
#define DCMPI_APP_SAVING_H

#include "job.h"

/* Collective: the checkpoint to all ranks, and the control that saves and stops this run. */
DC_CHECKED dc_status dc_saving_start(dc_comm *comm, dc_job *job);
/* Collective, after DC_STOPPED: why, where and how fast the run stopped; rank 0 prints. Errors: DC_ERR_USAGE if this
 * part, as the one before it, ended before anything could be saved: it would end so for ever. */
DC_CHECKED dc_status dc_saving_report_stop(dc_comm *comm, dc_job *job);
/* Rank 0: this part has left something. */
void dc_saving_not_in_vain(const dc_job *job);
void dc_saving_end(dc_comm *comm, dc_job *job);

#endif
