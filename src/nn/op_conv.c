/* Convolution and transposed convolution of images (window.h) with weights W [patch x m].
 *
 * Convolution: the rows are images, the value has m channels at each place of the window:
 *   Y = act(P(X) W + b), P: the patches;  dX = P'(dT W'),  dW = P(X)' dT,  db = sums of dT over rows and places.
 * The transposed convolution is its reverse. Its rows have m channels at each place, its value is the image:
 *   Y = act(P'(X W') + b);  dX = P(dT) W,  dW = P(dT)' X,  db = sums of dT over rows and pixels.
 * P' adds patches to the image where P takes them from. So the gradient dX of the one, as a value, is the other without
 * a bias. Both have weights of the same shape, those that Keras gives the two.
 *
 * A thread takes a few images at a time, always as many, so that their patches stay in its cache; the bits of a row
 * depend on its place among them at most. Weight gradients are formed in sum/, which takes the patches anew. */
#include <string.h>

#include "dcmpi/la.h"
#include "nn/conv_kern.h"

static const dc_window *window_of(const dc_call *c)
{
    return &c->node->window;
}

static dc_act act_of(const dc_call *c)
{
    return (dc_act)c->node->whole[0];
}

/* Images whose patches are formed at once, a divisor of DC_ROW_TILE. */
static int64_t images_of(const dc_window *w)
{
    enum { FLOATS = 1 << 17, IMAGES = 16 };
    int64_t n = IMAGES;
    while (n > 1 && n * dc_window_places(w) * dc_window_patch(w) > FLOATS) n /= 2;
    return n;
}

static size_t lane(const dc_graph *g, const dc_node *x)
{
    (void)g;
    return (size_t)(images_of(&x->window) * dc_window_places(&x->window) * dc_window_patch(&x->window));
}

/* Channels of what lies at the places of the window; k: the operand that it is, or -1: the value. */
static int64_t channels(const dc_call *c, int k)
{
    return (k < 0 ? c->node->shape.width : dc_in_width(c, k)) / dc_window_places(window_of(c));
}

static double flops_of(const dc_node *x, int64_t width)
{
    return 2.0 * (double)dc_window_patch(&x->window) * (double)width;
}

/* ---- From images to places and back ------------------------------------------------------------------------------ */

/* Y[n x places x m] = P(X) W, or that is added. */
static void to_places(const dc_call *c, const float *X, int64_t n, int64_t m, float *patches, bool adds, float *Y)
{
    const dc_window *w = window_of(c);
    const int64_t places = dc_window_places(w), patch = dc_window_patch(w);
    for (int64_t i = 0; i < n; i++) dc_patches(w, X + i * dc_window_image(w), 0, patch, patches + i * places * patch);
    dc_gemm(DC_N, DC_N, n * places, m, patch, 1, patches, patch, c->in[1], m, adds ? 1 : 0, Y, m);
}

/* X[n images] = P'(Y W'), or that is added. */
static void to_images(const dc_call *c, const float *Y, int64_t n, int64_t m, float *patches, bool adds, float *X)
{
    const dc_window *w = window_of(c);
    const int64_t places = dc_window_places(w), patch = dc_window_patch(w), image = dc_window_image(w);
    dc_gemm(DC_N, DC_T, n * places, patch, m, 1, Y, m, c->in[1], m, 0, patches, patch);
    if (!adds) memset(X, 0, (size_t)(n * image) * sizeof *X);
    for (int64_t i = 0; i < n; i++) dc_patches_add(w, patches + i * places * patch, X + i * image);
}

/* ---- Convolution ------------------------------------------------------------------------------------------------- */

static void forward_images(const dc_call *c, int64_t lo, int64_t n, float *patches)
{
    const int64_t m = channels(c, -1), width = c->node->shape.width;
    float *out = c->out + lo * width;
    to_places(c, c->in[0] + lo * dc_window_image(window_of(c)), n, m, patches, false, out);
    if (c->node->n_in > 2) dc_pixels_bias_act(act_of(c), c->in[2], n * width / m, m, out);
}

static void backward_images(const dc_call *c, int64_t lo, int64_t n, float *patches)
{
    const int64_t m = channels(c, -1), width = c->node->shape.width;
    float *dT = c->dout + lo * width;
    dc_pixels_act_grad(act_of(c), c->out + lo * width, n * width, dT);
    if (c->din[0]) to_images(c, dT, n, m, patches, c->adds[0], c->din[0] + lo * dc_window_image(window_of(c)));
}

/* Inference: a tile is cut alike wherever it is computed. */
static void run_tile(const dc_call *c, dc_images f)
{
    const int64_t chunk = images_of(window_of(c));
    for (int64_t lo = 0; lo < c->tile->n; lo += chunk) f(c, lo, DC_MIN(chunk, c->tile->n - lo), c->lane);
}

static void forward(const dc_call *c)
{
    run_tile(c, forward_images);
}

static void forward_all(const dc_call *c, int64_t n)
{
    dc_images_run(c, n, images_of(window_of(c)), forward_images);
}

static void backward_all(const dc_call *c, int64_t n)
{
    dc_images_run(c, n, images_of(window_of(c)), backward_images);
}

static double flops(const dc_graph *g, const dc_node *x)
{
    (void)g;
    return flops_of(x, x->shape.width);
}

/* ---- Transposed convolution -------------------------------------------------------------------------------------- */

static void forward_images_back(const dc_call *c, int64_t lo, int64_t n, float *patches)
{
    const dc_window *w = window_of(c);
    float *out = c->out + lo * dc_window_image(w);
    to_images(c, c->in[0] + lo * dc_in_width(c, 0), n, channels(c, 0), patches, false, out);
    if (c->node->n_in > 2) dc_pixels_bias_act(act_of(c), c->in[2], n * w->h * w->w, w->c, out);
}

static void backward_images_back(const dc_call *c, int64_t lo, int64_t n, float *patches)
{
    const int64_t image = dc_window_image(window_of(c));
    float *dT = c->dout + lo * image;
    dc_pixels_act_grad(act_of(c), c->out + lo * image, n * image, dT);
    if (c->din[0]) to_places(c, dT, n, channels(c, 0), patches, c->adds[0], c->din[0] + lo * dc_in_width(c, 0));
}

static void forward_back(const dc_call *c)
{
    run_tile(c, forward_images_back);
}

static void forward_all_back(const dc_call *c, int64_t n)
{
    dc_images_run(c, n, images_of(window_of(c)), forward_images_back);
}

static void backward_all_back(const dc_call *c, int64_t n)
{
    dc_images_run(c, n, images_of(window_of(c)), backward_images_back);
}

/* Gradient of the bias: dT lies where the patches come from, not in the product. */
static void partial_back(const dc_call *c, int k, double *sum)
{
    const dc_window *w = window_of(c);
    (void)k;
    dc_pixels_sum(c->dout, c->tile->n * w->h * w->w, w->c, sum);
}

static double flops_back(const dc_graph *g, const dc_node *x)
{
    return flops_of(x, dc_node_in(g, x, 0)->shape.width);
}

/* ---- Gradients as values ----------------------------------------------------------------------------------------- */

static dc_val gradient(dc_graph *g, const dc_op *op, int i, dc_val dout)
{
    const dc_node x = g->node[i];
    const dc_val slope = dc_act_slope(g, (dc_act)x.whole[0], dout, (dc_val){i});
    const dc_val weight = (dc_use)(g, &dc_node_in(g, &x, 1)->tensor);
    const dc_node node = {
        .op = op, .n_in = 2, .in = {slope.id, weight.id}, .whole = {DC_ACT_LINEAR}, .window = x.window};
    return dc_record(g, node, dc_node_in(g, &x, 0)->shape);
}

static dc_val grad(dc_graph *g, int i, int k, dc_val dout)
{
    (void)k;
    return gradient(g, &dc_op_deconv, i, dout);
}

static dc_val grad_back(dc_graph *g, int i, int k, dc_val dout)
{
    (void)k;
    return gradient(g, &dc_op_conv, i, dout);
}

/* ---- Recording --------------------------------------------------------------------------------------------------- */

const dc_op dc_op_conv = {.name = "conv",
                          .forward = forward,
                          .forward_all = forward_all,
                          .backward_all = backward_all,
                          .product = DC_PRODUCT_CONV,
                          .grad = grad,
                          .lane = lane,
                          .flops = flops};
const dc_op dc_op_deconv = {.name = "deconv",
                            .forward = forward_back,
                            .forward_all = forward_all_back,
                            .backward_all = backward_all_back,
                            .partial = partial_back,
                            .product = DC_PRODUCT_DECONV,
                            .grad = grad_back,
                            .lane = lane,
                            .flops = flops_back};

dc_val dc_conv_layer(dc_graph *g, const dc_layer *layer, const dc_layer *owner, dc_pass pass, dc_val x)
{
    const bool trained = pass != DC_FIXED, normed = layer->norm != DC_NORM_NONE, apart = layer->act == DC_ACT_GELU;
    const dc_tensor weight = {owner->name, owner->weight, dc_layer_rows(owner), dc_layer_columns(owner), trained},
                    bias = {layer->name, layer->bias, 1, dc_layer_biases(layer), trained};
    dc_node node = {.op = layer->kind == DC_LAYER_CONV ? &dc_op_conv : &dc_op_deconv,
                    .n_in = 2,
                    .in = {x.id, (dc_use)(g, &weight).id},
                    .whole = {apart || normed ? DC_ACT_LINEAR : layer->act},
                    .window = layer->window};
    if (!normed) node.in[node.n_in++] = (dc_use)(g, &bias).id;
    const dc_val y = dc_record(g, node, (dc_shape){DC_ROWS, 1, layer->out});
    return normed ? dc_norm_layer(g, layer, pass, y) : apart ? dc_act_gelu(g, y) : y;
}
