/* Numbers in the formats of foreign files: binary elements of any size and byte order, half precision, decimal text. */
#ifndef DCMPI_CONVERT_NUMBER_H
#define DCMPI_CONVERT_NUMBER_H

#include "dcmpi/base.h"

typedef struct {
    char kind; /* 'b' bool, 'u' unsigned, 'i' signed, 'f' IEEE floating point; text: 'S' bytes, 'U' UTF-32 */
    int bytes; /* 1, 2, 4 or 8; any number for text */
    bool big_endian;
} dc_element;

static inline bool dc_element_is_text(dc_element e)
{
    return e.kind == 'S' || e.kind == 'U';
}

/* Type in which values of this element are stored: uint8 and floating point types stay as they are, all others become
 * float32. */
dc_dtype dc_element_stored(dc_element e);
/* out[n] = in[n]; 64-bit integers beyond 2^53 are rounded. in: n elements, any alignment. */
void dc_element_decode(dc_element e, const uint8_t *in, size_t n, double *out);
/* out[n] of type t = in[n]; the caller has checked that uint8 and float16 hold the values exactly. */
void dc_element_encode(dc_dtype t, const double *in, size_t n, void *out);

/* Parses a decimal number that fills text[0..n): sign, digits, point, exponent. Nothing else is accepted ("nan", hex
 * and blanks are refused). Correctly rounded whatever the locale. A value too large for double gives infinity. */
bool dc_number_parse(const char *text, size_t n, double *value);
static inline bool dc_is_integer(double v, double low, double high)
{
    return v >= low && v <= high && v == (double)(int64_t)v;
}

#endif
