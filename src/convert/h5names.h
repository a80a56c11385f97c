/* Where the files of AnnData and 10x keep the names of their rows and columns. */
#ifndef DCMPI_CONVERT_H5NAMES_H
#define DCMPI_CONVERT_H5NAMES_H

#include "dcmpi/h5.h"

/* out = group/leaf; false if that is too long. */
bool dc_h5_join(char out[DC_H5_NAME_MAX], const char *group, const char *leaf);
/* Full name of a matrix: with a leading '/', and /raw.X for raw/X in files before AnnData 0.7. False: too long. */
bool dc_h5_anndata_alias(dc_h5 *h5, const char *matrix, char out[DC_H5_NAME_MAX]);
/* Columns (h5_column.h) with the names of the rows and columns of a matrix of an AnnData file; "" if there are none.
 * False: the file is not AnnData's, or has no such matrix. */
bool dc_h5_anndata_names(dc_h5 *h5, const char *matrix, char rows[DC_H5_NAME_MAX], char columns[DC_H5_NAME_MAX]);
/* The same for a group of 10x: features, barcodes; and the type of each feature. */
void dc_h5_tenx_names(dc_h5 *h5, const char *group, char features[DC_H5_NAME_MAX], char barcodes[DC_H5_NAME_MAX],
                      char kinds[DC_H5_NAME_MAX]);
/* Full name of a column of labels: `name`, or /obs/name if only that exists. False: too long. */
bool dc_h5_label_column(dc_h5 *h5, const char *name, char out[DC_H5_NAME_MAX]);

#endif
