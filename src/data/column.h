/* Private to src/data: a column of texts of all rows, whatever files hold them. Local. */
#ifndef DCMPI_DATA_COLUMN_H
#define DCMPI_DATA_COLUMN_H

#include "data_priv.h"
#include "dcmpi/text.h"

typedef struct dc_data_column dc_data_column;
/* The column `name` of the file `path`, or of shape->files, which are borrowed. Errors: DC_ERR_FORMAT, DC_ERR_IO. */
DC_CHECKED dc_status dc_data_column_open(const dc_data_shape *shape, const char *path, const char *name,
                                         dc_data_column **out);
/* Accepts NULL. */
void dc_data_column_close(dc_data_column **column);
/* As those of h5_column.h. Errors: DC_ERR_DATA, DC_ERR_IO, what visit returns. */
DC_CHECKED dc_status dc_data_column_read(dc_data_column *column, dc_gidx row, dc_gidx n, dc_h5_text_visitor visit,
                                         void *ctx);
DC_CHECKED dc_status dc_data_column_longest(dc_data_column *column, dc_gidx row, dc_gidx n, size_t *longest);

#endif
