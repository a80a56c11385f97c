/* The watchdog: if nothing happens for a minute, it says which rank is late, at what, and since when.
 *
 * The ranks of a node keep a table in shared memory: what each is at, how often it got on, and whether it is inside
 * MPI. A thread of the first rank of each node looks at it every few seconds; one of the second rank takes its place
 * while the first is stopped. A rank that is late is one that does not wait for others. Results never depend on it. */
#ifndef DCMPI_WATCHDOG_H
#define DCMPI_WATCHDOG_H

#include "dcmpi/comm.h"

/* Starts looking: after warn_s seconds without progress a warning (0: none), after abort_s an error, and the end of the
 * job with code 70 (0: never). Once per job; without shared memory there is a note and no watchdog. Collective. Errors:
 * DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_watchdog_start(dc_comm *comm, double warn_s, double abort_s);
/* dc_comm_destroy() calls it. Collective. */
void dc_watchdog_stop(dc_comm *comm);

#endif
