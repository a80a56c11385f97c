/* How threads and ranks wait for each other. */
#ifndef DCMPI_WAITING_H
#define DCMPI_WAITING_H

#include "dcmpi/base.h"

/* Restarts this program once, with an environment that makes waiting threads go to sleep soon. Returns without
 * restarting if the user has chosen a policy (OMP_WAIT_POLICY, GOMP_SPINCOUNT), if the queue gave each thread a core,
 * or if the program file cannot be found. Call it first in main, before MPI. Signals that come meanwhile stay pending
 * until dc_signals_install(). */
void dc_waiting_prepare(char **argv);

#endif
