/* What the batch system tells about this job. Private to app/. */
#ifndef DCMPI_APP_QUEUE_H
#define DCMPI_APP_QUEUE_H

#include "dcmpi/base.h"

/* The job's number, which it keeps when it is run again; "" outside of Slurm, PBS, LSF and Grid Engine. Borrowed for
 * ever. */
const char *dc_queue_job(void);
/* Whether the queue runs this job again after it was stopped or lost its nodes. */
bool dc_queue_runs_again(void);

#endif
