/* Private to src/data: transforms of counts, which make other rows of the stored ones before anything looks at them. */
#ifndef DCMPI_DATA_COUNTS_H
#define DCMPI_DATA_COUNTS_H

#include "data_priv.h"

/* Collective, when all rows are there: sets data->counts and replaces the rows, and with them D, dtype, feature_names.
 * given: a map whose sum and columns are taken, or NULL.
 * Errors: DC_ERR_DATA (values that are negative or not finite, too few columns that vary), DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_data_transform_counts(dc_comm *comm, dc_dataset *data, const dc_count_request *request,
                                              const dc_count_map *given);
/* Collective: sets the figures of data->csr that cover all ranks, and data->nnz. */
void dc_data_measure_csr(dc_comm *comm, dc_dataset *data);
/* Memory that this takes beside the rows. */
double dc_data_counts_bytes(const dc_data_header *head, const dc_part *part, int threads);

/* column[M] = the numbers, ascending, of the M columns with the largest normalised dispersions, for columns with these
 * means and variances (divided by N - 1), as scanpy's highly_variable_genes(n_top_genes=M); of equal ones the first.
 * *found: how many columns have a dispersion; if they are fewer than M, nothing is set. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_data_choose_variable(dc_variable_flavor flavor, int64_t D, const double *mean,
                                             const double *variance, int64_t M, int32_t *column, int64_t *found);

/* ---- Kernels (counts_kern.c) ------------------------------------------------------------------------------------- */

/* sum[i] = sum of row i of the first n local rows, in the order of the columns. Returns the first value that is
 * negative or not finite, as row * D + column; INT64_MAX if there is none. Threaded. */
int64_t dc_data_row_sums(const dc_dataset *data, int64_t n, double *sum);
/* For one block: total[c] += values of column c, after the library size and, if logs, log1p; stored[c] += 1 for each.
 * With mean, total[c] += (value - mean[c])^2 instead, and stored may be NULL. x [D]: scratch. */
void dc_data_count_moments(const dc_dataset *data, const dc_count_map *map, const double *sum, const dc_block *block,
                           bool logs, const double *mean, double *x, double *total, double *stored);

#endif
