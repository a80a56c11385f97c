/* What every MPI verb needs before its first phase: the agreed deck, the output directory, the banner. Private to app/.
 */
#ifndef DCMPI_APP_JOB_H
#define DCMPI_APP_JOB_H

#include "cli.h"
#include "dcmpi/ckpt.h"
#include "dcmpi/cores.h"
#include "dcmpi/files.h"
#include "dcmpi/lock.h"
#include "dcmpi/report.h"
#include "dcmpi/wish.h"

/* What earlier starts left in the output directory (resume.h). All ranks know complete, continues, longer, was, both
 * hashes, knows_labels, number and part; only rank 0 knows the rest. */
enum { DC_RESUME_NOTES_MAX = 8, DC_RESUME_DECK_MAX = 1 << 20 };
typedef struct {
    bool complete;  /* the result of this deck exists: nothing is left to do */
    bool continues; /* this start continues from a checkpoint */
    bool longer;    /* that checkpoint is of a shorter run */
    dc_config was;  /* deck of the shorter run */
    uint64_t data_hash, labels_hash;
    bool knows_labels;     /* labels_hash is known; version 0.1.0 did not store it */
    dc_image image;        /* what the network took a row for; c 0: no image, or unknown */
    bool other_labels;     /* the labels have changed since then */
    bool refused;          /* this start is refused: the files stay as they are */
    int64_t number;        /* of the checkpoint in use, 0: none */
    int64_t part;          /* starts of this run so far, this one included */
    int64_t next;          /* number of the next checkpoint */
    bool saved;            /* this start has written a checkpoint */
    bool over_shorter;     /* the result of the shorter run exists */
    char longer_text[512]; /* the lengths that differ; if complete: why that changes nothing */
    bool over_result;      /* an earlier run.h5 exists, and this run will replace it */
    dc_ckpt ckpt;
    int n_notes;
    char notes[DC_RESUME_NOTES_MAX][512];
} dc_resume;

typedef struct {
    const dc_cli *cli; /* borrowed */
    dc_config cfg;
    char *deck;            /* effective deck as YAML, owned */
    dc_config_notes notes; /* on the deck and the command line */
    dc_provenance from;
    dc_binding binding;
    double base_bytes;             /* memory that the program and its libraries take while working */
    char mixed[DC_ERROR_TEXT_MAX]; /* which rank runs kernels that differ, if that is allowed; "" if none does */
    dc_timers timers;
    dc_timing timing; /* over all ranks, for the result */
    dc_progress progress;
    dc_lock *lock; /* of the output directory, on rank 0; owned */
    dc_resume resume;
    bool accepted; /* the run's files now belong to this start */
    char stop_file[DC_PATH_MAX];
    dc_wish *wish;          /* owned */
    dc_files *files;        /* of the data, owned; NULL until they are opened */
    dc_state *state;        /* owned */
    dc_ckpt_writer *writer; /* on rank 0, while a checkpoint is written */
    double save_start_s;
    const dc_dataset *data; /* borrowed; set when it is loaded */
    float *first;           /* centres of the earlier run, [K x width]; NULL without cluster.init = weights; owned */
} dc_job;

/* Collective. Reads the deck on rank 0, sends it to all ranks, parses it on each, and checks the launch. Errors:
 * DC_ERR_USAGE. */
DC_CHECKED dc_status dc_job_start(dc_comm *comm, const dc_cli *cli, dc_job *job);
/* Stores the effective deck as text, for checkpoints, the result file and config.used.yaml. Local. Errors:
 * DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_job_dump_deck(dc_job *job);

/* Collective. Creates, checks and locks the output directory, looks for what earlier starts left there, prints the
 * banner; from now on the run can be stopped. Changes no file of an earlier start. Errors: DC_ERR_IO, before any work
 * is done; those of resume.h. */
DC_CHECKED dc_status dc_job_open_output(dc_comm *comm, dc_job *job);
/* Collective. Call it when data and weights are known to be right. Opens log and records, writes config.used.yaml.
 * Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_job_accept(dc_comm *comm, dc_job *job);
/* Prints notes on the deck for the user, at a start and in a dry run. */
void dc_job_note_deck(const dc_job *job);
/* Collective. st: how the job ended. Rank 0 prints the text of an error and clears it. Returns the final status: a stop
 * may turn into an error (saving.h). */
DC_CHECKED dc_status dc_job_end(dc_comm *comm, dc_job *job, dc_status st);

/* The result stores the rows of the examples only if they take at most this many bytes, so that it stays small. */
enum { DC_EXAMPLE_ROWS_MAX_BYTES = 16 << 20 };
/* Estimates what a run needs (memory per rank, work, disk) from the header of the data alone. */
enum { DC_ESTIMATE_PHASES_MAX = DC_MAX_PAIRS + 13 };
typedef struct {
    const char *name;
    double bytes;        /* per rank, program and data included */
    dc_phase_needs step; /* rows 0: the phase takes no steps */
} dc_estimate_phase;
typedef struct {
    double base_bytes, data_bytes, model_bytes, work_bytes, total_bytes; /* of the largest rank, at its peak */
    double root_bytes;    /* extra on rank 0, for pieces of a checkpoint */
    double address_bytes; /* address space beyond the memory */
    double disk_bytes;
    int n_phases;
    dc_estimate_phase phase[DC_ESTIMATE_PHASES_MAX]; /* in the order of the run */
} dc_estimate;
/* Memory that the program and its libraries take on this rank while working, without any data. */
double dc_job_base_bytes(void);
/* Collective. Errors: DC_ERR_MEMORY, naming what does not fit even in a rehearsal; those of recording. */
DC_CHECKED dc_status dc_job_estimate(dc_comm *comm, const dc_job *job, const dc_data_header *head, dc_estimate *out);
/* ---- memory.c: what a job needs against what is left ------------------------------------------------------------- */

typedef struct {
    double rank_bytes;    /* of each rank, program and libraries included */
    double root_bytes;    /* more on rank 0 */
    double address_bytes; /* extra address space of each rank, which takes no memory */
} dc_memory_need;
/* st: the status of an estimate. DC_ERR_MEMORY means that not even address space was left: the error then names the
 * limit. */
DC_CHECKED dc_status dc_job_name_limit(dc_status st, const char *advice);
/* Collective. Errors: DC_ERR_MEMORY, naming the limit that would be exceeded. All ranks of a node together must keep
 * within the limits of the node and its control groups, and each rank within the limits of its process. `advice`: what
 * else the user may do. */
DC_CHECKED dc_status dc_job_check_memory(dc_comm *comm, const dc_memory_need *need, const char *advice);

#endif
