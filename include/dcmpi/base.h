/* Common vocabulary of all modules: integer types, small helpers. */
#ifndef DCMPI_BASE_H
#define DCMPI_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dcmpi/status.h"

/* A count or index over all ranks. */
typedef int64_t dc_gidx;

#define DC_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define DC_MIN(a, b) ((a) < (b) ? (a) : (b))
#define DC_MAX(a, b) ((a) > (b) ? (a) : (b))

enum { DC_PATH_MAX = 4096 };

/* Element types that data files and datasets use. */
typedef enum { DC_U8, DC_F16, DC_F32, DC_F64 } dc_dtype;
static inline size_t dc_dtype_bytes(dc_dtype t)
{
    return t == DC_U8 ? 1 : t == DC_F16 ? 2 : t == DC_F32 ? 4 : 8;
}
const char *dc_dtype_name(dc_dtype t);

/* a*b, or SIZE_MAX if the product does not fit. */
static inline size_t dc_mul_size(size_t a, size_t b)
{
    size_t c;
    return __builtin_mul_overflow(a, b, &c) ? SIZE_MAX : c;
}

/* Narrows v to int for BLAS, MPI and array dimensions, which are small by construction; asserts that it fits. */
static inline int dc_int(int64_t v)
{
    DC_ASSERT(v >= INT32_MIN && v <= INT32_MAX);
    return (int)v;
}

#endif
