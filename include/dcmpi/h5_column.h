/* One value per row in an HDF5 file of anybody, as text: labels and ids.
 *
 * A column is a vector (or a matrix of one column) of integers, floats that are integers, or strings of any kind; a
 * categorical of AnnData, that is a group with `codes` and `categories`, or, as before 0.8, codes in `x` with their
 * names in `__categories/x`; a nullable array, a group with `values` and `mask`; or field `f` of a dataset of records
 * `t`, called t/f, as AnnData before 0.7 has obs, with the names of codes in /uns/f_categories. Numbers come as decimal
 * digits, a row without a value (NaN, code -1, masked) as "". Local; no communication. */
#ifndef DCMPI_H5_COLUMN_H
#define DCMPI_H5_COLUMN_H

#include "dcmpi/h5.h"

typedef struct dc_h5_column dc_h5_column;
/* h5 is borrowed. Errors: DC_ERR_FORMAT (missing, no such shape or type, categories that are not a list). *out is
 * NULL then. */
DC_CHECKED dc_status dc_h5_column_open(dc_h5 *h5, const char *name, dc_h5_column **out);
void dc_h5_column_close(dc_h5_column **column);
dc_gidx dc_h5_column_rows(const dc_h5_column *column);
/* Calls visit(ctx, text, length) for rows [row, row + n) in order. Errors: DC_ERR_FORMAT (a number that is not an
 * integer, a code without a category, damage), what visit returns. */
DC_CHECKED dc_status dc_h5_column_read(dc_h5_column *column, dc_gidx row, dc_gidx n, dc_h5_text_visitor visit,
                                       void *ctx);
/* Bytes of the longest of rows [row, row + n). */
DC_CHECKED dc_status dc_h5_column_longest(dc_h5_column *column, dc_gidx row, dc_gidx n, size_t *longest);

/* All of them in one text, one per line, NULL for none; the caller frees it with dc_mem_free(). */
DC_CHECKED dc_status dc_h5_column_join(dc_h5_column *column, char **text);

/* What the integers of /y stand for in a file with the root attribute `classes`, a line for each class in ascending
 * order: if all lines are int32 numbers, labels are their own names; otherwise label i has line i. */
typedef struct {
    char *text; /* owned */
    const char **line;
    size_t *length;
    int64_t n; /* 0: labels are their own names */
} dc_h5_classes;
DC_CHECKED dc_status dc_h5_classes_load(dc_h5 *h5, dc_h5_classes *classes);
void dc_h5_classes_release(dc_h5_classes *classes);
/* Name of a label, not ended by a zero byte; digits[24] is used if it is its own. */
const char *dc_h5_class_name(const dc_h5_classes *classes, int64_t label, char digits[24], size_t *length);

#endif
