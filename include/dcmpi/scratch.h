/* A temporary file without a name beside the output, for what does not fit into memory: nothing is ever left behind. */
#ifndef DCMPI_SCRATCH_H
#define DCMPI_SCRATCH_H

#include "dcmpi/base.h"

typedef struct {
    char folder[DC_PATH_MAX]; /* where it lies */
    const char *purpose;      /* for messages: "the temporary file of --transpose" */
    int fd;                   /* -1: not made yet */
} dc_scratch;

/* Makes nothing yet; the file will lie beside `output`. */
void dc_scratch_init(dc_scratch *s, const char *output, const char *purpose);
void dc_scratch_close(dc_scratch *s);
/* The first write makes the file. Errors: DC_ERR_IO, DC_ERR_USAGE (the name of the folder is too long). */
DC_CHECKED dc_status dc_scratch_write(dc_scratch *s, const void *data, size_t n, int64_t at);
DC_CHECKED dc_status dc_scratch_read(const dc_scratch *s, void *data, size_t n, int64_t at);

#endif
