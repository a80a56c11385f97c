/* Optimizers over a contiguous range of the parameter slab, and learning-rate schedules. Local; fused update kernels.
 *
 * g is the gradient, w the value. A step does the following, in the order of PyTorch's clip_grad_norm_() followed by
 * optimizer.step():
 *   1. clip_norm: multiplies the whole gradient of the step by clip_norm / |g| if |g| is larger (as
 *      tf.clip_by_global_norm; PyTorch divides by |g| + 1e-6). The executor of steps computes the norm, because the
 *      norm spans all ranks (outer.h).
 *   2. weight_decay: g += weight_decay w, the L2 term of PyTorch's SGD, Adam and RMSprop. It goes through the moments,
 *      unlike the decoupled decay of AdamW. Only the weights of layers decay. Biases do not (as with decay_mult: 0 of
 *      the DEC authors in Caffe, and kernel_regularizer in Keras), and neither do tensors of a method, such as centres.
 *   3. The rule, with the rate of this step. */
#ifndef DCMPI_OPTIM_H
#define DCMPI_OPTIM_H

#include "dcmpi/nn.h"

typedef enum {
    DC_OPT_SGD,            /* Keras, Caffe: v = m v - lr g; w += v */
    DC_OPT_SGD_TORCH,      /* PyTorch: v = m v + g; w -= lr v */
    DC_OPT_ADAM,           /* Keras: epsilon added to the uncorrected root, bias correction in the rate */
    DC_OPT_NESTEROV,       /* Keras, SGD(nesterov=True): v = m v - lr g; w += m v - lr g */
    DC_OPT_NESTEROV_TORCH, /* PyTorch, SGD(nesterov=True): v = m v + g; w -= lr (g + m v) */
    DC_OPT_RMSPROP /* Keras up to 2, PyTorch: s = rho s + (1 - rho) g^2; w -= lr g / (sqrt(s) + epsilon). Keras 3
                      and TensorFlow's own kernel have epsilon within the root */
} dc_opt_kind;
typedef enum { DC_SCHED_CONSTANT, DC_SCHED_STEP, DC_SCHED_COSINE } dc_sched_kind;

/* Factors of the learning rate by name: for a layer, for all layers of "encoder" or "decoder", or for a tensor of the
 * method. A deck lists up to DC_LIST_MAX of them; in addition each layer may set its own. */
enum { DC_FACTORS_MAX = 14 + DC_MAX_LAYERS };
typedef struct {
    int n;
    struct {
        char name[DC_LAYER_NAME_MAX];
        double factor;
    } v[DC_FACTORS_MAX];
} dc_factors;
/* Adds the factors that layers of the net set themselves (dc_layer_rules). */
void dc_factors_of_layers(const dc_net *net, dc_factors *factors);
/* Whether the factor of this name applies to this tensor: "encoder" applies to encoder_0, encoder_1 ... */
bool dc_factor_is_for(const char *name, const char *tensor);

/* One optimizer as the deck describes it; pretraining and clustering have one each. */
typedef struct {
    int kind; /* dc_opt_kind */
    double lr;
    double momentum;
    int64_t burnin; /* SGD, Nesterov: momentum rises linearly from 0 in `burnin` steps (Caffe DEC); 0: constant */
    double bias_lr; /* factor of the rate for biases (Caffe: 2); 0 means 1 */
    double beta1, beta2, rho, epsilon;
    double weight_decay, clip_norm; /* 0: none */
    dc_factors lr_factors;
    int schedule;     /* dc_sched_kind */
    int64_t lr_step;  /* steps between two multiplications by lr_factor (DC_SCHED_STEP) */
    double lr_factor; /* multiplier per lr_step; DC_SCHED_COSINE: final fraction of lr */
    double lr_min;    /* the schedule goes no lower */
    int64_t warmup;   /* steps of linear warm-up: step t < warmup has (t+1)/warmup of the rate */
} dc_opt_config;

/* Learning rate of step t (0-based) of `total` steps (cosine). */
double dc_opt_lr(const dc_opt_config *opt, int64_t t, int64_t total);
/* Momentum of step t. */
double dc_opt_momentum(const dc_opt_config *opt, int64_t t);
/* Number of moment slabs that the rule keeps: 1 for m1, 2 for m1 and m2. */
int dc_opt_moments(const dc_opt_config *opt);
/* The optimizer for one tensor: its rates times all factors that apply to the tensor. decays: whether weight_decay
 * applies. */
dc_opt_config dc_opt_of(const dc_opt_config *opt, const char *tensor, bool decays);
/* Updates value[lo, hi) from grad (which it overwrites) with moments m1, m2; t is 0-based (Adam's bias correction uses
 * t+1). Biases are not decayed. An element's result depends neither on the range nor on the number of threads. */
void dc_opt_step(const dc_opt_config *opt, dc_params *p, size_t lo, size_t hi, int64_t t, int64_t total);
/* The factor that scales a gradient of this norm down to clip_norm; 1 if the norm is not larger, or not finite. */
double dc_opt_clip(const dc_opt_config *opt, double norm);
/* grad[lo, hi) *= factor. */
void dc_opt_scale(dc_params *p, size_t lo, size_t hi, double factor);

#endif
