/* Memory of a sparse matrix by column (csr.h). */
#include "dcmpi/csr.h"

#include "dcmpi/mem.h"

dc_status dc_csc_create(dc_csc *c, int64_t D, int64_t capacity)
{
    dc_status st = DC_OK;
    *c = (dc_csc){.D = D, .capacity = capacity};
    DC_TRY(dc_mem_alloc(&c->start, (size_t)D + 1, sizeof *c->start, "columns of sparse rows"));
    DC_TRY(dc_mem_alloc_pages(&c->row, (size_t)capacity, sizeof *c->row, "sparse rows by column"));
    DC_TRY(dc_mem_alloc_pages(&c->val, (size_t)capacity, sizeof *c->val, "sparse rows by column"));
out:
    if (st != DC_OK) dc_csc_release(c);
    return st;
}

void dc_csc_release(dc_csc *c)
{
    dc_mem_free(&c->start);
    dc_mem_free(&c->row);
    dc_mem_free(&c->val);
}
