/* Gradient reduction: one blocking allreduce per step over gradient and ride-along values, in the order of the MPI
 * library. */
#define DC_COMM_NO_POSITION
#include "dcmpi/gradsync.h"

#include "dcmpi/comm.h"

void dc_gradsync(dc_comm *comm, float *grad, size_t n, size_t n_ride)
{
    DC_ASSERT(n_ride <= DC_RIDE_MAX);
    dc_comm_sum_f32(comm, grad, n + n_ride);
}
