/* "Train longer": a deck that differs from that of a run in lengths alone, each of them larger (or a smaller
 * tolerance). The run then goes on from a state that the longer one passes through, too. Private to app/. */
#ifndef DCMPI_APP_LONGER_H
#define DCMPI_APP_LONGER_H

#include "dcmpi/ckpt.h"
#include "dcmpi/config.h"

/* A run that is there, and the wish: both borrowed. */
typedef struct {
    const dc_config *was, *is;
    const char *verb;
    int64_t N; /* rows of the data */
} dc_longer;

/* Whether the decks differ, only in lengths, and none is shorter. */
bool dc_longer_is(const dc_longer *l);
/* Errors: DC_ERR_FORMAT if a schedule over the length makes the longer run another one from its first step. */
DC_CHECKED dc_status dc_longer_check(const dc_longer *l);
/* Whether the longer run passes through this state of the shorter. */
bool dc_longer_passes(const dc_longer *l, const dc_ckpt_header *header);

/* How a finished run ended, as its result tells. */
typedef struct {
    char stop_reason[32];
    int64_t iterations;
    double delta;
} dc_run_end;
/* Whether the longer run ends there, too, so that nothing is left to do. */
bool dc_longer_same_end(const dc_longer *l, const dc_run_end *end);

#endif
