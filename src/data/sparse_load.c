/* Loads the sparse rows of a rank, from a matrix stored by rows or by columns. */
#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "sparse.h"

static dc_status load_by_rows(dc_comm *comm, dc_data_csr_reader *r, const dc_part *part, dc_data_sums *sums,
                              dc_data_csr_room room, void *ctx, dc_csr *out)
{
    dc_status st = DC_OK;
    int64_t *ptr = NULL;
    DC_TRY_ALL(comm, dc_mem_alloc(&ptr, (size_t)out->n + 1, sizeof *ptr, "pointers of sparse rows"));
    out->ptr = ptr;
    DC_TRY(dc_data_csr_read_pointers(comm, r, part, ptr));
    DC_TRY_ALL(comm, room(ctx, dc_mul_size((size_t)ptr[out->n], sizeof *out->col + sizeof *out->val)));
    DC_TRY_ALL(comm, dc_data_csr_take(ptr[out->n], out));
    DC_TRY(dc_data_csr_read(comm, r, part, sums, out));
out:
    return st;
}

dc_status dc_data_csr_load(dc_comm *comm, const char *path, const dc_data_shape *shape, const dc_part *part,
                           dc_data_sums *sums, dc_data_csr_room room, void *ctx, dc_csr *out)
{
    dc_status st = DC_OK;
    dc_data_csr_reader r = {0};
    *out = (dc_csr){.n = dc_part_rows(part), .D = shape->head.D};
    DC_TRY(dc_data_csr_open(comm, path, shape, &r));
    if (shape->sparse.by_columns) {
        DC_TRY(dc_data_csr_turn(comm, &r, part, room, ctx, out));
        DC_TRY_ALL(comm, dc_data_csr_check(path, part->row_lo, out));
    } else {
        DC_TRY(load_by_rows(comm, &r, part, sums, room, ctx, out));
        DC_TRY_ALL(comm, dc_data_csr_check_file(&r));
    }
out:
    dc_data_csr_close(&r);
    return st;
}
