/* Private to src/data: the steps of loading, in their order. */
#ifndef DCMPI_DATA_DATA_PRIV_H
#define DCMPI_DATA_DATA_PRIV_H

#include "dcmpi/data.h"
#include "dcmpi/files.h"
#include "dcmpi/h5.h"
#include "dcmpi/store.h"
#include "u64set.h"

/* The checksums that a data file states for its rows (sums.c). Errors: DC_ERR_FORMAT. */
typedef struct {
    bool there;
    uint64_t value;
} dc_stored_hash;
typedef struct {
    dc_file_state file; /* state of the file when the header was read */
    char matrix[DC_H5_NAME_MAX], ids[DC_H5_NAME_MAX];
    dc_gidx rows; /* rows that the checksums cover */
    dc_stored_hash X, y, id_hash;
    dc_stored_hash whole; /* written by older versions instead of X */
} dc_data_promise;
/* matrix, labels, ids: where these are; labels and ids may be NULL: none. */
DC_CHECKED dc_status dc_data_read_promise(dc_h5 *h5, dc_gidx rows, const char *matrix, const char *labels,
                                          const char *ids, dc_data_promise *p);

/* Checksums of the rows of this rank: created empty, each row added once and in order, then compared. */
typedef struct dc_data_sums dc_data_sums;
void dc_data_sums_destroy(dc_data_sums **sums);
/* Whether there is a checksum of the rows to compare with. */
bool dc_data_sums_want_rows(const dc_data_sums *s);
void dc_data_sums_add_rows(dc_data_sums *s, size_t row_bytes, dc_gidx first, dc_gidx n, const void *rows);
/* Sparse rows: row i has the columns col[e - ptr[0]] and stored values val[e - ptr[0]], ptr[i] <= e < ptr[i+1]; of many
 * files, rows of one of them. */
void dc_data_sums_add_sparse(dc_data_sums *s, size_t value_bytes, dc_gidx first, dc_gidx n, const int64_t *ptr,
                             const int32_t *col, const void *val);
void dc_data_sums_add_labels(dc_data_sums *s, size_t label_bytes, dc_gidx first, dc_gidx n, const void *labels);
void dc_data_sums_add_ids(dc_data_sums *s, size_t id_bytes, dc_gidx first, dc_gidx n, const void *ids);
/* Collective: returns the status for all ranks after a failed read: DC_ERR_DATA if the file has changed, else st. */
DC_CHECKED dc_status dc_data_sums_blame(dc_comm *comm, const dc_data_sums *s, const char *path, dc_status st);
/* Collective: to be called when all ranks have added all rows. Errors: DC_ERR_DATA (a checksum differs, the file has
 * changed). */
DC_CHECKED dc_status dc_data_sums_compare(dc_comm *comm, const dc_data_sums *s, const char *path, dc_checksum *outcome);

/* What loading needs, which is more than dc_data_header tells. */
typedef struct dc_data_shape {
    dc_data_header head;
    dc_data_promise promise; /* not set for built-in data */
    bool is_builtin;
    dc_builtin builtin;
    const dc_files *files;       /* many files: matrix, features and place are not set; NULL: one. Each rank has its own
                                    pointer */
    int64_t place;               /* byte of dense rows in the file; -1: they are not in one piece */
    dc_h5_packing packing;       /* of rows in chunks that threads can read */
    char matrix[DC_H5_NAME_MAX]; /* dataset or group of the rows */
    char ids[DC_H5_NAME_MAX];    /* column of the ids, "": none */
    char features[DC_H5_NAME_MAX];  /* column of the names of the columns, "": see feature_names of the file */
    dc_data_csr_types sparse;       /* for head.sparse */
    char labels[DC_LABEL_NAME_MAX]; /* dataset or group of the labels */
    dc_h5_type label_type;          /* DC_H5_OTHER: labels are read by name */
    size_t id_bytes;                /* bytes of a stored id if ids have a checksum, else 0 */
    int n_image_dims;
    int64_t image_shape[DC_IMAGE_DIMS_MAX];
} dc_data_shape;
DC_CHECKED dc_status dc_data_describe(const dc_data_request *request, dc_data_shape *shape);
/* The same for what the HDF5 file at request->path stores, whatever the deck makes of it. */
DC_CHECKED dc_status dc_data_describe_file(const dc_data_request *request, dc_data_shape *shape);
/* Sets head->nnz and nnz_before of the first head->N rows of sparse files, from their pointers. Local. Errors:
 * DC_ERR_DATA, DC_ERR_IO. */
DC_CHECKED dc_status dc_data_csr_mark_files(const dc_files *files, dc_data_header *head);
/* The request with path and matrix set if its files are a single HDF5 file: then `files` is NULL. */
dc_data_request dc_data_request_settled(const dc_data_request *request);

/* What will happen to the checksums if `ranks` ranks read N rows. */
dc_checksum dc_data_checksum_of(const dc_data_shape *shape, int ranks);
DC_CHECKED dc_status dc_data_sums_create(const dc_data_shape *shape, int ranks, dc_data_sums **out);

dc_h5_type dc_data_h5_type(dc_dtype dtype);
/* Turns DC_ERR_FORMAT of the HDF5 layer into DC_ERR_DATA: a damaged input file is bad data. Keeps the text. */
dc_status dc_data_status(dc_status st);

/* Sets data->y to dense numbers 0..C-1 for raw[n], in ascending order of the values of all ranks; sets data->C. If
 * there are more than a million different values, labels are ignored and data->y is NULL. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_data_number_labels(dc_comm *comm, dc_dataset *data, const int64_t *raw);

/* The steps of dc_data_number_labels(), for labels read in pieces. Adds raw[n] to the set until it holds too many; -1
 * (no label) is not added but counted in *unlabelled. Errors as above. */
DC_CHECKED dc_status dc_data_collect_labels(const int64_t *raw, int64_t n, dc_u64set *set, int64_t *unlabelled);
/* values[*n] = distinct values of all ranks, ascending; the caller frees it. *n = 0: none, or too many. Collective. */
DC_CHECKED dc_status dc_data_join_labels(dc_comm *comm, const dc_u64set *set, int64_t **values, size_t *n);
/* Index of `value` in values[n], which must hold it. */
int32_t dc_data_label_number(const int64_t *values, size_t n, int64_t value);

/* *text = names of the classes with these values, one per line; the caller frees it. name: the labels in the file; path
 * NULL: there is no file. */
DC_CHECKED dc_status dc_data_class_names(const char *path, const char *name, const int64_t *values, size_t C,
                                         char **text);

/* Labels of a file (labels.c). Collective: finds the classes of all rows of `part`, reading `capacity` rows at a time;
 * *out must be ended even after an error. */
typedef struct dc_data_labels dc_data_labels;
DC_CHECKED dc_status dc_data_labels_start(dc_comm *comm, const dc_data_shape *shape, const char *path,
                                          const dc_part *part, int64_t capacity, dc_data_labels **out);
int64_t dc_data_labels_classes(const dc_data_labels *labels, int64_t *unlabelled);
/* Returns the names of the classes, one per line, at least on rank 0; the caller frees them. */
char *dc_data_labels_take_names(dc_data_labels *labels);
/* Collective: y[n] = class numbers of this rank's rows in the piece, at most `capacity`. */
DC_CHECKED dc_status dc_data_labels_read(dc_comm *comm, dc_data_labels *labels, const dc_part *piece,
                                         dc_data_sums *sums, int32_t *y);
void dc_data_labels_end(dc_data_labels **labels);

/* How the rows of a file, or of many HDF5 files, were made of documents; nothing if they were not, or, with a NOTE, if
 * the files differ in it. names: of the columns, or NULL. Local. */
DC_CHECKED dc_status dc_data_words_load(const char *path, const dc_files *files, int64_t D, const char *names,
                                        dc_data_words *words);
/* Sets all members but D to NULL. */
void dc_data_words_release(dc_data_words *words);
/* *text = names of the columns, one per line, NULL if there are none; the caller frees it. */
DC_CHECKED dc_status dc_data_feature_names(const char *path, const dc_data_shape *shape, char **text);
/* The same, also of many files, which have the same names. */
DC_CHECKED dc_status dc_data_column_names(const char *path, const dc_data_shape *shape, char **text);
/* Reads labels and ids that are texts of any length (dc_dataset_probe). */
DC_CHECKED dc_status dc_data_probe_columns(const char *path, const dc_data_shape *shape);

/* Ids of rows (ids.c), used in the same way. */
typedef struct dc_data_ids dc_data_ids;
DC_CHECKED dc_status dc_data_ids_start(dc_comm *comm, const dc_data_shape *shape, const char *path, const dc_part *part,
                                       dc_data_ids **out);
size_t dc_data_ids_bytes(const dc_data_ids *ids);
DC_CHECKED dc_status dc_data_ids_read(dc_comm *comm, dc_data_ids *ids, const dc_part *piece, dc_data_sums *sums,
                                      char *out);
void dc_data_ids_end(dc_data_ids **ids);

/* Collective, to be called when all rows are there: sets the clipping bounds, audits, sets the scaling; refuses fewer
 * than K distinct rows. Errors: DC_ERR_DATA, DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_data_examine(dc_comm *comm, dc_dataset *data, const dc_data_request *request, uint64_t seed,
                                     int64_t K);

/* Statistics of the stored values over all ranks; equal bits for every number of ranks and threads. */
typedef struct {
    double *col_min, *col_max, *col_sum; /* [D], owned */
    double *col_stored;                  /* [D] values that sparse data store, owned; NULL for dense data */
    double sum_squares;
    int64_t n_constant; /* columns with one value */
    int64_t n_clipped;  /* clipped values */
    int64_t bad_count;  /* NaN and Inf */
    int64_t bad_first;  /* row*D + column of the first of them, global; INT64_MAX if none */
} dc_data_stats;
DC_CHECKED dc_status dc_data_stats_create(dc_comm *comm, const dc_dataset *data, dc_data_stats *stats);
void dc_data_stats_release(dc_data_stats *stats);
/* Refuses NaN and Inf, notes constant columns; sets data->min, max, mean, hash. */
DC_CHECKED dc_status dc_data_audit(dc_comm *comm, dc_dataset *data, const dc_data_stats *stats);

/* Sets data->clip_lo, clip_hi. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_data_set_clip(dc_comm *comm, dc_dataset *data, const dc_clip *clip);
DC_CHECKED dc_status dc_data_take_clip(dc_comm *comm, dc_dataset *data, const dc_data_given *given);

/* out[i*D + c] = quantile p[i], 0..1, of column c of all rows, clipped to data->clip_lo and clip_hi: x[k] of the sorted
 * column at k = p (N-1), interpolated linearly (numpy's default). Exact, but nothing is sorted: the values' bytes are
 * counted, from the leading byte to the last. Collective. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_data_quantiles(dc_comm *comm, const dc_dataset *data, int n, const double *p, double *out);
/* Memory that dc_data_quantiles() takes, including out. */
double dc_data_quantiles_bytes(int64_t D, int n);

/* Warns of values far outside their columns (range.h), and describes them in data->outlying. Collective. Errors:
 * DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_data_check_range(dc_comm *comm, dc_dataset *data, const dc_data_stats *stats);
/* Memory that dc_data_check_range() takes. */
double dc_data_range_bytes(dc_gidx N, int64_t D, int ranks);

/* Sets data->shift, scale, from the data or as given, and scaled_min, scaled_max. Errors: DC_ERR_DATA (values or
 * differences that float cannot hold). */
DC_CHECKED dc_status dc_data_scaling(dc_comm *comm, dc_dataset *data, const dc_data_stats *stats,
                                     const dc_data_given *given);
/* Collective, after that: limits what enters the network to [-limit, limit], by bounds of the stored values. Errors:
 * DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_data_limit(dc_comm *comm, dc_dataset *data, double limit);
/* Warns if there are columns whose offsets are too large for float. */
void dc_data_warn_of_offsets(int64_t lost);
/* After that, for DC_SCALE_PCA: sets data->scale, pca, Z and scaled_min, scaled_max. Errors: DC_ERR_DATA (nothing
 * varies, or less than is to be whitened), DC_ERR_MEMORY, DC_STOPPED. */
DC_CHECKED dc_status dc_data_components(dc_comm *comm, dc_dataset *data, const dc_pca_request *request);
/* The same, and what dc_data_reduce() sets, with the given components; nothing if there are none. */
DC_CHECKED dc_status dc_data_take_components(dc_comm *comm, dc_dataset *data, const dc_pca *from);
/* Sets head->components for input.scale = pca, an upper bound if their number depends on the variance; and for
 * input.reduce. Errors: DC_ERR_USAGE. */
DC_CHECKED dc_status dc_data_count_components(const dc_data_request *request, dc_data_header *head);
DC_CHECKED dc_status dc_data_count_reduced(const dc_data_request *request, dc_data_header *head);
/* Sets data->Z from data->pca, and scaled_min, scaled_max. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_data_project_all(dc_comm *comm, dc_dataset *data);

/* After the scaling, for request->reduce: sets data->pca and Z. Errors: DC_ERR_DATA (all rows are equal, components
 * that float cannot hold), DC_ERR_MEMORY, DC_ERR_NUMERIC, DC_STOPPED. */
DC_CHECKED dc_status dc_data_reduce(dc_comm *comm, dc_dataset *data, const dc_data_request *request, uint64_t seed);
/* Memory that it takes at most besides what it leaves, on each rank, and more on rank 0. sparse: the rows stay so. */
double dc_data_reduce_bytes(const dc_data_header *head, const dc_part *part, bool sparse);
double dc_data_reduce_root_bytes(const dc_data_header *head, const dc_part *part);
/* After that: data->norm for rows without components, sets row_scale, scaled_min, scaled_max; notes rows of zeros.
 * Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_data_set_norm(dc_comm *comm, dc_dataset *data);

/* ---- Stored values of dense rows: in memory, in files, or made (stream.c) ---------------------------------------- */

/* Rows in files, as one rank's threads see them: each through a window of its own, of at most dc_data_window_rows()
 * rows, that moves along. A thread that goes through the rows in order has the next ones read ahead. store: owned from
 * then on; first: row of the store that is local row 0; rows: number of local rows. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_data_stream_create(dc_store *store, dc_gidx first, int64_t rows, dc_data_stream **out);
/* The same for rows that are made whenever a thread comes to them; first: row of the built-in data. seed: of the run.
 */
DC_CHECKED dc_status dc_data_stream_make(const dc_builtin *b, uint64_t seed, dc_gidx first, int64_t rows,
                                         dc_data_stream **out);
/* Accepts NULL. */
void dc_data_stream_destroy(dc_data_stream **stream);
/* Memory that it takes, with this many threads; scratch_bytes: of a thread that makes rows, else 0. */
double dc_data_stream_bytes(size_t row_bytes, size_t scratch_bytes, int threads);
/* Rows of a window: as many as fit into DC_DATA_WINDOW_BYTES, at least one. */
enum { DC_DATA_WINDOW_BYTES = 64 << 10 };
int64_t dc_data_window_rows(size_t row_bytes);
/* *x = local rows lo, lo + 1 ...; returns how many these are, 1 to n. They stay there until this thread asks again.
 * Rows that cannot be read are zeros; the next dc_agree() then fails on all ranks (dc_error_watch). Safe inside
 * parallel regions. */
int64_t dc_data_stream_rows(dc_data_stream *s, int64_t lo, int64_t n, const void **x);
/* Checks that the files have not changed. Errors: DC_ERR_DATA. */
DC_CHECKED dc_status dc_data_stream_check(dc_data_stream *s);
/* Has local rows [lo, lo + n) read ahead. */
void dc_data_stream_expect(dc_data_stream *s, int64_t lo, int64_t n);

/* The same for dense data of either kind: all n rows at once if they are in memory. */
static inline int64_t dc_data_stored(const dc_dataset *d, int64_t lo, int64_t n, const void **x)
{
    if (d->stream) return dc_data_stream_rows(d->stream, lo, n, x);
    *x = (const char *)d->X + (size_t)lo * (size_t)d->D * dc_dtype_bytes(d->dtype);
    return n;
}
static inline const void *dc_data_stored_row(const dc_dataset *d, int64_t row)
{
    const void *x;
    (void)dc_data_stored(d, row, 1, &x);
    return x;
}
/* Rows that a thread may go through several times before it turns to the next ones, without reading them again. */
static inline int64_t dc_data_stored_tile(const dc_dataset *d)
{
    return d->stream ? dc_data_window_rows((size_t)d->D * dc_dtype_bytes(d->dtype)) : DC_BLOCK_ROWS;
}

/* ---- Kernels (gather_kern.c, pca_kern.c, norm_kern.c) ------------------------------------------------------------ */

/* The scaled columns of a local row, whatever enters the network: out[D]. */
void dc_data_scaled_row(const dc_dataset *data, int64_t row, float *out);
/* Does the work of dc_pca_project(); x [threads x DC_ROW_TILE x D] and y [threads x DC_ROW_TILE x k] are scratch. */
void dc_data_project(const dc_dataset *data, dc_gidx first, int64_t n, float *x, float *y, float *Z);
/* The norm of x[n]; 0 if there is none. */
double dc_data_norm(dc_row_norm norm, const float *x, int64_t n);
/* Rows that hold only zeros. */
typedef struct {
    int64_t count, first; /* local; first is INT64_MAX if there is none */
} dc_zero_rows;
/* Does the work of dc_dataset_norms(), and returns which rows are zeros; x [threads x D] is scratch. most[2]: the
 * largest of -v and of v over the values v divided by the norms, and what was there. */
dc_zero_rows dc_data_norms(const dc_dataset *data, dc_row_norm norm, int64_t n, float *x, float *row_scale,
                           double most[2]);

/* Values in double: out[width] = columns [c, c + width) of row `row` (local) as they are stored. */
void dc_data_piece_f64(const dc_dataset *data, int64_t row, int64_t c, int64_t width, double *out);
/* Clips such values to the bounds, if there are bounds; NaN stays. Returns how many it changed. */
int64_t dc_data_clip_f64(const dc_dataset *data, int64_t c, int64_t width, double *x);
/* Does both for a whole row. */
void dc_data_row_f64(const dc_dataset *data, int64_t row, double *out);

/* The value of a key. Keys are values mapped to unsigned integers of 1, 2, 4 or 8 bytes that sort in the same order. */
double dc_data_value_of_key(dc_dtype dtype, uint64_t key);
/* A value wanted from a sorted column: the leading bytes of its key that are known so far, and its rank among the
 * values whose keys begin with them. */
typedef struct {
    uint64_t key;
    int64_t rank;
} dc_order_target;
enum { DC_BYTE_VALUES = 256 };
/* For the local rows in columns [c, c + width), with n targets per column: adds to count[(column*n + target)*256 + b]
 * the number of keys that begin like the target's key and have b in the byte at bit `shift`. A target with the same key
 * as the one before it is not counted again. Threaded. */
void dc_data_count_bytes(const dc_dataset *data, int64_t c, int64_t width, int n, const dc_order_target *target,
                         int shift, int64_t *count);
/* Touches memory with the threads that will use it, so that it lies near them. */
void dc_data_touch(void *memory, size_t bytes);
/* Number of threads that a kernel may use; the block kernels need that many scratch rows. */
int dc_data_threads(void);

#endif
