/* One sparse input of any format: what it is, its entries, its ids. Rows and columns are those of the output: if the
 * features are in the rows of the file, it is turned. */
#ifndef DCMPI_CONVERT_SPARSE_INPUT_H
#define DCMPI_CONVERT_SPARSE_INPUT_H

#include "convert/h5sparse.h"
#include "convert/ids.h"
#include "convert/mtx.h"
#include "convert/svmlight.h"
#include "dcmpi/convert.h"
#include "dcmpi/h5_column.h"

typedef enum { DC_SPARSE_NONE, DC_SPARSE_MTX, DC_SPARSE_SVMLIGHT, DC_SPARSE_H5 } dc_sparse_kind;

typedef struct {
    dc_sparse_kind kind;
    char name[512];         /* for messages */
    char path[DC_PATH_MAX]; /* of the matrix; in a folder of 10x, matrix.mtx.gz */
    uint64_t limit;
    dc_gidx rows;  /* svmlight: 0 until its lines have been counted */
    int64_t width; /* svmlight: 1 + the largest index */
    int64_t count; /* values that the header claims; svmlight: 0 */
    int64_t base;  /* svmlight: index of column 0 */
    bool turned;   /* columns of the file are the rows */
    bool rounded;  /* integers that float64 may not hold */
    bool sums;     /* values in one place are added, else an error */
    bool has_ids;
    char labels[DC_H5_NAME_MAX]; /* HDF5: column of labels that the file names itself, "": none */
    char *names;                 /* of the columns, one per line, owned; NULL: none */
    char ids_path[DC_PATH_MAX], names_path[DC_PATH_MAX]; /* 10x: barcodes and features beside the matrix, "": none */
    char ids[DC_H5_NAME_MAX];                            /* HDF5: column of ids */
    dc_h5sparse_layout layout;
    dc_file_state file;
} dc_sparse_input;

/* Which kind of sparse input the path is; DC_SPARSE_NONE: another input. *seen: the file as it was looked at, zeros for
 * a folder. Errors: those of opening it. */
DC_CHECKED dc_status dc_sparse_recognise(const dc_convert_config *cfg, const char *path, dc_sparse_kind *kind,
                                         dc_file_state *seen);
/* Fills *in from the headers (svmlight: reads all lines); tells what was decided in a NOTE. Errors: DC_ERR_DATA,
 * DC_ERR_USAGE, DC_ERR_IO, DC_ERR_MEMORY; release *in in any case. */
DC_CHECKED dc_status dc_sparse_inspect(const dc_convert_config *cfg, const char *path, dc_sparse_kind kind,
                                       dc_sparse_input *in);
void dc_sparse_release(dc_sparse_input *in);

/* Its entries, in the order of the file. */
typedef struct {
    const dc_sparse_input *in; /* borrowed */
    dc_mtx mtx;
    dc_svmlight svmlight;
    dc_h5 *h5;
    dc_h5sparse h5sparse;
} dc_sparse_reader;
DC_CHECKED dc_status dc_sparse_open(dc_sparse_reader *r, const dc_sparse_input *in);
void dc_sparse_close(dc_sparse_reader *r);
/* Reads up to n >= 2 entries; *got = 0 at the end. */
DC_CHECKED dc_status dc_sparse_read(dc_sparse_reader *r, size_t n, dc_entry *out, size_t *got);

/* Its ids, in the order of the rows. */
typedef struct {
    const dc_sparse_input *in; /* borrowed */
    dc_stream lines;
    int64_t line;
    dc_h5 *h5;
    dc_h5_column *column;
    dc_gidx next;
} dc_sparse_ids;
DC_CHECKED dc_status dc_sparse_ids_open(dc_sparse_ids *s, const dc_sparse_input *in);
void dc_sparse_ids_close(dc_sparse_ids *s);
/* Puts the next n ids. */
DC_CHECKED dc_status dc_sparse_ids_read(dc_sparse_ids *s, dc_gidx n, dc_id_sink *sink);

#endif
