/* What an output directory holds of earlier starts of this run: a result, checkpoints, or nothing. Private to app/. */
#ifndef DCMPI_APP_RESUME_H
#define DCMPI_APP_RESUME_H

#include "job.h"

/* Rank 0: looks for a result and for the newest checkpoint that can be used, and fills in job->resume. Writes nothing.
 * What people should know goes to job->resume.notes. Errors: DC_ERR_FORMAT (a result or checkpoint of another deck, all
 * checkpoints damaged), DC_ERR_USAGE (run.resume = must without anything to continue), DC_ERR_IO. */
DC_CHECKED dc_status dc_resume_find(dc_job *job);
/* Rank 0: cuts log and metrics to what they were when the checkpoint was written, or empties the metrics if there is
 * none; removes a STOP of before. */
DC_CHECKED dc_status dc_resume_prepare_files(dc_job *job);
/* Collective: the checkpoint to all ranks, and the control that saves and stops this run. */
DC_CHECKED dc_status dc_resume_start(dc_comm *comm, dc_job *job);
/* The data are those of the checkpoint or result. Errors: DC_ERR_DATA, equal on all ranks. */
DC_CHECKED dc_status dc_resume_check_data(const dc_job *job, const dc_dataset *data);
/* Why, where and how fast the run stopped. Rank 0 prints. */
void dc_resume_report_stop(const dc_job *job);
void dc_resume_end(dc_comm *comm, dc_job *job);

#endif
