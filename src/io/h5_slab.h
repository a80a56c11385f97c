/* Private to src/io: rows of a result, written into the file by each rank alone. */
#ifndef DCMPI_IO_H5_SLAB_H
#define DCMPI_IO_H5_SLAB_H

#include "h5_private.h"

/* Opens the file that rank 0 made with this length. Even after an error, *fd must be closed unless it is -1. Errors:
 * DC_ERR_IO. */
DC_CHECKED dc_status dc_h5_slab_open(const char *path, int64_t bytes, int *fd);
/* Writes all of data[bytes] from byte `at` on. Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_h5_slab_write(int fd, const char *path, int64_t at, const void *data, size_t bytes);
/* Forces the file to disk and closes it; *fd may be -1 and becomes -1. Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_h5_slab_close(const char *path, int *fd);

#endif
