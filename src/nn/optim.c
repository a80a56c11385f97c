/* Optimizers and learning-rate schedules over ranges of the parameter slab.
 *
 * SGD comes in the convention of Keras and Caffe (the velocity includes the rate) and in the convention of PyTorch (it
 * does not). The two differ after every change of the rate, also with Nesterov momentum. Adam (Kingma and Ba, 2015) has
 * Keras' form: w -= lr_t m1 / (sqrt(m2) + epsilon) with lr_t = lr sqrt(1 - beta2^(t+1)) / (1 - beta1^(t+1)), so epsilon
 * is added to the uncorrected root. RMSprop (Tieleman and Hinton, 2012) has no momentum. The moments are the only
 * state: everything else follows from the step number.
 *
 * Biases may have a rate of their own, and weight decay never applies to them. So a range is updated in pieces, biases
 * apart from weights. This costs a few more kernel calls, but the kernels' loops stay simple. */
#include "dcmpi/optim.h"

#include <math.h>
#include <string.h>

#include "nn/nn_kern.h"

/* The factor by which the schedule multiplies the configured rate at step t. */
static double schedule_factor(const dc_opt_config *opt, int64_t t, int64_t total)
{
    if (opt->schedule == DC_SCHED_STEP && opt->lr_step > 0) {
        const int64_t drops = t / opt->lr_step;
        return pow(opt->lr_factor, (double)drops);
    }
    if (opt->schedule == DC_SCHED_COSINE && total > 0) {
        const double done = (double)DC_MIN(t, total) / (double)total;
        return opt->lr_factor + (1 - opt->lr_factor) * 0.5 * (1 + cos(3.14159265358979323846 * done));
    }
    return 1;
}

double dc_opt_lr(const dc_opt_config *opt, int64_t t, int64_t total)
{
    const double warm = t < opt->warmup ? (double)(t + 1) / (double)opt->warmup : 1;
    return fmax(opt->lr * schedule_factor(opt, t, total), opt->lr_min) * warm;
}

double dc_opt_momentum(const dc_opt_config *opt, int64_t t)
{
    return t < opt->burnin ? opt->momentum * (double)t / (double)opt->burnin : opt->momentum;
}

int dc_opt_moments(const dc_opt_config *opt)
{
    return opt->kind == DC_OPT_ADAM ? 2 : 1;
}

/* ---- One tensor -------------------------------------------------------------------------------------------------- */

bool dc_factor_is_for(const char *name, const char *tensor)
{
    const size_t len = strlen(name);
    if (strncmp(name, tensor, len) != 0) return false;
    if (tensor[len] == 0) return true;
    return tensor[len] == '_' && tensor[len + 1] && tensor[len + 1 + strspn(tensor + len + 1, "0123456789")] == 0;
}

void dc_factors_of_layers(const dc_net *net, dc_factors *factors)
{
    for (int l = 0; l < net->n_layers; l++) {
        const dc_layer *layer = &net->layer[l];
        if (!layer->rules.has_rate) continue;
        DC_ASSERT(factors->n < DC_FACTORS_MAX);
        memcpy(factors->v[factors->n].name, layer->name, sizeof layer->name);
        factors->v[factors->n++].factor = layer->rules.rate;
    }
}

dc_opt_config dc_opt_of(const dc_opt_config *opt, const char *tensor, bool decays)
{
    dc_opt_config own = *opt;
    for (int i = 0; i < opt->lr_factors.n; i++) {
        if (!dc_factor_is_for(opt->lr_factors.v[i].name, tensor)) continue;
        own.lr *= opt->lr_factors.v[i].factor;
        own.lr_min *= opt->lr_factors.v[i].factor;
    }
    if (!decays) own.weight_decay = 0;
    return own;
}

double dc_opt_clip(const dc_opt_config *opt, double norm)
{
    return opt->clip_norm > 0 && isfinite(norm) && norm > opt->clip_norm ? opt->clip_norm / norm : 1;
}

void dc_opt_scale(dc_params *p, size_t lo, size_t hi, double factor)
{
    DC_ASSERT(lo <= hi && hi <= p->n);
    dc_scale_floats(hi - lo, (float)factor, p->grad + lo);
}

/* ---- Update ------------------------------------------------------------------------------------------------------ */

static dc_adam_step adam_step(const dc_opt_config *opt, double lr, int64_t t)
{
    const double k = (double)(t + 1);
    const double corrected = lr * sqrt(1 - pow(opt->beta2, k)) / (1 - pow(opt->beta1, k));
    return (dc_adam_step){.lr = (float)corrected,
                          .beta1 = (float)opt->beta1,
                          .one_minus_beta1 = (float)(1 - opt->beta1),
                          .beta2 = (float)opt->beta2,
                          .one_minus_beta2 = (float)(1 - opt->beta2),
                          .epsilon = (float)opt->epsilon};
}

static dc_rmsprop_step rmsprop_step(const dc_opt_config *opt, double lr)
{
    return (dc_rmsprop_step){.lr = (float)lr,
                             .rho = (float)opt->rho,
                             .one_minus_rho = (float)(1 - opt->rho),
                             .epsilon = (float)opt->epsilon};
}

static void update(const dc_opt_config *opt, dc_params *p, size_t lo, size_t hi, double rate, int64_t t)
{
    const size_t n = hi - lo;
    const float lr = (float)rate, momentum = (float)dc_opt_momentum(opt, t), *g = p->grad + lo;
    float *w = p->value + lo, *m1 = p->m1 + lo, *m2 = p->m2 + lo;
    switch ((dc_opt_kind)opt->kind) {
    case DC_OPT_SGD:
        dc_sgd_update(n, lr, momentum, g, m1, w);
        break;
    case DC_OPT_SGD_TORCH:
        dc_sgd_torch_update(n, lr, momentum, g, m1, w);
        break;
    case DC_OPT_ADAM: {
        const dc_adam_step s = adam_step(opt, rate, t);
        dc_adam_update(n, &s, g, m1, m2, w);
        break;
    }
    case DC_OPT_NESTEROV:
        dc_nesterov_update(n, lr, momentum, g, m1, w);
        break;
    case DC_OPT_NESTEROV_TORCH:
        dc_nesterov_torch_update(n, lr, momentum, g, m1, w);
        break;
    case DC_OPT_RMSPROP: {
        const dc_rmsprop_step s = rmsprop_step(opt, rate);
        dc_rmsprop_update(n, &s, g, m1, w);
        break;
    }
    }
}

/* [lo, hi) must contain no bias that is to be updated differently from weights. */
static void update_weights(const dc_opt_config *opt, dc_params *p, size_t lo, size_t hi, double rate, int64_t t)
{
    if (opt->weight_decay != 0) dc_decay(hi - lo, (float)opt->weight_decay, p->value + lo, p->grad + lo);
    update(opt, p, lo, hi, rate, t);
}

void dc_opt_step(const dc_opt_config *opt, dc_params *p, size_t lo, size_t hi, int64_t t, int64_t total)
{
    DC_ASSERT(lo <= hi && hi <= p->n);
    const double lr = dc_opt_lr(opt, t, total), factor = opt->bias_lr == 0 ? 1 : opt->bias_lr;
    const bool apart = factor != 1 || opt->weight_decay != 0;
    size_t at = lo;
    for (int b = 0; apart && b < p->n_biases; b++) {
        const size_t first = DC_MIN(DC_MAX(p->bias[b].lo, at), hi), last = DC_MIN(DC_MAX(p->bias[b].hi, first), hi);
        update_weights(opt, p, at, first, lr, t);
        update(opt, p, first, last, factor * lr, t);
        at = last;
    }
    update_weights(opt, p, at, hi, lr, t);
}
