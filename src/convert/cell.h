/* Lines of text cut into cells. Nothing is copied: a span points into the line. */
#ifndef DCMPI_CONVERT_CELL_H
#define DCMPI_CONVERT_CELL_H

#include "dcmpi/base.h"

typedef struct {
    const char *p;
    size_t n;
} dc_span;

/* [p, end) without blanks and tabs at its ends; a separator is never taken off. */
dc_span dc_span_trim(const char *p, const char *end, char separator);

/* The separator that a line of data uses: tab, ';' or ',' if it has one, in this order, else ' ' for runs of blanks. */
char dc_cell_separator(dc_span line);
/* Takes the next cell off `rest`, trimmed; false when there is none. separator '\0': the whole line is one cell. */
bool dc_cell_next(dc_span *rest, char separator, dc_span *cell);
int64_t dc_cell_count(dc_span line, char separator);
/* Cell number `column` from 0; {NULL, 0} if the line is too short. */
dc_span dc_cell_at(dc_span line, char separator, int64_t column);

/* "text" becomes text; false if quotes are used in any other way. */
bool dc_cell_unquote(dc_span *cell);
/* nan, inf or infinity in any case, with or without sign. */
bool dc_cell_is_nan_or_inf(dc_span cell);
/* Meant as a number: decimal, quoted or not, or one of the above. */
bool dc_cell_is_number(dc_span cell);
/* A number if its comma were a point. */
bool dc_cell_has_decimal_comma(dc_span cell);

#endif
