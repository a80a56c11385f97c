/* The data file that convert writes, under a temporary name until it is complete. */
#ifndef DCMPI_CONVERT_OUTPUT_H
#define DCMPI_CONVERT_OUTPUT_H

#include "dcmpi/claim.h"
#include "dcmpi/convert.h"
#include "dcmpi/h5.h"

typedef struct {
    dc_claim claim;
    int fd;    /* of claim.part, -1: none */
    dc_h5 *h5; /* owned, NULL until dc_output_create() */
    dc_gidx next_row;
    int64_t D;
    dc_dtype dtype;
    size_t id_bytes;   /* of each string of /ids, 0: none */
    uint64_t ids_hash; /* of those appended, as h5.h has it */
} dc_output;

/* Checks the name and reserves the temporary file, so that an output that cannot be written is known before inputs are
 * read. Errors: DC_ERR_USAGE (an input, name too long, exists and is not of this recipe and force is not set),
 * DC_ERR_IO, DC_ERR_BUSY. On an error nothing is held. */
DC_CHECKED dc_status dc_output_begin(dc_output *o, const dc_convert_config *cfg, const dc_recipe *recipe);
/* Makes /X [N x D], if labels, /y [N], and, if id_bytes > 0, /ids [N] of strings of so many bytes; claims their space
 * on disk. */
DC_CHECKED dc_status dc_output_create(dc_output *o, dc_gidx N, int64_t D, dc_dtype dtype, bool labels, size_t id_bytes);
/* Appends n rows; y is NULL without labels, ids [n x id_bytes], UTF-8 padded with zeros, is NULL without ids. */
DC_CHECKED dc_status dc_output_append(dc_output *o, size_t n, const void *X, const int32_t *y, const char *ids);
/* Closes, moves the file to its final name. */
DC_CHECKED dc_status dc_output_commit(dc_output *o);
/* Removes the temporary file unless it was committed. */
void dc_output_abort(dc_output *o);

#endif
