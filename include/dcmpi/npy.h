/* Headers of NPY files (numpy, NEP 1, versions 1.0 to 3.0): what the elements are that follow without gaps. Local. */
#ifndef DCMPI_NPY_H
#define DCMPI_NPY_H

#include "dcmpi/base.h"

enum {
    DC_NPY_MAX_DIMS = 8,
    DC_NPY_MAX_TEXT_BYTES = 1024,
    DC_NPY_MAX_HEADER_BYTES = 1 << 16,
    DC_NPY_PREFIX_BYTES = 12 /* of versions 2 and 3; in version 1 the text begins two bytes earlier */
};

typedef struct {
    char kind;       /* b i u f: numbers; S U: texts of a fixed length */
    int bytes;       /* of an element */
    bool big_endian; /* has no meaning for elements of one byte */
    bool fortran;    /* Fortran order: elements next to each other in the file differ in the first index */
    int n_dims;      /* 1..DC_NPY_MAX_DIMS */
    uint64_t dims[DC_NPY_MAX_DIMS];
} dc_npy;

/* Whether these first n bytes of a file are those of an NPY file. */
bool dc_npy_recognise(const uint8_t *head, size_t n);
/* Where the text of the header begins and how long it is, from the first bytes of the file; `name` is for messages.
 * Errors: DC_ERR_DATA (unknown version, too long). */
DC_CHECKED dc_status dc_npy_length(const char *name, const uint8_t prefix[DC_NPY_PREFIX_BYTES], size_t *begin,
                                   size_t *length);
/* Reads that text, which begins at byte `base` of the file. Sizes are not compared with anything. Errors: DC_ERR_DATA
 * with the byte at fault. */
DC_CHECKED dc_status dc_npy_dictionary(const char *name, uint64_t base, const char *text, size_t length, dc_npy *out);

#endif
