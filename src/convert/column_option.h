/* Columns of a table as the command line names them. */
#ifndef DCMPI_CONVERT_COLUMN_OPTION_H
#define DCMPI_CONVERT_COLUMN_OPTION_H

#include "convert/layout.h"

/* Whether one of the options needs the names of line 1. */
bool dc_columns_need_names(const dc_table_options *o);
/* Fills y->label, id and the roles of the columns that the options name; those of n_columns, first_line, header and
 * short_header are known. name: of the file. Errors: DC_ERR_USAGE (no such column, or two options for one). */
DC_CHECKED dc_status dc_columns_assign(dc_layout *y, const dc_table_options *o, const char *name);

#endif
