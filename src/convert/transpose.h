/* A matrix that comes row by row and goes column by column, in bounded memory: rows are gathered into panels, each
 * panel is turned over and kept, in a temporary file if there are many, and blocks of columns are put together from all
 * panels.
 *
 * Words: a line is what is put in (a feature of N values), a row is what comes out (a sample of D values). */
#ifndef DCMPI_CONVERT_TRANSPOSE_H
#define DCMPI_CONVERT_TRANSPOSE_H

#include "dcmpi/base.h"

typedef struct dc_transpose dc_transpose;

/* Memory of a transposition, whatever the matrix: one panel of lines while they come, one block of rows while they go.
 * A single line or row may be longer. */
enum { DC_TRANSPOSE_BYTES = 128 << 20 };

/* N: values of each line. beside: the output, next to which the temporary file is made (without a name, so that nothing
 * stays whatever happens); only a matrix beyond `memory` bytes needs one. memory: DC_TRANSPOSE_BYTES, tests take less.
 * Errors: DC_ERR_MEMORY; nothing is held then. */
DC_CHECKED dc_status dc_transpose_create(dc_transpose **out, int64_t N, const char *beside, size_t memory);
void dc_transpose_destroy(dc_transpose **t);

/* The next n lines, [n x N]. Errors: DC_ERR_IO (the disk is full), DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_transpose_put(dc_transpose *t, size_t n, const double *lines);
/* All lines are in. *D = their number. Errors: as above. */
DC_CHECKED dc_status dc_transpose_turn(dc_transpose *t, int64_t *D);
/* The next at most n rows into rows[n x D]; *got < n only at the end. After dc_transpose_turn(). Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_transpose_get(dc_transpose *t, size_t n, double *rows, size_t *got);
/* The first row comes next, again. */
void dc_transpose_rewind(dc_transpose *t);

#endif
