/* Rank 0's work on the output directory, and the names of its files. Private to app/. */
#ifndef DCMPI_APP_OUTPUT_H
#define DCMPI_APP_OUTPUT_H

#include "job.h"

/* All files that a run leaves or looks for in run.output. A run that will replace an older run.h5 first keeps its own
 * records and deck under other names, so that the files beside run.h5 always belong to it. */
typedef enum {
    DC_FILE_RESULT,
    DC_FILE_SUMMARY,
    DC_FILE_METRICS,
    DC_FILE_METRICS_NEW,
    DC_FILE_DECK,
    DC_FILE_DECK_NEW,
    DC_FILE_LOG,
    DC_FILE_LOCK,
    DC_FILE_STOP,
    DC_FILE_CHECKPOINTS, /* a folder */
    DC_FILE_TABLE,       /* of the files of the data (files.h) */
    DC_FILE_IN_VAIN      /* marks that a start ended before it could save anything */
} dc_output_file;
/* paths.c */
/* Makes the path run.output/name; false if it would be too long. */
bool dc_output_name(const dc_job *job, const char *name, char out[DC_PATH_MAX]);
/* Asserts that the path fits: dc_output_open has checked that. */
void dc_output_path(const dc_job *job, dc_output_file file, char out[DC_PATH_MAX]);

/* output.c */
/* Creates, checks and locks the directory, looks for what earlier starts left (resume.h), removes an earlier STOP.
 * Changes no other file of an earlier start; log lines are held back until the log is opened. Errors: DC_ERR_IO,
 * DC_ERR_BUSY (another run has it), those of resume.h. */
DC_CHECKED dc_status dc_output_open(dc_job *job);
/* For a start that is accepted. Cuts the records back to the checkpoint (to nothing if there is none), and also the log
 * if the same run continues; opens both; writes the effective deck. Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_output_accept(dc_job *job);
/* If somebody removed the folders during the run, creates them again, with lock, log, records and deck. Errors:
 * DC_ERR_IO, DC_ERR_BUSY. */
DC_CHECKED dc_status dc_output_restore(dc_job *job);
/* For --dry-run: checks whether the directory could be created and whether the disk has room for `bytes`. Writes
 * nothing. Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_output_check(const dc_job *job, double bytes);

#endif
