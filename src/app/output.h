/* Rank 0's work on the output directory. Private to app/. */
#ifndef DCMPI_APP_OUTPUT_H
#define DCMPI_APP_OUTPUT_H

#include "job.h"

/* Creates, checks and locks the directory, opens log.txt and metrics.jsonl, writes config.used.yaml. Errors: DC_ERR_IO,
 * DC_ERR_BUSY (another run has it). */
DC_CHECKED dc_status dc_output_open(dc_job *job);
/* For --dry-run: could the directory be made, and does the disk hold `bytes`? Writes nothing. Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_output_check(const dc_job *job, double bytes);

#endif
