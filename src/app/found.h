/* What a new start needs to know about the result in the output directory. Private to app/. */
#ifndef DCMPI_APP_FOUND_H
#define DCMPI_APP_FOUND_H

#include "longer.h"
#include "origin.h"

typedef struct {
    bool is_there;
    dc_comparison comparison;
    bool is_own; /* made by this same job of the batch queue */
    int64_t N;
    dc_run_end end;
    uint64_t data_hash, labels_hash;
    bool knows_labels;
    int64_t checkpoint; /* -1: version 0.1.0 did not note it */
} dc_found;

/* Reads it and sets job->resume.over_result. Local, for rank 0. Errors: DC_ERR_FORMAT, DC_ERR_IO (not a result, or
 * damaged). With run.resume = never there are none, because any file will be replaced. */
DC_CHECKED dc_status dc_found_read(dc_job *job, dc_found *found);
bool dc_found_is(const dc_found *found, dc_likeness likeness);

#endif
