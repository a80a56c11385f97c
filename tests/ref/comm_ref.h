/* Naive twins of comm/: the row partition by counting, the summation tree by recursion. */
#ifndef DCMPI_COMM_REF_H
#define DCMPI_COMM_REF_H

#include "dcmpi/base.h"

/* Rows of shard s. */
int64_t ref_shard_rows(int64_t N, int V, int s);
/* Sum of x[N]; rows and blocks (of block_rows) are added in the order that sum.h promises. */
double ref_sum(const double *x, int64_t N, int V, int64_t block_rows);

#endif
