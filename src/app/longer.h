/* "Train longer": the deck differs from an earlier run's only in lengths, and all are larger (or the tolerance is
 * smaller). The longer run then continues from a state of the shorter run, if it would pass through the same state
 * itself. Private to app/. */
#ifndef DCMPI_APP_LONGER_H
#define DCMPI_APP_LONGER_H

#include "dcmpi/ckpt.h"
#include "dcmpi/config.h"

/* The decks of the existing run (was) and of the requested run (is); both borrowed. */
typedef struct {
    const dc_config *was, *is;
    const char *verb;
    int64_t N; /* rows of the data */
} dc_longer;

/* Whether the decks differ, but only in lengths, none of which is shorter. */
bool dc_longer_is(const dc_longer *l);
/* Errors: DC_ERR_FORMAT if a schedule spans the whole length, so that the longer run would differ from its first step
 * on. */
DC_CHECKED dc_status dc_longer_check(const dc_longer *l);
/* Whether the longer run passes through this state of the shorter one. */
bool dc_longer_passes(const dc_longer *l, const dc_ckpt_header *header);

/* How a finished run ended, according to its result. */
typedef struct {
    char stop_reason[32];
    int64_t iterations;
    double delta;
} dc_run_end;
/* Whether the longer run would end at the same point, so that nothing is left to do. */
bool dc_longer_same_end(const dc_longer *l, const dc_run_end *end);

#endif
