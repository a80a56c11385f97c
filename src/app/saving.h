/* Saving and stopping a run. Private to app/. */
#ifndef DCMPI_APP_SAVING_H
#define DCMPI_APP_SAVING_H

#include "job.h"

/* Collective: spreads the checkpoint to all ranks, and sets up what saves and stops this run. */
DC_CHECKED dc_status dc_saving_start(dc_comm *comm, dc_job *job);
/* Collective, after DC_STOPPED: rank 0 prints why, where and how fast the run stopped. Errors: DC_ERR_USAGE if this
 * part (one start of the run) and the one before it both ended before anything could be saved: so would all later ones.
 */
DC_CHECKED dc_status dc_saving_report_stop(dc_comm *comm, dc_job *job);
/* Rank 0: notes that this part has saved something. */
void dc_saving_not_in_vain(const dc_job *job);
void dc_saving_end(dc_comm *comm, dc_job *job);

#endif
