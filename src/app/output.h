/* Rank 0's work on the output directory, and the names of its files. Private to app/. */
#ifndef DCMPI_APP_OUTPUT_H
#define DCMPI_APP_OUTPUT_H

#include "job.h"

/* Everything that a run leaves or looks for in run.output. A run that is to take the place of an older result keeps its
 * records and its deck under other names until then, so that what lies beside run.h5 belongs to it at all times. */
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
    DC_FILE_IN_VAIN      /* there since a part ended before it could save anything */
} dc_output_file;
/* paths.c */
/* run.output/name; false if that is too long for a path. */
bool dc_output_name(const dc_job *job, const char *name, char out[DC_PATH_MAX]);
/* DC_ASSERT: dc_output_open has seen that the names are not too long. */
void dc_output_path(const dc_job *job, dc_output_file file, char out[DC_PATH_MAX]);

/* output.c */
/* Creates, checks and locks the directory, looks for what earlier starts left (resume.h), removes an earlier STOP. No
 * file of an earlier start is changed; the lines of the log are held. Errors: DC_ERR_IO, DC_ERR_BUSY (another run has
 * it), those of resume.h. */
DC_CHECKED dc_status dc_output_open(dc_job *job);
/* The start is accepted: log and records are cut to what they were when the checkpoint was written, or begun, and
 * opened; the effective deck is written. Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_output_accept(dc_job *job);
/* Folders that somebody removed during the run are made again, with lock, log, records and deck. Errors: DC_ERR_IO,
 * DC_ERR_BUSY. */
DC_CHECKED dc_status dc_output_restore(dc_job *job);
/* For --dry-run: could the directory be made, and does the disk hold `bytes`? Writes nothing. Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_output_check(const dc_job *job, double bytes);

#endif
