/* Monotonic durations and ISO wall time. */
#include "dcmpi/clock.h"

#include <time.h>

double dc_clock_now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void dc_clock_iso(char out[DC_ISO_MAX])
{
    const time_t now = time(NULL);
    struct tm tm;
    localtime_r(&now, &tm);
    strftime(out, DC_ISO_MAX, "%Y-%m-%dT%H:%M:%S%z", &tm);
}
