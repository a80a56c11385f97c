/* Private to src/data: dense rows of many files. */
#ifndef DCMPI_DATA_ROWS_READER_H
#define DCMPI_DATA_ROWS_READER_H

#include "data_priv.h"

/* The stored dense rows of shape->files, else of the file `path`, as an array of files (store.h). Local. Errors:
 * DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_data_store_create(const dc_data_shape *shape, const char *path, dc_store **out);

/* Lists the chunks of rows [row, row + n) of such an array, so that dc_data_threads() threads can read them: for rows
 * that stay in their files. Errors: DC_ERR_DATA, DC_ERR_IO, DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_data_store_list(const dc_data_shape *shape, dc_store *store, dc_gidx row, int64_t n);

typedef struct dc_rows_reader dc_rows_reader;
/* Reads shape->files, which are borrowed. Local. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_rows_reader_open(const dc_data_shape *shape, dc_rows_reader **out);
/* Accepts NULL. */
void dc_rows_reader_close(dc_rows_reader **reader);
/* Collective: out[n x D] = this rank's rows of the piece, in their stored type. Errors: DC_ERR_DATA (a file is damaged
 * or has changed), DC_ERR_IO, DC_STOPPED. */
DC_CHECKED dc_status dc_rows_reader_read(dc_comm *comm, dc_rows_reader *reader, const dc_part *piece, void *out);
/* Collective, at the end: whether the files of this rank's rows are still those that were read. Errors: DC_ERR_DATA. */
DC_CHECKED dc_status dc_rows_reader_check(dc_comm *comm, dc_rows_reader *reader, const dc_part *part);

#endif
