/* Kernels of the products of pairs of rows; threaded. Their bits follow from N and the width of the panel alone. */
#ifndef DCMPI_SUM_DUAL_KERN_H
#define DCMPI_SUM_DUAL_KERN_H

#include "dcmpi/part.h"

/* Rows of a square tile of products, columns of a tile of directions; rows that a thread reads together. */
enum { DC_DUAL_TILE = 64, DC_DUAL_READ = 8 };

typedef struct {
    const dc_rows *rows;
    const double *mean;
    int64_t first, width; /* columns of the panel */
    int64_t k;            /* directions */
    int64_t lo, hi;       /* tiles of this rank */
    double *panel;        /* [N x width] all rows minus the mean */
    const double *U;      /* [N x k] */
    double *out;          /* [hi - lo] tiles of this rank */
    float *row;           /* [threads x DC_DUAL_READ x d] unless rows->X is there */
    double *product;      /* [threads x DC_DUAL_TILE x DC_DUAL_TILE] */
} dc_dual_panel;

/* Sets this rank's rows of the panel. */
void dc_dual_read(const dc_dual_panel *p);
/* Adds the panel's share to the tiles of products: tile t is (i, j) of dc_dual_place(). */
void dc_dual_add(const dc_dual_panel *p);
/* Tiles of directions: tile t has columns t * DC_DUAL_TILE of the panel and so on, [DC_DUAL_TILE x k] each. */
void dc_dual_turn(const dc_dual_panel *p);
/* Tile t of the lower triangle, by rows: *j <= *i. */
void dc_dual_place(int64_t t, int64_t *i, int64_t *j);

#endif
