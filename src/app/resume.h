/* What an output directory holds of earlier starts of this run: a result, checkpoints, or nothing. Private to app/. */
#ifndef DCMPI_APP_RESUME_H
#define DCMPI_APP_RESUME_H

#include "job.h"

/* Rank 0: looks for a result and for the newest checkpoint that can be used, and fills in job->resume. Writes nothing.
 * What people should know goes to job->resume.notes. Errors: DC_ERR_FORMAT (what is newest is of another deck or of
 * other weights, all checkpoints damaged), DC_ERR_USAGE (run.resume = must without anything to continue), DC_ERR_IO. */
DC_CHECKED dc_status dc_resume_find(dc_job *job);
/* Rank 0: prints what was found, when there is somebody to read it. */
void dc_resume_print(const dc_job *job);
/* Collective. The data must be those of the checkpoint or result; other labels get a note, for they only score. Errors:
 * DC_ERR_DATA, DC_ERR_FORMAT (a checkpoint of other dimensions), equal on all ranks; nothing was changed then. */
DC_CHECKED dc_status dc_resume_check_data(dc_comm *comm, dc_job *job, const dc_dataset *data);

#endif
