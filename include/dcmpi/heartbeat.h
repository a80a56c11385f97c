/* Signs of life of a process that reads foreign files. The library that reads them can loop for ever on a damaged one:
 * a process that has started this ends by SIGPROF when one piece of its work takes more processor time than it may.
 * Waiting for a disk or a network takes none. */
#ifndef DCMPI_HEARTBEAT_H
#define DCMPI_HEARTBEAT_H

/* Starts counting; each piece of work may take limit_s >= 1 seconds. Once per process. */
void dc_heartbeat_start(int limit_s);
/* A piece of work is done. Cheap; without effect unless started. */
void dc_heartbeat(void);
/* The rest of the work may take as long as it wants. */
void dc_heartbeat_stop(void);

#endif
