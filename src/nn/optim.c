/* Optimizers and learning-rate schedules over ranges of the parameter slab.
 *
 * SGD in the convention of Keras and Caffe (the rate is inside the velocity) and of PyTorch (outside); they differ
 * after every change of the rate. Adam (Kingma and Ba, 2015) in Keras' form: w -= lr_t m1 / (sqrt(m2) + epsilon) with
 * lr_t = lr sqrt(1 - beta2^(t+1)) / (1 - beta1^(t+1)), so epsilon is added to the uncorrected root. No state but the
 * moments: a step number gives everything else.
 *
 * Biases may have a rate of their own: the range is updated piece by piece between them, which costs a few calls of the
 * kernel and leaves its loop alone. */
#include "dcmpi/optim.h"

#include <math.h>

#include "nn/nn_kern.h"

/* Share of the configured rate that the schedule leaves at step t. */
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
    return opt->lr * schedule_factor(opt, t, total) * warm;
}

double dc_opt_momentum(const dc_opt_config *opt, int64_t t)
{
    return t < opt->burnin ? opt->momentum * (double)t / (double)opt->burnin : opt->momentum;
}

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

static void update(const dc_opt_config *opt, dc_params *p, size_t lo, size_t hi, double lr, int64_t t)
{
    const float momentum = (float)dc_opt_momentum(opt, t);
    const float *g = p->grad + lo;
    float *w = p->value + lo, *m1 = p->m1 + lo, *m2 = p->m2 + lo;
    if (opt->kind == DC_OPT_SGD) {
        dc_sgd_update(hi - lo, (float)lr, momentum, g, m1, w);
    } else if (opt->kind == DC_OPT_SGD_TORCH) {
        dc_sgd_torch_update(hi - lo, (float)lr, momentum, g, m1, w);
    } else {
        const dc_adam_step s = adam_step(opt, lr, t);
        dc_adam_update(hi - lo, &s, g, m1, m2, w);
    }
}

void dc_opt_step(const dc_opt_config *opt, dc_params *p, size_t lo, size_t hi, int64_t t, int64_t total)
{
    DC_ASSERT(lo <= hi && hi <= p->n);
    const double lr = dc_opt_lr(opt, t, total), factor = opt->bias_lr == 0 ? 1 : opt->bias_lr;
    size_t at = lo;
    for (int b = 0; factor != 1 && b < p->n_biases; b++) {
        const size_t first = DC_MIN(DC_MAX(p->bias[b].lo, at), hi), last = DC_MIN(DC_MAX(p->bias[b].hi, first), hi);
        update(opt, p, at, first, lr, t);
        update(opt, p, first, last, factor * lr, t);
        at = last;
    }
    update(opt, p, at, hi, lr, t);
}
