/* What libraries read from the environment only when they are loaded. */
#ifndef DCMPI_WAITING_H
#define DCMPI_WAITING_H

#include "dcmpi/base.h"

/* Restarts this program once, with an environment that makes waiting threads go to sleep soon and OpenBLAS take the
 * kernels blas_core ("": its own choice is right). A setting by the user stays (OMP_WAIT_POLICY or GOMP_SPINCOUNT;
 * OPENBLAS_CORETYPE), and threads to each of which the queue gave a core spin. Returns without restarting if nothing is
 * to be set or the program file cannot be found. Call it first in main, before MPI. Signals that come meanwhile stay
 * pending until dc_signals_install(). */
void dc_waiting_prepare(char **argv, const char *blas_core);

#endif
