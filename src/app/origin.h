/* Compares the run that made a result or a checkpoint with this start. Private to app/. */
#ifndef DCMPI_APP_ORIGIN_H
#define DCMPI_APP_ORIGIN_H

#include "job.h"
#include "longer.h"

/* weights_hash 0: no weights, or version 0.1.0, which did not store the hash. N: rows of the data. Pointers are
 * borrowed. */
typedef struct {
    const char *where, *verb, *deck;
    uint64_t weights_hash;
    int64_t N;
} dc_origin;

typedef enum {
    DC_SAME_RUN,   /* would give the same result */
    DC_LONGER_RUN, /* differs only in lengths, and none is shorter */
    DC_OTHER_RUN
} dc_likeness;
typedef struct {
    dc_likeness likeness;
    dc_config was;                /* the old deck, unless likeness is DC_OTHER_RUN */
    char text[DC_ERROR_TEXT_MAX]; /* what differs; for DC_OTHER_RUN the whole error text */
} dc_comparison;
void dc_origin_compare(const dc_job *job, const dc_origin *o, dc_comparison *out);
/* Makes a dc_longer from the deck `was` of a comparison and the deck of this start. */
dc_longer dc_origin_longer(const dc_job *job, const dc_config *was, int64_t N);

#endif
