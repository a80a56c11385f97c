/* HDF5 files of anybody as a source of rows: our own, those of h5py, AnnData (h5ad), loom, Matlab 7.3. */
#ifndef DCMPI_CONVERT_H5IN_H
#define DCMPI_CONVERT_H5IN_H

#include "convert/source.h"

/* Opens s->h5, chooses dataset, ids and names by the conventions of the file, and says in *turn whether its columns are
 * the samples. Errors: those of dc_source_open. */
DC_CHECKED dc_status dc_h5in_open(dc_source *s, const dc_source_request *r, bool *turn);
/* Rows [s->next_row, + n) into x[n][width], their ids into the sink. Errors: DC_ERR_DATA, DC_STOPPED. */
DC_CHECKED dc_status dc_h5in_read(dc_source *s, size_t n, double *x, dc_row_sink *sink);
/* *longest = bytes of the longest id of a file that has some. Errors: DC_ERR_DATA. */
DC_CHECKED dc_status dc_h5in_longest_id(dc_source *s, size_t *longest);
/* Labels [s->next_row, + n) into the sink. */
DC_CHECKED dc_status dc_h5in_read_labels(dc_source *s, size_t n, dc_row_sink *sink);

#endif
