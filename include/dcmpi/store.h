/* Stored dense rows of one or of many files as one array: a row is found by its number in the data set, whatever file
 * holds it. Rows are read where they lie, in their stored type, and no file is read as a whole. No communication here.
 *
 * HDF5 datasets in chunks are read without the library, once their chunks are listed; some unpacked chunks are kept.
 *
 * A store is made on every rank from the same pieces, which one rank has found out by looking at the files. A file that
 * has other lengths or times than then has changed, which is an error. Only a bounded number of files is open at once.
 *
 * Threads of a kernel may read, and kernels do not fail: the first failure stays in the store, all later reads fail at
 * once, and the main thread asks for it by dc_store_status() before it uses anything that was made of the rows. */
#ifndef DCMPI_STORE_H
#define DCMPI_STORE_H

#include "dcmpi/file.h"
#include "dcmpi/h5.h"

/* Rows that lie one after the other in one file. It holds no pointers, so that ranks can send it. */
typedef struct {
    int64_t path;          /* where the path of the file begins in the names of the store */
    int64_t dataset;       /* the same for the HDF5 dataset; an empty name in other files */
    int64_t offset;        /* byte of the first row; -1: not in one piece */
    dc_h5_packing packing; /* of rows in chunks; all 0 if only the HDF5 library can read them */
    dc_gidx rows;          /* >= 0 */
    dc_file_state state;   /* of the file when its header was read */
} dc_store_piece;

typedef struct dc_store dc_store;

/* Copies piece[n] and names[name_bytes], texts that end with zero bytes. Row 0 of the array is the first row of piece
 * 0; row_bytes: of each row. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_store_create(const dc_store_piece *piece, size_t n, const char *names, size_t name_bytes,
                                     size_t row_bytes, dc_store **out);
/* Accepts NULL. */
void dc_store_destroy(dc_store **store);

dc_gidx dc_store_rows(const dc_store *store);
size_t dc_store_row_bytes(const dc_store *store);
const dc_store_piece *dc_store_piece_at(const dc_store *store, size_t i);
/* First row of piece i, 0 <= i <= n (n gives the number of rows); the piece that holds a row, 0 <= row < rows. */
dc_gidx dc_store_first(const dc_store *store, size_t i);
size_t dc_store_piece_of(const dc_store *store, dc_gidx row);
const char *dc_store_dataset(const dc_store *store, size_t i);

/* name = the dataset of piece i, whose file is open as h5. */
typedef dc_status dc_store_find(void *ctx, dc_h5 *h5, size_t i, char name[DC_H5_NAME_MAX]);
enum { DC_STORE_CHUNKS_BYTES = 64 << 20 }; /* for unpacked chunks, if nobody says more */
/* Lists the chunks of rows [row, row + n), so that at most `threads` threads can read them. bytes: so much is kept of
 * unpacked chunks, or two bands for each thread if that is more. To be called once, before anything is read; main
 * thread. Errors: DC_ERR_FORMAT, DC_ERR_DATA, DC_ERR_IO, DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_store_list_chunks(dc_store *store, dc_gidx row, int64_t n, int threads, size_t bytes,
                                          dc_store_find *find, void *ctx);
/* Memory that this takes at most: for n pieces of which at least one is in chunks, and for the chunks of datasets of
 * which `most` is the largest. */
double dc_store_tables_need(size_t n);
double dc_store_chunks_need(const dc_h5_packing *most, int threads, size_t bytes);
/* Where the rows of a piece can be read by dc_store_read(): in one piece, or in chunks. */
static inline bool dc_store_can_read(const dc_store_piece *piece)
{
    return piece->offset >= 0 || piece->packing.chunk_bytes > 0;
}

/* out[n x row_bytes] = rows [row, row + n), which exist. Safe to call from several threads. A failure sets no error
 * text, is kept in the store, and makes `out` all zeros. Errors: DC_ERR_IO; DC_ERR_DATA (the file has changed, a chunk
 * is damaged, the rows are in chunks that were not listed). */
dc_status dc_store_read(dc_store *store, dc_gidx row, int64_t n, void *out);
/* Tells the system that these rows will be read soon, so that it reads them ahead. Safe to call from several threads;
 * never fails. */
void dc_store_expect(dc_store *store, dc_gidx row, int64_t n);
/* The same for rows that a thread comes to in order: nothing is to be done where the system itself reads enough ahead.
 */
void dc_store_expect_in_order(dc_store *store, dc_gidx row, int64_t n);
/* The first failure of a read so far, now also as the error of this rank. Main thread. */
DC_CHECKED dc_status dc_store_status(dc_store *store);
/* Checks that the files of rows [row, row + n) are still those that were read: for the end of a pass. Main thread.
 * Errors: DC_ERR_DATA. */
DC_CHECKED dc_status dc_store_check_unchanged(dc_store *store, dc_gidx row, int64_t n);

#endif
