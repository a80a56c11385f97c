/* The data of a job: this rank's rows in their stored type, in memory or in their files, labels, scaling; batches. */
#ifndef DCMPI_DATA_H
#define DCMPI_DATA_H

#include "dcmpi/builtin.h"
#include "dcmpi/csr.h"
#include "dcmpi/h5.h"
#include "dcmpi/moments.h"

typedef struct dc_comm dc_comm;
typedef struct dc_data_stream dc_data_stream;
typedef struct dc_files dc_files;

typedef enum {
    DC_SCALE_NONE,
    DC_SCALE_UNIT,
    DC_SCALE_DEC,
    DC_SCALE_STANDARD,
    DC_SCALE_MINMAX,
    DC_SCALE_ROBUST,
    DC_SCALE_SYMMETRIC,
    DC_SCALE_PCA,
    DC_SCALE_SAMPLE
} dc_scale_kind;

/* Principal components: how many enter the network instead of the columns (moments.h), and whether each is divided by
 * its standard deviation; without whitening one factor makes the mean square of all of them 1. */
typedef struct {
    dc_principal_wanted wanted;
    bool whiten;
} dc_pca_request;

/* input.reduce: leading singular vectors, those of the rows minus their mean, or a Gaussian matrix (reduce.c). */
typedef enum { DC_REDUCE_NONE, DC_REDUCE_SVD, DC_REDUCE_PCA, DC_REDUCE_RANDOM } dc_reduce_kind;
/* input.norm: rows divided by this norm, as they enter the network (norm.c). */
typedef enum { DC_ROW_NORM_NONE, DC_ROW_NORM_L2, DC_ROW_NORM_L1, DC_ROW_NORM_MAX } dc_row_norm;
const char *dc_reduce_name(dc_reduce_kind kind);
const char *dc_row_norm_name(dc_row_norm norm);

/* The map from scaled columns to components, of input.scale = pca or of input.reduce. All arrays are owned; without
 * components k is 0. */
typedef struct {
    int64_t k;
    double total;     /* variance of all columns of the data together; 0 with a random projection */
    double *variance; /* [k] variance of the components of the data; NULL with a random projection */
    double *value;    /* [k] singular values, descending; NULL unless a reduction gives them */
    float *direction; /* [k x D] components, as rows */
    float *factor;    /* [k] what a component is multiplied with */
    float *offset;    /* [k] what is subtracted after that; NULL: nothing */
    float
        *projection; /* [D x k] directions times factors: rows times this, minus offset, are what enters the network */
} dc_pca;

/* Clipping: values outside two bounds are replaced by the nearer bound before scaling. The struct has no padding. */
enum { DC_CLIP_NONE, DC_CLIP_QUANTILES, DC_CLIP_RANGE };
typedef struct {
    int64_t kind;
    double lo, hi; /* range: bounds for all columns; quantiles: bounds per column at quantiles lo and 1 - lo, hi is 0 */
} dc_clip;

/* Counts, such as those of words or genes, are transformed before anything else happens to them, in this order: each
 * row is scaled to a sum (its library size), then x becomes log(1 + x), then the columns of highest dispersion are
 * chosen. The dispersion of `seurat` is that of values before the logarithm, of `cell_ranger` that of values after it.
 */
enum { DC_TOTAL_MEDIAN = -1 };
typedef enum { DC_VARIABLE_SEURAT, DC_VARIABLE_CELL_RANGER } dc_variable_flavor;
typedef struct {
    double normalize_total; /* 0: rows keep their sums; DC_TOTAL_MEDIAN: the median of all sums above 0 */
    bool log1p;
    int64_t variable_columns; /* how many columns are chosen; 0: all stay */
    dc_variable_flavor flavor;
} dc_count_request;
static inline bool dc_counts_wanted(const dc_count_request *r)
{
    return r->normalize_total != 0 || r->log1p || r->variable_columns > 0;
}
/* The transforms with what was found out about the data: they apply to any rows of D columns. */
typedef struct {
    bool used;
    double normalize_total; /* the sum, 0: rows keep theirs */
    bool log1p;
    int64_t D;       /* columns of the stored rows */
    int64_t kept;    /* columns of the rows that they become */
    int32_t *column; /* [kept] the chosen ones, ascending; NULL: all; owned */
} dc_count_map;

enum { DC_IMAGE_DIMS_MAX = 4, DC_ID_MAX_BYTES = 1024, DC_LABEL_NAME_MAX = 256 };

/* How convert made rows of documents. All arrays are owned; options is NULL if the rows are not documents. */
typedef struct {
    char *options; /* root attribute `vectorizer` */
    char *terms;   /* one per line, also those whose columns are not used */
    int64_t D;
    int64_t *df; /* [D] documents with each term, or NULL */
    double *idf; /* [D] weights of the terms, or NULL */
} dc_data_words;

/* Outcome of the checksum of a data file. */
typedef enum {
    DC_CHECKSUM_NO_FILE, /* built-in data */
    DC_CHECKSUM_NONE,    /* the file has none */
    DC_CHECKSUM_UNUSED,  /* not all rows are read, or these ranks cannot compute this kind of checksum */
    DC_CHECKSUM_STORED,  /* to be compared when all rows are read */
    DC_CHECKSUM_PARTLY,  /* those agree that some of many files have for rows that are read */
    DC_CHECKSUM_AGREES
} dc_checksum;
/* Text for messages, such as "no checksum stored". */
const char *dc_checksum_text(dc_checksum c);

typedef struct {
    dc_part part;
    int64_t D;
    dc_dtype dtype;
    void *X;                /* [n x D] stored type, local, owned; NULL if the data are sparse, or stay in their files */
    bool streams;           /* rows stay in their file, or are made in each pass; global */
    dc_data_stream *stream; /* these, owned; NULL: none, or a rehearsal */
    dc_csr csr;  /* sparse data: this rank's rows, with values as stored, or as clipped; ptr (from 0), col and val are
                    owned; all 0 if the data are dense. dtype: the type of rows that are made dense of them */
    int64_t nnz; /* stored values of sparse data; global */
    bool zeros_stay; /* sparse data: zeros enter the network as zeros; global */
    int32_t
        *y; /* [n] labels renumbered 0..C-1, -1: no label; local, owned; NULL without labels. Only metrics use them. */
    int64_t C;           /* number of classes, 0 without labels; global */
    int64_t unlabelled;  /* rows without a label; global */
    char *classes;       /* names of the classes in their order, one per line; rank 0, owned; NULL without labels */
    char *ids;           /* [n x id_bytes] names of the rows, padded with zeros; local, owned; NULL without ids */
    size_t id_bytes;     /* 0 without ids; global */
    char *feature_names; /* one per line; rank 0, owned; NULL without names */
    dc_data_words words; /* rank 0 */
    int n_image_dims;
    int64_t image_shape[DC_IMAGE_DIMS_MAX];
    dc_count_map counts; /* how the stored rows became those that X, csr and D describe; column is owned */
    dc_scale_kind scale_kind;
    double *clip_lo, *clip_hi;     /* [D], global, owned: bounds for clipping; NULL: none */
    float *shift, *scale;          /* [D], global, owned: a row enters the network as (x - shift) * scale */
    dc_pca pca;                    /* global: if k > 0, as these components of (x - shift) * scale */
    dc_reduce_kind reduce;         /* that made them; DC_REDUCE_NONE with input.scale = pca */
    dc_row_norm norm;              /* and then divided by this norm */
    float *row_scale;              /* [n] 1 / norm of the scaled columns, owned; NULL without a norm, or with Z */
    float *Z;                      /* [n x k] the components of this rank's rows, owned; NULL if k is 0 */
    char source[DC_PATH_MAX];      /* path, name of built-in data, or the title of `files` */
    const dc_files *files;         /* borrowed; NULL: one HDF5 file, or none */
    uint64_t hash;                 /* global checksum of X: XXH3 of each shard's bytes, hashed in shard order */
    double min, max, mean;         /* of the values, after any clipping; global */
    double scaled_min, scaled_max; /* range of what enters the network, global */
    dc_checksum checksum;          /* of the file */
    char outlying[128];            /* describes values far outside their columns; "" if there are none; global */
    size_t bytes;                  /* memory held by this rank */
    double reduction_s;            /* that this rank took for its components, 0 without */
} dc_dataset;

enum { DC_NNZ_MARKS = 256 };

/* What the header of a data file says before any row is read. */
typedef struct {
    dc_gidx N;
    int64_t D;
    dc_dtype dtype;
    bool has_labels;
    bool has_ids;
    bool has_names;   /* of the columns */
    size_t id_bytes;  /* of a stored id; 0: unknown until ids are read */
    int64_t C;        /* number of classes if the file states it; 0: unknown, or no labels */
    int n_image_dims; /* 0: the rows are not known to be images */
    int64_t image_shape[DC_IMAGE_DIMS_MAX];
    bool counts;           /* the stored rows are transformed (dc_count_request); D, dtype: afterwards */
    int64_t stored_D;      /* columns of the stored rows */
    dc_dtype stored_dtype; /* their type */
    int64_t components;    /* components that enter the network, at most; 0: the columns do */
    bool of_share;         /* their number is not known yet: a share of the variance decides */
    dc_reduce_kind reduce; /* that makes them */
    dc_row_norm norm;
    bool in_place;                        /* the rows can stay in their file, or be made again */
    size_t made_scratch;                  /* bytes that a thread needs to make a row of built-in data */
    bool stream;                          /* and they do */
    size_t chunk_cache;                   /* bytes for unpacked chunks */
    dc_h5_packing packing;                /* of rows that are in chunks there: the largest of all files */
    bool sparse;                          /* the rows are stored in compressed form, and stay so in memory */
    int64_t nnz;                          /* values that sparse data store */
    int64_t nnz_before[DC_NNZ_MARKS + 1]; /* how many of them stand before row i * N / DC_NNZ_MARKS */
    double files_bytes;                   /* memory for the list of many files */
} dc_data_header;

/* Upper bound of the stored values in rows [lo, hi) of sparse data; 0 for dense data. */
int64_t dc_header_nnz(const dc_data_header *head, dc_gidx lo, dc_gidx hi);
/* Upper bound of the stored values in any `rows` consecutive rows. */
int64_t dc_header_most_nnz(const dc_data_header *head, int64_t rows);
/* Whether the rows will surely enter the network sparse; with other scalings that depends on their values. */
bool dc_header_stays_sparse(const dc_data_header *head, dc_scale_kind scale, const dc_clip *clip);
/* "float32", "sparse float32 with 1234 values (0.12 %)". */
enum { DC_DATA_KIND_MAX = 96 };
const char *dc_data_kind_text(bool sparse, dc_dtype dtype, dc_gidx N, int64_t D, int64_t nnz,
                              char out[DC_DATA_KIND_MAX]);

/* Columns of the rows that enter the network. */
static inline int64_t dc_dataset_width(const dc_dataset *data)
{
    return data->pca.k > 0 ? data->pca.k : data->D;
}
static inline int64_t dc_header_width(const dc_data_header *head)
{
    return head->components > 0 ? head->components : head->D;
}

/* An image shape as text: "28 x 28 x 1". */
enum { DC_IMAGE_TEXT_MAX = 96 };
const char *dc_image_text(int n, const int64_t *shape, char out[DC_IMAGE_TEXT_MAX]);
/* Whether two shapes are the same; one channel may be named or not. */
bool dc_image_same(int n_a, const int64_t *a, int n_b, const int64_t *b);

/* How an earlier run made of stored rows what entered its network. A run that goes on from it takes all of this as it
 * is instead of finding it in its own data, so that a row means the same to both. All is borrowed. */
typedef struct {
    const dc_count_map *counts;
    const double *clip_lo, *clip_hi; /* [D] bounds, those of clip_scaled included; NULL: none */
    const float *shift, *scale;      /* [D] */
    const dc_pca *pca;               /* its direction, factor and offset; k 0: columns enter the network */
} dc_data_given;

/* Which data to load, and what the deck says about them. */
typedef struct {
    const char *path;
    const dc_files *files; /* of many files, or of one that is NPY (files.h): path is not used; borrowed, also by what
                              is loaded; NULL: path is a file */
    dc_gidx rows;          /* use only the first `rows` rows; 0: all, of built-in data as many as builtin.h says */
    const char *labels; /* column of labels (h5_column.h), in AnnData files also the bare name of a column of obs; NULL
                           or "": what our own files say, /y if there is one */
    const char *matrix; /* the rows of an AnnData file: "X", "raw/X", "layers/NAME"; NULL or "": X */
    int n_image_dims;   /* 0: as the file says */
    int64_t image_shape[DC_IMAGE_DIMS_MAX]; /* height, width[, channels]; their product must be D */
    dc_count_request counts;
    dc_clip clip;
    double clip_scaled; /* scaled values are limited to [-clip_scaled, clip_scaled]; 0: they are not */
    dc_scale_kind scale;
    dc_pca_request pca; /* used if scale is DC_SCALE_PCA; pca.wanted.components also with `reduce` */
    dc_reduce_kind reduce;
    dc_row_norm norm;
    bool taken;                 /* components are those of an earlier run (`given`), so few rows may have many */
    bool stream;                /* rows stay in their file and are read again in each pass; else they are in memory */
    size_t chunk_cache;         /* bytes for unpacked chunks of such rows; 0: DC_STORE_CHUNKS_BYTES */
    const dc_data_given *given; /* NULL: scaling, bounds and components are found in the data */
} dc_data_request;

/* Reads the header of the file; not collective. Errors: DC_ERR_DATA for files that are not dcmpi data files (the text
 * says what is missing), more rows asked for than there are, no rows or no columns, unusable labels, an image shape
 * that does not fit, rows that cannot stay in their file though they should (`stream`); DC_ERR_USAGE for principal
 * components that the data do not have; DC_ERR_IO. */
DC_CHECKED dc_status dc_dataset_inspect(const dc_data_request *request, dc_data_header *out);
/* The same for a file alone, without labels, image shape or clipping from a deck. */
DC_CHECKED dc_status dc_dataset_header(const char *path, dc_gidx rows, dc_data_header *out);

/* *has: whether the file has this matrix (dc_data_request.matrix); false also if it is no HDF5 file. Not collective.
 * Errors: DC_ERR_IO, DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_dataset_has_matrix(const char *path, const char *matrix, bool *has);
/* The same of labels (dc_data_request.labels); real numbers do not count, as they may be a measurement. */
DC_CHECKED dc_status dc_dataset_has_labels(const char *path, const char *labels, bool *has);

/* Reads the header and all data of variable length, such as strings, which the library may fetch from anywhere in the
 * file. Not collective. Errors: as above. */
DC_CHECKED dc_status dc_dataset_probe(const dc_data_request *request);

/* Whether there are so many classes that the labels must be identifiers given by mistake; then their names are not
 * read. */
static inline bool dc_labels_name_rows(int64_t classes, dc_gidx rows)
{
    return classes > 2 && 2 * classes > rows;
}
/* Names of columns in an HDF5 file that are likely labels of its rows, "/a, /b", in out[cap]; "": none. Serial. */
void dc_dataset_likely_labels(const char *path, dc_gidx rows, char *out, size_t cap);
/* Warns of values far outside their columns, as dc_dataset_open() does. Serial, in bounded memory; passes over the file
 * once, and again if needed. Errors: DC_ERR_DATA, DC_ERR_IO, DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_dataset_tell_range(const char *path);

/* Looks at all rows of sparse data: columns in range and in order, values finite. Serial, in pieces. Errors:
 * DC_ERR_DATA, DC_ERR_IO, DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_dataset_check_sparse(const char *path);

/* Collective. Loads or generates this rank's rows (none is legal), renumbers labels densely in ascending order of their
 * values, compares the file's checksums, audits, and computes the scaling; all arguments are global. A file that
 * changes while it is read is an error. NaN and Inf are errors (the text names the first row and column, and the
 * count); so are fewer than K distinct rows; constant columns get a NOTE and are only shifted. shift, scale, hash, min,
 * max and mean have the same bits for every number of ranks and threads. `seed` is used by the built-in problem and by
 * `reduce`.
 * *out is owned by the caller. Errors, the same on all ranks: DC_ERR_DATA, DC_ERR_IO, DC_ERR_MEMORY, DC_ERR_USAGE (more
 * ranks than shards). */
DC_CHECKED dc_status dc_dataset_open(dc_comm *comm, const dc_data_request *request, int shards, uint64_t seed,
                                     int64_t K, dc_dataset **out);
/* *distinct: how many of the scaled rows differ in single precision, if these are fewer than K; else K or more. Reads
 * rows until K are found. Collective. Errors: DC_ERR_MEMORY, those of reading. */
DC_CHECKED dc_status dc_dataset_count_distinct(dc_comm *comm, const dc_dataset *data, int64_t K, int64_t *distinct);
/* The same for a file alone, without labels, image shape or clipping from a deck. */
DC_CHECKED dc_status dc_dataset_load(dc_comm *comm, const char *path, dc_gidx rows, int shards, dc_scale_kind scale,
                                     uint64_t seed, int64_t K, dc_dataset **out);
/* Accepts NULL. */
void dc_dataset_destroy(dc_dataset **data);
/* Memory predicted from the header for the rank with this part: for the loaded data; for what loading needs in addition
 * (stored labels, per-column statistics), also on rank 0 alone (root); for the id of one row. */
double dc_dataset_bytes(const dc_data_header *head, const dc_part *part, const dc_clip *clip);
double dc_dataset_loading_root_bytes(const dc_data_header *head, const dc_part *part);
double dc_dataset_loading_bytes(const dc_data_header *head, const dc_part *part, int threads, dc_scale_kind scale,
                                const dc_clip *clip);
double dc_dataset_id_bytes(const dc_data_header *head);

/* What a user should fix first when training goes wrong: values far outside their columns, if any, else `otherwise`.
 * Local, same text on all ranks. */
enum { DC_DATA_ADVICE_MAX = 320 };
const char *dc_dataset_advice(const dc_dataset *data, const char *otherwise, char out[DC_DATA_ADVICE_MAX]);

/* Hash of the dense labels of all rows, the same for any number of ranks; 0 without labels. Collective. */
uint64_t dc_dataset_hash_labels(dc_comm *comm, const dc_dataset *data);

/* Collective: checks that the files of rows that stay there have not changed, for the end of their use. Errors:
 * DC_ERR_DATA. */
DC_CHECKED dc_status dc_dataset_check_files(dc_comm *comm, const dc_dataset *data);

/* Has local rows [lo, lo + n) read ahead, if they stay in their file. */
void dc_dataset_expect(const dc_dataset *data, int64_t lo, int64_t n);

/* Rows as they enter the network, as float: out[i*D + c] = (clip(X[rows[i]][c]) - shift[c]) * scale[c], or their
 * components [n x k], for n local row numbers, in any order and with repeats. Threaded; also safe inside a parallel
 * region, without threads of its own. */
void dc_dataset_gather(const dc_dataset *data, const int64_t *rows, int64_t n, float *out);
/* The same for consecutive local rows lo..lo+n-1. */
void dc_dataset_rows(const dc_dataset *data, int64_t lo, int64_t n, float *out);
/* These rows, for an algorithm that reads them in pieces; borrows the data. */
dc_rows dc_rows_of_dataset(const dc_dataset *data);
/* The rows as stored, clipped, but neither scaled nor turned into components. *stored must outlive them. */
dc_rows dc_rows_of_values(const dc_dataset *data, dc_csr *stored);

/* Whether the rows are stored in compressed form. */
static inline bool dc_dataset_is_sparse(const dc_dataset *data)
{
    return data->csr.D > 0; /* in rehearsals there are no arrays */
}
/* The sparse rows [n x D] as they enter the network; NULL if these are dense: dense data, components, a scaling or
 * clipping that moves zeros. Then dc_dataset_rows() makes them dense tile by tile. */
static inline const dc_csr *dc_dataset_csr(const dc_dataset *data)
{
    return dc_dataset_is_sparse(data) && data->zeros_stay && !data->Z ? &data->csr : NULL;
}

/* Whether the rows that enter the network are made of rows that stay in their file. */
static inline bool dc_dataset_streams(const dc_dataset *data)
{
    return data->streams && data->pca.k == 0;
}

/* Makes `rows`, as stored, the rows of a view that has the clipping and scaling of a trained model; clips their values
 * in place. Local, threaded. */
void dc_dataset_set_csr(dc_dataset *data, const dc_csr *rows);

/* How many of the first n local rows have a value that enters the network outside [lo, hi] (NaN is outside). *row and
 * *column: the first such row and its first such column, or n and their width if there is none. Local, threaded. */
int64_t dc_dataset_outside(const dc_dataset *data, int64_t n, float lo, float hi, int64_t *row, int64_t *column);

/* Sets *pca's projection from direction and factor. Local. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_pca_prepare(dc_pca *pca, int64_t D);
void dc_pca_release(dc_pca *pca);
/* Share of the variance of the data that its components hold. */
double dc_pca_share(const dc_pca *pca);
/* Components Z[n x k] of the first n local rows of `data`, divided by data->norm; the first has the global number
 * `first`: the bits of a row depend on its values and its global number alone. Local, threaded. Errors: DC_ERR_MEMORY.
 */
DC_CHECKED dc_status dc_pca_project(const dc_dataset *data, dc_gidx first, int64_t n, float *Z);
double dc_pca_project_bytes(int64_t D, int64_t k);
/* row_scale[n]: 1 / norm of the scaled columns of the first n local rows of data that have no row_scale, 1 for rows of
 * zeros: functions of the row alone. Local, threaded. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_dataset_norms(const dc_dataset *data, dc_row_norm norm, int64_t n, float *row_scale);

/* Transforms n stored rows X[n x map->D] of this type to out[n x map->kept]; or sparse rows in place, whose ptr, col
 * and val are not constant in truth. first: the global number of the first row; source: for messages. Local, threaded.
 * Errors: DC_ERR_DATA (a value that is negative or not finite). */
DC_CHECKED dc_status dc_count_map_rows(const dc_count_map *map, const char *source, dc_gidx first, dc_dtype dtype,
                                       const void *X, int64_t n, float *out);
DC_CHECKED dc_status dc_count_map_csr(const dc_count_map *map, const char *source, dc_gidx first, dc_csr *rows);
void dc_count_map_release(dc_count_map *map);

/* Gives every rank the stored (unscaled) rows with these global numbers: out[n x D] in the stored type; a negative
 * number gives a row of zeros. Collective. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_dataset_fetch(dc_comm *comm, const dc_dataset *data, const dc_gidx *rows, int64_t n, void *out);
/* The same for the ids of rows: out[n x id_bytes]. The data have ids. */
DC_CHECKED dc_status dc_dataset_fetch_ids(dc_comm *comm, const dc_dataset *data, const dc_gidx *rows, int64_t n,
                                          char *out);

/* ---- Rows in pieces: data of any size in bounded memory --------------------------------------------------------- */

typedef struct {
    char source[DC_PATH_MAX];
    dc_data_header head;
    dc_part part;
    int64_t capacity;    /* most rows in a piece */
    dc_gidx next;        /* first local row of the next piece */
    int64_t n;           /* rows of this piece */
    void *X;             /* [capacity x D], n rows filled, stored type, owned; NULL for sparse files */
    dc_csr csr;          /* sparse files: the n rows as stored, ptr from 0; arrays owned */
    int64_t entries;     /* values that csr has room for */
    int32_t *y;          /* [capacity] labels 0..C-1, -1: none; owned; NULL without labels. Only metrics may use it. */
    int64_t C;           /* classes of the whole file, 0 without labels; global */
    int64_t unlabelled;  /* rows without a label; global */
    char *classes;       /* names as in dc_dataset; rank 0, owned */
    char *ids;           /* [capacity x id_bytes], padded with zeros, owned; NULL without ids */
    size_t id_bytes;     /* 0 without ids; global */
    char *feature_names; /* as in dc_dataset; rank 0, owned */
    struct dc_data_shape *shape;         /* owned */
    struct dc_data_csr_reader *reader;   /* owned; NULL for dense files */
    struct dc_rows_reader *rows_reader;  /* owned; of many files, else NULL */
    struct dc_store *ahead;              /* has the next piece read ahead; owned; NULL: rows are not in one piece */
    struct dc_data_labels *label_reader; /* owned; NULL without labels */
    struct dc_data_ids *id_reader;       /* owned; NULL without ids */
    dc_checksum checksum;                /* outcome of the checksum of the file */
    struct dc_data_sums *sums;           /* owned */
} dc_row_stream;
/* Collective: reads the header only. Of the request, path, files, labels and matrix count. Errors as in
 * dc_dataset_load; the built-in problem is refused, because it is not a file. */
DC_CHECKED dc_status dc_row_stream_open(dc_comm *comm, const dc_data_request *request, dc_row_stream *s);
/* Collective: allocates memory for pieces of this rank's rows of `part`, which covers all rows, and finds the classes
 * of all labels (in one pass over /y). capacity >= 1, global. */
DC_CHECKED dc_status dc_row_stream_start(dc_comm *comm, dc_row_stream *s, const dc_part *part, int64_t capacity);
/* Collective: reads this rank's next n <= capacity rows; n = 0 is legal. NaN and Inf are errors (DC_ERR_DATA, names the
 * row). */
DC_CHECKED dc_status dc_row_stream_read(dc_comm *comm, dc_row_stream *s, int64_t n);
/* Collective: call it after all rows have been read. Errors: DC_ERR_DATA (the rows do not match the stored checksum, or
 * the file changed while it was read). */
DC_CHECKED dc_status dc_row_stream_end(dc_comm *comm, dc_row_stream *s);
void dc_row_stream_close(dc_row_stream *s);

/* ---- Batches: which rows a step takes (the order is a function of seed, epoch, N, V, B) ------------------------- */

/* Rows of a shard of more than DC_POOL_ROWS rows come in pools: so many rows from blocks of consecutive rows all over
 * the shard, mixed with each other. So rows can be read from files a block at a time, shortly before they are used. */
enum { DC_SHUFFLE_ROWS = 256, DC_POOL_ROWS = 8 * DC_SHUFFLE_ROWS };

typedef struct {
    const dc_part *part; /* borrowed */
    uint64_t seed;
    int64_t B; /* global batch rows, clamped to N */
    int64_t steps_per_epoch;
    int64_t capacity; /* most rows of this rank in any step */
} dc_batcher;
/* B >= 1; holds no memory. Errors: DC_ERR_USAGE (B < 1), DC_ERR_DATA (no rows). */
DC_CHECKED dc_status dc_batcher_init(dc_batcher *b, const dc_part *part, uint64_t seed, int64_t B);
/* Local rows of step `step` (counted over epochs: epoch = step / steps_per_epoch) in shard order; rows[capacity].
 * *n: rows of this rank, *n_global: rows over all ranks, *offset (may be NULL): rows of lower ranks in this batch.
 * Not collective: every rank computes its own. */
void dc_batcher_step(const dc_batcher *b, int64_t step, int64_t *rows, int64_t *n, int64_t *n_global, int64_t *offset);

/* Number of rows of step `step`: on the ranks below `rank` (rank P: in the whole batch); in one shard. */
int64_t dc_batcher_offset(const dc_batcher *b, int64_t step, int rank);
int64_t dc_batcher_shard_rows(const dc_batcher *b, int64_t step, int shard);
/* If the rows of all ranks lie one after the other in tiles of `tile` rows: the most rows of this rank in any step,
 * together with those of lower ranks before them in their first tile. */
int64_t dc_batcher_reach(const dc_batcher *b, int64_t tile);

/* Calls expect(ctx, lo, n) for the local rows [lo, lo + n) that come into use a pool after those of step `step`: every
 * block of this rank's rows once in an epoch. all: also for those that come before these, as for the first step of a
 * run. Local. */
typedef void dc_rows_expect(const void *ctx, int64_t lo, int64_t n);
void dc_batcher_ahead(const dc_batcher *b, int64_t step, bool all, dc_rows_expect *expect, const void *ctx);

#endif
