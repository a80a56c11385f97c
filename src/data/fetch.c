/* Copies single rows, chosen by global number, to every rank: for pictures and reports, not for training. The owner of
 * a row copies it to its place in a buffer of zeros; an integer sum over ranks then yields the bytes unchanged. */
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/data.h"
#include "dcmpi/mem.h"

/* own[rows of this rank x row_bytes]. */
static dc_status fetch(dc_comm *comm, const dc_part *part, size_t row_bytes, const void *own, const dc_gidx *rows,
                       int64_t n, void *out)
{
    dc_status st = DC_OK;
    int64_t *words = NULL;
    const size_t bytes = row_bytes * (size_t)n, n_words = (bytes + sizeof *words - 1) / sizeof *words;
    DC_TRY_ALL(comm, dc_mem_alloc(&words, n_words, sizeof *words, "fetched rows"));
    for (int64_t i = 0; i < n; i++)
        if (rows[i] >= part->row_lo && rows[i] < part->row_hi)
            memcpy((char *)words + (size_t)i * row_bytes,
                   (const char *)own + (size_t)(rows[i] - part->row_lo) * row_bytes, row_bytes);
    dc_comm_sum_i64(comm, words, n_words);
    memcpy(out, words, bytes);
out:
    dc_mem_free(&words);
    return st;
}

dc_status dc_dataset_fetch(dc_comm *comm, const dc_dataset *data, const dc_gidx *rows, int64_t n, void *out)
{
    return fetch(comm, &data->part, (size_t)data->D * dc_dtype_bytes(data->dtype), data->X, rows, n, out);
}

dc_status dc_dataset_fetch_ids(dc_comm *comm, const dc_dataset *data, const dc_gidx *rows, int64_t n, char *out)
{
    return fetch(comm, &data->part, data->id_bytes, data->ids, rows, n, out);
}
