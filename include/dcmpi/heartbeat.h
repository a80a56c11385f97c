/* Signs of life of a process that reads foreign files. The HDF5 library can loop for ever on a damaged file. So SIGPROF
 * ends a process that has called dc_heartbeat_start() when one piece of its work exceeds the limit of processor time.
 * Waiting for a disk or a network does not count. */
#ifndef DCMPI_HEARTBEAT_H
#define DCMPI_HEARTBEAT_H

/* Starts counting; each piece of work may take limit_s >= 1 seconds of processor time. Call once per process. */
void dc_heartbeat_start(int limit_s);
/* Call it after each piece of work. Cheap; does nothing unless started. */
void dc_heartbeat(void);
/* Lifts the limit: the remaining work may take any time. */
void dc_heartbeat_stop(void);

#endif
