/* Private to comm/: what a dc_comm holds. */
#ifndef DCMPI_COMM_PRIV_H
#define DCMPI_COMM_PRIV_H

/* Calls from inside comm/ keep the source position that the outside caller recorded (comm.h, debug builds). */
#define DC_COMM_NO_POSITION
#include "comm_mpi.h"
#include "dcmpi/cores.h"

enum { DC_HOST_MAX = 64 };

struct dc_comm {
    MPI_Comm mpi;
    bool is_world; /* true: all ranks of the job; false: a group of them */
    int rank, size;
    int node_rank, node_size, node_count;
    char host[DC_HOST_MAX];
    dc_binding binding;
    size_t piece_bytes;
    int64_t *per_rank; /* [size], scratch for the error paths, which must not allocate */
    int *counts;       /* [2*size], int counts and displacements for MPI */
    dc_comm_traffic traffic[DC_COMM_OP_COUNT];
    struct dc_wish *wish; /* requests to save or stop; borrowed, may be NULL */
    const char *file;     /* debug builds: where the current collective was called */
    int line;
};

/* Ends the job if not all ranks are in the same call, from the same source line, with the same count. Collective. */
void dc_comm_check_same_call(dc_comm *comm, const char *call, size_t count);

#endif
