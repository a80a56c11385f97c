/* Private to src/io: shared by the files that write sparse data files. */
#ifndef DCMPI_IO_H5_SPARSE_PRIVATE_H
#define DCMPI_IO_H5_SPARSE_PRIVATE_H

#include "dcmpi/h5_sparse.h"
#include "h5_private.h"

/* Bytes of a row's name in /obs/_index: an id, or the digits of the largest row number. */
size_t dc_h5_sparse_id_bytes(const dc_h5_sparse_spec *spec);

#endif
