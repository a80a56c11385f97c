/* Naive twins of src/data: whole matrices on one rank, in double. */
#ifndef DCMPI_TESTS_DATA_REF_H
#define DCMPI_TESTS_DATA_REF_H

#include "dcmpi/data.h"

/* shift[D], scale[D] for X [N x D] by the definitions of scaling.c; is_u8: values are those of a uint8 matrix. */
void dc_scaling_ref(dc_scale_kind kind, const double *X, int64_t N, int64_t D, bool is_u8, double *shift,
                    double *scale);
/* out[D]: quantile p of each column of X [N x D], by sorting; straight lines between values. */
void dc_quantile_ref(const double *X, int64_t N, int64_t D, double p, double *out);
/* A value as stored in `dtype`, in double. */
double dc_value_ref(const void *X, dc_dtype dtype, int64_t i);

#endif
