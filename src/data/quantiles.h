/* Private to src/data: steps of quantiles by selection, for dense and for sparse columns. */
#ifndef DCMPI_DATA_QUANTILES_H
#define DCMPI_DATA_QUANTILES_H

#include "data_priv.h"

typedef struct {
    dc_order_target *target; /* [width x n], n = 2 for each quantile: the values on both sides of it */
    int64_t *count;          /* [width x n x 256] */
    int64_t width;           /* columns of a block */
    int n;
} dc_selection;

/* *s = memory for n quantiles of a block of columns. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_selection_take(int n, int64_t D, dc_selection *s);
void dc_selection_release(dc_selection *s);
/* Rank of target t of the quantiles p among all N values of a column. */
int64_t dc_selection_rank(dc_gidx N, const double *p, int t);
/* Finds the next byte of each target of one column of the block, from the counts of all ranks. */
void dc_selection_narrow(dc_selection *s, int64_t column, int shift);
/* out[i*D + c] = quantile p[i], from the values at the targets of column c. */
void dc_selection_finish(const dc_dataset *d, int64_t c, const double *p, const double *value, int n, double *out);

/* dc_data_quantiles() for sparse data: zeros are counted, not looked at. */
DC_CHECKED dc_status dc_data_csr_quantiles(dc_comm *comm, const dc_dataset *d, int n, const double *p, double *out);
double dc_data_csr_quantiles_bytes(int64_t D, int n);

/* For the stored values, but zeros, in columns with slot[column] >= 0: counts as dc_data_count_bytes() does, with the
 * slots for columns. Threaded. */
void dc_data_count_sparse_bytes(const dc_csr *m, const int32_t *slot, int n, const dc_order_target *target, int shift,
                                int64_t *count);

#endif
