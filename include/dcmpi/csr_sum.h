/* Sums over all N rows by column of a sparse matrix, with the same bits for every number of ranks and threads: the
 * additions are those of sum.h for the dense rows, but the zeros cost nothing. So memory is one vector per rank and
 * root instead of one per block, and time follows the number of stored values. */
#ifndef DCMPI_CSR_SUM_H
#define DCMPI_CSR_SUM_H

#include "dcmpi/csr.h"
#include "dcmpi/part.h"

typedef struct dc_comm dc_comm;

typedef struct dc_csr_sum dc_csr_sum;

/* A copy of this rank's rows by column, and room for sums of up to m doubles per column. part, m and the shape must be
 * equal on all ranks; both are borrowed. With csr->ptr NULL only memory is taken, as for csr->total values over all
 * ranks (rehearsals). Local. Errors: DC_ERR_MEMORY; DC_ERR_DATA (more than INT32_MAX rows on a rank). */
DC_CHECKED dc_status dc_csr_sum_create(dc_csr_sum **out, const dc_part *part, const dc_csr *csr, size_t m);
void dc_csr_sum_destroy(dc_csr_sum **sum);

/* Adds what `value` in this column of local row `row` gives to leaf[m], the sums of the column over a block. */
typedef void (*dc_csr_add)(const void *ctx, int64_t column, int64_t row, float value, double *leaf);
/* total[D x m], equal on all ranks: the sums over all rows, m at most that of creation. `add` is called for the values
 * of a column in the order of the rows, from several threads. Collective. */
void dc_csr_sum_total(dc_comm *comm, dc_csr_sum *sum, size_t m, dc_csr_add add, const void *ctx, double *total);

#ifdef DC_HERE
#define dc_csr_sum_total(comm, sum, m, add, ctx, total) dc_csr_sum_total(DC_HERE(comm), sum, m, add, ctx, total)
#endif

#endif
