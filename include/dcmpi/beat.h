/* Records what this process is doing, for a watchdog (watchdog.h). Costs two stores per step. */
#ifndef DCMPI_BEAT_H
#define DCMPI_BEAT_H

#include <stdatomic.h>

#include "dcmpi/base.h"

enum { DC_BEAT_PHASE_CHARS = 24 };
/* Only its own process writes it; others read it without a lock, so at worst they see a torn phase name. */
typedef struct {
    _Atomic uint64_t moves; /* grows with every step and at the end of every wait */
    _Atomic int64_t step;
    char phase[DC_BEAT_PHASE_CHARS];
    _Atomic bool waits;
} dc_beat;

/* Makes this process record in *beat (borrowed) from now on; NULL: nobody watches. */
void dc_beat_to(dc_beat *beat);
/* Records that this process is at `step` of `phase` (static text). Fault points rank.kill, rank.hang. */
void dc_beat_at(const char *phase, int64_t step);
/* Records that this process enters or leaves a call that waits for others; leaving counts as progress. */
void dc_beat_waits(bool waits);
/* Counts as progress, though nothing is known of it: for calls of libraries that may take hours. */
void dc_beat_lives(void);

#endif
