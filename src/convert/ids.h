/* Ids of rows: texts that go with the rows into the results. */
#ifndef DCMPI_CONVERT_IDS_H
#define DCMPI_CONVERT_IDS_H

#include "dcmpi/base.h"

/* Where a reader puts the ids that it meets. */
typedef struct {
    char *ids;      /* [rows x bytes], padded with zeros; NULL in the first pass, which finds the longest */
    size_t bytes;   /* size of one id in `ids` */
    size_t n;       /* ids stored since the piece began */
    size_t longest; /* bytes of the longest id so far */
} dc_id_sink;

/* name: the file's name, for messages. Errors: DC_ERR_DATA (too long, not UTF-8, control characters). */
DC_CHECKED dc_status dc_id_put(dc_id_sink *sink, const char *name, const char *text, size_t n);

#endif
