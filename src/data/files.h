/* Private to src/data: the steps of finding and inspecting the files of a data set, in their order. */
#ifndef DCMPI_DATA_FILES_H
#define DCMPI_DATA_FILES_H

#include "data_priv.h"
#include "dcmpi/files.h"

/* Appends a file of which nothing is known yet. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_files_add(dc_files *files, const char *path, const char *dataset, const dc_file_state *state);
/* Sets what the table says of the files that have not changed since; without a table, or with one of other names,
 * nothing. */
void dc_files_take_table(dc_files *files, const char *path);
/* Sets what the header of file i, which is NPY and open as fd, says. Errors: DC_ERR_DATA, DC_ERR_IO. */
DC_CHECKED dc_status dc_files_look_at_npy(dc_files *files, size_t i, int fd);

#endif
