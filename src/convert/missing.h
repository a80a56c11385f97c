/* Missing values. The first pass counts them and sums the present values; the second replaces them or leaves out their
 * rows. */
#ifndef DCMPI_CONVERT_MISSING_H
#define DCMPI_CONVERT_MISSING_H

#include "convert/cell.h"
#include "dcmpi/convert.h"

typedef struct {
    dc_missing_options options;
    int64_t D;
    double *sum;    /* [D] sums of present values; after dc_missing_finish(), means; DC_MISSING_MEAN only */
    int64_t *count; /* [D] numbers of present values */
    int64_t cells, rows;
    int64_t kinds[DC_WORD_COUNT];
} dc_missing;

/* Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_missing_create(dc_missing *m, dc_missing_options options, int64_t D);
void dc_missing_destroy(dc_missing *m);

/* First pass: looks at n rows x[n x D]. words: the input is text, whose reader has already counted the kinds. skip[n]:
 * which rows will be left out. */
void dc_missing_scan(dc_missing *m, size_t n, const double *x, bool words, bool *skip);
/* Call it after the first pass. names: the columns' names, one per line, or NULL. Errors: DC_ERR_DATA (a column without
 * values). */
DC_CHECKED dc_status dc_missing_finish(dc_missing *m, const char *names);
/* Second pass: replaces missing values by the mean or the given value; skip[n]: which rows to leave out. */
void dc_missing_apply(const dc_missing *m, size_t n, double *x, bool *skip);

/* Tells what was done, for the attribute of the output: "action=drop\ncells=3\nrows=2\nNA=2\nnan=1". */
void dc_missing_text(const dc_missing *m, char *out, size_t cap);
/* Prints the same as a NOTE of one line. */
void dc_missing_note(const dc_missing *m, const char *output);

#endif
