/* Where gradients meet with parallel.reproducible = off: a blocking allreduce per step over [grad | ride-along values].
 * Strict gradients are made slice by slice in train/gradient.h. */
#ifndef DCMPI_GRADSYNC_H
#define DCMPI_GRADSYNC_H

#include "dcmpi/base.h"

typedef struct dc_comm dc_comm;

enum { DC_RIDE_MAX = 16 }; /* floats that ride along behind the gradient */

/* grad[0..n) and ride[0..n_ride) lie in one array: ride == grad + n. Both come back as sums over all ranks. n and
 * n_ride <= DC_RIDE_MAX are equal on all ranks. Collective. */
void dc_gradsync(dc_comm *comm, float *grad, size_t n, size_t n_ride);

#ifdef DC_HERE
#define dc_gradsync(comm, grad, n, n_ride) dc_gradsync(DC_HERE(comm), grad, n, n_ride)
#endif

#endif
