/* Kernels of the covariance, each for one tile of rows and in one thread; their bits follow from the shapes alone. */
#ifndef DCMPI_SUM_MOMENTS_KERN_H
#define DCMPI_SUM_MOMENTS_KERN_H

#include "dcmpi/base.h"

enum { DC_MOMENT_TILE = 64 };

/* leaf[d] += the sum of row[n x d]. */
void dc_moment_add(const float *row, int64_t n, int64_t d, double *leaf);
/* x[DC_MOMENT_TILE x d - c] = columns [c, d) of row[n x d] minus mean[d]; zeros from row n on. */
void dc_moment_centre(const float *row, int64_t n, int64_t d, int64_t c, const double *mean, double *x);
/* leaf[height x width] += x^T times the first `width` columns of x[DC_MOMENT_TILE x height]. */
void dc_moment_products(const double *x, int64_t height, int64_t width, double *leaf);

#endif
