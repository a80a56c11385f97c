/* Private to src/data: where a file keeps its rows and their names. Local; rank 0 calls these. */
#ifndef DCMPI_DATA_MATRIX_H
#define DCMPI_DATA_MATRIX_H

#include "data_priv.h"

/* out = dataset or group of the rows that the deck asks for (dc_data_request.matrix). Errors: DC_ERR_DATA (none). */
DC_CHECKED dc_status dc_data_find_matrix(dc_h5 *h5, const char *path, const char *wanted, char out[DC_H5_NAME_MAX]);
/* Sets s->ids and s->features. */
void dc_data_find_names(dc_h5 *h5, dc_data_shape *s);
/* Sets s->labels and s->head.has_labels. Errors: DC_ERR_DATA (name too long). */
DC_CHECKED dc_status dc_data_find_labels(dc_h5 *h5, const char *path, const char *wanted, dc_data_shape *s);

/* Describes the group s->matrix, a sparse matrix of AnnData, in s->head and s->sparse: all but its rows. rows: use only
 * so many, 0: all. Errors: DC_ERR_DATA. */
DC_CHECKED dc_status dc_data_describe_sparse(dc_h5 *h5, const char *path, dc_gidx rows, dc_data_shape *s);

#endif
