/* Private to graph/: images of rows, and the kernel of the neighbour search. */
#ifndef DCMPI_GRAPH_KNN_H
#define DCMPI_GRAPH_KNN_H

#include "dcmpi/knn.h"
#include "dcmpi/sum.h"

/* Rows of a tile, at most; rows of a block whose products with it are computed together; rows that are looked at
 * together. Products of large tiles cost the library less per row. */
enum { DC_KNN_TILE = 512, DC_KNN_PANEL = 512, DC_KNN_CHUNK = 64 };

/* Products are of images of rows in float: rows less `shift`, times the power of two `unit`; with COSINE rows of
 * length 1. */
typedef struct {
    const dc_rows *rows;
    dc_metric metric;
    float *shift; /* [d] */
    float unit;
    double scale; /* squared distance of two images per unit of what dc_knn.square holds */
    double error; /* of a squared distance computed in float, as a share of the two squared lengths; */
    double tiny;  /* by underflow, absolute */
} dc_knn_image;

/* A block of rows that visits this rank. */
typedef struct {
    dc_gidx first;
    int64_t n;
    const float *X; /* [n x d] */
    float *image;   /* [n x d] */
    float *low;     /* [n, rounded up to chunks] squared length of the image less the bound on its error */
    double *norm;   /* [n] squared length of the row, for COSINE */
} dc_knn_block;

/* Scratch of one thread. */
typedef struct {
    float *x, *image; /* [DC_KNN_TILE x d]; x is not used if the rows are in memory */
    float *product;   /* [DC_KNN_TILE x DC_KNN_PANEL] */
} dc_knn_scratch;

/* ---- knn.c ------------------------------------------------------------------------------------------------------- */

/* Rows of a block that goes around, equal on all ranks. */
int64_t dc_knn_block_rows(const dc_part *part, int64_t d);

/* ---- knn_image_kern.c -------------------------------------------------------------------------------------------- */

/* Local rows [lo, lo + n), in x unless they are in memory. */
const float *dc_knn_load(const dc_rows *rows, int64_t lo, int64_t n, float *x);
/* Sums of the columns: a kernel of sum.h, its ctx a dc_knn_measure. */
typedef struct {
    const dc_rows *rows;
    const dc_knn_scratch *scratch; /* of each thread */
} dc_knn_measure;
void dc_knn_block_columns(void *ctx, const dc_block *block, int thread, double *leaf);
/* Largest |x - shift| of the local rows; infinite if one is not finite. */
double dc_knn_reach(const dc_knn_image *m, const dc_knn_scratch *scratch);
/* Sets error, tiny and, for `reach` of all rows, unit and scale. */
void dc_knn_settle(dc_knn_image *m, double reach);
/* Sets image, low and norm of a block from X. */
void dc_knn_project(const dc_knn_image *m, dc_knn_block *block);
/* The image of a row; returns its squared length. */
double dc_knn_project_row(const dc_knn_image *m, const float *x, float *image);

/* ---- knn_distance_kern.c ----------------------------------------------------------------------------------------- */

/* 1 - cos from x.y and the squared lengths (dc_row_product, la.h). */
double dc_knn_cosine(double dot, double x_square, double y_square);

/* ---- knn_kern.c -------------------------------------------------------------------------------------------------- */

/* Compares all local rows with a block. */
void dc_knn_visit(const dc_knn_image *m, const dc_knn_block *block, const dc_knn_scratch *scratch, dc_knn *knn);

#endif
