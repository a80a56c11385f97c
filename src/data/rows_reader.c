/* Reads the dense rows of many files: from their places, or through the HDF5 library if a file stores them in chunks.
 * Each rank reads its own rows, on its own; all agree after each round. */
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "dcmpi/wish.h"
#include "matrix.h"
#include "rows_reader.h"

enum { ROUND_BYTES = 256 << 20 };

struct dc_rows_reader {
    const dc_files *files;
    dc_h5_type type;
    dc_store *store;
    size_t open; /* file that is open in the library, if h5 is set */
    dc_h5 *h5;
    char matrix[DC_H5_NAME_MAX];
};

dc_status dc_data_store_create(const dc_data_shape *shape, const char *path, dc_store **out)
{
    dc_status st = DC_OK;
    const dc_files *files = shape->files;
    const size_t n = files ? files->n : 1, path_bytes = strlen(path) + 1, room = path_bytes + DC_H5_NAME_MAX;
    const size_t row_bytes = (size_t)shape->head.stored_D * dc_dtype_bytes(shape->head.stored_dtype);
    dc_store_piece *piece = NULL;
    char *names = NULL;
    DC_TRY(dc_mem_alloc(&piece, n, sizeof *piece, "files of rows"));
    DC_TRY(dc_mem_alloc(&names, room, 1, "names of files"));
    memcpy(names, path, path_bytes);
    memcpy(names + path_bytes, shape->matrix, DC_H5_NAME_MAX);
    for (size_t i = 0; files && i < n; i++) piece[i] = files->file[i].piece;
    if (!files)
        piece[0] = (dc_store_piece){.dataset = (int64_t)path_bytes,
                                    .offset = shape->place,
                                    .packing = shape->packing,
                                    .rows = shape->promise.rows,
                                    .state = shape->promise.file};
    st = dc_store_create(piece, n, files ? files->names : names, files ? files->name_bytes : room, row_bytes, out);
out:
    dc_mem_free(&names);
    dc_mem_free(&piece);
    return st;
}

static dc_status find_dataset(void *ctx, dc_h5 *h5, size_t i, char name[DC_H5_NAME_MAX])
{
    const dc_data_shape *shape = ctx;
    const dc_files *files = shape->files;
    if (!files) {
        snprintf(name, DC_H5_NAME_MAX, "%s", shape->matrix);
        return DC_OK;
    }
    const char *dataset = dc_files_dataset(files, i);
    return dc_data_find_matrix(h5, dc_files_path(files, i), *dataset ? dataset : files->matrix, name);
}

dc_status dc_data_store_list(const dc_data_shape *shape, dc_store *store, dc_gidx row, int64_t n)
{
    void *ctx = (void *)(uintptr_t)shape; /* find_dataset() only reads it */
    return dc_data_status(
        dc_store_list_chunks(store, row, n, dc_data_threads(), shape->head.chunk_cache, find_dataset, ctx));
}

dc_status dc_rows_reader_open(const dc_data_shape *shape, dc_rows_reader **out)
{
    dc_status st = DC_OK;
    DC_TRY(dc_mem_alloc(out, 1, sizeof **out, "reader of rows"));
    (*out)->files = shape->files;
    (*out)->type = dc_data_h5_type(shape->head.stored_dtype);
    DC_TRY(dc_data_store_create(shape, "", &(*out)->store));
out:
    if (st != DC_OK) dc_rows_reader_close(out);
    return st;
}

static void close_file(dc_rows_reader *r)
{
    if (dc_h5_close(&r->h5) != DC_OK) dc_error_clear(); /* was only read */
}

void dc_rows_reader_close(dc_rows_reader **reader)
{
    if (!*reader) return;
    close_file(*reader);
    dc_store_destroy(&(*reader)->store);
    dc_mem_free(reader);
}

/* Opens file i in the library, which must still be the one that was inspected. */
static dc_status open_file(dc_rows_reader *r, size_t i)
{
    dc_status st = DC_OK;
    const char *path = dc_files_path(r->files, i), *dataset = dc_files_dataset(r->files, i), *change;
    dc_file_state then = r->files->file[i].piece.state;
    if (r->h5 && r->open == i) return DC_OK;
    close_file(r);
    DC_TRY(dc_h5_open(&r->h5, path, DC_H5_READ));
    r->open = i;
    const dc_file_state now = dc_h5_file_state(r->h5);
    then.device = now.device; /* nodes number devices, and some file systems files, in their own way */
    then.inode = now.inode;
    change = dc_file_change(&then, &now);
    if (change)
        DC_TRY(DC_FAIL(DC_ERR_DATA, "%s changed while it was read: %s; start again when it is complete", path, change));
    st = dc_data_find_matrix(r->h5, path, *dataset ? dataset : r->files->matrix, r->matrix);
out:
    return dc_data_status(dc_h5_read_status(r->h5, st));
}

/* Rows of file i, counted from its own first. */
static dc_status read_chunked(dc_rows_reader *r, size_t i, dc_gidx row, int64_t n, void *out)
{
    dc_status st = DC_OK;
    DC_TRY(open_file(r, i));
    DC_TRY(dc_h5_read_rows(r->h5, r->matrix, r->type, row, n, out));
    DC_TRY(dc_h5_check_unchanged(r->h5));
out:
    return dc_data_status(st);
}

/* Rows of the data set; those of files in one piece are read together with those of their neighbours. */
static dc_status read_rows(dc_rows_reader *r, dc_gidx row, int64_t n, char *out)
{
    const size_t row_bytes = dc_store_row_bytes(r->store);
    for (int64_t done = 0, rows; done < n; done += rows) {
        const size_t i = dc_store_piece_of(r->store, row + done);
        const dc_gidx first = dc_store_first(r->store, i), at = row + done - first;
        char *to = out + (size_t)done * row_bytes;
        rows = DC_MIN(n - done, dc_store_piece_at(r->store, i)->rows - at);
        if (dc_store_piece_at(r->store, i)->offset < 0) {
            const dc_status st = read_chunked(r, i, at, rows, to);
            if (st != DC_OK) return st;
        } else if (dc_store_read(r->store, row + done, rows, to) != DC_OK) {
            return dc_store_status(r->store);
        }
    }
    return DC_OK;
}

dc_status dc_rows_reader_read(dc_comm *comm, dc_rows_reader *r, const dc_part *piece, void *out)
{
    dc_status st = DC_OK;
    const size_t row_bytes = dc_store_row_bytes(r->store);
    const int64_t n = dc_part_rows(piece), step = DC_MAX((int64_t)(ROUND_BYTES / row_bytes), (int64_t)1);
    int64_t rounds = (n + step - 1) / step;
    dc_comm_max_i64(comm, &rounds, 1);
    for (int64_t k = 0; k < rounds; k++) {
        const int64_t lo = DC_MIN(k * step, n), hi = DC_MIN(lo + step, n);
        DC_TRY_ALL(comm, read_rows(r, piece->row_lo + lo, hi - lo, (char *)out + (size_t)lo * row_bytes));
        DC_TRY(dc_wish_poll_stop(comm));
    }
out:
    return st;
}

dc_status dc_rows_reader_check(dc_comm *comm, dc_rows_reader *r, const dc_part *part)
{
    return dc_agree(comm, dc_store_check_unchanged(r->store, part->row_lo, dc_part_rows(part)));
}
