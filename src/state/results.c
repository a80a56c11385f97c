#include "dcmpi/results.h"

#include <stdio.h>
#include <string.h>

#include "dcmpi/mem.h"

static dc_status add(dc_results *r, const char *name, dc_state_type type, bool of_rows, int n_dims, const int64_t *dim,
                     const void *data)
{
    DC_ASSERT(r->n < DC_RESULTS_MAX && n_dims <= DC_RESULT_DIMS);
    dc_result_array *a = &r->array[r->n];
    size_t values = 1;
    *a = (dc_result_array){.type = type, .of_rows = of_rows, .n_dims = n_dims};
    snprintf(a->name, sizeof a->name, "%s", name);
    for (int i = 0; i < n_dims; i++) values *= (size_t)(a->dim[i] = dim[i]);
    const dc_status st = dc_mem_alloc_raw(&a->data, values, dc_state_type_bytes(type), name);
    if (st != DC_OK) return st;
    if (values) memcpy(a->data, data, values * dc_state_type_bytes(type));
    r->n++;
    return DC_OK;
}

dc_status dc_results_add(dc_results *r, const char *name, dc_state_type type, int n_dims, const int64_t *dim,
                         const void *data)
{
    return add(r, name, type, false, n_dims, dim, data);
}

dc_status dc_results_add_rows(dc_results *r, const char *name, dc_state_type type, int64_t n, int64_t width,
                              const void *data)
{
    return add(r, name, type, true, 2, (int64_t[]){n, width}, data);
}

void dc_results_release(dc_results *r)
{
    for (int i = 0; i < r->n; i++) dc_mem_free(&r->array[i].data);
    r->n = 0;
}
