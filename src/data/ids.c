/* Names of the rows: the dataset /ids of a data file, or the index of obs (matrix.c). Each rank reads the names of its
 * own rows, independently of the others. They are copied to the results and play no part in the computation. */
#include <string.h>

#include "column.h"
#include "dcmpi/comm.h"
#include "dcmpi/mem.h"

struct dc_data_ids {
    char path[DC_PATH_MAX], name[DC_H5_NAME_MAX];
    dc_data_column *column;
    size_t bytes;
};

static dc_status open_column(dc_data_ids *ids, const dc_data_shape *shape, const dc_part *part)
{
    dc_status st = DC_OK;
    DC_TRY(dc_data_column_open(shape, ids->path, ids->name, &ids->column));
    if (ids->bytes == 0) DC_TRY(dc_data_column_longest(ids->column, part->row_lo, dc_part_rows(part), &ids->bytes));
out:
    return dc_data_status(st);
}

dc_status dc_data_ids_start(dc_comm *comm, const dc_data_shape *shape, const char *path, const dc_part *part,
                            dc_data_ids **out)
{
    dc_status st = DC_OK;
    DC_TRY_ALL(comm, dc_mem_alloc(out, 1, sizeof **out, "ids"));
    dc_data_ids *ids = *out;
    snprintf(ids->path, sizeof ids->path, "%s", path);
    snprintf(ids->name, sizeof ids->name, "%s", shape->ids);
    ids->bytes = shape->id_bytes;
    DC_TRY_ALL(comm, open_column(ids, shape, part));
    int64_t longest = DC_MAX((int64_t)ids->bytes, (int64_t)1);
    dc_comm_max_i64(comm, &longest, 1);
    ids->bytes = (size_t)longest;
    if (longest > DC_ID_MAX_BYTES)
        st = DC_FAIL(DC_ERR_DATA,
                     "%s: %s has an id of %lld bytes, the limit is %d; rename the dataset if it holds no ids", path,
                     ids->name, (long long)longest, DC_ID_MAX_BYTES);
out:
    return st;
}

size_t dc_data_ids_bytes(const dc_data_ids *ids)
{
    return ids->bytes;
}

typedef struct {
    char *to;
    size_t bytes;
} filling;

/* An id is longer than its place only if the file has changed; the checksums at the end find this. */
static dc_status fill(void *ctx, const char *text, size_t n)
{
    filling *f = ctx;
    const size_t used = DC_MIN(n, f->bytes);
    memcpy(f->to, text, used);
    memset(f->to + used, 0, f->bytes - used);
    f->to += f->bytes;
    return DC_OK;
}

dc_status dc_data_ids_read(dc_comm *comm, dc_data_ids *ids, const dc_part *piece, dc_data_sums *sums, char *out)
{
    dc_status st = DC_OK;
    filling f = {.to = out, .bytes = ids->bytes};
    const dc_gidx n = dc_part_rows(piece);
    DC_TRY_ALL(comm, dc_data_column_read(ids->column, piece->row_lo, n, fill, &f));
    dc_data_sums_add_ids(sums, ids->bytes, piece->row_lo, n, out);
out:
    return st;
}

void dc_data_ids_end(dc_data_ids **ids)
{
    if (!*ids) return;
    dc_data_column_close(&(*ids)->column);
    dc_mem_free(ids);
}
