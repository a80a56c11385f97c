/* The cores of a node: which ones this rank may use, how many threads it has, and where they are bound. */
#ifndef DCMPI_CORES_H
#define DCMPI_CORES_H

#include "dcmpi/comm.h"

typedef struct {
    int cores_allowed; /* physical cores this rank may use */
    int cores_machine; /* physical cores of this node */
    int sharers;       /* ranks of this node that may use any of these cores, this one included */
    int before;        /* how many of the sharers have a lower rank */
    bool alike;        /* all sharers may use the same cores */
    double quota;      /* CPU time that control groups grant the ranks of this node, in cores; INFINITY: no limit */
    int threads;       /* OpenMP threads of this rank */
    bool chosen;       /* dc_cores_share() chose `threads`: OMP_NUM_THREADS is not set */
    bool piled_up;     /* OpenMP had bound the threads of several ranks to the same cores; they were bound again */
    bool pinned;       /* we bound each thread to a core of its own */
} dc_binding;

/* Collective. Finds out what this rank may use (hwloc, places of OpenMP) and who shares it. Without OMP_NUM_THREADS a
 * rank gets one thread per core of its share, within the quota but at least one. Call once, after dc_comm_create() and
 * before threads are used. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_cores_share(dc_comm *comm);
/* Collective. Binds each thread to a core of its own in two cases: (1) the rank owns as many cores as it has threads
 * (given by the launcher, a control group or the queue) and its threads are not bound yet; (2) OpenMP (OMP_PROC_BIND,
 * OMP_PLACES), which does not see other ranks, has bound the threads of several ranks to the same cores. automatic: if
 * false, only case (2) is handled. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_cores_pin(dc_comm *comm, bool automatic);
/* What dc_cores_share() and dc_cores_pin() found and did. Local. */
dc_binding dc_cores_binding(const dc_comm *comm);

#endif
