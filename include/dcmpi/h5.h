/* HDF5, parallel and serial, behind fixed-shape calls: the only code that calls the library.
 *
 * Collective reads and writes keep the stored type (a conversion inside HDF5 breaks collective transfers) and go in
 * agreed rounds of at most 1 GiB per rank. A rank without rows takes part with an empty selection, and all ranks agree
 * on the status before and after every library call. A foreign file may have only hard links. It may not have external
 * storage, virtual datasets, filter plugins, or a shape that claims more data than it stores. */
#ifndef DCMPI_H5_H
#define DCMPI_H5_H

#include "dcmpi/file.h"
#include "dcmpi/part.h"

typedef struct dc_comm dc_comm;

/* ---- Serial: one process, no communication ---------------------------------------------------------------------- */

typedef struct dc_h5 dc_h5;
typedef enum { DC_H5_READ, DC_H5_CREATE, DC_H5_APPEND } dc_h5_mode;
/* Element types of datasets besides dc_dtype. TEXT: fixed-length strings. Functions below count each byte as an
 * element, so a dataset of N strings of 12 bytes has N rows that are 12 elements wide. */
typedef enum { DC_H5_U8, DC_H5_F16, DC_H5_F32, DC_H5_F64, DC_H5_I32, DC_H5_I64, DC_H5_TEXT, DC_H5_OTHER } dc_h5_type;
enum { DC_H5_MAX_DIMS = 8, DC_H5_NAME_MAX = 256, DC_H5_TYPE_NAME_MAX = 64 };
/* Bytes of an element; 0 for DC_H5_OTHER, 1 for DC_H5_TEXT. */
size_t dc_h5_type_bytes(dc_h5_type type);
typedef struct {
    dc_h5_type type; /* DC_H5_OTHER: see integer and floating; dc_h5_read_rows converts such numbers */
    int n_dims;      /* 0: a scalar, which counts as one row */
    dc_gidx dims[DC_H5_MAX_DIMS];
    bool text;                           /* strings, of fixed or variable length: dc_h5_read_text takes both */
    bool integer;                        /* any integer (or enum), any size and byte order */
    bool floating;                       /* any floating-point type */
    bool fits_f32;                       /* floating: float32 holds all its values */
    bool fits_f64;                       /* floating: float64 holds all its values */
    bool exact;                          /* stored as `type` in little-endian order: dc_h5_read_part takes it */
    size_t item_bytes;                   /* bytes per stored element */
    char type_name[DC_H5_TYPE_NAME_MAX]; /* for people: "float32", "bfloat16", "text" */
} dc_h5_info;

/* *is_hdf5: whether the file is HDF5, possibly after a user block of 512, 1024, 2048, ... bytes; false if there is no
 * regular file. Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_h5_recognise(const char *path, bool *is_hdf5);

/* CREATE truncates. Errors: DC_ERR_IO (missing, unreadable, not creatable), DC_ERR_FORMAT (not HDF5, truncated). Every
 * error text names the file. Serial handles never touch MPI, so verbs on a login node may use them. */
DC_CHECKED dc_status dc_h5_open(dc_h5 **out, const char *path, dc_h5_mode mode);
/* Closes the file; in a write mode a failed flush or close is an error (DC_ERR_IO). Accepts NULL. */
DC_CHECKED dc_status dc_h5_close(dc_h5 **h5);

/* The status of a function that read the file and would return st. If the operating system refused to read a part of it
 * since it was opened, be it in a call that only asked whether something is there: DC_ERR_IO with its words in place of
 * DC_OK and of errors in the content, which may come from that; else st. close_read also closes. Accept NULL. */
DC_CHECKED dc_status dc_h5_read_status(const dc_h5 *h5, dc_status st);
DC_CHECKED dc_status dc_h5_close_read(dc_h5 **h5, dc_status st);

/* State of a file when it was opened for reading. If a file shrinks after that, the library silently reads zeros; so
 * after reading all of a file, check that it has not changed. Errors: DC_ERR_FORMAT (it changed), DC_ERR_IO. */
dc_file_state dc_h5_file_state(const dc_h5 *h5);
DC_CHECKED dc_status dc_h5_check_unchanged(dc_h5 *h5);

/* Files that the caller, not the library, opens and writes; `name` is for messages. create: makes headers of at most
 * headers_bytes bytes in memory; datasets get places behind the headers, in order of creation, but no values. take:
 * closes the handle; the file then consists of headers[headers_bytes] (dc_mem, owned by the caller) and the values of
 * the datasets, *bytes bytes in all. open: reads the first `bytes` bytes of the open file fd, which the caller closes;
 * close the handle like any other. Errors: DC_ERR_FORMAT, DC_ERR_IO (open), DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_h5_image_create(dc_h5 **out, const char *name, size_t headers_bytes);
DC_CHECKED dc_status dc_h5_image_take(dc_h5 **h5, void **headers, size_t *bytes);
DC_CHECKED dc_status dc_h5_image_open(dc_h5 **out, const char *name, int fd, size_t bytes);

/* Offset in the file of a dataset that is stored contiguously; 0 if it has no bytes. Errors: DC_ERR_FORMAT. */
DC_CHECKED dc_status dc_h5_place(dc_h5 *h5, const char *name, int64_t *offset);
/* How a dataset in chunks is packed. No pointers, so that ranks can send it. */
typedef struct {
    size_t chunk_bytes; /* of an unpacked chunk; 0: not in chunks that dc_store can read */
    size_t band_bytes;  /* of all chunks that hold parts of the same rows */
    int64_t chunks;
} dc_h5_packing;
/* *out = that of a dataset which threads can read without the library (store.h). Errors: DC_ERR_FORMAT (not in chunks,
 * a filter other than deflate, shuffle and fletcher32: names it and says what to do). */
DC_CHECKED dc_status dc_h5_get_packing(dc_h5 *h5, const char *name, dc_h5_packing *out);
bool dc_h5_exists(dc_h5 *h5, const char *name); /* dataset or group reached through hard links only */
bool dc_h5_is_group(dc_h5 *h5, const char *name);
DC_CHECKED dc_status dc_h5_dataset_info(dc_h5 *h5, const char *name, dc_h5_info *info);
/* *width = elements of a row, the product of all dimensions but the first; both *width and the bytes of a row fit 63
 * bits. Errors: DC_ERR_FORMAT (a row too large, which HDF5 allows only if some dimension is 0). path and name are for
 * messages. */
DC_CHECKED dc_status dc_h5_row_width(const char *path, const char *name, const dc_h5_info *info, int64_t *width);
/* Reads or writes rows [row, row+n) of the first dimension, with all of the other dimensions; n = 0 is legal. `type` is
 * the stored type, or an integer or float type that HDF5 can convert to or from it. */
DC_CHECKED dc_status dc_h5_read_rows(dc_h5 *h5, const char *name, dc_h5_type type, dc_gidx row, dc_gidx n, void *out);
DC_CHECKED dc_status dc_h5_write_rows(dc_h5 *h5, const char *name, dc_h5_type type, dc_gidx row, dc_gidx n,
                                      const void *in);
/* Creates a dataset: contiguous, allocated early, never filled, little-endian; missing parent groups are created. */
DC_CHECKED dc_status dc_h5_create_dataset(dc_h5 *h5, const char *name, dc_h5_type type, int n_dims,
                                          const dc_gidx *dims);
DC_CHECKED dc_status dc_h5_create_group(dc_h5 *h5, const char *name);
/* Creates a dataset of N UTF-8 strings of `bytes` bytes, padded with zeros: type DC_H5_TEXT, one dimension. */
DC_CHECKED dc_status dc_h5_create_text(dc_h5 *h5, const char *name, size_t bytes, dc_gidx N);
/* Creates and writes a small table [rows x columns] of such strings; bytes >= 1. */
DC_CHECKED dc_status dc_h5_put_table(dc_h5 *h5, const char *name, size_t bytes, dc_gidx rows, dc_gidx columns,
                                     const char *in);
/* Creates and writes a whole small dataset in one call. */
DC_CHECKED dc_status dc_h5_put(dc_h5 *h5, const char *name, dc_h5_type type, int n_dims, const dc_gidx *dims,
                               const void *in);

/* Calls visit for strings [row, row+n), in order and without padding; they may have fixed or variable length.
 * text[length] need not end with a zero byte and is valid only during the call. Errors: DC_ERR_FORMAT (not text, no
 * such rows, damaged, more than 64 MiB in 16384 rows), and what visit returns. */
typedef dc_status (*dc_h5_text_visitor)(void *ctx, const char *text, size_t length);
DC_CHECKED dc_status dc_h5_read_text(dc_h5 *h5, const char *name, dc_gidx row, dc_gidx n, dc_h5_text_visitor visit,
                                     void *ctx);
/* Joins the first n strings, one per line without a final line break; the caller frees *text with dc_mem_free(). */
DC_CHECKED dc_status dc_h5_join_text(dc_h5 *h5, const char *name, dc_gidx n, char **text);

/* Names of columns or classes, one per line: up to 1 MiB in the root attribute `name`, beyond that in a string dataset
 * /name with a checksum. put: if the names take more than a GiB, stores nothing and sets *stored to false. get: *text
 * (the caller frees it with dc_mem_free()) is NULL if there are no names, or if n >= 0 and their number is not n. */
DC_CHECKED dc_status dc_h5_put_names(dc_h5 *h5, const char *name, const char *text, bool *stored);
DC_CHECKED dc_status dc_h5_get_names(dc_h5 *h5, const char *name, int64_t n, char **text);

/* Attributes of `object` ("/" or a name). Strings are fixed-length UTF-8. */
DC_CHECKED dc_status dc_h5_put_attr_str(dc_h5 *h5, const char *object, const char *attr, const char *value);
DC_CHECKED dc_status dc_h5_put_attr_i64(dc_h5 *h5, const char *object, const char *attr, const int64_t *v, size_t n);
DC_CHECKED dc_status dc_h5_put_attr_f64(dc_h5 *h5, const char *object, const char *attr, const double *v, size_t n);
/* A list of n >= 0 texts. */
DC_CHECKED dc_status dc_h5_put_attr_names(dc_h5 *h5, const char *object, const char *attr, const char *const *v,
                                          size_t n);
bool dc_h5_has_attr(dc_h5 *h5, const char *object, const char *attr);
/* Numbers: reads at most cap numbers; *n (n may be NULL) gets how many the attribute has. Text of fixed or variable
 * length is cut to cap - 1 bytes. Errors: DC_ERR_FORMAT (missing, another type). */
DC_CHECKED dc_status dc_h5_get_attr_str(dc_h5 *h5, const char *object, const char *attr, char *out, size_t cap);
DC_CHECKED dc_status dc_h5_get_attr_i64(dc_h5 *h5, const char *object, const char *attr, int64_t *out, size_t cap,
                                        size_t *n);
DC_CHECKED dc_status dc_h5_get_attr_f64(dc_h5 *h5, const char *object, const char *attr, double *out, size_t cap,
                                        size_t *n);
/* Removing what does not exist is not an error. Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_h5_remove_attr(dc_h5 *h5, const char *object, const char *attr);
DC_CHECKED dc_status dc_h5_remove(dc_h5 *h5, const char *name);
/* Calls visit(ctx, full name, info) for each dataset below the root in name order. */
typedef dc_status (*dc_h5_visitor)(void *ctx, const char *name, const dc_h5_info *info);
DC_CHECKED dc_status dc_h5_visit(dc_h5 *h5, dc_h5_visitor visit, void *ctx);

/* ---- Collective: row blocks of one dataset over all ranks -------------------------------------------------------- */

/* out[n x width] = this rank's rows [part->row_lo, part->row_hi) of dataset `name` of `path`, in its stored type. The
 * dataset has at least part->N rows; width (global) is the product of its other dims. Errors: DC_ERR_IO, DC_ERR_FORMAT
 * (damaged, other type or shape), agreed. */
DC_CHECKED dc_status dc_h5_read_part(dc_comm *comm, const char *path, const char *name, dc_h5_type type,
                                     const dc_part *part, size_t width, void *out);
/* Sets how many bytes a rank moves per collective call (1 GiB by default), for the whole process; tests make it small
 * to get many rounds. */
void dc_h5_set_round_bytes(size_t bytes);

/* One array of a result file that is spread over ranks by rows. */
typedef struct {
    const char *name;
    dc_h5_type type;
    size_t width; /* elements per row: dataset is [N x width], or [N] if width is 1 and vector is true; DC_H5_TEXT:
                     bytes of a string, dataset is [N] */
    bool vector;
    const void *local;   /* this rank's rows; NULL only if it has none */
    const dc_part *part; /* rows of this array, if it has others than the file: N, row_lo and row_hi; copied */
} dc_h5_rows;

/* Runs on rank 0 alone. */
typedef dc_status (*dc_h5_fill)(void *ctx, dc_h5 *h5);

/* Writes `path` safely. (1) Rank 0 creates path.part serially (an error if it exists), with empty row arrays, the small
 * arrays and attributes that fill(ctx, h5) adds, and checksums. Space is reserved (posix_fallocate) and fsynced, so
 * that a full disk is detected before rows are written. (2) Each rank writes its rows, bypassing the library, and reads
 * them back. (3) Rank 0 sets the root attribute complete=1, reads back what it wrote itself, fsyncs and renames
 * path.part to path. On any error path.part is removed, an older `path` is left alone, and all ranks return the same
 * status. The run may stop between two arrays (DC_STOPPED), with path.part removed. path is equal on all ranks and at
 * most DC_PATH_MAX - 6 long. */
DC_CHECKED dc_status dc_h5_write_result(dc_comm *comm, const char *path, const dc_part *part, const dc_h5_rows *rows,
                                        size_t n_rows_arrays, dc_h5_fill fill, void *ctx);

/* Writes such a file in pieces, for rows that do not fit into memory at once. Ignores `local` of the arrays; borrows
 * their names. End each created stream with commit or abort. */
typedef struct dc_h5_stream dc_h5_stream;
DC_CHECKED dc_status dc_h5_stream_create(dc_comm *comm, dc_h5_stream **out, const char *path, const dc_part *part,
                                         const dc_h5_rows *rows, size_t n_rows_arrays, dc_h5_fill fill, void *ctx);
/* Appends this rank's next n rows to array `index`; n may be 0. All ranks make the same number of calls per array.
 * Errors: DC_ERR_IO; then the stream must be aborted. */
DC_CHECKED dc_status dc_h5_stream_append(dc_comm *comm, dc_h5_stream *stream, size_t index, dc_gidx n,
                                         const void *local);
/* Call it after all rows have been appended: reads back, adds checksums, sets complete=1, renames. finish(ctx, h5), or
 * NULL, may set final values of datasets and attributes that `fill` created, but must not create new ones. *stream is
 * NULL afterwards, also on error. */
DC_CHECKED dc_status dc_h5_stream_commit(dc_comm *comm, dc_h5_stream **stream, dc_h5_fill finish, void *ctx);
/* Removes path.part; accepts NULL. */
void dc_h5_stream_abort(dc_comm *comm, dc_h5_stream **stream);

/* Serial: edits path.part, a copy of a complete result, and then replaces the result with it. Steps: edit(ctx, h5),
 * checksums of new datasets, result_hash, reading everything back, fsync, rename. On any error `path` is unchanged and
 * path.part is gone. Errors: DC_ERR_IO, DC_ERR_FORMAT. */
DC_CHECKED dc_status dc_h5_revise(const char *path, dc_h5_fill edit, void *ctx);

/* ---- Checksums -------------------------------------------------------------------------------------------------- */

/* Every dataset of a result, and of a data file made by convert, has the attribute `xxh3`, 16 hex digits. For each row
 * (first dimension; a scalar is one row) take the 64-bit XXH3 of its stored bytes, seeded with the row number; the
 * checksum is the sum over the rows modulo 2^64. In Python: sum(xxhash.xxh3_64_intdigest(row.tobytes(), seed=i) for i,
 * row in enumerate(dataset[:])) % 2**64. The functions are local. */
uint64_t dc_h5_hash_rows(size_t row_bytes, dc_gidx first, dc_gidx n, const void *rows);
/* Compute this sum for rows [first, first + n) of a stored dataset, and for all of its rows; they read in pieces.
 * Errors: DC_ERR_FORMAT. */
DC_CHECKED dc_status dc_h5_hash_range(dc_h5 *h5, const char *name, dc_gidx first, dc_gidx n, uint64_t *hash);
DC_CHECKED dc_status dc_h5_hash_dataset(dc_h5 *h5, const char *name, uint64_t *hash);
DC_CHECKED dc_status dc_h5_put_hash(dc_h5 *h5, const char *name, uint64_t hash);
/* Writes or reads an attribute that holds a hash as 16 hex digits. Errors: DC_ERR_IO; DC_ERR_FORMAT (missing, or not a
 * hash). */
DC_CHECKED dc_status dc_h5_put_attr_hash(dc_h5 *h5, const char *object, const char *attr, uint64_t hash);
DC_CHECKED dc_status dc_h5_get_attr_hash(dc_h5 *h5, const char *object, const char *attr, uint64_t *hash);
/* Records the error for a dataset whose checksum differs from the stored one: DC_ERR_FORMAT. */
DC_CHECKED dc_status dc_h5_fail_hash(const char *path, const char *name, uint64_t found, uint64_t stored);
/* Compares the checksum in the attribute with the data. Errors: DC_ERR_FORMAT (no checksum, a different one,
 * unreadable). */
DC_CHECKED dc_status dc_h5_check_hash(dc_h5 *h5, const char *name);

/* Every result has the root attribute `result_hash`: XXH3 of the names, shapes and checksums of its datasets and of all
 * other attributes except `complete`. hash: computes it for the current file. check: compares it with the attribute; a
 * file without the attribute (version 0.1.0) passes. Only headers are read. Errors: DC_ERR_FORMAT. */
DC_CHECKED dc_status dc_h5_hash_content(dc_h5 *h5, uint64_t *hash);
DC_CHECKED dc_status dc_h5_check_content(dc_h5 *h5);

/* Version of the library, "1.10.8". */
const char *dc_h5_version(void);
/* Whether the library failed to release an object or a file in this process. If so, the library would crash when it or
 * MPI is shut down. */
bool dc_h5_is_damaged(void);
/* Returns DC_ERR_IO if the library is damaged in this way, else DC_OK. */
DC_CHECKED dc_status dc_h5_check_library(void);

#endif
