/* The beginning of a document, for people: one line of UTF-8. */
#ifndef DCMPI_CONVERT_EXCERPT_H
#define DCMPI_CONVERT_EXCERPT_H

#include "convert/cell.h"

/* Most bytes of an excerpt of `most` characters, with the mark of its end. */
#define DC_EXCERPT_BYTES(most) (4 * (size_t)(most) + 3)

/* Writes the first `most` characters of the text, which is UTF-8, to out[DC_EXCERPT_BYTES(most)], and U+2026 if there
 * are more. Blanks, line ends and control characters in a row become one blank, at both ends none. quoted: the text is
 * a cell in quotes, which are left out. Returns the number of bytes. */
size_t dc_excerpt(dc_span text, bool quoted, int most, char *out);

#endif
