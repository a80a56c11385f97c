/* Private: the MPI communicator behind a dc_comm, for comm/ itself and io/ (parallel HDF5). */
#ifndef DCMPI_COMM_MPI_H
#define DCMPI_COMM_MPI_H

#include <mpi.h>

#include "dcmpi/comm.h"
#include "dcmpi/fault.h"

/* The duplicated communicator; borrowed, lives as long as `comm`. */
MPI_Comm dc_comm_mpi(const dc_comm *comm);

/* Runs an MPI call; if it fails, prints the rank, the call and MPI's error text, then ends the job. */
#define DC_MPI(comm, call)                                                                                             \
    do {                                                                                                               \
        const int rc_ = dc_fault(DC_FAULT_MPI_CALL) ? MPI_ERR_OTHER : (call);                                          \
        if (rc_ != MPI_SUCCESS) dc_mpi_failed((comm), rc_, #call, __FILE__, __LINE__);                                 \
    } while (0)
_Noreturn void dc_mpi_failed(const dc_comm *comm, int mpi_code, const char *call, const char *file, int line);

/* Sets the size in bytes of the largest message that MPI gets in one piece: at least 16, equal on all ranks. Tests
 * lower it to reach the code for big counts. */
void dc_comm_set_piece_bytes(dc_comm *comm, size_t bytes);

#endif
