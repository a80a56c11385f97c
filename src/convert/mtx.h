/* Matrix Market files: coordinate and array, real, double, integer and pattern, general, symmetric and skew-symmetric.
 */
#ifndef DCMPI_CONVERT_MTX_H
#define DCMPI_CONVERT_MTX_H

#include "convert/entry_sort.h"
#include "convert/stream.h"

typedef enum { DC_MTX_GENERAL, DC_MTX_SYMMETRIC, DC_MTX_SKEW } dc_mtx_symmetry;

typedef struct {
    dc_stream stream;
    int64_t line; /* number of the last line that was read */
    bool array, pattern;
    dc_mtx_symmetry symmetry;
    int64_t rows, cols; /* at most INT32_MAX */
    int64_t count;      /* lines of values that the file must have */
    int64_t seen;       /* of these */
    int64_t row, col;   /* array: place of the next value */
} dc_mtx;

/* Whether the stream begins like a Matrix Market file. */
bool dc_mtx_recognise(const dc_stream *s);
/* Reads the header. Errors: DC_ERR_DATA (complex numbers, no size, sizes that are out of range or that the file cannot
 * hold), those of dc_stream_open; after an error nothing is held. */
DC_CHECKED dc_status dc_mtx_open(dc_mtx *m, const char *path, uint64_t limit);
void dc_mtx_close(dc_mtx *m);
/* Reads up to n >= 2 entries, in the order of the file, zeros included; *got = 0 at the end, which is checked. Errors:
 * DC_ERR_DATA (file, line and cause). */
DC_CHECKED dc_status dc_mtx_read(dc_mtx *m, size_t n, dc_entry *out, size_t *got);

#endif
