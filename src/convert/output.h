/* The data file that convert writes, under a temporary name until it is complete. */
#ifndef DCMPI_CONVERT_OUTPUT_H
#define DCMPI_CONVERT_OUTPUT_H

#include "dcmpi/claim.h"
#include "dcmpi/convert.h"
#include "dcmpi/h5.h"

typedef struct {
    dc_claim claim;
    int fd;    /* descriptor of claim.part, -1: none */
    dc_h5 *h5; /* owned, NULL until dc_output_create() */
    dc_gidx next_row;
    int64_t D;
    dc_dtype dtype;
    size_t id_bytes;   /* bytes of each string of /ids, 0: no ids */
    uint64_t ids_hash; /* hash (h5.h) of the ids appended so far */
} dc_output;

/* Checks the name and reserves the temporary file, so that an output that cannot be written is found before inputs are
 * read. Errors: DC_ERR_USAGE (it is an input, its name is too long, or it was made by another recipe and force is not
 * set), DC_ERR_IO, DC_ERR_BUSY. On an error nothing is held. */
DC_CHECKED dc_status dc_output_begin(dc_output *o, const dc_convert_config *cfg, const dc_recipe *recipe);
/* Makes /X [N x D], with labels also /y [N], and with id_bytes > 0 also /ids [N] of strings of id_bytes; claims their
 * space on disk. */
DC_CHECKED dc_status dc_output_create(dc_output *o, dc_gidx N, int64_t D, dc_dtype dtype, bool labels, size_t id_bytes);
/* Appends n rows. y is NULL without labels. ids [n x id_bytes] are UTF-8, padded with zeros; NULL without ids. */
DC_CHECKED dc_status dc_output_append(dc_output *o, size_t n, const void *X, const int32_t *y, const char *ids);
/* Closes the file and moves it to its final name. */
DC_CHECKED dc_status dc_output_commit(dc_output *o);
/* Removes the temporary file unless it was committed. */
void dc_output_abort(dc_output *o);

#endif
