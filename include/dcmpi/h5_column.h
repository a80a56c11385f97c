/* Reads one value per row of a foreign HDF5 file as text: labels and ids.
 *
 * A column is one of these: (1) a vector, or a matrix of one column, of integers, floats that are integers, or strings
 * of any kind; (2) an AnnData categorical: a group with `codes` and `categories`, or, before AnnData 0.8, codes in `x`
 * and names in `__categories/x`; (3) a nullable array: a group with `values` and `mask`; (4) field `f` of a dataset `t`
 * of records, written t/f. AnnData before 0.7 stores obs like this, with the names of codes in /uns/f_categories.
 * Numbers become decimal digits; a row without a value (NaN, code -1, masked) becomes "". Local; no communication. */
#ifndef DCMPI_H5_COLUMN_H
#define DCMPI_H5_COLUMN_H

#include "dcmpi/h5.h"

typedef struct dc_h5_column dc_h5_column;
/* h5 is borrowed. Errors, with *out NULL: DC_ERR_FORMAT (the column is missing, has none of these shapes or types, or
 * its categories are not a list). */
DC_CHECKED dc_status dc_h5_column_open(dc_h5 *h5, const char *name, dc_h5_column **out);
void dc_h5_column_close(dc_h5_column **column);
dc_gidx dc_h5_column_rows(const dc_h5_column *column);
/* Calls visit(ctx, text, length) for rows [row, row + n) in order. Errors: DC_ERR_FORMAT (a number that is not an
 * integer, a code without a category, damage), what visit returns. */
DC_CHECKED dc_status dc_h5_column_read(dc_h5_column *column, dc_gidx row, dc_gidx n, dc_h5_text_visitor visit,
                                       void *ctx);
/* Length in bytes of the longest text in rows [row, row + n). */
DC_CHECKED dc_status dc_h5_column_longest(dc_h5_column *column, dc_gidx row, dc_gidx n, size_t *longest);

/* Writes the names of the columns of integers, texts or categories with `rows` rows (-1: any number), "/a, /b", to
 * out[cap]; "" if there are none. wanted: only those for which it is true; NULL: all. */
void dc_h5_list_columns(dc_h5 *h5, dc_gidx rows, bool (*wanted)(const char *name, size_t n), char *out, size_t cap);

/* Joins the texts of all rows, one per line; *text is NULL if there are none; the caller frees it with
 * dc_mem_free(). */
DC_CHECKED dc_status dc_h5_column_join(dc_h5_column *column, char **text);

/* Names of the integer labels in /y, from the root attribute `classes`, which has one line per class in ascending
 * order. If all lines are int32 numbers, each label is its own name; otherwise the name of label i is line i. */
typedef struct {
    char *text; /* owned */
    const char **line;
    size_t *length;
    int64_t n; /* 0: labels are their own names */
} dc_h5_classes;
DC_CHECKED dc_status dc_h5_classes_load(dc_h5 *h5, dc_h5_classes *classes);
void dc_h5_classes_release(dc_h5_classes *classes);
/* Name of a label, without a final zero byte; digits[24] holds it if the label is its own name. */
const char *dc_h5_class_name(const dc_h5_classes *classes, int64_t label, char digits[24], size_t *length);

#endif
