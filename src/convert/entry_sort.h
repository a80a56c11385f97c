/* Entries of a sparse matrix, brought into the order of rows and columns in bounded memory: what fits into memory is
 * sorted there; more is sorted in runs, which go to a temporary file and are merged. */
#ifndef DCMPI_CONVERT_ENTRY_SORT_H
#define DCMPI_CONVERT_ENTRY_SORT_H

#include "dcmpi/base.h"

/* A value in its row and column. */
typedef struct {
    uint32_t row;
    int32_t col; /* >= 0 */
    double value;
} dc_entry;

/* The order of entries: by rows, then by columns. */
static inline uint64_t dc_entry_key(const dc_entry *e)
{
    return (uint64_t)e->row << 32 | (uint32_t)e->col;
}

typedef struct dc_entry_sort dc_entry_sort;

enum { DC_ENTRY_SORT_BYTES = 128 << 20 };

/* beside: the output, next to which the temporary file lies. memory: DC_ENTRY_SORT_BYTES; tests pass less. Errors:
 * DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_entry_sort_create(dc_entry_sort **out, const char *beside, size_t memory);
void dc_entry_sort_destroy(dc_entry_sort **sort);
/* Puts in n entries. Errors: DC_ERR_IO (the disk is full). */
DC_CHECKED dc_status dc_entry_sort_put(dc_entry_sort *s, size_t n, const dc_entry *entries);
/* To be called when all entries are in, and again to start from the first one. Errors: DC_ERR_IO, DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_entry_sort_rewind(dc_entry_sort *s);
/* Gives up to n of the next entries; *got < n only at the end. Entries in the same place come in the order in which
 * they were put in. Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_entry_sort_get(dc_entry_sort *s, size_t n, dc_entry *out, size_t *got);

#endif
