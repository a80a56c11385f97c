/* Private to src/io: rows of a result, written into the file by each rank alone. */
#ifndef DCMPI_IO_H5_SLAB_H
#define DCMPI_IO_H5_SLAB_H

#include "h5_private.h"

/* Opens the file that rank 0 made with this length. *fd is -1 or to be closed also after an error. Errors: DC_ERR_IO.
 */
DC_CHECKED dc_status dc_h5_slab_open(const char *path, int64_t bytes, int *fd);
/* All of data[bytes] from byte `at` on. Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_h5_slab_write(int fd, const char *path, int64_t at, const void *data, size_t bytes);
/* Forces to disk and closes; *fd = -1 is legal and the result. Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_h5_slab_close(const char *path, int *fd);

#endif
