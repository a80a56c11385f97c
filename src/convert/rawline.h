/* Lines of a text in which blanks, quotes and '#' mean nothing by themselves. */
#ifndef DCMPI_CONVERT_RAWLINE_H
#define DCMPI_CONVERT_RAWLINE_H

#include "convert/cell.h"
#include "convert/stream.h"

/* Takes the next line, without its line end (LF or CR LF), and adds 1 to *number; *found is false at the end. The line
 * is valid until the next call. Errors: DC_ERR_DATA (longer than DC_CONVERT_MAX_LINE_BYTES), those of dc_stream_fill.
 */
DC_CHECKED dc_status dc_rawline_next(dc_stream *s, int64_t *number, dc_span *line, bool *found);

/* Takes the next word, between blanks and tabs, off `rest`; false when there is none. */
bool dc_rawline_word(dc_span *rest, dc_span *word);
/* Reads a word of decimal digits, with or without a minus sign; a number beyond int64 becomes INT64_MAX or -INT64_MAX.
 * False: it is not one. */
bool dc_rawline_integer(dc_span word, int64_t *value);
/* Reads a finite number. Errors: DC_ERR_DATA, which names file and line. */
DC_CHECKED dc_status dc_rawline_value(const char *name, int64_t line, dc_span word, double *value);

#endif
