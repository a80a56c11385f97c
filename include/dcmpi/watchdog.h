/* The watchdog: if nothing happens for a minute, it says which rank is late, at what, and since when.
 *
 * The ranks of a node keep a table in shared memory: what each is doing, how often it made progress, and whether it is
 * inside MPI. A thread of each node's first rank reads the table every few seconds; a thread of the second rank
 * takes over while the first is stopped. A late rank is one that makes no progress though it is not waiting for others.
 * Results never depend on the watchdog. */
#ifndef DCMPI_WATCHDOG_H
#define DCMPI_WATCHDOG_H

#include "dcmpi/comm.h"

/* Starts the watchdog: after warn_s seconds without progress it warns (0: never); after abort_s seconds it prints an
 * error and ends the job with code 70 (0: never). Call once per job; without shared memory there is a note and no
 * watchdog. Collective. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_watchdog_start(dc_comm *comm, double warn_s, double abort_s);
/* dc_comm_destroy() calls it. Collective. */
void dc_watchdog_stop(dc_comm *comm);

#endif
