/* Tables in text: one row per line, cells separated by tabs, semicolons, commas or blanks. */
#ifndef DCMPI_CONVERT_TEXT_H
#define DCMPI_CONVERT_TEXT_H

#include "convert/classes.h"
#include "convert/stream.h"

typedef struct {
    dc_stream stream;
    char separator;     /* '\t', ';', ',', or ' ' for runs of blanks and tabs; '\0': the whole line is one cell */
    bool header;        /* the first line holds names */
    int64_t n_columns;  /* cells of each line */
    int64_t n_features; /* the same without the label */
    int64_t label;      /* column of the label from 0, -1: none */
    int64_t line;       /* number of the current line, from 1 */
    int64_t blank_line; /* first empty line, 0: none so far */
} dc_text;

/* Opens the file, finds separator, columns and header from its first two lines, and stands before the first row.
 * column: number of the label column from 0, dc_label_column otherwise. Errors: DC_ERR_DATA, DC_ERR_USAGE (no such
 * column). On an error nothing is held. */
DC_CHECKED dc_status dc_text_open(dc_text *t, const char *path, long column, uint64_t limit);
/* The same for a file of labels, one per line. A first line that is no number before a second that is one is a header.
 */
DC_CHECKED dc_status dc_text_open_labels(dc_text *t, const char *path, uint64_t limit);
void dc_text_close(dc_text *t);

/* Up to n rows: x[rows][n_features], labels into the sink (may be NULL if there is no label column). *got < n only at
 * the end of the file. Errors: DC_ERR_DATA with file, line and column. */
DC_CHECKED dc_status dc_text_read(dc_text *t, size_t n, double *x, dc_label_sink *sink, size_t *got);
/* *names = names of the features from the header line, one per line; NULL without a header, or if they need more than
 * max_bytes. The caller frees them. */
DC_CHECKED dc_status dc_text_names(const char *path, const dc_text *t, size_t max_bytes, char **names);

#endif
