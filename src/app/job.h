/* What every MPI verb needs before its first phase: the agreed deck, the output directory, the banner. Private to app/.
 */
#ifndef DCMPI_APP_JOB_H
#define DCMPI_APP_JOB_H

#include "cli.h"
#include "dcmpi/ckpt.h"
#include "dcmpi/comm.h"
#include "dcmpi/lock.h"
#include "dcmpi/report.h"

/* What the output directory holds of earlier starts (resume.h). On all ranks: complete, continues, the hashes, number,
 * part. On rank 0: the rest. */
enum { DC_RESUME_NOTES_MAX = 8, DC_RESUME_DECK_MAX = 1 << 20 };
typedef struct {
    bool complete;  /* a result of this deck: nothing is left to do */
    bool continues; /* from a checkpoint */
    uint64_t data_hash, labels_hash;
    bool knows_labels; /* what labels_hash says; version 0.1.0 did not note it */
    bool other_labels; /* than now */
    bool refused;      /* this start: the files stay as they are */
    int64_t number;    /* of the newest checkpoint in use, 0: none */
    int64_t part;      /* starts of this run, this one included */
    int64_t next;      /* number of the next checkpoint */
    bool saved;        /* this start has written one */
    bool over_result;  /* a run.h5 of before is there, which this run will replace */
    dc_ckpt ckpt;
    int n_notes;
    char notes[DC_RESUME_NOTES_MAX][512];
} dc_resume;

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
    dc_resume resume;
    bool accepted; /* the files of the run are those of this start */
    char stop_file[DC_PATH_MAX];
    dc_control *control;    /* owned */
    const dc_dataset *data; /* borrowed; set when it is loaded */
} dc_job;

/* Collective. Reads the deck on rank 0, spreads it, parses it on every rank, checks the launch. Errors: DC_ERR_USAGE.
 */
DC_CHECKED dc_status dc_job_start(dc_comm *comm, const dc_cli *cli, dc_job *job);
/* Collective. Creates, checks and locks the output directory, looks for what earlier starts left there, prints the
 * banner; from now on the run can be stopped. No file of an earlier start is changed. Errors: DC_ERR_IO before any work
 * is done; those of resume.h. */
DC_CHECKED dc_status dc_job_open_output(dc_comm *comm, dc_job *job);
/* Collective, when data and weights are known to be right: opens log and records, writes config.used.yaml. Errors:
 * DC_ERR_IO. */
DC_CHECKED dc_status dc_job_accept(dc_comm *comm, dc_job *job);
/* Collective. st: how the job ended; of an error rank 0 prints the text, and forgets it. Returns how it ended after
 * all: a stop may be one too many (saving.h). */
DC_CHECKED dc_status dc_job_end(dc_comm *comm, dc_job *job, dc_status st);

/* Memory per rank and disk of a run, from the header of the data alone. */
typedef struct {
    double base_bytes, data_bytes, model_bytes, work_bytes, total_bytes; /* largest rank, phase that needs most */
    double root_bytes;                                                   /* more on rank 0: a checkpoint in memory */
    double disk_bytes;
} dc_estimate;
DC_CHECKED dc_status dc_job_estimate(const dc_job *job, const dc_data_header *head, int ranks, int ranks_here,
                                     dc_estimate *out);
/* What a rank may spend on outputs of frozen layers: a quarter of what the node has left, shared by its ranks. */
size_t dc_job_cache_bytes(int ranks_here);

#endif
