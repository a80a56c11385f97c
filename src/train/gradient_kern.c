/* Columns of a matrix into a packed block and back. */
#include <string.h>

#include "gradient_impl.h"

/* Fewer floats are not worth waking the threads for. */
enum { THREAD_FLOATS = 1 << 15 };

void dc_columns_pack(const dc_columns *c)
{
#pragma omp parallel for schedule(static) if (c->n * c->columns >= THREAD_FLOATS)
    for (int64_t i = 0; i < c->n; i++)
        memcpy(c->packed + i * c->columns, c->matrix + i * c->width + c->column, (size_t)c->columns * sizeof(float));
}

void dc_columns_unpack(const dc_columns *c)
{
#pragma omp parallel for schedule(static) if (c->n * c->columns >= THREAD_FLOATS)
    for (int64_t i = 0; i < c->n; i++)
        memcpy(c->matrix + i * c->width + c->column, c->packed + i * c->columns, (size_t)c->columns * sizeof(float));
}
