/* Converts UTF-16 text, as Excel and Windows tools write it, to UTF-8. */
#ifndef DCMPI_CONVERT_UTF16_H
#define DCMPI_CONVERT_UTF16_H

#include "dcmpi/base.h"

typedef enum { DC_NOT_UTF16, DC_UTF16_LITTLE, DC_UTF16_BIG } dc_utf16_order;

/* Recognises UTF-16 in the first n bytes of a file: by a byte order mark, or because at least three quarters of the
 * first 2 to 32 characters are ASCII with a zero byte beside them. */
dc_utf16_order dc_utf16_recognise(const uint8_t *p, size_t n);

/* Decodes in[*n_in] into out[*n_out], whole characters only; *n_in and *n_out become the bytes used. A byte order mark
 * is left out. Returns false if there is a surrogate without its partner at in[*n_in]. */
bool dc_utf16_decode(dc_utf16_order order, const uint8_t *in, size_t *n_in, uint8_t *out, size_t *n_out);

#endif
