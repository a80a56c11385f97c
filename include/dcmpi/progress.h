/* Shows people the progress of a phase while it runs. */
#ifndef DCMPI_PROGRESS_H
#define DCMPI_PROGRESS_H

#include <stdio.h>

#include "dcmpi/history.h"

/* Progress: decides when a line is due (log_interval, growing to 5 min) and appends every record to metrics.jsonl. */
typedef struct {
    double interval_s, next_s;
    double phase_start_s, phase_rows, phase_flops; /* global, since the start of the phase */
    double phase_done;                             /* share of the phase that was already done at that start */
    FILE *jsonl;                                   /* rank 0 only, NULL elsewhere */
    bool warned;                                   /* has warned that jsonl cannot be written */
} dc_progress;
DC_CHECKED dc_status dc_progress_open(dc_progress *p, const char *jsonl_path, double interval_s);
/* Sends all further records to this file. */
DC_CHECKED dc_status dc_progress_reopen(dc_progress *p, const char *jsonl_path);
void dc_progress_close(dc_progress *p);
/* Current length of metrics.jsonl; 0 without one, INT64_MAX if it cannot be written to disk. */
int64_t dc_progress_bytes(const dc_progress *p);
/* Starts a phase, or continues one whose share `done` is complete. */
void dc_progress_phase(dc_progress *p, double done);
/* Counts completed work; rows and flops are sums over all ranks. */
void dc_progress_count(dc_progress *p, double rows, double flops);
/* Writes the last row of `h` as a JSON object and, if a line is due or `force`, as a log line with the share done and
 * the ETA. done: NAN for a phase without steps, which has neither. */
void dc_progress_record(dc_progress *p, const dc_history *h, double done, bool force);

#endif
