/* What every MPI verb needs before its first phase: the agreed deck, the output directory, the banner. Private to app/.
 */
#ifndef DCMPI_APP_JOB_H
#define DCMPI_APP_JOB_H

#include "cli.h"
#include "dcmpi/ckpt.h"
#include "dcmpi/cores.h"
#include "dcmpi/lock.h"
#include "dcmpi/report.h"
#include "dcmpi/wish.h"

/* What the output directory holds of earlier starts (resume.h). On all ranks: complete, continues, longer, was, the
 * hashes, number, part. On rank 0: the rest. */
enum { DC_RESUME_NOTES_MAX = 8, DC_RESUME_DECK_MAX = 1 << 20 };
typedef struct {
    bool complete;  /* a result of this deck: nothing is left to do */
    bool continues; /* from a checkpoint, */
    bool longer;    /* which is of a shorter run: */
    dc_config was;  /* its deck */
    uint64_t data_hash, labels_hash;
    bool knows_labels;     /* what labels_hash says; version 0.1.0 did not note it */
    bool other_labels;     /* than now */
    bool refused;          /* this start: the files stay as they are */
    int64_t number;        /* of the newest checkpoint in use, 0: none */
    int64_t part;          /* starts of this run, this one included */
    int64_t next;          /* number of the next checkpoint */
    bool saved;            /* this start has written one */
    bool over_shorter;     /* the result of which is there */
    char longer_text[512]; /* the lengths that differ; of a complete run why that changes nothing */
    bool over_result;      /* an earlier run.h5 is there, which this run will replace */
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
    double base_bytes;             /* memory of program and libraries at work */
    char mixed[DC_ERROR_TEXT_MAX]; /* reproducible: off: which rank runs other kernels; "" if none */
    dc_timers timers;
    dc_timing timing; /* of all ranks, for the result */
    dc_progress progress;
    dc_lock *lock; /* of the output directory, on rank 0; owned */
    dc_resume resume;
    bool accepted; /* the files of the run are those of this start */
    char stop_file[DC_PATH_MAX];
    dc_wish *wish;          /* owned */
    dc_state *state;        /* owned */
    dc_ckpt_writer *writer; /* on rank 0, while a checkpoint is written */
    double save_start_s;
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
/* What people should know of the deck, at a start and a dry run. */
void dc_job_note_deck(const dc_job *job);
/* Collective. st: how the job ended; of an error rank 0 prints the text, and forgets it. Returns how it ended after
 * all: a stop may be one too many (saving.h). */
DC_CHECKED dc_status dc_job_end(dc_comm *comm, dc_job *job, dc_status st);

/* Rows of the examples are kept in the result up to this size, so that they are small against the rest of it. */
enum { DC_EXAMPLE_ROWS_MAX_BYTES = 16 << 20 };
/* Memory per rank, work and disk of a run, from the header of the data alone. */
enum { DC_ESTIMATE_PHASES_MAX = DC_MAX_PAIRS + 8 };
typedef struct {
    const char *name;
    double bytes;        /* of a rank, program and data included */
    dc_phase_needs step; /* rows 0: it takes no steps */
} dc_estimate_phase;
typedef struct {
    double base_bytes, data_bytes, model_bytes, work_bytes, total_bytes; /* largest rank, moment that needs most */
    double root_bytes;                                                   /* more on rank 0: pieces of a checkpoint */
    double address_bytes;                                                /* more address space than memory */
    double disk_bytes;
    int n_phases;
    dc_estimate_phase phase[DC_ESTIMATE_PHASES_MAX]; /* in their order */
} dc_estimate;
/* Memory of program and libraries of this rank at work, while it holds nothing else. */
double dc_job_base_bytes(void);
/* Collective. Errors: DC_ERR_MEMORY, naming what is too small even for a rehearsal; those of recording. */
DC_CHECKED dc_status dc_job_estimate(dc_comm *comm, const dc_job *job, const dc_data_header *head, dc_estimate *out);
/* ---- memory.c: what a job needs against what is left ------------------------------------------------------------- */

typedef struct {
    double rank_bytes;    /* of each rank, program and libraries included */
    double root_bytes;    /* more on rank 0 */
    double address_bytes; /* more address space of each rank, which takes no memory */
} dc_memory_need;
/* st: of an estimate; DC_ERR_MEMORY, where not even address space was there, gets the name of the limit. */
DC_CHECKED dc_status dc_job_name_limit(dc_status st, const char *advice);
/* Collective. Errors: DC_ERR_MEMORY naming the limit that is passed: of a node and its groups by all ranks there
 * together, of a process by one. `advice`: what else the user may do. */
DC_CHECKED dc_status dc_job_check_memory(dc_comm *comm, const dc_memory_need *need, const char *advice);

#endif
