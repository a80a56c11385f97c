/* Whether new rows have the columns that a run had, by their names. Private to app/. */
#ifndef DCMPI_APP_COLUMN_NAMES_H
#define DCMPI_APP_COLUMN_NAMES_H

#include "dcmpi/data.h"

/* now: names of the D stored columns of `source`, one per line, NULL without. counts: how the run made its columns of
 * stored ones, NULL if it took them as they are. key: in brackets behind the run's path in messages, "" for none. As
 * far as both have names. Local. Errors: DC_ERR_DATA, naming the first column that differs; those of reading. */
DC_CHECKED dc_status dc_column_names_check(const char *run, const char *key, const dc_count_map *counts,
                                           const char *source, int64_t D, const char *now);

#endif
