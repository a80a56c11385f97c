/* Writes a result whose rows are all in memory: one piece through h5_stream.c. */
#include "dcmpi/comm.h"
#include "dcmpi/h5.h"
#include "dcmpi/wish.h"

dc_status dc_h5_write_result(dc_comm *comm, const char *path, const dc_part *part, const dc_h5_rows *rows,
                             size_t n_rows_arrays, dc_h5_fill fill, void *ctx)
{
    dc_h5_stream *stream = NULL;
    dc_status st = DC_OK;
    DC_TRY(dc_h5_stream_create(comm, &stream, path, part, rows, n_rows_arrays, fill, ctx));
    for (size_t i = 0; i < n_rows_arrays; i++) {
        DC_TRY(dc_h5_stream_append(comm, stream, i, dc_part_rows(part), rows[i].local));
        DC_TRY(dc_wish_poll_stop(comm));
    }
    st = dc_h5_stream_commit(comm, &stream, NULL, NULL);
out:
    dc_h5_stream_abort(comm, &stream);
    return st;
}
