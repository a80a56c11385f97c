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
    dc_missing_action action;       /* DC_MISSING_ERROR refuses missing values; the other actions read them as NAN */
    int64_t missing[DC_WORD_COUNT]; /* missing values seen, by kind */
} dc_text;

/* Opens the file, finds out what its lines and columns are, and stops before the first row. Errors: DC_ERR_DATA,
 * DC_ERR_USAGE (no such column). After an error there is nothing to close. */
DC_CHECKED dc_status dc_text_open(dc_text *t, const char *path, const dc_table_options *table, dc_missing_action action,
                                  uint64_t limit);
/* The same for a file of labels, one per line, that belong to a matrix of `rows` rows (-1: unknown). If line 1 is a
 * word and line 2 a number, line 1 is a header, unless the file has exactly `rows` lines. */
DC_CHECKED dc_status dc_text_open_labels(dc_text *t, const char *path, dc_gidx rows, uint64_t limit);
void dc_text_close(dc_text *t);

/* Reads up to n rows into x[rows][n_features], and their labels and ids into the sink, but not those of a row that
 * DC_MISSING_DROP will leave out. *got < n only at the end of the file. Errors: DC_ERR_DATA with file, line and
 * column. */
DC_CHECKED dc_status dc_text_read(dc_text *t, size_t n, double *x, dc_row_sink *sink, size_t *got);

#endif
