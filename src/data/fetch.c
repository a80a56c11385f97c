/* Copies single rows, chosen by global number, to every rank: for pictures and reports, not for training. The owner of
 * a row copies it to its place in a buffer of zeros; an integer sum over ranks then yields the bytes unchanged. */
#include <string.h>

#include "data_priv.h"
#include "dcmpi/comm.h"
#include "dcmpi/mem.h"

/* Copies a row of this rank. */
typedef void (*copy_function)(const dc_dataset *d, int64_t row, char *out);

/* A stored row as it would be if the data were dense. */
static void copy_row(const dc_dataset *d, int64_t row, char *out)
{
    const size_t item = dc_dtype_bytes(d->dtype), bytes = (size_t)d->D * item;
    const dc_csr *m = &d->csr;
    if (!dc_dataset_is_sparse(d)) {
        memcpy(out, dc_data_stored_row(d, row), bytes);
        return;
    }
    memset(out, 0, bytes);
    for (int64_t e = m->ptr[row]; e < m->ptr[row + 1]; e++) {
        const uint8_t small = d->dtype == DC_U8 ? (uint8_t)m->val[e] : 0;
        memcpy(out + (size_t)m->col[e] * item, d->dtype == DC_U8 ? (const void *)&small : &m->val[e], item);
    }
}

static void copy_id(const dc_dataset *d, int64_t row, char *out)
{
    memcpy(out, d->ids + (size_t)row * d->id_bytes, d->id_bytes);
}

static dc_status fetch(dc_comm *comm, const dc_dataset *data, size_t row_bytes, copy_function copy, const dc_gidx *rows,
                       int64_t n, void *out)
{
    dc_status st = DC_OK;
    int64_t *words = NULL;
    const size_t bytes = row_bytes * (size_t)n, n_words = (bytes + sizeof *words - 1) / sizeof *words;
    const dc_part *part = &data->part;
    DC_TRY_ALL(comm, dc_mem_alloc(&words, n_words, sizeof *words, "fetched rows"));
    for (int64_t i = 0; i < n; i++)
        if (rows[i] >= part->row_lo && rows[i] < part->row_hi)
            copy(data, rows[i] - part->row_lo, (char *)words + (size_t)i * row_bytes);
    dc_comm_sum_i64(comm, words, n_words);
    memcpy(out, words, bytes);
out:
    dc_mem_free(&words);
    return st;
}

dc_status dc_dataset_fetch(dc_comm *comm, const dc_dataset *data, const dc_gidx *rows, int64_t n, void *out)
{
    return fetch(comm, data, (size_t)data->D * dc_dtype_bytes(data->dtype), copy_row, rows, n, out);
}

dc_status dc_dataset_fetch_ids(dc_comm *comm, const dc_dataset *data, const dc_gidx *rows, int64_t n, char *out)
{
    return fetch(comm, data, data->id_bytes, copy_id, rows, n, out);
}
