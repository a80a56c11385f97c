/* The nearest neighbours of all rows: an exact pass over all pairs, for neighbour graphs and local scales. */
#ifndef DCMPI_KNN_H
#define DCMPI_KNN_H

#include "dcmpi/part.h"

typedef struct dc_comm dc_comm;

/* The k nearest other rows of each local row, nearest first. A row is not its own neighbour, but a copy of it is one,
 * at distance 0. */
typedef struct {
    int64_t k;
    dc_gidx *row;   /* [n x k] global numbers, owned, as is the next */
    double *square; /* [n x k] squared distances */
} dc_knn;

/* Squared distances are sums in double of squared differences of the floats that rows->rows gives, and ties go to the
 * lower row: so the result does not depend on ranks, threads or the library of products, which only tells which pairs
 * are too far apart. Blocks of rows go around the ranks in a ring. Memory besides the result: two blocks of at most 512
 * rows and 16 MiB; per thread a tile of rows and its products. Work: 2 N^2 d FLOP. Collective. Errors: DC_ERR_DATA for
 * k
 * >= N, DC_ERR_MEMORY, DC_STOPPED if the run is asked to stop meanwhile. */
DC_CHECKED dc_status dc_knn_find(dc_comm *comm, const dc_rows *rows, int64_t k, dc_knn *out);
void dc_knn_release(dc_knn *knn);

#endif
