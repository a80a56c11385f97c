/* What the batch system says about this job in environment variables. */
#ifndef DCMPI_QUEUE_H
#define DCMPI_QUEUE_H

#include "dcmpi/base.h"

/* The job's number, which stays the same when it is requeued; "" outside of Slurm, PBS, LSF and Grid Engine. Never
 * NULL. */
const char *dc_queue_job(void);
/* How often the queue has started this job again, by `scontrol requeue` or after the failure of a node. Known with
 * Slurm only; 0 elsewhere. */
int64_t dc_queue_restarts(void);
/* True if the queue gave this job at least `threads` cores of this node for each of its ranks here. Known with Slurm
 * only; false elsewhere. */
bool dc_queue_grants_cores(int threads);

#endif
