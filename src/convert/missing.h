/* Values that are missing: counted and summed in the first pass, replaced or left out with their row in the second. */
#ifndef DCMPI_CONVERT_MISSING_H
#define DCMPI_CONVERT_MISSING_H

#include "convert/cell.h"
#include "dcmpi/convert.h"

typedef struct {
    dc_missing_options options;
    int64_t D;
    double *sum;    /* [D] sums of the present values, after dc_missing_finish() means; DC_MISSING_MEAN only */
    int64_t *count; /* [D] numbers of present values */
    int64_t cells, rows;
    int64_t kinds[DC_WORD_COUNT];
} dc_missing;

/* Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_missing_create(dc_missing *m, dc_missing_options options, int64_t D);
void dc_missing_destroy(dc_missing *m);

/* First pass: n rows x[n x D]. words: the input is text, whose reader has already counted the kinds. skip[n] = rows
 * that will be left out. */
void dc_missing_scan(dc_missing *m, size_t n, const double *x, bool words, bool *skip);
/* After the first pass. names: of the columns, one per line, or NULL. Errors: DC_ERR_DATA (a column without values). */
DC_CHECKED dc_status dc_missing_finish(dc_missing *m, const char *names);
/* Second pass: missing values become means or the value; skip[n] = rows to leave out. */
void dc_missing_apply(const dc_missing *m, size_t n, double *x, bool *skip);

/* What was done, "action=drop\ncells=3\nrows=2\nNA=2\nnan=1", for the attribute of the output. */
void dc_missing_text(const dc_missing *m, char *out, size_t cap);
/* Prints the same as a NOTE of one line. */
void dc_missing_note(const dc_missing *m, const char *output);

#endif
