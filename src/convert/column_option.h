/* Finds the columns of a table that the command line names. */
#ifndef DCMPI_CONVERT_COLUMN_OPTION_H
#define DCMPI_CONVERT_COLUMN_OPTION_H

#include "convert/layout.h"

/* Whether one of the options needs the names of line 1. */
bool dc_columns_need_names(const dc_table_options *o);
/* Fills y->text, y->label, y->id and the roles of the columns that the options name; y's n_columns, first_line, header
 * and short_header must be set. name: the file's name. Errors: DC_ERR_USAGE (no such column, or two options for one).
 */
DC_CHECKED dc_status dc_columns_assign(dc_layout *y, const dc_table_options *o, const char *name);

#endif
