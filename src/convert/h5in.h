/* HDF5 files from any program as a source of rows: our own files, and files of h5py, AnnData (h5ad), loom and Matlab
 * 7.3. */
#ifndef DCMPI_CONVERT_H5IN_H
#define DCMPI_CONVERT_H5IN_H

#include "convert/source.h"

/* Opens s->h5, chooses dataset, ids and names by the conventions of the file, and sets *turn if the columns of the file
 * are the samples. Errors: those of dc_source_open. */
DC_CHECKED dc_status dc_h5in_open(dc_source *s, const dc_source_request *r, bool *turn);
/* Reads n rows, starting at s->next_row, into x[n][width], and their ids into the sink. Errors: DC_ERR_DATA,
 * DC_STOPPED. */
DC_CHECKED dc_status dc_h5in_read(dc_source *s, size_t n, double *x, dc_row_sink *sink);
/* Sets *longest to the bytes of the longest id; the file must have ids. Errors: DC_ERR_DATA. */
DC_CHECKED dc_status dc_h5in_longest_id(dc_source *s, size_t *longest);
/* Reads n labels, starting at s->next_row, into the sink. */
DC_CHECKED dc_status dc_h5in_read_labels(dc_source *s, size_t n, dc_row_sink *sink);
/* The error of a column that an option names and the file does not have, with those of `rows` rows that it has (-1: of
 * any number); name: that of the file, for messages. DC_OK if it has it. */
DC_CHECKED dc_status dc_h5in_expect_column(dc_h5 *h5, const char *name, const char *option, const char *column,
                                           dc_gidx rows);
/* Turns format and I/O errors of io/ into DC_ERR_DATA: here a bad HDF5 file is bad input. */
DC_CHECKED dc_status dc_h5in_data_error(dc_status st);

#endif
