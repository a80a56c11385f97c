/* Private to src/train: transforms of counts, as a result file keeps them. Serial. */
#ifndef DCMPI_TRAIN_COUNTS_FILE_H
#define DCMPI_TRAIN_COUNTS_FILE_H

#include "dcmpi/data.h"
#include "dcmpi/h5.h"

/* Sets *map, but for its columns, from a file whose scaling has `kept` columns; map->used is false if the run
 * transformed nothing; *chosen: whether columns were chosen. Errors: DC_ERR_FORMAT. */
DC_CHECKED dc_status dc_counts_header(dc_h5 *h5, const char *path, int64_t kept, dc_count_map *map, bool *chosen);
/* Reads map->column[map->kept], which the caller has allocated. Errors: DC_ERR_FORMAT. */
DC_CHECKED dc_status dc_counts_columns(dc_h5 *h5, const char *path, dc_count_map *map);

#endif
