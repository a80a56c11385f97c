/* Reconstruction losses: error, its gradient and the sum of squares in one pass.
 *
 * With e = xhat - x and loss = s * sum e^2 the gradient is dloss/dxhat = 2 s e. Squares are added in double: the rows
 * are cut into a fixed number of parts, added in order within a part and over the parts, so the loss does not depend on
 * the number of threads. */
#include "nn/nn_kern.h"
#include "nn/vec.h"

enum { LOSS_PARTS = 64 };

/* s of the loss, for a global batch of B rows of width D. */
static double loss_scale(dc_recon_loss kind, int64_t D, int64_t B)
{
    switch (kind) {
    case DC_LOSS_MSE:
        return 1.0 / ((double)B * (double)D);
    case DC_LOSS_MSE_SUM:
        return 1.0 / (double)B;
    case DC_LOSS_MSE_HALF_SUM:
        return 0.5 / (double)B;
    }
    DC_ASSERT(!"unknown reconstruction loss");
}

/* Gradient of one row; its squares are added to the lanes of *sum. */
static inline void loss_row(const float *x, const float *xhat, int64_t D, float two_s, float *dxhat, dc_dvec *sum)
{
    for (int64_t j = 0; j < D; j += DC_VEC_LANES) {
        const dc_vec e = dc_vec_load(xhat + j, D - j) - dc_vec_load(x + j, D - j);
        dc_vec_store(dxhat + j, D - j, e * two_s);
        const dc_dvec wide = __builtin_convertvector(e, dc_dvec);
        *sum += wide * wide;
    }
}

double dc_recon_loss_grad(dc_recon_loss kind, const float *x, const float *xhat, int64_t n, int64_t D, int64_t B,
                          float *dxhat)
{
    if (n == 0) return 0;
    const double s = loss_scale(kind, D, B);
    double part[LOSS_PARTS];
#pragma omp parallel for schedule(static)
    for (int64_t p = 0; p < LOSS_PARTS; p++) {
        dc_dvec sum = {0};
        for (int64_t i = n * p / LOSS_PARTS; i < n * (p + 1) / LOSS_PARTS; i++)
            loss_row(x + i * D, xhat + i * D, D, (float)(2 * s), dxhat + i * D, &sum);
        part[p] = 0;
        for (int l = 0; l < DC_VEC_LANES; l++) part[p] += sum[l];
    }
    double total = 0;
    for (int p = 0; p < LOSS_PARTS; p++) total += part[p];
    return s * total;
}
