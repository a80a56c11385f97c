#include "ref/nn_ref.h"

#include <stdlib.h>
#include <string.h>

#include "dcmpi/rng.h"

void gemm_ref(dc_trans ta, dc_trans tb, int64_t m, int64_t n, int64_t k, double alpha, const float *A, int64_t lda,
              const float *B, int64_t ldb, double beta, double *C, int64_t ldc)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t l = 0; l < k; l++)
                sum += (double)(ta == DC_T ? A[l * lda + i] : A[i * lda + l]) *
                       (double)(tb == DC_T ? B[j * ldb + l] : B[l * ldb + j]);
            C[i * ldc + j] = alpha * sum + (beta == 0 ? 0 : beta * C[i * ldc + j]);
        }
}

/* Klambauer et al. 2017. */
static const double selu_alpha = 1.6732632423543772, selu_scale = 1.0507009873554805;

double act_ref(dc_act act, double t)
{
    switch (act) {
    case DC_ACT_RELU:
        return t > 0 ? t : 0;
    case DC_ACT_LEAKY_RELU:
        return t > 0 ? t : (double)DC_LEAKY_SLOPE * t;
    case DC_ACT_TANH:
        return tanh(t);
    case DC_ACT_SIGMOID:
        return 1 / (1 + exp(-t));
    case DC_ACT_ELU:
        return t > 0 ? t : expm1(t);
    case DC_ACT_SELU:
        return t > 0 ? selu_scale * t : selu_scale * selu_alpha * expm1(t);
    case DC_ACT_SOFTPLUS:
        return t > 30 ? t : log1p(exp(t));
    case DC_ACT_GELU:
        return t * erfc(-t / sqrt(2)) / 2;
    default:
        return t;
    }
}

double act_slope_ref(dc_act act, double y)
{
    switch (act) {
    case DC_ACT_RELU:
        return y > 0 ? 1 : 0;
    case DC_ACT_LEAKY_RELU:
        return y > 0 ? 1 : (double)DC_LEAKY_SLOPE;
    case DC_ACT_TANH:
        return 1 - y * y;
    case DC_ACT_SIGMOID:
        return y * (1 - y);
    case DC_ACT_ELU:
        return y > 0 ? 1 : y + 1;
    case DC_ACT_SELU:
        return y > 0 ? selu_scale : y + selu_scale * selu_alpha;
    case DC_ACT_SOFTPLUS:
        return -expm1(-y);
    default:
        return 1;
    }
}

void bias_act_ref(dc_act act, const float *b, int64_t n, int64_t width, const float *T, double *Y)
{
    for (int64_t i = 0; i < n * width; i++) Y[i] = act_ref(act, (double)T[i] + (double)b[i % width]);
}

void act_grad_ref(dc_act act, const float *Y, int64_t n, int64_t width, const float *dY, double *dT, double *db)
{
    for (int64_t j = 0; j < width; j++) db[j] = 0;
    for (int64_t i = 0; i < n * width; i++) {
        dT[i] = (double)dY[i] * act_slope_ref(act, (double)Y[i]);
        db[i % width] += dT[i];
    }
}

/* Straight from the definition, so accurate for moderate logits only. */
static double bce_ref(const float *x, const double *logit, int64_t n, int64_t D, int64_t B, double *dlogit)
{
    double sum = 0;
    for (int64_t i = 0; i < n * D; i++) {
        const double p = act_ref(DC_ACT_SIGMOID, logit[i]), target = (double)x[i];
        sum -= (target * log(p) + (1 - target) * log(1 - p)) / (double)(B * D);
        if (dlogit) dlogit[i] = (p - target) / (double)(B * D);
    }
    return sum;
}

double recon_loss_ref(dc_recon_loss kind, const float *x, const double *xhat, int64_t n, int64_t D, int64_t B,
                      double *dxhat)
{
    if (kind == DC_LOSS_BCE) return bce_ref(x, xhat, n, D, B, dxhat);
    const double scale = kind == DC_LOSS_MSE       ? 1.0 / (double)(B * D)
                         : kind == DC_LOSS_MSE_SUM ? 1.0 / (double)B
                                                   : 0.5 / (double)B;
    double sum = 0;
    for (int64_t i = 0; i < n * D; i++) {
        const double e = xhat[i] - (double)x[i];
        sum += scale * e * e;
        if (dxhat) dxhat[i] = 2 * scale * e;
    }
    return sum;
}

static void layer_ref(const dc_layer *layer, const double *value, int64_t n, const double *x, double *y)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < layer->out; j++) {
            double t = value[layer->bias + (size_t)j];
            for (int64_t k = 0; k < layer->in; k++)
                t += x[i * layer->in + k] *
                     value[layer->weight + (size_t)(layer->tied ? j * layer->in + k : k * layer->out + j)];
            y[i * layer->out + j] = act_ref(layer->act, t);
        }
}

void net_forward_ref(const dc_net *net, const double *value, int first, int last, int64_t n, const double *x, double *y)
{
    double *from = malloc((size_t)(n * net->layer[first].in + 1) * sizeof *from);
    memcpy(from, x, (size_t)(n * net->layer[first].in) * sizeof *from);
    for (int l = first; l < last; l++) {
        double *to = malloc((size_t)(n * net->layer[l].out + 1) * sizeof *to);
        layer_ref(&net->layer[l], value, n, from, to);
        free(from);
        from = to;
    }
    memcpy(y, from, (size_t)(n * net->layer[last - 1].out) * sizeof *y);
    free(from);
}

double dropout_ref(double rate, uint64_t seed, int64_t step, int site, int64_t row, int64_t unit, int64_t width)
{
    uint32_t word[4];
    dc_rng4(seed, DC_STREAM_DROPOUT, (uint64_t)(step * DC_MAX_LAYERS + site),
            (uint64_t)(row * ((width + 3) / 4) + unit / 4), word);
    return (double)word[unit % 4] < floor(rate * 0x1p32) ? 0 : 1 / (1 - rate);
}

void sgd_ref(size_t n, double lr, double momentum, const float *g, double *v, double *w)
{
    for (size_t i = 0; i < n; i++) {
        v[i] = momentum * v[i] - lr * (double)g[i];
        w[i] += v[i];
    }
}

void sgd_torch_ref(size_t n, double lr, double momentum, const float *g, double *v, double *w)
{
    for (size_t i = 0; i < n; i++) {
        v[i] = momentum * v[i] + (double)g[i];
        w[i] -= lr * v[i];
    }
}

void nesterov_ref(size_t n, double lr, double momentum, const float *g, double *v, double *w)
{
    for (size_t i = 0; i < n; i++) {
        v[i] = momentum * v[i] - lr * (double)g[i];
        w[i] += momentum * v[i] - lr * (double)g[i];
    }
}

void nesterov_torch_ref(size_t n, double lr, double momentum, const float *g, double *v, double *w)
{
    for (size_t i = 0; i < n; i++) {
        v[i] = momentum * v[i] + (double)g[i];
        w[i] -= lr * ((double)g[i] + momentum * v[i]);
    }
}

void rmsprop_ref(size_t n, double lr, double rho, double epsilon, const float *g, double *square, double *w)
{
    for (size_t i = 0; i < n; i++) {
        square[i] = rho * square[i] + (1 - rho) * (double)g[i] * (double)g[i];
        w[i] -= lr * (double)g[i] / (sqrt(square[i]) + epsilon);
    }
}

void adam_ref(size_t n, double lr, double beta1, double beta2, double epsilon, int64_t t, const float *g, double *m1,
              double *m2, double *w)
{
    const double lr_t = lr * sqrt(1 - pow(beta2, (double)t + 1)) / (1 - pow(beta1, (double)t + 1));
    for (size_t i = 0; i < n; i++) {
        m1[i] = beta1 * m1[i] + (1 - beta1) * (double)g[i];
        m2[i] = beta2 * m2[i] + (1 - beta2) * (double)g[i] * (double)g[i];
        w[i] -= lr_t * m1[i] / (sqrt(m2[i]) + epsilon);
    }
}
