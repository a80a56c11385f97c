/* Private to src/data: sparse rows, read from a file and looked at. */
#ifndef DCMPI_DATA_SPARSE_H
#define DCMPI_DATA_SPARSE_H

#include "data_priv.h"

/* ---- Opening (sparse_open.c) ------------------------------------------------------------------------------------- */

/* The sparse rows of one file, or of many, of which one at a time is open. */
typedef struct dc_data_csr_reader {
    const dc_data_shape *shape;
    const char *path; /* of the file of the current row, as are the next six */
    size_t file;
    dc_gidx first, end; /* rows of it in the data set: [first, end) */
    int64_t nnz;        /* values in it, or those of the rows that are used */
    dc_data_csr_types types;
    char indptr[DC_H5_NAME_MAX + 16], indices[DC_H5_NAME_MAX + 16], data[DC_H5_NAME_MAX + 16];
    dc_h5 *h5; /* this rank's handle of the file that is open */
    size_t open;
} dc_data_csr_reader;
/* For the rows of shape->files, else of the file `path`; borrows both. To be closed even after an error. Collective. */
DC_CHECKED dc_status dc_data_csr_open(dc_comm *comm, const char *path, const dc_data_shape *shape,
                                      dc_data_csr_reader *r);
void dc_data_csr_close(dc_data_csr_reader *r);
/* The same by one process alone. */
DC_CHECKED dc_status dc_data_csr_open_local(const char *path, const dc_data_shape *shape, dc_data_csr_reader *r);
/* Makes the file of a row the current one; dc_data_csr_open_file() also opens it. Local. Errors: DC_ERR_DATA (a file of
 * many has changed since it was inspected, or while it was open), DC_ERR_IO. */
void dc_data_csr_turn_to(dc_data_csr_reader *r, dc_gidx row);
DC_CHECKED dc_status dc_data_csr_open_file(dc_data_csr_reader *r, dc_gidx row);
/* Whether the file of many that is open is still the one that was opened. Local. */
DC_CHECKED dc_status dc_data_csr_check_file(const dc_data_csr_reader *r);
/* *entry = number, in the current file, of the first value of a row of it. Errors: those of reading. */
DC_CHECKED dc_status dc_data_csr_entry(dc_data_csr_reader *r, dc_gidx row, int64_t *entry);

/* ---- Reading (sparse_read.c, sparse_turn.c, sparse_load.c); collective ------------------------------------------- */

/* A piece of rows [row, row + n), by one process alone. m->ptr has room for n rows; col and val grow as they must,
 * *room is the number of values that they have room for. */
DC_CHECKED dc_status dc_data_csr_read_local(dc_data_csr_reader *r, dc_gidx row, int64_t n, int64_t *room, dc_csr *m);

/* Memory of n rows whose pointers are known: col and val, which dc_data_csr_release() frees together with ptr. Local.
 */
DC_CHECKED dc_status dc_data_csr_take(int64_t entries, dc_csr *out);
void dc_data_csr_release(dc_csr *m);
/* Makes room for so many values, unless there is; those that there were are lost. */
DC_CHECKED dc_status dc_data_csr_make_room(int64_t entries, int64_t *room, dc_csr *m);

/* ptr[n + 1] = pointers of this rank's rows in `piece`, counted from the first of them. */
DC_CHECKED dc_status dc_data_csr_read_pointers(dc_comm *comm, dc_data_csr_reader *r, const dc_part *piece,
                                               int64_t *ptr);
/* Reads the values of those rows, adds them to the checksum, puts the columns of each row in order. Errors: DC_ERR_DATA
 * (columns out of range or repeated, values that single precision cannot hold). */
DC_CHECKED dc_status dc_data_csr_read(dc_comm *comm, dc_data_csr_reader *r, const dc_part *piece, dc_data_sums *sums,
                                      const dc_csr *m);
/* Loads this rank's rows, from a matrix stored by rows or by columns. *out, with its arrays, is the caller's also after
 * an error. room(ctx, bytes) is asked before memory is taken for values. */
typedef dc_status (*dc_data_csr_room)(void *ctx, size_t bytes);
DC_CHECKED dc_status dc_data_csr_load(dc_comm *comm, const char *path, const dc_data_shape *shape, const dc_part *part,
                                      dc_data_sums *sums, dc_data_csr_room room, void *ctx, dc_csr *out);
/* For a matrix stored by columns: every rank passes over the whole file twice, and keeps its own rows. */
DC_CHECKED dc_status dc_data_csr_turn(dc_comm *comm, dc_data_csr_reader *r, const dc_part *part, dc_data_csr_room room,
                                      void *ctx, dc_csr *out);

/* The values of rows in some stored type become float. Returns the first that is finite and too large for it, or n. */
int64_t dc_data_csr_to_float(dc_h5_type type, const void *stored, int64_t n, float *out);
/* The type in which values of this stored type are read: DC_H5_F64 if the library must convert. */
dc_h5_type dc_data_csr_read_type(dc_h5_type stored);

/* ---- Kernels (sparse_kern.c) ------------------------------------------------------------------------------------- */

/* Puts the columns of each row in ascending order where they are not. Fails for columns out of range or repeated;
 * first: the global number of row 0. Threaded. Errors: DC_ERR_DATA. */
DC_CHECKED dc_status dc_data_csr_check(const char *source, dc_gidx first, const dc_csr *m);
/* Clips the stored values to the bounds. Threaded. */
void dc_data_csr_clip(const dc_csr *m, const double *lo, const double *hi);

#endif
