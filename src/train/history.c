/* The table of records of one phase. All memory is taken at creation: phases know their largest number of records. */
#include <string.h>

#include "dcmpi/mem.h"
#include "dcmpi/train.h"

dc_status dc_history_create(dc_history *h, const char *phase, int n_columns, const char *const *columns,
                            size_t capacity)
{
    DC_ASSERT(n_columns <= DC_HISTORY_COLUMNS_MAX);
    *h = (dc_history){.phase = phase, .n_columns = n_columns, .capacity = capacity};
    for (int c = 0; c < n_columns; c++) h->column[c] = columns[c];
    return dc_mem_alloc(&h->value, dc_mul_size(capacity, (size_t)n_columns), sizeof *h->value, "history");
}

void dc_history_add(dc_history *h, const double *row)
{
    DC_ASSERT(h->n < h->capacity);
    memcpy(h->value + h->n++ * (size_t)h->n_columns, row, (size_t)h->n_columns * sizeof *row);
}

void dc_history_release(dc_history *h)
{
    dc_mem_free(&h->value);
    h->n = h->capacity = 0;
}
