/* How threads and ranks wait for each other. */
#ifndef DCMPI_WAITING_H
#define DCMPI_WAITING_H

#include "dcmpi/base.h"

/* Starts this program again, once, with an environment that lets its threads sleep soon when they wait; where the user
 * has chosen (OMP_WAIT_POLICY, GOMP_SPINCOUNT) or the program cannot be found, it returns and all goes on as it is.
 * First thing in main, before MPI. Signals that come meanwhile wait for dc_signals_install(). */
void dc_waiting_prepare(char **argv);

#endif
