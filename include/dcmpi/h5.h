/* HDF5, parallel and serial, behind fixed-shape calls: the only place that knows the library.
 *
 * Collective reads and writes keep the stored type (a conversion inside HDF5 breaks collective transfers) and go in
 * agreed rounds of at most 1 GiB per rank; a rank without rows stays in with an empty selection, and the status is
 * agreed before and after every call of the library. Foreign files: hard links only, no external storage or virtual
 * datasets, no filter plugins, no shape larger than what is stored. */
#ifndef DCMPI_H5_H
#define DCMPI_H5_H

#include "dcmpi/file.h"
#include "dcmpi/part.h"

typedef struct dc_comm dc_comm;

/* ---- Serial: one process, no communication ---------------------------------------------------------------------- */

typedef struct dc_h5 dc_h5;
typedef enum { DC_H5_READ, DC_H5_CREATE, DC_H5_APPEND } dc_h5_mode;
/* Element types of datasets besides dc_dtype. TEXT: strings of a fixed length, whose element is one byte in what
 * follows: a dataset of N strings of 12 bytes is a vector of rows 12 elements wide. */
typedef enum { DC_H5_U8, DC_H5_F16, DC_H5_F32, DC_H5_F64, DC_H5_I32, DC_H5_I64, DC_H5_TEXT, DC_H5_OTHER } dc_h5_type;
enum { DC_H5_MAX_DIMS = 8, DC_H5_NAME_MAX = 256, DC_H5_TYPE_NAME_MAX = 64 };
/* Bytes of an element; 0 for DC_H5_OTHER, 1 for DC_H5_TEXT. */
size_t dc_h5_type_bytes(dc_h5_type type);
typedef struct {
    dc_h5_type type; /* DC_H5_OTHER: look at integer and floating; dc_h5_read_rows converts such numbers */
    int n_dims;      /* 0: a scalar, which counts as one row */
    dc_gidx dims[DC_H5_MAX_DIMS];
    bool text;                           /* strings, of fixed or variable length: dc_h5_read_text takes both */
    bool integer;                        /* any integer (or enum), any size and byte order */
    bool floating;                       /* any floating-point type */
    bool fits_f32;                       /* floating: float32 holds all its values */
    bool fits_f64;                       /* floating: float64 does */
    bool exact;                          /* stored as `type` in little-endian order: dc_h5_read_part takes it */
    size_t item_bytes;                   /* bytes per stored element */
    char type_name[DC_H5_TYPE_NAME_MAX]; /* for people: "float32", "bfloat16", "text" */
} dc_h5_info;

/* Whether it is HDF5, also behind a user block of 512, 1024, 2048, ... bytes. */
bool dc_h5_recognise(const char *path);

/* CREATE truncates. Errors: DC_ERR_IO (missing, unreadable, not creatable), DC_ERR_FORMAT (not HDF5, truncated). Every
 * text names the file. Serial handles never touch MPI, so login-node verbs may use them. */
DC_CHECKED dc_status dc_h5_open(dc_h5 **out, const char *path, dc_h5_mode mode);
/* Closes; in a write mode failures of flush and close are errors (DC_ERR_IO). Accepts NULL. */
DC_CHECKED dc_status dc_h5_close(dc_h5 **h5);

/* State of a file when it was opened for reading. The library silently reads what is no longer there as zeros, so
 * whoever has read all of a file must ask whether it is still the same. Errors: DC_ERR_FORMAT (it changed), DC_ERR_IO.
 */
dc_file_state dc_h5_file_state(const dc_h5 *h5);
DC_CHECKED dc_status dc_h5_check_unchanged(dc_h5 *h5);

/* Files whose bytes the library neither writes nor opens; `name` is for messages.
 * create: headers of at most headers_bytes bytes in memory; datasets get places behind them, in the order in which they
 * are created, and no values. take: closes it; the file is headers[headers_bytes] (dc_mem, the caller's) and then the
 * values of the datasets, up to *bytes bytes in all. open: the first `bytes` bytes of an open file, for reading; fd
 * stays the caller's; closed like all others. Errors: DC_ERR_FORMAT, DC_ERR_IO (open), DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_h5_image_create(dc_h5 **out, const char *name, size_t headers_bytes);
DC_CHECKED dc_status dc_h5_image_take(dc_h5 **h5, void **headers, size_t *bytes);
DC_CHECKED dc_status dc_h5_image_open(dc_h5 **out, const char *name, int fd, size_t bytes);

/* First byte in the file of a dataset that is stored in one piece; 0 if it has no bytes. Errors: DC_ERR_FORMAT. */
DC_CHECKED dc_status dc_h5_place(dc_h5 *h5, const char *name, int64_t *offset);
bool dc_h5_exists(dc_h5 *h5, const char *name); /* dataset or group that is reached by hard links */
DC_CHECKED dc_status dc_h5_dataset_info(dc_h5 *h5, const char *name, dc_h5_info *info);
/* *width = elements of a row, the product of all dimensions but the first; it and the bytes of a row fit 63 bits.
 * Errors: DC_ERR_FORMAT (a shape that no file can hold, legal only where a dimension is 0). path and name are for
 * messages. */
DC_CHECKED dc_status dc_h5_row_width(const char *path, const char *name, const dc_h5_info *info, int64_t *width);
/* Rows [row, row+n) of the first dimension, all of the others; n = 0 is legal. `type` must be the stored type, or any
 * integer/float pair HDF5 converts when serial. */
DC_CHECKED dc_status dc_h5_read_rows(dc_h5 *h5, const char *name, dc_h5_type type, dc_gidx row, dc_gidx n, void *out);
DC_CHECKED dc_status dc_h5_write_rows(dc_h5 *h5, const char *name, dc_h5_type type, dc_gidx row, dc_gidx n,
                                      const void *in);
/* Contiguous, early allocation, never filled, little-endian; parents are created. */
DC_CHECKED dc_status dc_h5_create_dataset(dc_h5 *h5, const char *name, dc_h5_type type, int n_dims,
                                          const dc_gidx *dims);
DC_CHECKED dc_status dc_h5_create_group(dc_h5 *h5, const char *name);
/* N strings of `bytes` bytes, UTF-8, padded with zeros: type DC_H5_TEXT, one dimension. */
DC_CHECKED dc_status dc_h5_create_text(dc_h5 *h5, const char *name, size_t bytes, dc_gidx N);
/* Whole small dataset in one call: create and write. */
DC_CHECKED dc_status dc_h5_put(dc_h5 *h5, const char *name, dc_h5_type type, int n_dims, const dc_gidx *dims,
                               const void *in);

/* Texts [row, row+n) of a list of strings of fixed or variable length, in order, without their padding; text[length]
 * need not end with a zero byte and is gone after the call. Errors: DC_ERR_FORMAT (no text, no such rows, damaged, more
 * than 64 MiB in 16384 rows), what visit returns. */
typedef dc_status (*dc_h5_text_visitor)(void *ctx, const char *text, size_t length);
DC_CHECKED dc_status dc_h5_read_text(dc_h5 *h5, const char *name, dc_gidx row, dc_gidx n, dc_h5_text_visitor visit,
                                     void *ctx);
/* The first n of them in one text, one per line without a last line break; the caller frees it with dc_mem_free(). */
DC_CHECKED dc_status dc_h5_join_text(dc_h5 *h5, const char *name, dc_gidx n, char **text);

/* Names of columns or classes, one per line: the root attribute `name` up to 1 MiB, beyond it a dataset of strings
 * /name with a checksum. put: names of more than a GiB are left out, and *stored is false. get: *text (the caller
 * frees it with dc_mem_free()) is NULL if there are no names, or if n >= 0 and there are not n of them. */
DC_CHECKED dc_status dc_h5_put_names(dc_h5 *h5, const char *name, const char *text, bool *stored);
DC_CHECKED dc_status dc_h5_get_names(dc_h5 *h5, const char *name, int64_t n, char **text);

/* Attributes of `object` ("/" or a name). Strings are fixed-length UTF-8. */
DC_CHECKED dc_status dc_h5_put_attr_str(dc_h5 *h5, const char *object, const char *attr, const char *value);
DC_CHECKED dc_status dc_h5_put_attr_i64(dc_h5 *h5, const char *object, const char *attr, const int64_t *v, size_t n);
DC_CHECKED dc_status dc_h5_put_attr_f64(dc_h5 *h5, const char *object, const char *attr, const double *v, size_t n);
bool dc_h5_has_attr(dc_h5 *h5, const char *object, const char *attr);
/* Numbers: at most cap are stored; *n (may be NULL) gets how many the attribute has. Text, fixed or variable length:
 * cut to cap - 1 bytes. Errors: DC_ERR_FORMAT (missing, another type). */
DC_CHECKED dc_status dc_h5_get_attr_str(dc_h5 *h5, const char *object, const char *attr, char *out, size_t cap);
DC_CHECKED dc_status dc_h5_get_attr_i64(dc_h5 *h5, const char *object, const char *attr, int64_t *out, size_t cap,
                                        size_t *n);
DC_CHECKED dc_status dc_h5_get_attr_f64(dc_h5 *h5, const char *object, const char *attr, double *out, size_t cap,
                                        size_t *n);
/* Nothing happens to what is not there. Errors: DC_ERR_IO. */
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
/* Bytes that a rank moves per collective call, 1 GiB unless set; tests make it small to see many rounds. Global. */
void dc_h5_set_round_bytes(size_t bytes);

/* One array of a result file that is spread over ranks by rows. */
typedef struct {
    const char *name;
    dc_h5_type type;
    size_t width; /* elements per row: dataset is [N x width], or [N] if width is 1 and vector is true; of DC_H5_TEXT
                     the bytes of a string: dataset is [N] */
    bool vector;
    const void *local; /* this rank's rows; NULL only if it has none */
} dc_h5_rows;

/* Runs on rank 0 alone. */
typedef dc_status (*dc_h5_fill)(void *ctx, dc_h5 *h5);

/* Writes `path` by the safe sequence: rank 0 makes path.part serially (an error if there is one): skeleton of the row
 * arrays, then whatever fill(ctx, h5) adds (small arrays and attributes), then checksums; space is reserved
 * (posix_fallocate) and fsynced, so that a full disk is seen before the rows are written; then each rank writes its
 * rows, past the library, and reads them back; then rank 0 sets the root attribute complete=1, reads back what it wrote
 * alone, fsyncs and renames path.part to path. On any error path.part is removed, an older `path` is left alone, and
 * all ranks return the same status. Between two arrays the run may stop (DC_STOPPED): path.part is removed. path is
 * global and not longer than DC_PATH_MAX - 6. */
DC_CHECKED dc_status dc_h5_write_result(dc_comm *comm, const char *path, const dc_part *part, const dc_h5_rows *rows,
                                        size_t n_rows_arrays, dc_h5_fill fill, void *ctx);

/* The same in pieces, for rows that no rank holds at once. `local` of the arrays is not used, their names are borrowed.
 * A stream that was created ends with commit or abort. */
typedef struct dc_h5_stream dc_h5_stream;
DC_CHECKED dc_status dc_h5_stream_create(dc_comm *comm, dc_h5_stream **out, const char *path, const dc_part *part,
                                         const dc_h5_rows *rows, size_t n_rows_arrays, dc_h5_fill fill, void *ctx);
/* This rank's next n rows of array `index`; n may be 0, and the number of calls per array is equal on all ranks.
 * Errors: DC_ERR_IO; then the stream must be aborted. */
DC_CHECKED dc_status dc_h5_stream_append(dc_comm *comm, dc_h5_stream *stream, size_t index, dc_gidx n,
                                         const void *local);
/* All rows have been appended: read back, checksums, complete=1, rename. finish(ctx, h5), or NULL, may give datasets
 * and attributes that `fill` made their last values, but must not make new ones. *stream is NULL afterwards, also on
 * error. */
DC_CHECKED dc_status dc_h5_stream_commit(dc_comm *comm, dc_h5_stream **stream, dc_h5_fill finish, void *ctx);
/* Removes path.part; accepts NULL. */
void dc_h5_stream_abort(dc_comm *comm, dc_h5_stream **stream);

/* Serial: changes a complete result in a copy, path.part, that then takes its place: edit(ctx, h5), checksums of what
 * it made, result_hash, everything read back, fsync, rename. On any error `path` is what it was and path.part is gone.
 * Errors: DC_ERR_IO, DC_ERR_FORMAT. */
DC_CHECKED dc_status dc_h5_revise(const char *path, dc_h5_fill edit, void *ctx);

/* ---- Checksums -------------------------------------------------------------------------------------------------- */

/* Every dataset of a result and of a data file that convert made has the attribute `xxh3`, 16 hex digits: the sum
 * modulo 2^64 over its rows (first dimension; a scalar is one row) of XXH3 (64 bits) of the row's stored bytes with the
 * row's number as seed. In Python: sum(xxhash.xxh3_64_intdigest(row.tobytes(), seed=i) for i, row in
 * enumerate(dataset[:])) % 2**64 These are local. */
uint64_t dc_h5_hash_rows(size_t row_bytes, dc_gidx first, dc_gidx n, const void *rows);
/* The sum for rows [first, first + n) of a stored dataset, and for all of its rows; read in pieces. Errors:
 * DC_ERR_FORMAT. */
DC_CHECKED dc_status dc_h5_hash_range(dc_h5 *h5, const char *name, dc_gidx first, dc_gidx n, uint64_t *hash);
DC_CHECKED dc_status dc_h5_hash_dataset(dc_h5 *h5, const char *name, uint64_t *hash);
DC_CHECKED dc_status dc_h5_put_hash(dc_h5 *h5, const char *name, uint64_t hash);
/* An attribute that holds a hash as 16 hex digits. Errors: DC_ERR_IO; DC_ERR_FORMAT (missing, or no hash). */
DC_CHECKED dc_status dc_h5_put_attr_hash(dc_h5 *h5, const char *object, const char *attr, uint64_t hash);
DC_CHECKED dc_status dc_h5_get_attr_hash(dc_h5 *h5, const char *object, const char *attr, uint64_t *hash);
/* The error for a dataset whose checksum is not the stored one: DC_ERR_FORMAT. */
DC_CHECKED dc_status dc_h5_fail_hash(const char *path, const char *name, uint64_t found, uint64_t stored);
/* Compares the attribute with the data. Errors: DC_ERR_FORMAT (no checksum, another one, unreadable). */
DC_CHECKED dc_status dc_h5_check_hash(dc_h5 *h5, const char *name);

/* Every result has the root attribute `result_hash`: XXH3 of names, shapes and checksums of its datasets and of all
 * other attributes but `complete`. hash: as the file is now. check: compares it with the attribute; a file without one
 * (version 0.1.0) is DC_OK. Headers alone are read. Errors: DC_ERR_FORMAT. */
DC_CHECKED dc_status dc_h5_hash_content(dc_h5 *h5, uint64_t *hash);
DC_CHECKED dc_status dc_h5_check_content(dc_h5 *h5);

/* Version of the library, "1.10.8". */
const char *dc_h5_version(void);
/* Whether the library failed to release an object or a file of this process. It then crashes when it or MPI is
 * ended. */
bool dc_h5_is_damaged(void);
/* The same as a status: DC_OK or DC_ERR_IO. */
DC_CHECKED dc_status dc_h5_check_library(void);

#endif
