/* Private to src/io: where an HDF5 file that is read through our own driver (h5_image.c) keeps raw data. */
#ifndef DCMPI_IO_H5_IMAGE_H
#define DCMPI_IO_H5_IMAGE_H

#include "dcmpi/base.h"

struct dc_h5_image;

/* From now on the driver does not read raw data but notes where they are. off: it reads them again. */
void dc_h5_image_note(struct dc_h5_image *image, bool on);
/* Where the library wanted to read since, if that was once and just so many bytes; else -1. */
int64_t dc_h5_image_noted(const struct dc_h5_image *image, size_t bytes);

#endif
