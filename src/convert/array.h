/* Binary arrays behind a header: IDX (MNIST) and NPY (numpy). */
#ifndef DCMPI_CONVERT_ARRAY_H
#define DCMPI_CONVERT_ARRAY_H

#include "convert/number.h"
#include "convert/stream.h"
#include "dcmpi/npy.h"

enum { DC_ARRAY_MAX_DIMS = DC_NPY_MAX_DIMS, DC_ARRAY_MAX_TEXT_BYTES = DC_NPY_MAX_TEXT_BYTES };

typedef struct {
    dc_element element;
    int n_dims; /* 1..DC_ARRAY_MAX_DIMS */
    uint64_t dims[DC_ARRAY_MAX_DIMS];
    bool fortran; /* Fortran order: values next to each other in the file differ in the first index */
} dc_array;

bool dc_idx_recognise(const dc_stream *s);
bool dc_array_is_npy(const dc_stream *s);
/* Read the header at the start of the stream and leave the stream at the first element. Errors: DC_ERR_DATA with the
 * byte at fault. Neither allocates; sizes are not yet compared with the file. */
DC_CHECKED dc_status dc_idx_header(dc_stream *s, dc_array *a);
DC_CHECKED dc_status dc_npy_header(dc_stream *s, dc_array *a);

/* Checks an array whose header has been read, and gives the numbers of rows and of values per row, as the file stores
 * them. columns: the array is in Fortran order, so that each row in the file is a column of the array. turn: the array
 * will be transposed. Errors: DC_ERR_DATA if a dimension is 0, products overflow, rows are too wide, or the file cannot
 * hold what the header claims. */
DC_CHECKED dc_status dc_array_check(const dc_stream *s, const dc_array *a, bool columns, bool turn, dc_gidx *rows,
                                    int64_t *width);
/* For an array in Fortran order that is transposed: (*order)[i] is the place in a row of the value that would be number
 * i in C order. *order is NULL if all values lie in C order. The caller frees it. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_array_order(const dc_array *a, uint32_t **order);
/* Reads the next n elements, texts of fixed length (kinds S and U), and passes each to visit as UTF-8. Errors:
 * DC_ERR_DATA, those of visit. */
DC_CHECKED dc_status dc_array_read_text(dc_stream *s, const dc_array *a, size_t n,
                                        dc_status (*visit)(void *ctx, const char *text, size_t length), void *ctx);
/* Reads the next n elements as double. */
DC_CHECKED dc_status dc_array_read(dc_stream *s, const dc_array *a, size_t n, double *out);

#endif
