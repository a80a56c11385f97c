/* Saving and stopping a run. Private to app/. */
#ifndef DCMPI_APP_SAVING_H
#define DCMPI_APP_SAVING_H

#include "job.h"

/* Collective: broadcasts the checkpoint's list of arrays, and prepares the saving and stopping of this run. */
DC_CHECKED dc_status dc_saving_start(dc_comm *comm, dc_job *job);
/* Collective, after DC_STOPPED: rank 0 prints why, where and how fast the run stopped. A part is one start of the run.
 * Errors: DC_ERR_USAGE if this part and the one before it both ended before anything was saved, because all later parts
 * would end in the same way. */
DC_CHECKED dc_status dc_saving_report_stop(dc_comm *comm, dc_job *job);
/* Rank 0: notes that this part has saved something. */
void dc_saving_not_in_vain(const dc_job *job);
void dc_saving_end(dc_comm *comm, dc_job *job);

#endif
