/* The nearest neighbours of all rows: an exact pass over all pairs, for neighbour graphs and local scales. */
#ifndef DCMPI_KNN_H
#define DCMPI_KNN_H

#include "dcmpi/part.h"

typedef struct dc_comm dc_comm;
typedef struct dc_state dc_state;

/* EUCLIDEAN: squared distances. COSINE: 1 - cos(x, y), which is 1 if x or y is a zero row. */
typedef enum { DC_METRIC_EUCLIDEAN, DC_METRIC_COSINE } dc_metric;

typedef struct {
    int64_t k; /* neighbours of each row, 1 <= k < N */
    dc_metric metric;
    dc_state *state; /* keeps the lists of an unfinished search; NULL: not kept; borrowed */
} dc_knn_config;

/* The k nearest other rows of each local row, nearest first. A row is not its own neighbour, but a copy of it is one,
 * at distance 0. */
typedef struct {
    int64_t k;
    dc_gidx *row;   /* [n x k] global numbers, owned, as is the next */
    double *square; /* [n x k] squared distances, or 1 - cos */
} dc_knn;

/* Distances are computed in double from the floats that rows->rows gives, in a fixed order, so that d(x, y) and d(y, x)
 * have the same bits; ties go to the lower row. So the result does not depend on ranks, threads or the library of
 * products: products in float, of rows minus their mean and in their unit, only tell with a bound on their error which
 * pairs are too far apart. Blocks of rows go around the ranks in a ring. Memory besides the result: two or three blocks
 * of at most 16 MiB; per thread a tile of rows and its products. Work: 2 N^2 d FLOP. Collective. Errors: DC_ERR_DATA
 * for k >= N, DC_ERR_NUMERIC for rows that are not finite, DC_ERR_MEMORY, DC_ERR_FORMAT (a checkpoint that
 * fits no state of this run), DC_STOPPED if the run is asked to stop meanwhile.
 */
DC_CHECKED dc_status dc_knn_find(dc_comm *comm, const dc_rows *rows, const dc_knn_config *cfg, dc_knn *out);
/* Refuses lists of a checkpoint that name rows which do not exist. Local. Errors: DC_ERR_FORMAT. */
DC_CHECKED dc_status dc_knn_check(const dc_part *part, const dc_knn *knn);
void dc_knn_release(dc_knn *knn);
/* Memory that dc_knn_find() takes on this rank, result included. Local. */
double dc_knn_bytes(const dc_part *part, int64_t d, int64_t k);

#endif
