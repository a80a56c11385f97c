/* Private to sum/: principal components of fewer rows than columns, by the products of all pairs of rows minus their
 * mean. The same bits for every number of ranks and threads: every element is one sum over columns, or over all rows,
 * in tiles that do not depend on them.
 *
 * Columns are taken in panels that every rank holds of all rows; the tiles of a panel's products are shared among the
 * ranks. Collective. Errors: DC_ERR_MEMORY, DC_STOPPED (between panels). */
#ifndef DCMPI_SUM_DUAL_H
#define DCMPI_SUM_DUAL_H

#include "dcmpi/part.h"

typedef struct dc_comm dc_comm;

/* A[N x N], on rank 0 only (other ranks may pass NULL): the lower triangle of the products of all pairs of rows minus
 * mean[d], divided by N - 1. */
DC_CHECKED dc_status dc_dual_products(dc_comm *comm, const dc_rows *rows, const double *mean, double *A);
/* W[d x k], on rank 0 only: columns j of length 1, in the direction of the sum over all rows of the row minus mean[d]
 * times V[k x N], which rank 0 gives; zeros where that sum is 0. */
DC_CHECKED dc_status dc_dual_directions(dc_comm *comm, const dc_rows *rows, const double *mean, int64_t k,
                                        const double *V, double *W);
/* Memory that either of them takes at most on each rank, and more on rank 0. */
double dc_dual_bytes(const dc_part *part, int64_t d, int64_t k);
double dc_dual_root_bytes(const dc_part *part, int64_t d, int64_t k);

#endif
