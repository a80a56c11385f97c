/* One input of any format as a stream of rows of double. */
#ifndef DCMPI_CONVERT_SOURCE_H
#define DCMPI_CONVERT_SOURCE_H

#include "convert/array.h"
#include "convert/text.h"
#include "convert/transpose.h"
#include "dcmpi/h5_column.h"

enum { DC_SOURCE_IMAGE_DIMS_MAX = 4, DC_SOURCE_ROWS_UNKNOWN = -1 };

typedef struct {
    const char *path;       /* borrowed */
    const char *dataset;    /* HDF5 only, NULL: chosen by role; borrowed */
    const char *ids;        /* HDF5 only: dataset with the ids; NULL: chosen by convention; "none": no ids; borrowed */
    dc_table_options table; /* text only */
    dc_missing_action missing;     /* text only: whether words for missing values are accepted */
    uint64_t max_bytes;            /* 0: no limit */
    bool labels;                   /* role: a list of labels instead of a matrix */
    dc_gidx rows;                  /* labels: number of rows of their matrix */
    dc_transpose_choice transpose; /* whether the rows of a matrix are features */
    const char *output;            /* the temporary file of a transposition is made beside it; borrowed */
    bool again;                    /* was opened before: decisions are not reported again */
} dc_source_request;

typedef enum { DC_SOURCE_ARRAY, DC_SOURCE_TEXT, DC_SOURCE_H5 } dc_source_kind;

typedef struct {
    dc_source_kind kind;
    char name[512];   /* for messages */
    dc_gidx rows;     /* DC_SOURCE_ROWS_UNKNOWN for text */
    int64_t width;    /* values per row; 0 for text that is labels only */
    dc_dtype stored;  /* type that keeps the values best; for text DC_U8 until a value needs another */
    bool narrowed;    /* `stored` is float32 and may hold fewer digits than the file */
    bool rounded;     /* `stored` is float64 and may hold fewer digits than the file */
    bool has_labels;  /* text with a label column: labels come with the rows */
    bool has_ids;     /* ids come with the rows */
    char *names;      /* of the columns, one per line, NULL: none; owned */
    int n_image_dims; /* 0 unless rows are pictures */
    int64_t image_shape[DC_SOURCE_IMAGE_DIMS_MAX];
    dc_gidx next_row;
    dc_file_state file; /* state of the file when it was opened */
    /* by kind */
    dc_text text; /* its lines.stream also serves DC_SOURCE_ARRAY */
    dc_array array;
    dc_h5 *h5;
    dc_h5_column *ids, *labels; /* owned; NULL: none, or another role */
    char dataset[DC_H5_NAME_MAX];
    /* transposed */
    dc_transpose *turned; /* owned; NULL: rows come from the file */
    uint32_t *order;      /* [width] for Fortran order: place of column c in scratch; owned; NULL: as read */
    double *scratch;      /* [width], with order */
    char *row_ids;        /* ids of the rows, one per line, owned */
    const char *next_id;
} dc_source;

/* Recognises the format by its first bytes, reads the header and compares it with the size of the file; allocates no
 * more than the windows of the readers. Errors: DC_ERR_DATA, DC_ERR_USAGE, DC_ERR_IO, DC_ERR_MEMORY; after an error
 * there is nothing to close. */
DC_CHECKED dc_status dc_source_open(dc_source *s, const dc_source_request *request);
void dc_source_close(dc_source *s);
/* Reads up to n rows into x[rows][width], and the labels and ids that come with them into sink; *got < n only at the
 * end. */
DC_CHECKED dc_status dc_source_read(dc_source *s, size_t n, double *x, dc_row_sink *sink, size_t *got);
/* Like dc_source_read(), but gives the rows as they are in the file, before any transposition. */
DC_CHECKED dc_status dc_source_read_file(dc_source *s, size_t n, double *x, dc_row_sink *sink, size_t *got);
/* source_turn.c: transposes a source: reads all its rows, from the first; from then on, its columns are given as rows.
 * beside: see transpose.h. */
DC_CHECKED dc_status dc_source_turn(dc_source *s, const char *beside);
DC_CHECKED dc_status dc_source_read_turned(dc_source *s, size_t n, double *x, dc_row_sink *sink, size_t *got);
/* Reads up to n labels of a list into sink; scratch[n]. */
DC_CHECKED dc_status dc_source_read_labels(dc_source *s, size_t n, double *scratch, dc_row_sink *sink, size_t *got);
/* Bytes of the longest id, where ids are known without reading the rows; else 0. */
DC_CHECKED dc_status dc_source_longest_id(dc_source *s, size_t *longest);
/* After the last row: DC_ERR_DATA if the input goes on; checks the gzip trailer. */
DC_CHECKED dc_status dc_source_expect_end(dc_source *s);
/* Checks that a matrix, or a list of labels, may have n_dims dimensions. Errors: DC_ERR_DATA. */
DC_CHECKED dc_status dc_source_check_shape(const dc_source *s, int n_dims, bool labels);
/* Keeps the shape of pictures, which have 2 to 4 dimensions besides the row. */
void dc_source_keep_image_shape(dc_source *s, int n_dims, const int64_t *dims);
/* True if an HDF5 input holds a vector /y beside its matrix /X, as our own data files do. */
bool dc_source_has_own_labels(const dc_source *s);

#endif
