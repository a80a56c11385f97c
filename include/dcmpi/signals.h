/* Wishes that reach a process as signals. They are only counted; whoever works asks between two pieces of work.
 *
 *   SIGUSR1, SIGTERM, SIGINT   stop: save a checkpoint and end (the third SIGINT ends the process at once)
 *   SIGUSR2                    save a checkpoint and go on
 *   SIGCONT                    the same: mpirun sends it a second before SIGTERM, and to go on after SIGSTOP saving
 * does no harm */
#ifndef DCMPI_SIGNALS_H
#define DCMPI_SIGNALS_H

#include "dcmpi/base.h"

/* From now on signals wait, also for a program that this process goes on with (exec). */
void dc_signals_hold(void);
/* From now on signals are counted, for work that asks for them. Call it before MPI starts and before threads are made,
 * so that they inherit the blocked signals. */
void dc_signals_install(void);
/* Signals of the two kinds so far. */
int dc_signals_stops(void);
int dc_signals_saves(void);
/* The first stop signal: "SIGUSR1", and the time of dc_clock_now_s() at which it came; "" and 0 without one. */
const char *dc_signals_stop_name(void);
double dc_signals_stop_time(void);

#endif
