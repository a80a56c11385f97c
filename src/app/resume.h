/* What earlier starts of this run left in the output directory: a result, checkpoints, or nothing. Private to app/. */
#ifndef DCMPI_APP_RESUME_H
#define DCMPI_APP_RESUME_H

#include "job.h"

/* Rank 0: looks for a result and for the newest checkpoint that can be used, and fills in job->resume. Writes nothing.
 * Notes for the user go to job->resume.notes. Errors: DC_ERR_FORMAT (the newest state is of another deck or of other
 * weights, or all checkpoints are damaged), DC_ERR_USAGE (run.resume = must without anything to continue), DC_ERR_IO.
 */
DC_CHECKED dc_status dc_resume_find(dc_job *job);
/* Rank 0: prints what was found; call it once the log is in use. */
void dc_resume_print(const dc_job *job);
/* Collective, before rows are read: many files must have as many rows as when the run was started. Errors: DC_ERR_DATA,
 * which names the file. On an error nothing has been changed. */
DC_CHECKED dc_status dc_resume_check_files(dc_comm *comm, dc_job *job);
/* Collective. Checks that the data are those of the checkpoint or result. Changed labels only cause a note, because
 * labels only score the result. Errors: DC_ERR_DATA, DC_ERR_FORMAT (a checkpoint of other dimensions, or
 * a network for images of another shape), equal on all
 * ranks. On an error nothing has been changed. */
DC_CHECKED dc_status dc_resume_check_data(dc_comm *comm, dc_job *job, const dc_dataset *data);

#endif
