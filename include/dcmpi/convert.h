/* Converts foreign formats to dcmpi's data file, streamed: IDX, NPY and text tables (each also compressed by gzip,
 * bzip2, xz or zstd), and HDF5. Serial: one process, no MPI. Uses a few buffers of some MiB for an input of any size;
 * transposing adds DC_TRANSPOSE_BYTES and, if that is not enough, a temporary file beside the output.
 *
 * The data file: /X [N, D] uint8, float16, float32 or float64; /y [N] int32 if there are labels, -1 for a row without
 * one; /ids [N] texts if there are ids. Attributes of the root:
 *   format         "dcmpi-data", and format_version (int64)
 *   source         the inputs, one per line
 *   checksum       XXH3 (64 bits, seed 0) of the stored bytes of /X in row order, 16 hex digits
 *   min, max, mean of all values (float64)
 *   image_shape    int64, all dimensions but the first of pictures (2 to 4 of them)
 *   feature_names  names of the columns, one per line; a dataset of that name if they are more than 1 MiB
 *   n_classes      number of different labels (int64)
 *   classes        one line per class, in ascending order of the labels: the name or number that the label stands for
 *   missing        what was done about missing values, if there were any: lines of key=value with the action, the
 *                  cells, the rows, and the number of each kind
 * /X, /y and /ids have the attribute `xxh3` (Checksums in h5.h), which every load compares.
 * Integer labels that fit keep their values in /y; names, and integers beyond int32, are numbered 0..C-1 in the
 * order of `classes`. */
#ifndef DCMPI_CONVERT_H
#define DCMPI_CONVERT_H

#include "dcmpi/terms.h"

typedef struct dc_comm dc_comm;

/* How a text table is read. Options that are NULL or 0 are decided by the rules in convert/layout.h. A column is
 * "first", "last", "none", a number from 0, or a name from line 1 (in double quotes if it could be mistaken for one of
 * these words or a number). */
typedef enum { DC_HEADER_AUTO, DC_HEADER_YES, DC_HEADER_NO } dc_header;
typedef struct {
    const char *label_column, *id_column;
    const char *text_column;  /* holds documents (dc_convert_text()); NULL: no column does */
    const char *drop_columns; /* separated by commas; put names that contain commas in double quotes */
    dc_header header;
    char separator; /* ' ': runs of blanks and tabs */
    bool decimal_comma;
    bool transposed; /* rows are features: the table's ids are names of features, its column names are ids */
} dc_table_options;

/* What happens to missing values: NaN, infinities, and in text the words for them. DROP leaves the row out, MEAN
 * replaces the value with the mean of the column's other values, VALUE replaces it with a given number. */
typedef enum { DC_MISSING_ERROR, DC_MISSING_DROP, DC_MISSING_MEAN, DC_MISSING_VALUE } dc_missing_action;
typedef struct {
    dc_missing_action action;
    double value;
} dc_missing_options;

/* Whether the smallest index of svmlight is 0 or 1; AUTO: 0 if any index is 0. */
typedef enum { DC_INDEX_AUTO, DC_INDEX_ZERO, DC_INDEX_ONE } dc_index_base;

/* Whether the inputs hold features in rows; AUTO: as the format says. */
typedef enum { DC_TRANSPOSE_AUTO, DC_TRANSPOSE_YES, DC_TRANSPOSE_NO } dc_transpose_choice;

/* Limits on inputs, so that a hostile file cannot exhaust the memory of the machine. */
enum {
    DC_CONVERT_MAX_COLUMNS = 1 << 24,     /* values per row */
    DC_CONVERT_MAX_LINE_BYTES = 1 << 26,  /* one line of text */
    DC_CONVERT_MAX_CLASSES = 1 << 20,     /* different labels */
    DC_CONVERT_MAX_CLASS_BYTES = 255,     /* name of a class */
    DC_CONVERT_MAX_ID_BYTES = 1023,       /* id of a row */
    DC_CONVERT_MAX_EXCERPT = 1000,        /* characters of a document that are stored */
    DC_CONVERT_MAX_TURNED_ROWS = 1 << 27, /* rows of an input that is transposed */
    DC_CONVERT_IMAGE_DIMS = 3
};

typedef struct {
    const char *const *inputs; /* [n_inputs], concatenated in order */
    int n_inputs;
    const char *const *labels; /* [n_labels], 0 or n_inputs files of labels */
    int n_labels;
    dc_table_options table; /* label_column "none" also ignores /y of an HDF5 input */
    dc_missing_options missing;
    dc_transpose_choice transpose;
    dc_index_base index_base; /* svmlight */
    int64_t n_features;       /* svmlight: number of columns, 0: what the largest index needs */
    const char *dataset; /* HDF5 inputs: path of the matrix, NULL: "/X" or the only dataset of 2 or more dimensions */
    const char *label_dataset; /* HDF5 inputs: column of labels (h5_column.h), NULL: /y beside /X */
    const char *id_dataset;    /* HDF5 inputs: names of the samples, NULL: by convention, "none": none */
    int n_image_dims;          /* 0: as the inputs say */
    int64_t image_shape[DC_CONVERT_IMAGE_DIMS]; /* height, width[, channels]; their product must be D */
    const char *output;
    bool force;                      /* replace whatever output exists */
    const dc_vectorizer *vectorizer; /* how documents become rows; used by dc_convert_text() only */
    const char *vocabulary; /* documents: file with the vocabulary and the options to use, NULL: found in the inputs */
    const char *options;    /* what determines the content besides the inputs, as in recipe.h; NULL: nothing */
    bool labels_may_lack;   /* documents: no error if no document has the key of the labels; there are none then */
    int keep_text;          /* documents: characters of each that are stored; at most DC_CONVERT_MAX_EXCERPT, 0: none */
    uint64_t max_input_bytes; /* refuse inputs that expand beyond this; 0: no limit */
    int64_t *documents;       /* documents: [n_inputs] zeros, set to how many each input has; NULL: not wanted */
} dc_convert_config;

typedef struct {
    dc_gidx N;
    int64_t D;
    dc_dtype dtype;
    bool has_labels;
    int64_t n_classes;
    int64_t unlabelled; /* rows whose label means "no label": -1 in /y */
    double min, max, mean;
    uint64_t checksum;
    bool sparse; /* the output is a sparse data file (h5_sparse.h); checksum is that of /X there */
    int64_t nnz; /* sparse: stored values */
} dc_convert_result;

/* Writes cfg->output under a lock (claim.h), first as "<output>.part", which is removed after any error. An existing
 * output made by the same request (recipe.h) is replaced once the new one is complete. Numbers that are neither uint8
 * nor floating point become float32, or float64 where float32 would not tell them apart (convert/precision.h), with a
 * NOTE; if inputs have different types, the widest is used for all. Errors: DC_ERR_DATA with file, place (byte, or line
 * and column) and cause; DC_ERR_IO (output, disk); DC_ERR_USAGE; DC_ERR_BUSY (another process writes this output);
 * DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_convert(const dc_convert_config *cfg, dc_convert_result *result);
/* The same for documents: table.text_column is the column of texts, a key of JSON lines, "line" (each line is a
 * document) or "file" (each file is one). Makes a sparse data file (h5_sparse.h) of float32 with columns df and idf in
 * /var, and the root attribute `vectorizer`: lines of key=value with the options, and the columns of the inputs.
 * Collective; without MPI comm is NULL. The ranks share the inputs; the file has the same bytes for any number of
 * ranks. Memory of a rank does not grow with the inputs: at most DC_CONVERT_TEXT_BYTES, and 4 times the longest
 * document. Errors as above, the same on all ranks; DC_ERR_MEMORY also for a vocabulary that is too large. */
#define DC_CONVERT_TEXT_BYTES (0.9 * 0x1p30)
DC_CHECKED dc_status dc_convert_text(dc_comm *comm, const dc_convert_config *cfg, dc_convert_result *result);

/* Where documents have a column besides that of the text. */
typedef enum {
    DC_COLUMN_UNKNOWN, /* the file has no documents, or what is wrong with it is for dc_convert_text() to say */
    DC_COLUMN_THERE,
    DC_COLUMN_NOWHERE,  /* it is no column of the table */
    DC_COLUMN_NOT_FIRST /* the first of the JSON lines has no such key; others may have it */
} dc_column_place;
/* Looks at the beginning of the file. Serial. Errors: DC_ERR_IO, DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_convert_find_column(const char *path, const char *text_column, const char *column,
                                            dc_column_place *place);

/* The columns of the documents from which a vocabulary was made, and how: the value of `key` in the attribute
 * `vectorizer` of a data file or result, in out[cap]; "" if there is none. Serial. Errors: DC_ERR_IO, DC_ERR_FORMAT. */
DC_CHECKED dc_status dc_vectorizer_key(const char *path, const char *key, char *out, size_t cap);

#endif
