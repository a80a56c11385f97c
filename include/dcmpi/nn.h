/* Fully connected autoencoder: shapes, parameters, forward, backward, losses. Arrays in, arrays out: no communication.
 *
 * Layers 0..n_encoder-1 are the encoder (D -> L), the rest the decoder (L -> D). A layer computes Y = act(X W + b) with
 * W [in x out] row-major. The parameter slab is [decoder | encoder | extra]: pretraining trains the first two, DEC the
 * last two, IDEC all three, each one contiguous range. `extra` belongs to the method (cluster centres). */
#ifndef DCMPI_NN_H
#define DCMPI_NN_H

#include "dcmpi/base.h"

typedef enum { DC_ACT_LINEAR, DC_ACT_RELU, DC_ACT_LEAKY_RELU, DC_ACT_TANH, DC_ACT_SIGMOID } dc_act;
/* "relu" and so on; find: false if there is no such activation. */
const char *dc_act_name(dc_act act);
bool dc_act_find(const char *name, dc_act *act);
typedef enum {
    DC_INIT_FAN_IN,       /* U(+-sqrt(1/fan_in)): DEC-keras, VarianceScaling(1/3, fan_in, uniform) */
    DC_INIT_GLOROT,       /* U(+-sqrt(6/(fan_in+fan_out))) */
    DC_INIT_XAVIER_SQRT2, /* glorot with gain sqrt(2): pt-sdae */
    DC_INIT_NORMAL        /* N(0, 0.01^2): Caffe DEC */
} dc_init;
/* Reconstruction losses, per element e = xhat - x; B is the global batch. */
typedef enum {
    DC_LOSS_MSE,          /* sum e^2 / (B D): Keras, PyTorch */
    DC_LOSS_MSE_SUM,      /* sum e^2 / B: ClustPy, DKM, DCN */
    DC_LOSS_MSE_HALF_SUM, /* sum e^2 / (2 B): Caffe; but the Caffe of the DEC authors has half of DC_LOSS_MSE */
    DC_LOSS_BCE           /* -sum x log p + (1-x) log(1-p) / (B D), p = sigmoid(logit): Keras, PyTorch. x in [0, 1] */
} dc_recon_loss;

enum { DC_MAX_LAYERS = 32, DC_LAYER_NAME_MAX = 32 };
#define DC_LEAKY_SLOPE 0.01f /* of DC_ACT_LEAKY_RELU below 0 */

typedef struct {
    int64_t in, out;
    dc_act act;
    size_t weight, bias;          /* offsets into the slab, floats */
    char name[DC_LAYER_NAME_MAX]; /* "encoder_0" ... "decoder_3": names in run.h5 */
} dc_layer;

typedef struct {
    int n_layers, n_encoder;
    dc_layer layer[DC_MAX_LAYERS];
    int64_t D, L;
    size_t n_decoder, n_encoder_params; /* floats */
    size_t n_params;                    /* their sum */
} dc_net;

/* hidden[n_hidden] widths of the encoder; the decoder mirrors them. Errors: DC_ERR_USAGE for too many layers or widths
 * < 1. */
DC_CHECKED dc_status dc_net_init(dc_net *net, int64_t D, const int64_t *hidden, int n_hidden, int64_t L,
                                 dc_act hidden_act, dc_act latent_act, dc_act output_act);
/* The network that training passes run with this loss: `net` itself, but for DC_LOSS_BCE a sigmoid output layer stops
 * at its logits, because the loss of a saturated sigmoid cannot be had from its value. Same parameters. */
dc_net dc_net_for_loss(const dc_net *net, dc_recon_loss loss);
/* Weights by the scheme, biases 0; a function of (seed, layer, element). */
void dc_net_init_weights(const dc_net *net, dc_init scheme, uint64_t seed, float *value);
/* FLOP of forward + backward per row for layers [first, last): three GEMMs a layer, but two for layer `first`, whose
 * input gradient nobody needs. */
double dc_net_train_flops(const dc_net *net, int first, int last);
double dc_net_forward_flops(const dc_net *net, int first, int last);

/* Parameter slab: value, grad and two moments, n = net params + extra. All zeroed by create. Gradient and moments take
 * memory only where they are written to. */
typedef struct {
    size_t n, n_extra;
    float *value, *grad, *m1, *m2;
    int n_biases;
    struct {
        size_t lo, hi;
    } bias[DC_MAX_LAYERS]; /* floats [lo, hi) of the slab are biases; ascending */
} dc_params;
DC_CHECKED dc_status dc_params_create(dc_params *p, const dc_net *net, size_t n_extra); /* DC_ERR_MEMORY */
void dc_params_release(dc_params *p);
/* Zeros both moments and gives their memory back until an update. */
void dc_params_reset_moments(dc_params *p);

/* Activations of up to n_max rows. act[l] is the input of layer l, act[n_layers] the output. */
typedef struct {
    int64_t n_max;
    float *act[DC_MAX_LAYERS + 1];
    float *delta[2];
    float *slab;
} dc_net_work;
/* first/last: only these layers' buffers are made; backward: also the deltas. */
DC_CHECKED dc_status dc_net_work_create(dc_net_work *w, const dc_net *net, int first, int last, int64_t n_max,
                                        bool backward);
void dc_net_work_release(dc_net_work *w);

/* Layers [first, last) on n <= n_max rows whose input is already in w->act[first]. Output in w->act[last]. */
void dc_net_forward(const dc_net *net, const float *value, dc_net_work *w, int first, int last, int64_t n);
/* Backward through layers [first, last). dout [n x out of layer last-1] = dLoss/d(output of layer last-1) and is
 * overwritten; gradients of the layers' parameters are written (not added) into grad. dx [n x in of layer first]
 * gets dLoss/d(input); NULL: not wanted. dout may be w->delta[0]; dx must lie outside w. n = 0 writes zero gradients.
 */
void dc_net_backward(const dc_net *net, const float *value, float *grad, dc_net_work *w, int first, int last, int64_t n,
                     float *dout, float *dx);

/* The same passes on fixed tiles: n is a multiple of DC_ROW_TILE (la.h), and the bits of a row depend on its place
 * modulo DC_ROW_TILE alone, not on other rows, n or threads. delta[l] [n x out of layer l]: delta[last-1] comes as
 * dLoss/d(output) and goes, as all others, as dLoss/d(pre-activation); dx as in dc_net_backward. No weight gradients.
 * transposed: scratch, dc_net_transposed_floats(net, last) floats. */
void dc_net_forward_tiled(const dc_net *net, const float *value, dc_net_work *w, int first, int last, int64_t n);
void dc_net_backward_tiled(const dc_net *net, const float *value, const dc_net_work *w, int first, int last, int64_t n,
                           float *const *delta, float *dx, float *transposed);
size_t dc_net_transposed_floats(const dc_net *net, int last);

/* Reconstruction: dxhat [n x D] = dLoss/dxhat for a global batch of B > 0 rows, of which x, xhat [n x D] are local;
 * returns this rank's part of the loss. For DC_LOSS_BCE xhat are the logits and dxhat is their gradient
 * (dc_net_for_loss). The same bits for every number of threads. dxhat may be xhat. */
double dc_recon_loss_grad(dc_recon_loss kind, const float *x, const float *xhat, int64_t n, int64_t D, int64_t B,
                          float *dxhat);

/* ---- Dropout ---------------------------------------------------------------------------------------------------- */

/* Inverted dropout (Srivastava et al., JMLR 2014): a unit is 0 with probability `rate`, else times 1/(1-rate). The mask
 * is a function of (seed, step, site, global row, unit). */
typedef struct {
    double rate; /* in [0, 1) */
    uint64_t seed;
    int64_t step;
    int site;          /* which of the network's dropouts, 0 <= site < DC_MAX_LAYERS */
    dc_gidx first_row; /* global number of local row 0 */
} dc_dropout;
/* Y = mask * X for n local rows [n x width] with local row numbers rows[n]; Y may be X. The gradient of dropout is
 * dropout: dX = mask * dY. A NaN stays a NaN. Threaded, the same bits for every number of threads. */
void dc_dropout_apply(const dc_dropout *mask, const int64_t *rows, int64_t n, int64_t width, const float *X, float *Y);

#endif
