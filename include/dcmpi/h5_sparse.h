/* Sparse data files: rows of which few values are not zero, laid out as AnnData lays out a CSR matrix, so that
 * anndata.read_h5ad() opens them.
 *
 *   /                 encoding-type "anndata"; format "dcmpi-data", format_version, min, max, mean as in every data
 * file (convert.h); label_dataset "/obs/label", id_dataset "/obs/_index" and feature_dataset
 *                     "/var/_index" are there if there are labels, ids and names of columns
 *   /X                group, encoding-type "csr_matrix", shape int64[2], xxh3
 *   /X/indptr         int64 [N+1]: entries of row i are indptr[i] <= e < indptr[i+1]
 *   /X/indices        int32 [nnz]: their columns, which ascend within a row and do not repeat
 *   /X/data           [nnz] uint8, float32 or float64: their values
 *   /obs              dataframe: _index [N] texts (ids, or the numbers of the rows), label (categorical), text [N]
 *                     (what people see of a row that was a document)
 *   /obs/label        codes int32 [N], -1: no label; categories [C] texts in the order of the classes
 *   /var              dataframe: _index [D] texts (names of the columns, or their numbers), other columns of numbers
 *
 * The attribute xxh3 of /X is the sum over the rows, modulo 2^64, of the 64-bit XXH3, seeded with the row number, of
 * the row's columns (int32) followed by its values, as stored. _index and codes have an xxh3 as in h5.h. */
#ifndef DCMPI_H5_SPARSE_H
#define DCMPI_H5_SPARSE_H

#include "dcmpi/h5.h"

/* A further column of /var. */
typedef struct {
    const char *name;
    dc_h5_type type;    /* DC_H5_I64 or DC_H5_F64 */
    const void *values; /* [D] */
} dc_h5_var_column;

/* What is known of a file before its rows are written. Everything is borrowed; equal on all ranks, but only rank 0
 * needs the texts and values that are marked so. */
typedef struct {
    dc_gidx N;
    int64_t D; /* at most INT32_MAX */
    int64_t nnz;
    dc_dtype dtype;              /* not DC_F16 */
    size_t id_bytes;             /* bytes of the longest id; 0: no ids */
    size_t text_bytes;           /* bytes of the longest text; 0: no texts */
    bool has_labels;             /* then the classes are the lines of `classes` */
    const char *classes;         /* one per line, in ascending order, no final line break; rank 0 */
    const char *features;        /* names of the columns, one per line; NULL: none; rank 0 */
    const dc_h5_var_column *var; /* [n_var]; rank 0 */
    size_t n_var;
} dc_h5_sparse_spec;

/* Where the arrays of rows are in the file: plain numbers, for all ranks. */
typedef struct {
    int64_t data, indices, indptr, codes, ids, texts;
    int64_t bytes; /* length of the file */
} dc_h5_sparse_places;

/* Sums over the rows that were written; those of several writers are added. */
typedef struct {
    uint64_t rows_hash, codes_hash, ids_hash, texts_hash;
    dc_gidx rows;
    int64_t entries;
} dc_h5_sparse_sums;

/* ---- Writing: local; processes that write one file agree by themselves ------------------------------------------- */

/* Makes all but the rows in the file `part`, which exists and is replaced in place; its space on disk is reserved.
 * fill(ctx, h5), or NULL, adds attributes of the root; those that `finish` will set need a first value here (min, max
 * and mean have one). Errors: DC_ERR_IO, DC_ERR_MEMORY, DC_ERR_DATA (more bytes than a file can hold). */
DC_CHECKED dc_status dc_h5_sparse_make(const char *part, const dc_h5_sparse_spec *spec, dc_h5_fill fill, void *ctx,
                                       dc_h5_sparse_places *places);

typedef struct dc_h5_sparse_writer dc_h5_sparse_writer;
/* A writer of the rows from `row` on, whose first entry has the number `entry`. Borrows nothing. */
DC_CHECKED dc_status dc_h5_sparse_begin(dc_h5_sparse_writer **out, const char *part, const dc_h5_sparse_spec *spec,
                                        const dc_h5_sparse_places *places, dc_gidx row, int64_t entry);
/* Appends n rows: row i has the columns col[e - ptr[0]] and values val[e - ptr[0]], ptr[i] <= e < ptr[i+1]; val is of
 * the stored type. label[n]: numbers of classes, or -1; NULL without labels. ids [n x id_bytes], padded with zeros;
 * NULL without ids. texts likewise. Columns that are out of range or do not ascend are a bug of the caller. Errors:
 * DC_ERR_IO. */
DC_CHECKED dc_status dc_h5_sparse_append(dc_h5_sparse_writer *w, dc_gidx n, const int64_t *ptr, const int32_t *col,
                                         const void *val, const int32_t *label, const char *ids, const char *texts);
/* Forces the rows to disk, reads them back, and frees the writer, also after an error. */
DC_CHECKED dc_status dc_h5_sparse_end(dc_h5_sparse_writer **writer, dc_h5_sparse_sums *sums);
/* Frees a writer whose rows are not wanted; accepts NULL. */
void dc_h5_sparse_drop(dc_h5_sparse_writer **writer);
/* The last step: checksums, and what finish(ctx, h5), or NULL, sets. `sums` covers all rows. */
DC_CHECKED dc_status dc_h5_sparse_seal(const char *part, const dc_h5_sparse_spec *spec, const dc_h5_sparse_sums *sums,
                                       dc_h5_fill finish, void *ctx);

/* ---- Checksum ---------------------------------------------------------------------------------------------------- */

/* The sum for n rows in memory, of which the first has the number `first`; arrays as in dc_h5_sparse_append().
 * Threaded.
 */
uint64_t dc_h5_hash_sparse(size_t value_bytes, dc_gidx first, dc_gidx n, const int64_t *ptr, const int32_t *col,
                           const void *val);
/* The sum for rows [first, first + n) of the group `name` of a file that we wrote, in bounded memory. Errors:
 * DC_ERR_FORMAT. */
DC_CHECKED dc_status dc_h5_hash_sparse_range(dc_h5 *h5, const char *name, dc_gidx first, dc_gidx n, uint64_t *hash);

#endif
