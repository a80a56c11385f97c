/* Reads those lines of a text file that hold data. */
#ifndef DCMPI_CONVERT_LINES_H
#define DCMPI_CONVERT_LINES_H

#include "convert/cell.h"
#include "convert/stream.h"

/* The separator of a file before its first line has been read. */
enum { DC_SEPARATOR_UNKNOWN = 1 };

typedef struct {
    dc_stream stream;
    char separator;     /* as in cell.h, or DC_SEPARATOR_UNKNOWN; needed because quoted cells may hold line ends */
    char declared;      /* separator named by a first line "sep=;", as Excel writes it; 0: none */
    int64_t line;       /* number of the line returned last, counted from 1 */
    int64_t last;       /* number of the line where that one ends: quoted cells may make it span several */
    int64_t blank_line; /* first empty line, 0: none so far */
    int64_t comments;   /* how many lines begin with '#' */
    size_t longest;     /* most bytes of a line, DC_CONVERT_MAX_LINE_BYTES unless it is changed */
} dc_lines;

/* Errors: those of dc_stream_open. On an error nothing is held. */
DC_CHECKED dc_status dc_lines_open(dc_lines *l, const char *path, char separator, uint64_t limit);
void dc_lines_close(dc_lines *l);
/* Gives the next line that is neither a comment nor empty, without its line end. It is valid until the next call.
 * *found is false at the end. Errors: DC_ERR_DATA (too long, an empty line between others, a quote that is not closed).
 */
DC_CHECKED dc_status dc_lines_next(dc_lines *l, dc_span *line, bool *found);
/* Gives the next line as it is, also if it is empty or begins with '#', without its line end; with `quotes`, together
 * with the lines that its quoted cells run into. Errors: as above. */
DC_CHECKED dc_status dc_lines_any(dc_lines *l, bool quotes, dc_span *line, bool *found);

#endif
