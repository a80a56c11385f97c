/* Lines of text cut into cells. Nothing is copied: a span points into the line.
 *
 * Quotes (RFC 4180): a cell whose first character is '"' goes to the quote that closes it, separators and line ends
 * inside belong to it, and "" inside stands for one quote. A quote anywhere else is a character like others. */
#ifndef DCMPI_CONVERT_CELL_H
#define DCMPI_CONVERT_CELL_H

#include "dcmpi/base.h"

typedef struct {
    const char *p;
    size_t n;
} dc_span;

/* [p, end) without blanks and tabs at its ends; a separator is never taken off. */
dc_span dc_span_trim(const char *p, const char *end, char separator);

/* The separator that a line of data uses: tab, ';', ',' or '|' if it has one outside of quotes, in this order, else ' '
 * for runs of blanks. decimal_comma: ',' is the last choice instead, and one only beside quotes. */
char dc_cell_separator(dc_span line, bool decimal_comma);
/* Takes the next cell off `rest`, trimmed; false when there is none. separator '\0': the whole line is one cell. */
bool dc_cell_next(dc_span *rest, char separator, dc_span *cell);
int64_t dc_cell_count(dc_span line, char separator);
/* Cell number `column` from 0; {NULL, 0} if the line is too short. */
dc_span dc_cell_at(dc_span line, char separator, int64_t column);
/* Whether a cell that the line opens with a quote goes on past its end. */
bool dc_cell_is_open(dc_span line, char separator);
/* The same for a line that begins inside of such a cell; line.p[-1] exists. */
bool dc_cell_stays_open(dc_span line, char separator);

/* "text" becomes text; false if it has quotes inside, or only on one side. */
bool dc_cell_unquote(dc_span *cell);
/* The cell as text into out[cell.n]: without the quotes around it, "" as ". Returns the bytes used. */
size_t dc_cell_text(dc_span cell, char *out);

/* A finite decimal number, quoted or not, with a decimal comma if that is said. */
bool dc_cell_number(dc_span cell, bool decimal_comma, double *value);
/* Words for a value that is missing. kind is the index of a word, for counting, or DC_WORD_NONE. */
enum { DC_WORD_NONE = -1, DC_WORD_COUNT = 26 };
int dc_cell_missing(dc_span cell);
/* "NA", "nan"; an empty cell is "empty". */
const char *dc_missing_word(int kind);
/* Of a value that is not finite: the kind of nan or inf. */
int dc_missing_kind(double value);

/* What commas may mean in a cell that is not a number. */
typedef enum {
    DC_COMMA_NONE,      /* it would not be a number without them either */
    DC_COMMA_DECIMAL,   /* 1,5 */
    DC_COMMA_EITHER,    /* 1,234: decimal, or of thousands */
    DC_COMMA_THOUSANDS, /* 1,234,567 or 1,234.5 */
    DC_COMMA_BOTH       /* 1.234,5 */
} dc_comma;
dc_comma dc_cell_comma(dc_span cell);

#endif
