/* Optimizers over a contiguous range of the parameter slab, and learning-rate schedules. Local; fused update kernels.
 */
#ifndef DCMPI_OPTIM_H
#define DCMPI_OPTIM_H

#include "dcmpi/nn.h"

typedef enum {
    DC_OPT_SGD,       /* Keras, Caffe: v = m v - lr g; w += v */
    DC_OPT_SGD_TORCH, /* PyTorch: v = m v + g; w -= lr v */
    DC_OPT_ADAM       /* Keras: epsilon added to the uncorrected root, bias correction in the rate */
} dc_opt_kind;
typedef enum { DC_SCHED_CONSTANT, DC_SCHED_STEP, DC_SCHED_COSINE } dc_sched_kind;

/* One optimizer as the deck describes it; pretraining and clustering have one each. */
typedef struct {
    int kind; /* dc_opt_kind */
    double lr;
    double momentum;
    int64_t burnin; /* SGD: the momentum rises linearly from 0 over the first `burnin` steps (Caffe DEC); 0: never */
    double bias_lr; /* factor of the rate for biases (Caffe: 2); 0: as 1 */
    double beta1, beta2, epsilon;
    int schedule;     /* dc_sched_kind */
    int64_t lr_step;  /* steps between factors (DC_SCHED_STEP) */
    double lr_factor; /* multiplier per lr_step; DC_SCHED_COSINE: final fraction of lr */
    int64_t warmup;   /* steps of linear warm-up: step t < warmup has (t+1)/warmup of the rate */
} dc_opt_config;

/* Learning rate of step t (0-based) of `total` steps (cosine). */
double dc_opt_lr(const dc_opt_config *opt, int64_t t, int64_t total);
/* Momentum of step t. */
double dc_opt_momentum(const dc_opt_config *opt, int64_t t);
/* Update value[lo, hi) from grad with moments m1, m2; t is 0-based (Adam's bias correction uses t+1). An
 * element's result depends neither on the range nor on the number of threads. */
void dc_opt_step(const dc_opt_config *opt, dc_params *p, size_t lo, size_t hi, int64_t t, int64_t total);

#endif
