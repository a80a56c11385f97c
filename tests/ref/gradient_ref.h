/* Gradient of an autoencoder's reconstruction loss in long double, with a bound on the rounding of single precision. */
#ifndef DCMPI_TESTS_GRADIENT_REF_H
#define DCMPI_TESTS_GRADIENT_REF_H

#include "dcmpi/nn.h"

/* What n rows x [n x D] add to the gradient of DC_LOSS_MSE of a global batch of B rows: value[n_params] and
 * bound[n_params], which single precision keeps to in any order of summation, with FMA or not. Bounds of ranks add up.
 * Activations: tanh and linear. */
void gradient_ref(const dc_net *net, const float *params, const float *x, int64_t n, int64_t B, double *value,
                  double *bound);

#endif
