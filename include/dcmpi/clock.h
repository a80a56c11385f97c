/* Time: a monotonic clock for durations, and wall time for display only. */
#ifndef DCMPI_CLOCK_H
#define DCMPI_CLOCK_H

#include "dcmpi/base.h"

/* Seconds of the monotonic clock, from an arbitrary origin. */
double dc_clock_now_s(void);
enum { DC_ISO_MAX = 32 };
/* Local wall time as 2026-01-31T12:00:00+0100. */
void dc_clock_iso(char out[DC_ISO_MAX]);

#endif
