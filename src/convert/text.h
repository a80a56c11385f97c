/* Tables in text: one row per line, cells separated by tabs, semicolons, commas, bars or blanks. */
#ifndef DCMPI_CONVERT_TEXT_H
#define DCMPI_CONVERT_TEXT_H

#include "convert/classes.h"
#include "convert/ids.h"
#include "convert/layout.h"
#include "convert/lines.h"

/* Where labels and ids go. */
typedef struct {
    dc_label_sink labels;
    dc_id_sink ids;
} dc_row_sink;

typedef struct {
    dc_lines lines;
    dc_layout layout;
    dc_missing_action action;       /* DC_MISSING_ERROR refuses missing values, others give NAN for them */
    int64_t missing[DC_WORD_COUNT]; /* missing values that were given, by kind */
} dc_text;

/* Opens the file, decides what its lines and columns are, and stands before the first row. Errors: DC_ERR_DATA,
 * DC_ERR_USAGE (no such column). On an error nothing is held. */
DC_CHECKED dc_status dc_text_open(dc_text *t, const char *path, const dc_table_options *table, dc_missing_action action,
                                  uint64_t limit);
/* The same for a file of labels, one per line, for a matrix of `rows` rows (-1: unknown). A first line that is a word
 * before a second that is a number is a header, unless there are just as many lines as rows. */
DC_CHECKED dc_status dc_text_open_labels(dc_text *t, const char *path, dc_gidx rows, uint64_t limit);
void dc_text_close(dc_text *t);

/* Up to n rows: x[rows][n_features], labels and ids into the sink. A row that DC_MISSING_DROP will leave out has no
 * label and no id. *got < n only at the end of the file. Errors: DC_ERR_DATA with file, line and column. */
DC_CHECKED dc_status dc_text_read(dc_text *t, size_t n, double *x, dc_row_sink *sink, size_t *got);

#endif
