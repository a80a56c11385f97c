/* Requests to save or stop that reach a process as signals. They are only counted; running work polls the counts.
 *
 *   SIGUSR1, SIGTERM, SIGINT   stop: save a checkpoint and end (the third SIGINT ends the process at once)
 *   SIGUSR2                    save a checkpoint and go on
 *   SIGCONT                    the same as SIGUSR2, because mpirun sends it a second before SIGTERM; a process that
 *                              is resumed after SIGSTOP also gets it, and then saves, which does no harm */
#ifndef DCMPI_SIGNALS_H
#define DCMPI_SIGNALS_H

#include "dcmpi/base.h"

/* Blocks these signals from now on; they stay pending, even across exec(). */
void dc_signals_hold(void);
/* From now on these signals are counted. Call it before MPI starts and before threads are created, so that all threads
 * inherit the blocking of these signals. */
void dc_signals_install(void);
/* Number of stop and of save signals so far. */
int dc_signals_stops(void);
int dc_signals_saves(void);
/* The first stop signal: its name, such as "SIGUSR1", and its time by dc_clock_now_s(); "" and 0 if none came. */
const char *dc_signals_stop_name(void);
double dc_signals_stop_time(void);

#endif
