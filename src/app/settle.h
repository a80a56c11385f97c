/* What lies beside a whole run.h5 belongs to it. Private to app/. */
#ifndef DCMPI_APP_SETTLE_H
#define DCMPI_APP_SETTLE_H

#include "job.h"

enum { DC_RESULT_LINE_MAX = 512 };

/* Rank 0. If summary.json is not the whole one of run.h5, records and deck of its run get their names and summary.json
 * is made: *was gets what it was ("missing", "of another run.h5" ...), else NULL. line: the RESULT line. Errors:
 * DC_ERR_IO, DC_ERR_FORMAT. */
DC_CHECKED dc_status dc_settle(const dc_job *job, const char **was, char line[DC_RESULT_LINE_MAX]);
/* Rank 0, before another run begins over a result: the same, if it is one of ours. Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_settle_older(const dc_job *job);
/* Collective, for a run that is found finished: scores its labels again if the labels of the data have changed,
 * completes its files, and says so. Errors: DC_ERR_IO, DC_ERR_FORMAT, DC_ERR_MEMORY, agreed. */
DC_CHECKED dc_status dc_settle_complete(dc_comm *comm, dc_job *job);

#endif
