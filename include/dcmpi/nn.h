/* Autoencoder of dense and convolutional layers: shapes, parameters, initial weights. What a step computes with them is
 * recorded (graph.h).
 *
 * Layers 0..n_encoder-1 are the encoder (D -> L), the rest the decoder (L -> D). A dense layer computes Y = act(X W +
 * b) with W [in x out] row-major; with a norm, Y = act(gamma norm(X W) + b). A tied layer has its own bias and the
 * transposed weights of its mirror; the mirror of layer l is layer n_layers-1-l. The parameter slab is [decoder |
 * encoder | extra]: pretraining trains the first two, DEC the last two, IDEC all three. `extra` belongs to the method
 * (cluster centres). */
#ifndef DCMPI_NN_H
#define DCMPI_NN_H

#include "dcmpi/window.h"

typedef enum {
    DC_ACT_LINEAR,
    DC_ACT_RELU,
    DC_ACT_LEAKY_RELU,
    DC_ACT_TANH,
    DC_ACT_SIGMOID,
    DC_ACT_ELU,      /* exp(t) - 1 below 0 (Clevert, Unterthiner, Hochreiter 2016) */
    DC_ACT_SELU,     /* scaled elu (Klambauer et al. 2017) */
    DC_ACT_SOFTPLUS, /* log(1 + exp(t)) */
    DC_ACT_GELU      /* t Phi(t), Phi the normal distribution function (Hendrycks and Gimpel 2016) */
} dc_act;
enum { DC_ACTS = DC_ACT_GELU + 1 };
/* "relu" etc.; find: false if there is no such activation. */
const char *dc_act_name(dc_act act);
bool dc_act_find(const char *name, dc_act *act);
typedef enum {
    DC_INIT_FAN_IN,       /* U(+-sqrt(1/fan_in)): DEC-keras, VarianceScaling(1/3, fan_in, uniform) */
    DC_INIT_GLOROT,       /* U(+-sqrt(6/(fan_in+fan_out))) */
    DC_INIT_XAVIER_SQRT2, /* glorot with gain sqrt(2): pt-sdae */
    DC_INIT_NORMAL,       /* N(0, 0.01^2): Caffe DEC */
    DC_INIT_PCA           /* principal directions of the layer's inputs (dc_model_init_pca); until then as fan_in */
} dc_init;
const char *dc_init_name(dc_init init);
bool dc_init_find(const char *name, dc_init *init);
/* What is done to a layer's product before bias and activation. */
typedef enum { DC_NORM_NONE, DC_NORM_BATCH, DC_NORM_LAYER } dc_norm;
/* "bn", "ln": the word in a network's text. */
const char *dc_norm_name(dc_norm norm);
bool dc_norm_find(const char *name, dc_norm *norm);
/* Reconstruction losses, per element e = xhat - x; B is the global batch. */
typedef enum {
    DC_LOSS_MSE,          /* sum e^2 / (B D): Keras, PyTorch */
    DC_LOSS_MSE_SUM,      /* sum e^2 / B: ClustPy, DKM, DCN */
    DC_LOSS_MSE_HALF_SUM, /* sum e^2 / (2 B): Caffe; but the DEC authors' Caffe uses half of DC_LOSS_MSE */
    DC_LOSS_BCE           /* -sum x log p + (1-x) log(1-p) / (B D), p = sigmoid(logit): Keras, PyTorch. x in [0, 1] */
} dc_recon_loss;

enum { DC_MAX_LAYERS = 32, DC_MAX_BIASES = 2 * DC_MAX_LAYERS, DC_LAYER_NAME_MAX = 32 };
#define DC_LEAKY_SLOPE 0.01f /* of DC_ACT_LEAKY_RELU below 0 */
/* selu(t) is SCALE t above 0, DEPTH (exp(t) - 1) below. */
#define DC_SELU_SCALE 1.05070098735548049342f
#define DC_SELU_DEPTH 1.75809934084737685994f

/* A layer's own settings that override the general ones. */
typedef struct {
    bool has_init, has_rate;
    dc_init init;
    double rate; /* factor of the learning rate */
} dc_layer_rules;

/* With images (window.h), the window moves over the input of a convolution or pooling layer, and over the output of a
 * transposed convolution, which is the reverse of a convolution. */
typedef enum { DC_LAYER_DENSE, DC_LAYER_CONV, DC_LAYER_DECONV, DC_LAYER_MAXPOOL, DC_LAYER_AVGPOOL } dc_layer_kind;
/* "dense" ... */
const char *dc_layer_kind_name(dc_layer_kind kind);
typedef enum { DC_PAD_SAME, DC_PAD_VALID, DC_PAD_NUMBER } dc_padding; /* as Keras; as PyTorch */
typedef struct {
    int64_t h, w, c; /* height, width, channels; c 0: no image */
} dc_image;

typedef struct {
    dc_layer_kind kind;
    int64_t in, out;
    dc_act act;
    dc_norm norm;
    dc_layer_rules rules;
    dc_window window;             /* of all kinds but dense */
    int64_t channels;             /* of what lies at the places of the window */
    dc_padding padding;           /* as its text says */
    dc_image image;               /* what it gives, if that is an image */
    bool tied;                    /* no weights of its own */
    size_t weight, bias;          /* offsets into the slab, in floats; a tied layer has the weights of its mirror */
    size_t gamma, mean;           /* of a norm, behind the bias; batch norm: running mean, then running variance */
    char name[DC_LAYER_NAME_MAX]; /* "encoder_0" ... "decoder_3": names in run.h5 */
} dc_layer;

typedef struct {
    int n_layers, n_encoder;
    dc_layer layer[DC_MAX_LAYERS];
    int64_t D, L;
    size_t n_decoder, n_encoder_params; /* floats */
    size_t n_params;                    /* their sum */
    int stream;                         /* random number stream of its first layer */
} dc_net;

/* Weights are a matrix [rows x columns] without gaps: [in x out] of a dense layer, [kh * kw * c x channels] with a
 * window. Pooling layers have none, 0 x 0, and no bias. */
static inline bool dc_layer_has_window(const dc_layer *layer)
{
    return layer->kind != DC_LAYER_DENSE;
}
static inline bool dc_layer_is_pool(const dc_layer *layer)
{
    return layer->kind == DC_LAYER_MAXPOOL || layer->kind == DC_LAYER_AVGPOOL;
}
static inline int64_t dc_layer_rows(const dc_layer *layer)
{
    return dc_layer_is_pool(layer) ? 0 : dc_layer_has_window(layer) ? dc_window_patch(&layer->window) : layer->in;
}
static inline int64_t dc_layer_columns(const dc_layer *layer)
{
    return dc_layer_is_pool(layer) ? 0 : dc_layer_has_window(layer) ? layer->channels : layer->out;
}
static inline int64_t dc_layer_biases(const dc_layer *layer)
{
    return dc_layer_is_pool(layer)          ? 0
           : layer->kind == DC_LAYER_CONV   ? layer->channels
           : layer->kind == DC_LAYER_DECONV ? layer->window.c
                                            : layer->out;
}
/* Floating-point operations of its products, forward, per row. */
double dc_layer_flops(const dc_layer *layer);
/* Vectors of a layer that is no pooling, from its bias on: the bias, of a norm gamma, of batch norm the running mean
 * and variance. */
static inline int dc_layer_vectors(const dc_layer *layer)
{
    return layer->norm == DC_NORM_BATCH ? 4 : layer->norm == DC_NORM_LAYER ? 2 : 1;
}

/* The mirror of layer l; has the transposed weights of l if one of the two is tied. */
static inline const dc_layer *dc_net_mirror(const dc_net *net, int l)
{
    return &net->layer[net->n_layers - 1 - l];
}

/* hidden[n_hidden]: hidden widths of the encoder; the decoder mirrors them. Errors: DC_ERR_USAGE for too many layers or
 * widths < 1. */
DC_CHECKED dc_status dc_net_init(dc_net *net, int64_t D, const int64_t *hidden, int n_hidden, int64_t L,
                                 dc_act hidden_act, dc_act latent_act, dc_act output_act);
/* The network for training with this loss: `net` itself, except that for DC_LOSS_BCE a sigmoid output layer gives its
 * logits, because the loss of a saturated sigmoid cannot be computed from its value. Same parameters. */
dc_net dc_net_for_loss(const dc_net *net, dc_recon_loss loss);
/* Whether the decoder mirrors the encoder: each layer l has the transposed shape of layer n_layers-1-l. */
bool dc_net_is_mirror(const dc_net *net);
/* Sets weights by the scheme, or by the layer's own scheme, and biases to 0; a function of (seed, layer, element). */
void dc_net_init_weights(const dc_net *net, dc_init scheme, uint64_t seed, float *value);
/* FLOP of forward + backward per row for layers [first, last): three GEMMs per layer, but two for layer `first`, whose
 * input gradient is not needed. */
double dc_net_train_flops(const dc_net *net, int first, int last);
double dc_net_forward_flops(const dc_net *net, int first, int last);

/* Parameter slab: value, grad and two moments, n = net params + extra. All zeroed by create. Gradient and moments take
 * memory only where they are written to. */
typedef struct {
    size_t n, n_extra;
    float *value, *grad, *m1, *m2;
    bool shares; /* value and grad belong to another dc_params */
    int n_biases;
    struct {
        size_t lo, hi;
    } bias[DC_MAX_BIASES]; /* floats [lo, hi) of the slab are biases; ascending */
} dc_params;
DC_CHECKED dc_status dc_params_create(dc_params *p, const dc_net *net, size_t n_extra); /* DC_ERR_MEMORY */
/* Like dc_params_create(), but all arrays are NULL. */
void dc_params_shape(dc_params *p, const dc_net *net, size_t n_extra);
/* Adds the biases of another net to the list; they must lie after those already listed. */
void dc_params_add_biases(dc_params *p, const dc_net *net);
/* Shares values and gradients with *of but has its own moments, for a step with its own optimizer. *of must outlive it.
 * DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_params_share(dc_params *p, const dc_params *of);
void dc_params_release(dc_params *p);
/* Zeros gradient and moments and gives their memory back until the next step. */
void dc_params_reset(dc_params *p);

#endif
