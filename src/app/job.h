/* What every MPI verb needs before its first phase: the agreed deck, the output directory, the banner. Private to app/.
 */
#ifndef DCMPI_APP_JOB_H
#define DCMPI_APP_JOB_H

#include "cli.h"
#include "dcmpi/comm.h"
#include "dcmpi/report.h"
#include "lock.h"

typedef struct {
    const dc_cli *cli; /* borrowed */
    dc_config cfg;
    char *deck; /* effective deck as YAML, owned */
    dc_provenance from;
    dc_binding binding;
    char mixed[DC_ERROR_TEXT_MAX]; /* reproducible: off: which rank runs other kernels; "" if none */
    dc_timers timers;
    dc_timing timing; /* of all ranks, for the result */
    dc_progress progress;
    dc_lock *lock; /* of the output directory, on rank 0; owned */
} dc_job;

/* Collective. Reads the deck on rank 0, spreads it, parses it on every rank, checks the launch. Errors: DC_ERR_USAGE.
 */
DC_CHECKED dc_status dc_job_start(dc_comm *comm, const dc_cli *cli, dc_job *job);
/* Collective. Creates and probes the output directory, opens log and metrics, writes config.used.yaml, prints the
 * banner. Errors: DC_ERR_IO before any work is done. */
DC_CHECKED dc_status dc_job_open_output(dc_comm *comm, dc_job *job);
void dc_job_end(dc_job *job);
/* run.output/name into out; false if that is too long for a path. */
bool dc_job_path(const dc_job *job, const char *name, char out[DC_PATH_MAX]);

/* Memory per rank and disk of a run, from the header of the data alone. */
typedef struct {
    double base_bytes, data_bytes, model_bytes, work_bytes, total_bytes; /* largest rank, phase that needs most */
    double disk_bytes;
} dc_estimate;
DC_CHECKED dc_status dc_job_estimate(const dc_job *job, const dc_data_header *head, int ranks, int ranks_here,
                                     dc_estimate *out);
/* What a rank may spend on outputs of frozen layers: a quarter of what the node has left, shared by its ranks. */
size_t dc_job_cache_bytes(int ranks_here);

#endif
