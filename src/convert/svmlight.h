/* svmlight and libsvm files: one row per line, "label [qid:Q] index:value ... [# comment]". */
#ifndef DCMPI_CONVERT_SVMLIGHT_H
#define DCMPI_CONVERT_SVMLIGHT_H

#include "convert/cell.h"
#include "convert/entry_sort.h"
#include "convert/stream.h"

typedef struct {
    dc_stream stream;
    int64_t line;        /* number of the last line that was read */
    int64_t rows;        /* rows read so far */
    int64_t least, most; /* smallest and largest index so far; INT64_MAX and -1: none */
    dc_entry *row;       /* [capacity] the values of the row, owned */
    size_t n, next, capacity;
} dc_svmlight;

/* Whether the first lines of the stream look like this format: a number and then only pairs, in one line at least, or
 * in none if the file is named .svm, .libsvm or .svmlight. */
bool dc_svmlight_recognise(const dc_stream *s);
/* Errors: those of dc_stream_open; after an error nothing is held. */
DC_CHECKED dc_status dc_svmlight_open(dc_svmlight *s, const char *path, uint64_t limit);
void dc_svmlight_close(dc_svmlight *s);
/* Reads up to n entries in the order of rows and indices; columns are the indices of the file. *got = 0 at the end.
 * Errors: DC_ERR_DATA (file, line and cause; an index twice in a row; an index beyond the limit), DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_svmlight_read(dc_svmlight *s, size_t n, dc_entry *out, size_t *got);
/* Instead of that: gives the label of the next row; it is valid until the next call. Errors: DC_ERR_DATA (not a number,
 * or several). */
DC_CHECKED dc_status dc_svmlight_label(dc_svmlight *s, dc_span *label, bool *found);

#endif
