/* Short float vectors for kernels whose results must not depend on where an element lies.
 *
 * A loop that the compiler vectorizes has a body and a tail that may round differently. These kernels instead send
 * every element through the same vector code: the last, incomplete vector of an array is padded with zeros. */
#ifndef DCMPI_NN_VEC_H
#define DCMPI_NN_VEC_H

#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
enum { DC_VEC_BYTES = 64 };
#else
enum { DC_VEC_BYTES = 32 };
#endif
enum { DC_VEC_LANES = DC_VEC_BYTES / 4 };

typedef float dc_vec __attribute__((vector_size(DC_VEC_BYTES)));
typedef int32_t dc_ivec __attribute__((vector_size(DC_VEC_BYTES)));
typedef uint32_t dc_uvec __attribute__((vector_size(DC_VEC_BYTES)));
typedef double dc_dvec __attribute__((vector_size(2 * DC_VEC_BYTES)));

/* The first min(count, DC_VEC_LANES) elements, then zeros; count > 0. */
static inline dc_vec dc_vec_load(const float *x, int64_t count)
{
    dc_vec v = {0};
    if (count >= DC_VEC_LANES)
        memcpy(&v, x, sizeof v);
    else
        memcpy(&v, x, (size_t)count * sizeof *x);
    return v;
}

static inline void dc_vec_store(float *x, int64_t count, dc_vec v)
{
    if (count >= DC_VEC_LANES)
        memcpy(x, &v, sizeof v);
    else
        memcpy(x, &v, (size_t)count * sizeof *x);
}

/* Lane by lane: mask ? a : b; mask is the result of a vector comparison (all bits or none). */
static inline dc_vec dc_vec_select(dc_ivec mask, dc_vec a, dc_vec b)
{
    return (dc_vec)((mask & (dc_ivec)a) | (~mask & (dc_ivec)b));
}

#endif
