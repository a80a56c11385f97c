/* Private to graph/: the kernel of the neighbour search. */
#ifndef DCMPI_GRAPH_KNN_H
#define DCMPI_GRAPH_KNN_H

#include "dcmpi/knn.h"

enum { DC_KNN_TILE = 64 };

/* A block of rows that visits this rank. */
typedef struct {
    dc_gidx first;
    int64_t n;
    const float *X;     /* [n x d] */
    const double *norm; /* [n] squared lengths */
} dc_knn_block;

/* Compares all local rows with a block. tile [threads x DC_KNN_TILE x d] and product [threads x DC_KNN_TILE x n of the
 * largest block] are scratch. */
void dc_knn_visit(const dc_rows *rows, const dc_knn_block *block, float *tile, float *product, int64_t largest,
                  dc_knn *knn);
double dc_knn_norm(const float *x, int64_t d);

#endif
