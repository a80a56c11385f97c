/* The files that 10x puts beside matrix.mtx: barcodes.tsv (a cell per line) and features.tsv or genes.tsv (id, name and
 * type of a feature per line), each perhaps compressed. */
#ifndef DCMPI_CONVERT_TENX_H
#define DCMPI_CONVERT_TENX_H

#include "convert/rawline.h"

/* The matrix in a folder: matrix.mtx or matrix.mtx.gz. Errors: DC_ERR_DATA (neither is there, or both). */
DC_CHECKED dc_status dc_tenx_matrix(const char *folder, char path[DC_PATH_MAX]);
/* The file beside a matrix .../PREFIXmatrix.mtx[.gz]: PREFIX, one of the words (NULL at the end), and .tsv or .tsv.gz;
 * "" if there is none. */
void dc_tenx_beside(const char *matrix, const char *const *words, char path[DC_PATH_MAX]);
/* Number of lines. Errors: those of dc_stream_open, DC_ERR_DATA. */
DC_CHECKED dc_status dc_tenx_count(const char *path, uint64_t limit, int64_t *lines);
/* Names of the features, one per line: column 2, or 1 if there is no other. *kinds: how many different types there are
 * in column 3. The caller frees *names. */
DC_CHECKED dc_status dc_tenx_features(const char *path, uint64_t limit, char **names, int *kinds);
/* Field of a line, from 0, between tabs; "" if there are fewer. */
dc_span dc_tenx_field(dc_span line, int field);

#endif
