/* What the batch system tells about this job, by its environment. */
#ifndef DCMPI_QUEUE_H
#define DCMPI_QUEUE_H

#include "dcmpi/base.h"

/* The job's number, which it keeps when it is run again; "" outside of Slurm, PBS, LSF and Grid Engine. Borrowed for
 * ever. */
const char *dc_queue_job(void);
/* How often the queue has started this job again, by `scontrol requeue` or after the failure of a node. Slurm tells; 0
 * elsewhere. */
int64_t dc_queue_restarts(void);

#endif
