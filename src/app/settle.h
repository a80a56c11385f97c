/* Makes sure that the files beside a complete run.h5 belong to it. Private to app/. */
#ifndef DCMPI_APP_SETTLE_H
#define DCMPI_APP_SETTLE_H

#include "job.h"

enum { DC_RESULT_LINE_MAX = 512 };

/* Rank 0. If summary.json is damaged or does not belong to run.h5, gives the run's records and deck their final names
 * and writes summary.json. *was then says what was wrong ("missing", "of another run.h5" ...); otherwise it is NULL.
 * line: the RESULT line. Errors: DC_ERR_IO, DC_ERR_FORMAT. */
DC_CHECKED dc_status dc_settle(const dc_job *job, const char **was, char line[DC_RESULT_LINE_MAX]);
/* Rank 0, before another run replaces a result: does what dc_settle() does, provided that dcmpi can read that result.
 * Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_settle_older(const dc_job *job);
/* Collective, for a run that has already finished: scores it again if the labels of the data have changed, completes
 * its files, and prints that it did so. Errors: DC_ERR_IO, DC_ERR_FORMAT, DC_ERR_MEMORY, agreed. */
DC_CHECKED dc_status dc_settle_complete(dc_comm *comm, dc_job *job);

#endif
