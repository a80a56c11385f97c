/* Cuts lines of text into cells. Nothing is copied: a span points into the line.
 *
 * Quotes (RFC 4180): a cell whose first character is '"' extends to the closing quote; separators and line ends inside
 * belong to the cell, and "" inside stands for one quote. A quote anywhere else is an ordinary character. */
#ifndef DCMPI_CONVERT_CELL_H
#define DCMPI_CONVERT_CELL_H

#include "dcmpi/base.h"

typedef struct {
    const char *p;
    size_t n;
} dc_span;

/* [p, end) without the blanks and tabs at its ends; never removes a separator. */
dc_span dc_span_trim(const char *p, const char *end, char separator);

/* The separator of a line of data: the first of tab, ';', ',' and '|' that the line has outside of quotes, else ' ' for
 * runs of blanks. decimal_comma: ',' is tried after '|', and only if the line has quotes. */
char dc_cell_separator(dc_span line, bool decimal_comma);
/* Takes the next cell off `rest`, trimmed; false when there is none. separator '\0': the whole line is one cell. */
bool dc_cell_next(dc_span *rest, char separator, dc_span *cell);
int64_t dc_cell_count(dc_span line, char separator);
/* Cell number `column` from 0; {NULL, 0} if the line is too short. */
dc_span dc_cell_at(dc_span line, char separator, int64_t column);
/* Whether a quoted cell that begins in the line goes on past the end of the line. */
bool dc_cell_is_open(dc_span line, char separator);
/* The same for a line that begins inside a quoted cell. line.p[-1] must exist. */
bool dc_cell_stays_open(dc_span line, char separator);

/* Removes quotes: "text" becomes text. False if there are quotes inside, or only on one side. */
bool dc_cell_unquote(dc_span *cell);
/* Writes the cell as text to out[cell.n], without the quotes around it and with "" replaced by ". Returns the bytes
 * used. */
size_t dc_cell_text(dc_span cell, char *out);

/* Reads a finite decimal number, quoted or not, with a decimal comma if decimal_comma is true. False: it is not one. */
bool dc_cell_number(dc_span cell, bool decimal_comma, double *value);
/* Words for a missing value. dc_cell_missing() returns the kind, which is the index of the word, or DC_WORD_NONE. */
enum { DC_WORD_NONE = -1, DC_WORD_COUNT = 26 };
int dc_cell_missing(dc_span cell);
/* The word of a kind: "NA", "nan"; "empty" for an empty cell. */
const char *dc_missing_word(int kind);
/* The kind (nan, inf or -inf) of a value that is not finite. */
int dc_missing_kind(double value);

/* What commas may mean in a cell that is not a number. */
typedef enum {
    DC_COMMA_NONE,      /* the cell would not be a number without commas either */
    DC_COMMA_DECIMAL,   /* 1,5 */
    DC_COMMA_EITHER,    /* 1,234: a decimal comma, or one for thousands */
    DC_COMMA_THOUSANDS, /* 1,234,567 or 1,234.5 */
    DC_COMMA_BOTH       /* 1.234,5 */
} dc_comma;
dc_comma dc_cell_comma(dc_span cell);

#endif
