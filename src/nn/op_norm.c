/* Norms before an activation. Batch norm (Ioffe and Szegedy, ICML 2015):
 *   y = act(gamma (x - mean) / sqrt(variance + e) + bias)
 * where mean and variance of a column are those of the batch, over all ranks, or running ones. They are operands, so
 * their gradients go on to the rows of the whole batch. Images are norm'd by channel, over rows and pixels: the vectors
 * have as many values as there are channels. Layer norm (Ba, Kiros, Hinton, 2016) takes the moments over the columns of
 * a row; gamma and bias of images are those of a channel, too (PyTorch's GroupNorm with one group). */
#include <math.h>

#include "dcmpi/op.h"
#include "nn/act.h"

/* As in PyTorch: what is added to a variance, and the share of its old value that a running moment keeps. */
static const double EPSILON = 1e-5, KEPT = 0.9;
enum { COLUMNS = 256 }; /* columns at a time */

static dc_act act_of(const dc_call *c)
{
    return (dc_act)c->node->whole[0];
}

static inline void put(float *d, int64_t count, bool adds, dc_vec v)
{
    dc_vec_store(d, count, adds ? dc_vec_load(d, count) + v : v);
}

/* Pixels of a row; 1 if the rows are no images. */
static int64_t pixels_of(const dc_call *c, int64_t channels)
{
    return dc_in_width(c, 0) / channels;
}

/* ---- Moments of the batch. By the mean the variance has no slope, because the mean is where it is least. --------- */

static double mean_of(const dc_tile *tile)
{
    return 1 / (double)tile->B;
}

static void add_pixels(const dc_call *c, double *sum)
{
    const int64_t width = c->node->shape.width, pixels = pixels_of(c, width);
    for (int64_t i = 0; i < c->tile->n * pixels; i++)
        for (int64_t j = 0; j < width; j++) sum[j] += (double)c->in[0][i * width + j] / (double)pixels;
}

static void spread_pixels(const dc_call *c)
{
    const int64_t width = c->node->shape.width, pixels = pixels_of(c, width);
    const double share = mean_of(c->tile) / (double)pixels;
    for (int64_t i = 0; c->din[0] && i < c->tile->n * pixels; i++)
        for (int64_t j = 0; j < width; j++) {
            float *d = &c->din[0][i * width + j];
            *d = (c->adds[0] ? *d : 0) + (float)(share * (double)c->dout[j]);
        }
}

static const dc_op channel_mean = {
    .name = "channel-mean", .reach = DC_REACH_SUM, .add = add_pixels, .share = mean_of, .backward = spread_pixels};

static void add_squares(const dc_call *c, double *sum)
{
    const int64_t width = dc_in_width(c, 1), pixels = pixels_of(c, width);
    for (int64_t i = 0; i < c->tile->n * pixels; i++)
        for (int64_t j = 0; j < width; j++) {
            const double e = (double)c->in[0][i * width + j] - (double)c->in[1][j];
            sum[j] += e * e / (double)pixels;
        }
}

static void spread_squares(const dc_call *c)
{
    const int64_t width = dc_in_width(c, 1), pixels = pixels_of(c, width);
    const double share = 2 * mean_of(c->tile) / (double)pixels;
    for (int64_t i = 0; c->din[0] && i < c->tile->n * pixels; i++)
        for (int64_t j = 0; j < width; j++) {
            const double e = (double)c->in[0][i * width + j] - (double)c->in[1][j];
            float *d = &c->din[0][i * width + j];
            *d = (c->adds[0] ? *d : 0) + (float)(share * e * (double)c->dout[j]);
        }
}

static const dc_op variance = {.name = "variance",
                               .reach = DC_REACH_SUM,
                               .constant = 2,
                               .add = add_squares,
                               .share = mean_of,
                               .backward = spread_squares};

/* ---- Batch norm -------------------------------------------------------------------------------------------------- */

enum { X, MEAN, VARIANCE, GAMMA, BIAS };

/* What a piece of columns has in common: gamma / sqrt(variance + e). */
static void slopes_of(const dc_call *c, int64_t j0, int64_t count, float *slope)
{
    for (int64_t j = 0; j < count; j++)
        slope[j] = (float)((double)c->in[GAMMA][j0 + j] / sqrt((double)c->in[VARIANCE][j0 + j] + EPSILON));
}

static void batch_norm(const dc_call *c)
{
    const int64_t width = dc_in_width(c, MEAN), n = c->tile->n * pixels_of(c, width);
    float slope[COLUMNS];
    for (int64_t j0 = 0; j0 < width; j0 += COLUMNS) {
        const int64_t count = DC_MIN(width - j0, (int64_t)COLUMNS);
        slopes_of(c, j0, count, slope);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < count; j += DC_VEC_LANES) {
                const int64_t rest = count - j, at = i * width + j0 + j;
                const dc_vec e = dc_vec_load(c->in[X] + at, rest) - dc_vec_load(c->in[MEAN] + j0 + j, rest);
                dc_vec_store(
                    c->out + at, rest,
                    dc_vec_act(act_of(c), e * dc_vec_load(slope + j, rest) + dc_vec_load(c->in[BIAS] + j0 + j, rest)));
            }
    }
}

/* Gradient before the activation. */
static dc_vec inner_gradient(const dc_call *c, int64_t at, int64_t count)
{
    return dc_vec_act_grad(act_of(c), dc_vec_load(c->out + at, count), dc_vec_load(c->dout + at, count));
}

static void batch_norm_back(const dc_call *c)
{
    const int64_t width = dc_in_width(c, MEAN), n = c->tile->n * pixels_of(c, width);
    float slope[COLUMNS];
    for (int64_t j0 = 0; c->din[X] && j0 < width; j0 += COLUMNS) {
        const int64_t count = DC_MIN(width - j0, (int64_t)COLUMNS);
        slopes_of(c, j0, count, slope);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < count; j += DC_VEC_LANES) {
                const int64_t rest = count - j, at = i * width + j0 + j;
                put(c->din[X] + at, rest, c->adds[X], inner_gradient(c, at, rest) * dc_vec_load(slope + j, rest));
            }
    }
}

/* Factor of the inner gradient in what an element adds to the gradient by vector k; e: x - mean. */
static double share_of(const dc_call *c, int k, int64_t j, double e)
{
    const double root = 1 / sqrt((double)c->in[VARIANCE][j] + EPSILON), gamma = (double)c->in[GAMMA][j];
    switch (k) {
    case MEAN:
        return -gamma * root;
    case VARIANCE:
        return -0.5 * gamma * e * root * root * root;
    case GAMMA:
        return e * root;
    default:
        return 1;
    }
}

static void batch_norm_partial(const dc_call *c, int k, double *sum)
{
    const int64_t width = dc_in_width(c, MEAN), n = c->tile->n * pixels_of(c, width);
    const bool varies =
        k == VARIANCE || k == GAMMA; /* the factor is share_of(e = 1) times e, or the same for all rows */
    float d[DC_VEC_LANES];
    for (int64_t j0 = 0; j0 < width; j0 += DC_VEC_LANES) {
        const int64_t count = DC_MIN(width - j0, (int64_t)DC_VEC_LANES);
        double factor[DC_VEC_LANES];
        for (int64_t j = 0; j < count; j++) factor[j] = share_of(c, k, j0 + j, 1);
        for (int64_t i = 0; i < n; i++) {
            dc_vec_store(d, DC_VEC_LANES, inner_gradient(c, i * width + j0, count));
            for (int64_t j = 0; j < count; j++) {
                const double e = (double)c->in[X][i * width + j0 + j] - (double)c->in[MEAN][j0 + j];
                sum[j0 + j] += factor[j] * (double)d[j] * (varies ? e : 1);
            }
        }
    }
}

static const dc_op op_batch_norm = {
    .name = "batch-norm", .forward = batch_norm, .backward = batch_norm_back, .partial = batch_norm_partial};

/* Running moments as PyTorch moves them: of the variance the unbiased one. whole: is it the variance, pixels of a row.
 */
static void move_moments(const dc_call *c)
{
    const double B = (double)(c->tile->B * c->node->whole[1]), unbiased = c->node->whole[0] && B > 1 ? B / (B - 1) : 1;
    for (int64_t j = 0; j < c->tile->n * c->node->shape.width; j++)
        c->out[j] = (float)(KEPT * (double)c->in[0][j] + (1 - KEPT) * unbiased * (double)c->in[1][j]);
}

static const dc_op running = {.name = "running-moment", .constant = 3, .forward = move_moments};

/* ---- Layer norm -------------------------------------------------------------------------------------------------- */

/* dx = root (h - mean(h) - n mean(h n)) with n = root (x - mean) and h = gamma times the inner gradient. */
typedef struct {
    double mean, root; /* of a row: root = 1 / sqrt(variance + e) */
} moments;

static moments moments_of(const float *x, int64_t width)
{
    double mean = 0, squares = 0;
    for (int64_t j = 0; j < width; j++) mean += (double)x[j];
    mean /= (double)width;
    for (int64_t j = 0; j < width; j++) squares += ((double)x[j] - mean) * ((double)x[j] - mean);
    return (moments){mean, 1 / sqrt(squares / (double)width + EPSILON)};
}

/* A run of columns whose values of gamma and bias lie side by side. */
typedef struct {
    int64_t first, count, channel;
} run;

static run run_at(const dc_call *c, int64_t first)
{
    const int64_t channels = dc_in_width(c, 1), channel = first % channels;
    return (run){first, DC_MIN(channels - channel, (int64_t)COLUMNS), channel};
}

static void layer_norm(const dc_call *c)
{
    const int64_t width = c->node->shape.width;
    for (int64_t i = 0; i < c->tile->n; i++) {
        const float *x = c->in[0] + i * width;
        const moments m = moments_of(x, width);
        float *y = c->out + i * width;
        for (run r = run_at(c, 0); r.first < width; r = run_at(c, r.first + r.count)) {
            const float *gamma = c->in[1] + r.channel, *bias = c->in[2] + r.channel;
            for (int64_t j = 0; j < r.count; j++)
                y[r.first + j] =
                    (float)((double)gamma[j] * (((double)x[r.first + j] - m.mean) * m.root) + (double)bias[j]);
        }
        for (int64_t j = 0; j < width; j += DC_VEC_LANES)
            dc_vec_store(y + j, width - j, dc_vec_act(act_of(c), dc_vec_load(y + j, width - j)));
    }
}

/* h of a run of columns of row i, with gamma 1 if `plain`. */
static void inner_row(const dc_call *c, int64_t i, run r, bool plain, double *h)
{
    float d[DC_VEC_LANES];
    for (int64_t j = 0; j < r.count; j += DC_VEC_LANES) {
        const int64_t m = DC_MIN(r.count - j, (int64_t)DC_VEC_LANES);
        dc_vec_store(d, DC_VEC_LANES, inner_gradient(c, i * c->node->shape.width + r.first + j, m));
        for (int64_t l = 0; l < m; l++) h[j + l] = (double)d[l] * (plain ? 1 : (double)c->in[1][r.channel + j + l]);
    }
}

static void layer_norm_back(const dc_call *c)
{
    const int64_t width = c->node->shape.width;
    for (int64_t i = 0; c->din[0] && i < c->tile->n; i++) {
        const float *x = c->in[0] + i * width;
        const moments m = moments_of(x, width);
        double h[COLUMNS], sum = 0, along = 0;
        for (run r = run_at(c, 0); r.first < width; r = run_at(c, r.first + r.count)) {
            inner_row(c, i, r, false, h);
            for (int64_t j = 0; j < r.count; j++) {
                sum += h[j];
                along += h[j] * ((double)x[r.first + j] - m.mean) * m.root;
            }
        }
        for (run r = run_at(c, 0); r.first < width; r = run_at(c, r.first + r.count)) {
            inner_row(c, i, r, false, h);
            for (int64_t j = 0; j < r.count; j++) {
                const double n = ((double)x[r.first + j] - m.mean) * m.root;
                const float dx = (float)(m.root * (h[j] - (sum + n * along) / (double)width));
                float *d = &c->din[0][i * width + r.first + j];
                *d = c->adds[0] ? *d + dx : dx;
            }
        }
    }
}

static void layer_norm_partial(const dc_call *c, int k, double *sum)
{
    const int64_t width = c->node->shape.width;
    double d[COLUMNS];
    for (int64_t i = 0; i < c->tile->n; i++) {
        const float *x = c->in[0] + i * width;
        const moments m = moments_of(x, width);
        for (run r = run_at(c, 0); r.first < width; r = run_at(c, r.first + r.count)) {
            inner_row(c, i, r, true, d);
            for (int64_t j = 0; j < r.count; j++)
                sum[r.channel + j] += d[j] * (k == 1 ? ((double)x[r.first + j] - m.mean) * m.root : 1);
        }
    }
}

static const dc_op op_layer_norm = {
    .name = "layer-norm", .forward = layer_norm, .backward = layer_norm_back, .partial = layer_norm_partial};

/* ---- Recording --------------------------------------------------------------------------------------------------- */

/* The tensor takes part of the batch's moment; if an earlier pass of this step moves it, too, it goes on from there. */
static void move(dc_graph *g, const dc_tensor *tensor, dc_val moment, bool is_variance, int64_t pixels)
{
    int m = 0;
    while (m < g->n_moves && g->move[m].tensor.at != tensor->at) m++;
    const bool again = m < g->n_moves;
    const int before = again ? g->move[m].node : (dc_use)(g, tensor).id;
    const dc_val after =
        dc_record(g, (dc_node){.op = &running, .n_in = 2, .in = {before, moment.id}, .whole = {is_variance, pixels}},
                  dc_graph_shape(g, moment));
    if (again)
        g->move[m].node = after.id;
    else
        (dc_move)(g, tensor, after);
}

static dc_val of_batch(dc_graph *g, const dc_layer *layer, dc_act act, dc_pass pass, dc_val x)
{
    DC_ASSERT(!dc_layer_is_pool(layer) && layer->out > 0);
    const int64_t width = dc_layer_biases(layer), pixels = layer->out / width;
    const dc_tensor mean = {layer->name, layer->mean, 1, width, false},
                    square = {layer->name, layer->mean + (size_t)width, 1, width, false},
                    gamma = {layer->name, layer->gamma, 1, width, pass != DC_FIXED},
                    bias = {layer->name, layer->bias, 1, width, pass != DC_FIXED};
    const bool fixed = pass == DC_FIXED;
    const dc_shape one = {DC_ONE, 1, width};
    const dc_val m = fixed         ? (dc_use)(g, &mean)
                     : pixels == 1 ? (dc_mean)(g, x)
                                   : dc_record(g, (dc_node){.op = &channel_mean, .n_in = 1, .in = {x.id}}, one);
    const dc_val v =
        fixed ? (dc_use)(g, &square) : dc_record(g, (dc_node){.op = &variance, .n_in = 2, .in = {x.id, m.id}}, one);
    const int in[] = {x.id, m.id, v.id, (dc_use)(g, &gamma).id, (dc_use)(g, &bias).id};
    if (pass == DC_TRAINED) {
        move(g, &mean, m, false, pixels);
        move(g, &square, v, true, pixels);
    }
    return dc_record(
        g, (dc_node){.op = &op_batch_norm, .n_in = 5, .in = {in[0], in[1], in[2], in[3], in[4]}, .whole = {act}},
        (dc_shape){DC_ROWS, 1, layer->out});
}

static dc_val of_row(dc_graph *g, const dc_layer *layer, dc_act act, dc_pass pass, dc_val x)
{
    const int64_t width = dc_layer_biases(layer);
    const dc_tensor gamma = {layer->name, layer->gamma, 1, width, pass != DC_FIXED},
                    bias = {layer->name, layer->bias, 1, width, pass != DC_FIXED};
    const int in[] = {x.id, (dc_use)(g, &gamma).id, (dc_use)(g, &bias).id};
    return dc_record(g, (dc_node){.op = &op_layer_norm, .n_in = 3, .in = {in[0], in[1], in[2]}, .whole = {act}},
                     (dc_shape){DC_ROWS, 1, layer->out});
}

dc_val dc_norm_layer(dc_graph *g, const dc_layer *layer, dc_pass pass, dc_val x)
{
    const bool apart = layer->act == DC_ACT_GELU, batch = layer->norm == DC_NORM_BATCH;
    const dc_act act = apart ? DC_ACT_LINEAR : layer->act;
    const dc_val y = batch ? of_batch(g, layer, act, pass, x) : of_row(g, layer, act, pass, x);
    return apart ? dc_act_gelu(g, y) : y;
}
