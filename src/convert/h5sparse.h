/* Sparse matrices in HDF5: groups of AnnData (CSR and CSC, old and new), of 10x (versions 2 and 3) and of Matlab. */
#ifndef DCMPI_CONVERT_H5SPARSE_H
#define DCMPI_CONVERT_H5SPARSE_H

#include "convert/entry_sort.h"
#include "dcmpi/h5.h"

/* What a group holds, and the names that belong to it: columns of h5_column.h, "": none. */
typedef struct {
    char group[DC_H5_NAME_MAX];
    char indices[DC_H5_NAME_MAX], indptr[DC_H5_NAME_MAX], data[DC_H5_NAME_MAX]; /* full names */
    int64_t rows, cols;                                                         /* 1 to INT32_MAX each */
    bool by_columns;                                                            /* CSC */
    bool features_first; /* rows are features, columns are samples: 10x */
    int64_t count;       /* stored values */
    bool rounded;        /* integers of 64 bits */
    char row_names[DC_H5_NAME_MAX], col_names[DC_H5_NAME_MAX];
    char kinds[DC_H5_NAME_MAX]; /* 10x: feature_type of each feature, "": unknown */
} dc_h5sparse_layout;

/* Whether `group` holds a sparse matrix. */
bool dc_h5sparse_is(dc_h5 *h5, const char *group);
/* Finds the sparse matrix that an input is meant to be: `dataset` if it is one; without `dataset` /X or /matrix, or, in
 * a file that has neither, the only sparse matrix. *found is false if `dataset`, or the file, is another kind of
 * matrix. name: of the file, for messages. Errors: DC_ERR_DATA (several), DC_ERR_FORMAT. */
DC_CHECKED dc_status dc_h5sparse_find(dc_h5 *h5, const char *name, const char *dataset, dc_h5sparse_layout *out,
                                      bool *found);

typedef struct {
    dc_h5 *h5;        /* borrowed */
    const char *name; /* of the file; borrowed */
    dc_h5sparse_layout at;
    int64_t major;      /* the row (CSR) or column (CSC) that is being read */
    int64_t entry, end; /* next entry, and end of `major` */
    int64_t *ends;      /* window of indptr: `ends_n` numbers from `ends_at` on */
    int64_t ends_at, ends_n;
    int64_t *index; /* window of entries: `n` from `first` on */
    double *value;
    int64_t first, n;
} dc_h5sparse;

DC_CHECKED dc_status dc_h5sparse_open(dc_h5sparse *s, dc_h5 *h5, const char *name, const dc_h5sparse_layout *layout);
void dc_h5sparse_close(dc_h5sparse *s);
/* Reads up to n entries in the order of the file, zeros included; *got = 0 at the end. Errors: DC_ERR_DATA (an index
 * out of range, damaged indptr, NaN), DC_ERR_FORMAT, DC_ERR_IO. */
DC_CHECKED dc_status dc_h5sparse_read(dc_h5sparse *s, size_t n, dc_entry *out, size_t *got);

#endif
