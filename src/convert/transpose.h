/* Transposes a matrix in bounded memory: it comes in row by row and goes out column by column. Rows are gathered into
 * panels; each panel is transposed and kept, in a temporary file if there are several; blocks of columns are put
 * together from all panels.
 *
 * Words: a line is what is put in (a feature of N values), a row is what comes out (a sample of D values). */
#ifndef DCMPI_CONVERT_TRANSPOSE_H
#define DCMPI_CONVERT_TRANSPOSE_H

#include "dcmpi/base.h"

typedef struct dc_transpose dc_transpose;

/* Memory for transposing a matrix of any size: one panel of lines on the way in, one block of rows on the way out. It
 * takes more only if a single line or row is larger. */
enum { DC_TRANSPOSE_BYTES = 128 << 20 };

/* N: values of each line. beside: the output, next to which the temporary file is made (without a name, so that nothing
 * is ever left behind); only a matrix beyond `memory` bytes needs one. memory: DC_TRANSPOSE_BYTES; tests pass less.
 * Errors: DC_ERR_MEMORY; nothing is held then. */
DC_CHECKED dc_status dc_transpose_create(dc_transpose **out, int64_t N, const char *beside, size_t memory);
void dc_transpose_destroy(dc_transpose **t);

/* Puts in the next n lines, [n x N]. Errors: DC_ERR_IO (the disk is full), DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_transpose_put(dc_transpose *t, size_t n, const double *lines);
/* To be called when all lines are in. *D = their number. Errors: as above. */
DC_CHECKED dc_status dc_transpose_turn(dc_transpose *t, int64_t *D);
/* Copies up to n of the next rows into rows[n x D]; *got < n only at the end. To be called after dc_transpose_turn().
 * Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_transpose_get(dc_transpose *t, size_t n, double *rows, size_t *got);
/* Goes back to the first row. */
void dc_transpose_rewind(dc_transpose *t);

#endif
