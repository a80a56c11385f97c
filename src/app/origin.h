/* What made a result or a checkpoint, compared with this start. Private to app/. */
#ifndef DCMPI_APP_ORIGIN_H
#define DCMPI_APP_ORIGIN_H

#include "job.h"
#include "longer.h"

/* weights_hash 0: none, or one that version 0.1.0 did not note. N: rows of its data. Borrowed. */
typedef struct {
    const char *where, *verb, *deck;
    uint64_t weights_hash;
    int64_t N;
} dc_origin;

typedef enum {
    DC_SAME_RUN,   /* would give the same result */
    DC_LONGER_RUN, /* the same, but for lengths of which none is shorter */
    DC_OTHER_RUN
} dc_likeness;
typedef struct {
    dc_likeness likeness;
    dc_config was;                /* unless it is another run: its deck */
    char text[DC_ERROR_TEXT_MAX]; /* what differs; of another run the whole refusal */
} dc_comparison;
void dc_origin_compare(const dc_job *job, const dc_origin *o, dc_comparison *out);
/* `was` of a comparison against the deck of this start. */
dc_longer dc_origin_longer(const dc_job *job, const dc_config *was, int64_t N);

#endif
