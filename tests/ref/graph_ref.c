/* See graph_ref.h. */
#include "ref/graph_ref.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dcmpi/cluster.h"
#include "dcmpi/rng.h"
#include "ref/cluster_ref.h"
#include "ref/nn_ref.h"

typedef struct {
    const graph_ref *r;
    const dc_node *x;
    const double *in[DC_NODE_INPUTS];
} node_call;

static const dc_shape *shape_of(const node_call *c, int k)
{
    return &dc_node_in(c->r->graph, c->x, k)->shape;
}

/* Operand k as row i sees it: its own row, or the only one there is. */
static const double *row_of(const node_call *c, int k, int64_t i)
{
    const dc_shape *s = shape_of(c, k);
    const bool own = s->space == DC_ROWS || (c->x->shape.space == DC_ONE && s->n > 1);
    return c->in[k] + (own ? i * s->width : 0);
}

static double at(const node_call *c, int k, int64_t i, int64_t j)
{
    return row_of(c, k, i)[shape_of(c, k)->width == 1 ? 0 : j];
}

/* ---- Operations: row i of the value, or what row i adds to a sum ------------------------------------------------- */

static void batch(const node_call *c, int64_t i, double *out)
{
    const int64_t width = c->x->shape.width;
    memcpy(out, c->r->batch + i * width, (size_t)width * sizeof *out);
}

static void use(const node_call *c, int64_t i, double *out)
{
    const int64_t width = c->x->shape.width;
    memcpy(out, c->r->slab + c->x->tensor.at + i * width, (size_t)width * sizeof *out);
}

static void entry(const node_call *c, int64_t i, double *out)
{
    const dc_table *t = c->x->table;
    for (int64_t j = 0; j < t->width; j++) out[j] = (double)t->rows[(c->r->row[i] - c->r->row_lo) * t->width + j];
}

/* A layer may have none. */
static double bias_of(const node_call *c, int64_t j)
{
    return c->x->n_in > 2 ? c->in[2][j] : 0;
}

static void dense(const node_call *c, int64_t i, double *out)
{
    const int64_t in = shape_of(c, 0)->width, width = c->x->shape.width;
    for (int64_t j = 0; j < width; j++) {
        double t = bias_of(c, j);
        for (int64_t k = 0; k < in; k++) t += row_of(c, 0, i)[k] * c->in[1][k * width + j];
        out[j] = act_ref((dc_act)c->x->whole[0], t);
    }
}

static void dense_tied(const node_call *c, int64_t i, double *out)
{
    const int64_t in = shape_of(c, 0)->width;
    for (int64_t j = 0; j < c->x->shape.width; j++) {
        double t = bias_of(c, j);
        for (int64_t k = 0; k < in; k++) t += row_of(c, 0, i)[k] * c->in[1][j * in + k];
        out[j] = act_ref((dc_act)c->x->whole[0], t);
    }
}

/* Pixel (y, x) channel k of an image; 0 outside. */
static double pixel(const dc_window *w, const double *image, int64_t y, int64_t x, int64_t k)
{
    return y >= 0 && y < w->h && x >= 0 && x < w->w ? image[(y * w->w + x) * w->c + k] : 0;
}

static void conv(const node_call *c, int64_t i, double *out)
{
    const dc_window *w = &c->x->window;
    const int64_t m = c->x->shape.width / (w->down * w->across);
    for (int64_t oy = 0; oy < w->down; oy++)
        for (int64_t ox = 0; ox < w->across; ox++)
            for (int64_t j = 0; j < m; j++) {
                double t = bias_of(c, j);
                for (int64_t ky = 0; ky < w->kh; ky++)
                    for (int64_t kx = 0; kx < w->kw; kx++)
                        for (int64_t k = 0; k < w->c; k++)
                            t += pixel(w, row_of(c, 0, i), oy * w->stride - w->top + ky, ox * w->stride - w->left + kx,
                                       k) *
                                 c->in[1][((ky * w->kw + kx) * w->c + k) * m + j];
                out[(oy * w->across + ox) * m + j] = act_ref((dc_act)c->x->whole[0], t);
            }
}

/* By pixels of the image: what all places that see it give. */
static void deconv(const node_call *c, int64_t i, double *out)
{
    const dc_window *w = &c->x->window;
    const int64_t m = shape_of(c, 0)->width / (w->down * w->across);
    for (int64_t y = 0; y < w->h; y++)
        for (int64_t x = 0; x < w->w; x++)
            for (int64_t k = 0; k < w->c; k++) {
                double t = bias_of(c, k);
                for (int64_t oy = 0; oy < w->down; oy++)
                    for (int64_t ox = 0; ox < w->across; ox++) {
                        const int64_t ky = y - (oy * w->stride - w->top), kx = x - (ox * w->stride - w->left);
                        if (ky < 0 || ky >= w->kh || kx < 0 || kx >= w->kw) continue;
                        for (int64_t j = 0; j < m; j++)
                            t += row_of(c, 0, i)[(oy * w->across + ox) * m + j] *
                                 c->in[1][((ky * w->kw + kx) * w->c + k) * m + j];
                    }
                out[(y * w->w + x) * w->c + k] = act_ref((dc_act)c->x->whole[0], t);
            }
}

/* Both poolings: pixels outside do not count. */
static void pool(const node_call *c, int64_t i, bool largest, double *out)
{
    const dc_window *w = &c->x->window;
    for (int64_t p = 0; p < w->down * w->across; p++)
        for (int64_t k = 0; k < w->c; k++) {
            double sum = 0, best = -INFINITY;
            int count = 0;
            for (int64_t n = 0; n < w->kh * w->kw; n++) {
                const int64_t y = p / w->across * w->stride - w->top + n / w->kw,
                              x = p % w->across * w->stride - w->left + n % w->kw;
                if (y < 0 || y >= w->h || x < 0 || x >= w->w) continue;
                sum += pixel(w, row_of(c, 0, i), y, x, k);
                best = fmax(best, pixel(w, row_of(c, 0, i), y, x, k));
                count++;
            }
            out[p * w->c + k] = largest ? best : sum / count;
        }
}

static void maxpool(const node_call *c, int64_t i, double *out)
{
    pool(c, i, true, out);
}

static void avgpool(const node_call *c, int64_t i, double *out)
{
    pool(c, i, false, out);
}

/* d act'(t), from y = act(t). */
static void act_grad(const node_call *c, int64_t i, double *out)
{
    for (int64_t j = 0; j < c->x->shape.width; j++)
        out[j] = at(c, 0, i, j) * act_slope_ref((dc_act)c->x->whole[0], at(c, 1, i, j));
}

static void gelu(const node_call *c, int64_t i, double *out)
{
    for (int64_t j = 0; j < c->x->shape.width; j++) out[j] = act_ref(DC_ACT_GELU, at(c, 0, i, j));
}

static void dropout(const node_call *c, int64_t i, double *out)
{
    const int64_t width = c->x->shape.width;
    for (int64_t j = 0; j < width; j++)
        out[j] = at(c, 0, i, j) *
                 dropout_ref(c->x->real[0], c->r->seed, c->r->step, (int)c->x->whole[0], c->r->row[i], j, width);
}

/* Columns 4b .. 4b+3 are two pairs of one block of the generator. */
static void normal(const node_call *c, int64_t i, double *out)
{
    const int64_t width = c->x->shape.width;
    for (int64_t j = 0; j < width; j++) {
        uint32_t word[4];
        double pair[2];
        dc_rng4(c->r->seed, DC_STREAM_NOISE, (uint64_t)(c->r->step * DC_MAX_LAYERS + c->x->whole[0]),
                (uint64_t)(c->r->row[i] * ((width + 3) / 4) + j / 4), word);
        dc_rng_normal2(word[j % 4 / 2 * 2], word[j % 4 / 2 * 2 + 1], pair);
        out[j] = pair[j % 2];
    }
}

static void recon(const node_call *c, int64_t i, double *out)
{
    const int64_t D = shape_of(c, 0)->width;
    double sum = 0;
    for (int64_t j = 0; j < D; j++) {
        const double x = at(c, 0, i, j), y = at(c, 1, i, j), p = act_ref(DC_ACT_SIGMOID, y);
        switch ((dc_recon_loss)c->x->whole[0]) {
        case DC_LOSS_MSE:
            sum += (y - x) * (y - x) / (double)D;
            break;
        case DC_LOSS_MSE_SUM:
            sum += (y - x) * (y - x);
            break;
        case DC_LOSS_MSE_HALF_SUM:
            sum += (y - x) * (y - x) / 2;
            break;
        case DC_LOSS_BCE:
            sum -= (x * log(p) + (1 - x) * log(1 - p)) / (double)D;
            break;
        }
    }
    *out = sum;
}

bool graph_ref_has_two(dc_function f)
{
    return f == DC_ADD || f == DC_SUB || f == DC_MUL;
}

static void map(const node_call *c, int64_t i, double *out)
{
    for (int64_t j = 0; j < c->x->shape.width; j++) {
        const dc_function f = (dc_function)c->x->whole[0];
        const double a = at(c, 0, i, j), b = graph_ref_has_two(f) ? at(c, 1, i, j) : NAN;
        switch (f) {
        case DC_ADD:
            out[j] = a + b;
            break;
        case DC_SUB:
            out[j] = a - b;
            break;
        case DC_MUL:
            out[j] = a * b;
            break;
        case DC_EXP:
            out[j] = exp(a);
            break;
        case DC_SQUARE:
            out[j] = a * a;
            break;
        case DC_TANH:
            out[j] = tanh(a);
            break;
        case DC_SIGMOID:
            out[j] = 1 / (1 + exp(-a));
            break;
        case DC_SOFTPLUS:
            out[j] = log(1 + exp(a));
            break;
        case DC_LOG:
            out[j] = log(a);
            break;
        case DC_SQRT:
            out[j] = sqrt(a);
            break;
        case DC_RECIPROCAL:
            out[j] = 1 / a;
            break;
        }
    }
}

static void softmax(const node_call *c, int64_t i, double *out)
{
    const int64_t width = c->x->shape.width;
    const double scale = c->x->n_in > 1 ? c->in[1][0] : 1;
    for (int64_t j = 0; j < width; j++) {
        double sum = 0;
        for (int64_t k = 0; k < width; k++) sum += exp(scale * (at(c, 0, i, k) - at(c, 0, i, j)));
        out[j] = 1 / sum;
    }
}

static void unit(const node_call *c, int64_t i, double *out)
{
    double sum = 0;
    for (int64_t j = 0; j < c->x->shape.width; j++) sum += pow(at(c, 0, i, j), 2);
    for (int64_t j = 0; j < c->x->shape.width; j++) out[j] = sum > 0 ? at(c, 0, i, j) / sqrt(sum) : 0;
}

static void dot(const node_call *c, int64_t i, double *out)
{
    *out = 0;
    for (int64_t j = 0; j < shape_of(c, 0)->width; j++) *out += at(c, 0, i, j) * at(c, 1, i, j);
}

static void neg_entropy(const node_call *c, int64_t i, double *out)
{
    *out = 0;
    for (int64_t j = 0; j < shape_of(c, 0)->width; j++) {
        const double x = at(c, 0, i, j);
        if (x != 0) *out += x * log(x);
    }
}

static void copy(const node_call *c, int64_t i, double *out)
{
    for (int64_t j = 0; j < c->x->shape.width; j++) out[j] = at(c, 0, i, j);
}

static void onehot(const node_call *c, int64_t i, double *out)
{
    for (int64_t j = 0; j < c->x->shape.width; j++) out[j] = at(c, 0, i, 0) == (double)j ? 1 : 0;
}

static void mean(const node_call *c, int64_t i, double *out)
{
    for (int64_t j = 0; j < c->x->shape.width; j++) out[j] += at(c, 0, i, j) / (double)c->r->n;
}

static void total(const node_call *c, int64_t i, double *out)
{
    for (int64_t j = 0; j < c->x->shape.width; j++) out[j] += at(c, 0, i, j);
}

static void cross(const node_call *c, int64_t i, double *out)
{
    const int64_t width = c->x->shape.width;
    for (int64_t k = 0; k < c->x->shape.n; k++)
        for (int64_t j = 0; j < width; j++) out[k * width + j] += row_of(c, 0, i)[k] * row_of(c, 1, i)[j];
}

/* NT-Xent of the views of row i. */
static double product_of(const node_call *c, int view, int64_t i, int other, int64_t j)
{
    double sum = 0;
    for (int64_t k = 0; k < shape_of(c, 0)->width; k++) sum += row_of(c, view, i)[k] * row_of(c, other, j)[k];
    return sum / c->x->real[0];
}

static void contrast(const node_call *c, int64_t i, double *out)
{
    *out = -product_of(c, 0, i, 1, i);
    for (int view = 0; view < 2; view++) {
        double sum = 0;
        for (int other = 0; other < 2; other++)
            for (int64_t j = 0; j < c->r->n; j++)
                if (view != other || i != j) sum += exp(product_of(c, view, i, other, j));
        *out += log(sum) / 2;
    }
}

static void number(const node_call *c, int64_t i, double *out)
{
    (void)i;
    for (int64_t j = 0; j < c->x->shape.width; j++) out[j] = (double)(float)c->x->real[0];
}

static double distance(const node_call *c, int64_t i, int64_t center)
{
    const int64_t L = shape_of(c, 0)->width;
    double sum = 0;
    for (int64_t j = 0; j < L; j++) sum += pow(row_of(c, 0, i)[j] - c->in[1][center * L + j], 2);
    return sum;
}

static void sqdist(const node_call *c, int64_t i, double *out)
{
    for (int64_t k = 0; k < c->x->shape.width; k++) out[k] = distance(c, i, k);
}

static void nearest(const node_call *c, int64_t i, double *out)
{
    *out = 0;
    for (int64_t k = 1; k < shape_of(c, 1)->n; k++)
        if (distance(c, i, k) < distance(c, i, (int64_t)*out)) *out = (double)k;
}

static void pick(const node_call *c, int64_t i, double *out)
{
    const int64_t L = c->x->shape.width, k = (int64_t)at(c, 0, i, 0);
    for (int64_t j = 0; j < L; j++) out[j] = k >= 0 && k < shape_of(c, 1)->n ? c->in[1][k * L + j] : 0;
}

static void largest(const node_call *c, int64_t i, double *out)
{
    for (int64_t j = 0; j < c->x->shape.width; j++) {
        int64_t before = 0;
        for (int64_t l = 0; l < c->x->shape.width; l++)
            before += at(c, 0, i, l) > at(c, 0, i, j) || (at(c, 0, i, l) == at(c, 0, i, j) && l < j);
        out[j] = before < c->x->whole[0] ? at(c, 0, i, j) : 0;
    }
}

static void running_mean(const node_call *c, int64_t i, double *out)
{
    const double before = c->in[1][i], more = c->in[2][i];
    for (int64_t j = 0; j < c->x->shape.width; j++)
        out[j] = (before * at(c, 0, i, j) + at(c, 3, i, j)) / (before + more);
}

static void student(const node_call *c, int64_t i, double *out)
{
    const double alpha = c->x->real[0];
    double sum = 0;
    for (int64_t k = 0; k < c->x->shape.width; k++)
        sum += out[k] = pow(1 + distance(c, i, k) / alpha, -(alpha + 1) / 2);
    for (int64_t k = 0; k < c->x->shape.width; k++) out[k] /= sum;
}

/* The target of a row, from its embedding. */
static void target(const node_call *c, int64_t i, double *out)
{
    const dc_soft_target *t = c->x->held;
    double sum = 0;
    for (int64_t k = 0; k < t->K; k++) {
        double logit = t->model == DC_SOFT_HEAD ? (double)t->param[t->L * t->K + k] : 0, d = 0;
        for (int64_t j = 0; j < t->L; j++) {
            if (t->model == DC_SOFT_HEAD) logit += at(c, 0, i, j) * (double)t->param[j * t->K + k];
            d += pow(at(c, 0, i, j) - (double)t->param[k * t->L + j], 2);
        }
        sum += out[k] = t->model == DC_SOFT_HEAD ? exp(logit) : pow(1 + d / t->alpha, -(t->alpha + 1) / 2);
    }
    for (int64_t k = 0; k < t->K; k++) out[k] /= sum;
    sum = 0;
    for (int64_t k = 0; k < t->K; k++) {
        const double f = fmax(t->f[k], 1e-12 * (double)t->N);
        sum += out[k] = t->kind == DC_TARGET_SQUARE ? out[k] * out[k] / f : out[k] / sqrt(f);
    }
    for (int64_t k = 0; k < t->K; k++) out[k] /= sum;
}

static void student_kl(const node_call *c, int64_t i, double *out)
{
    *out = ref_student_kl(row_of(c, 0, i), c->in[1], row_of(c, 2, i), 1, shape_of(c, 1)->n, shape_of(c, 0)->width,
                          c->x->real[0], 1);
}

/* Mean and variance of the batch, or running ones; by channel, the last index of an image. */
static void channel_mean(const node_call *c, int64_t i, double *out)
{
    const int64_t width = shape_of(c, 0)->width, channels = c->x->shape.width;
    for (int64_t j = 0; j < width; j++) out[j % channels] += at(c, 0, i, j) / (double)(c->r->n * (width / channels));
}

static void variance(const node_call *c, int64_t i, double *out)
{
    const int64_t width = shape_of(c, 0)->width, channels = c->x->shape.width;
    for (int64_t j = 0; j < width; j++)
        out[j % channels] +=
            pow(at(c, 0, i, j) - at(c, 1, 0, j % channels), 2) / (double)(c->r->n * (width / channels));
}

static void batch_norm(const node_call *c, int64_t i, double *out)
{
    const int64_t channels = shape_of(c, 1)->width;
    for (int64_t j = 0; j < c->x->shape.width; j++) {
        const int64_t k = j % channels;
        out[j] =
            act_ref((dc_act)c->x->whole[0],
                    at(c, 3, 0, k) * (at(c, 0, i, j) - at(c, 1, 0, k)) / sqrt(at(c, 2, 0, k) + 1e-5) + at(c, 4, 0, k));
    }
}

static void running_moment(const node_call *c, int64_t i, double *out)
{
    const double n = (double)(c->r->n * c->x->whole[1]), part = c->x->whole[0] && n > 1 ? 0.1 * n / (n - 1) : 0.1;
    for (int64_t j = 0; j < c->x->shape.width; j++) out[j] = 0.9 * at(c, 0, i, j) + part * at(c, 1, i, j);
}

static void layer_norm(const node_call *c, int64_t i, double *out)
{
    const int64_t width = c->x->shape.width, channels = shape_of(c, 1)->width;
    double m = 0, v = 0;
    for (int64_t j = 0; j < width; j++) m += row_of(c, 0, i)[j] / (double)width;
    for (int64_t j = 0; j < width; j++) v += pow(row_of(c, 0, i)[j] - m, 2) / (double)width;
    for (int64_t j = 0; j < width; j++)
        out[j] = act_ref((dc_act)c->x->whole[0], at(c, 1, 0, j % channels) * (row_of(c, 0, i)[j] - m) / sqrt(v + 1e-5) +
                                                     at(c, 2, 0, j % channels));
}

static void concat(const node_call *c, int64_t i, double *out)
{
    const int64_t first = shape_of(c, 0)->width;
    for (int64_t j = 0; j < c->x->shape.width; j++)
        out[j] = j < first ? row_of(c, 0, i)[j] : row_of(c, 1, i)[j - first];
}

static void columns(const node_call *c, int64_t i, double *out)
{
    for (int64_t j = 0; j < c->x->shape.width; j++) out[j] = row_of(c, 0, i)[c->x->whole[0] + j];
}

static void cross_entropy(const node_call *c, int64_t i, double *out)
{
    const int64_t width = shape_of(c, 0)->width;
    double sum = 0;
    *out = 0;
    for (int64_t j = 0; j < width; j++) sum += exp(row_of(c, 1, i)[j]);
    for (int64_t j = 0; j < width; j++) *out -= row_of(c, 0, i)[j] * log(exp(row_of(c, 1, i)[j]) / sum);
}

/* F is the upper triangle of what is stored; of all Gaussians, or of each. */
static void gauss_factor_log(const node_call *c, int64_t i, double *out)
{
    const int64_t d = shape_of(c, 0)->width;
    for (int64_t k = 0; k < c->x->shape.width; k++) {
        const double *F = c->in[2] + (shape_of(c, 2)->n == d ? 0 : k * d * d);
        out[k] = -0.5 * (double)d * log(2 * M_PI);
        for (int64_t l = 0; l < d; l++) {
            double y = 0;
            for (int64_t j = 0; j <= l; j++) y += F[j * d + l] * (row_of(c, 0, i)[j] - c->in[1][k * d + j]);
            out[k] += log(F[l * d + l]) - y * y / 2;
        }
    }
}

static void gauss_log(const node_call *c, int64_t i, double *out)
{
    const int64_t L = shape_of(c, 0)->width;
    for (int64_t k = 0; k < c->x->shape.width; k++) {
        out[k] = 0;
        for (int64_t j = 0; j < L; j++) {
            const double e = row_of(c, 0, i)[j] - c->in[1][k * L + j], variance = exp(c->in[2][k * L + j]);
            out[k] += log(exp(-e * e / (2 * variance)) / sqrt(2 * M_PI * variance));
        }
    }
}

static void gauss_kl(const node_call *c, int64_t i, double *out)
{
    const int64_t L = shape_of(c, 0)->width;
    for (int64_t k = 0; k < c->x->shape.width; k++) {
        out[k] = 0;
        for (int64_t j = 0; j < L; j++) {
            const double own = exp(row_of(c, 1, i)[j]), mean = c->x->n_in > 2 ? c->in[2][k * L + j] : 0,
                         variance = c->x->n_in > 2 ? exp(c->in[3][k * L + j]) : 1;
            out[k] += log(sqrt(variance / own)) + (own + pow(row_of(c, 0, i)[j] - mean, 2)) / (2 * variance) - 0.5;
        }
    }
}

static void grad(const node_call *c, int64_t i, double *out);
static void grad_sum(const node_call *c, int64_t i, double *out);

static const struct {
    const char *name;
    unsigned constant;
    void (*row)(const node_call *c, int64_t i, double *out);
} twin[] = {
    {"batch", 0, batch},
    {"use", 0, use},
    {"entry", 0, entry},
    {"dense", 0, dense},
    {"conv", 0, conv},
    {"deconv", 0, deconv},
    {"maxpool", 0, maxpool},
    {"avgpool", 0, avgpool},
    {"dropout", 0, dropout},
    {"normal", 0, normal},
    {"recon", 1, recon},
    {"map", 0, map},
    {"softmax", 2, softmax},
    {"unit", 0, unit},
    {"dot", 0, dot},
    {"neg-entropy", 0, neg_entropy},
    {"stop-gradient", 1, copy},
    {"onehot", 1, onehot},
    {"mean", 0, mean},
    {"total", 0, total},
    {"cross", 0, cross},
    {"sqdist", 0, sqdist},
    {"nearest", 3, nearest},
    {"pick", 3, pick},
    {"largest", 1, largest},
    {"running-mean", 15, running_mean},
    {"student-kl", 4, student_kl},
    {"contrast", 0, contrast},
    {"number", 0, number},
    {"grad", 0, grad},
    {"grad-sum", 0, grad_sum},
    {"channel-mean", 0, channel_mean},
    {"variance", 2, variance},
    {"batch-norm", 0, batch_norm},
    {"running-moment", 3, running_moment},
    {"layer-norm", 0, layer_norm},
    {"dense-tied", 0, dense_tied},
    {"student", 3, student},
    {"target", 1, target},
    {"act-grad", 0, act_grad},
    {"gelu", 0, gelu},
    {"concat", 0, concat},
    {"columns", 0, columns},
    {"cross-entropy", 0, cross_entropy},
    {"gauss-log", 0, gauss_log},
    {"gauss-factor-log", 7, gauss_factor_log},
    {"gauss-kl", 0, gauss_kl},
};

static size_t twin_of(const char *operation)
{
    for (size_t t = 0; t < DC_COUNT_OF(twin); t++)
        if (strcmp(twin[t].name, operation) == 0) return t;
    printf("# the operation %s has no twin in tests/ref/graph_ref.c\n", operation);
    abort();
}

/* Differences of the operation's twin in the directions of operand k; accurate to 1e-12. */
static void add_differences(const node_call *c, int64_t i, double *in, double *out)
{
    const double h = 1e-3;
    const dc_node *x = &c->r->graph->node[c->x->whole[0]];
    const size_t inner = twin_of(x->op->name);
    const bool sums = x->op->reach == DC_REACH_SUM;
    const int64_t count = (sums ? x->shape.n : 1) * x->shape.width;
    const double *dout = c->in[x->n_in + 1] + (sums ? 0 : i * x->shape.width);
    node_call of = *c;
    of.x = x;
    double *value = malloc((size_t)count * sizeof *value);
    for (int64_t j = 0; j < c->x->shape.width; j++) {
        static const double step[] = {-2, -1, 1, 2}, weight[] = {1, -8, 8, -1};
        const double kept = in[j];
        for (int s = 0; s < 4; s++) {
            in[j] = kept + step[s] * h;
            for (int64_t o = 0; o < count; o++) value[o] = 0;
            twin[inner].row(&of, i, value);
            for (int64_t o = 0; o < count; o++) out[j] += weight[s] / (12 * h) * dout[o] * value[o];
        }
        in[j] = kept;
    }
    free(value);
}

static void grad(const node_call *c, int64_t i, double *out)
{
    for (int64_t j = 0; j < c->x->shape.width; j++) out[j] = 0;
    add_differences(c, i, (double *)c->in[c->x->whole[1]] + i * c->x->shape.width, out);
}

/* What row i adds to the gradient by a vector. */
static void grad_sum(const node_call *c, int64_t i, double *out)
{
    add_differences(c, i, (double *)c->in[c->x->whole[1]], out);
}

unsigned graph_ref_constant(const char *operation)
{
    return twin[twin_of(operation)].constant;
}

/* ---- Graphs ------------------------------------------------------------------------------------------------------ */

int64_t graph_ref_rows(const graph_ref *r, int i)
{
    const dc_shape *s = &r->graph->node[i].shape;
    return s->space == DC_ROWS ? r->n : s->n;
}

static size_t floats_of(const graph_ref *r, int i)
{
    return (size_t)(graph_ref_rows(r, i) * r->graph->node[i].shape.width);
}

void graph_ref_open(graph_ref *r, const dc_graph *graph, int64_t n)
{
    *r = (graph_ref){.graph = graph, .n = n};
    for (int i = 0; i < graph->n_nodes; i++) r->value[i] = malloc((floats_of(r, i) + 1) * sizeof **r->value);
}

void graph_ref_close(graph_ref *r)
{
    for (int i = 0; i < DC_NODES_MAX; i++) free(r->value[i]), free(r->held[i]);
}

static node_call call_of(const graph_ref *r, int i)
{
    const dc_node *x = &r->graph->node[i];
    const bool is_grad = strncmp(x->op->name, "grad", 4) == 0; /* of this operation, with its operands */
    const unsigned constant = graph_ref_constant(is_grad ? r->graph->node[x->whole[0]].op->name : x->op->name);
    node_call c = {.r = r, .x = x};
    for (int k = 0; k < x->n_in; k++) {
        const bool held = constant >> k & 1 && r->held[x->in[k]];
        c.in[k] = held ? r->held[x->in[k]] : r->value[x->in[k]];
    }
    return c;
}

void graph_ref_row(const graph_ref *r, int x, int64_t i, double *out)
{
    const node_call c = call_of(r, x);
    if (c.x->op->reach == DC_REACH_SUM) memset(out, 0, floats_of(r, x) * sizeof *out);
    twin[twin_of(c.x->op->name)].row(&c, i, out);
}

void graph_ref_run(graph_ref *r, int first)
{
    for (int i = first; i < r->graph->n_nodes; i++) {
        const node_call c = call_of(r, i);
        const size_t t = twin_of(c.x->op->name);
        const bool sum = c.x->op->reach == DC_REACH_SUM;
        if (sum) memset(r->value[i], 0, floats_of(r, i) * sizeof **r->value);
        for (int64_t row = 0, n = sum ? r->n : graph_ref_rows(r, i); row < n; row++)
            twin[t].row(&c, row, r->value[i] + (sum ? 0 : row * c.x->shape.width));
    }
}

void graph_ref_hold(graph_ref *r)
{
    for (int i = 0; i < r->graph->n_nodes; i++) {
        if (!r->held[i]) r->held[i] = malloc((floats_of(r, i) + 1) * sizeof **r->held);
        memcpy(r->held[i], r->value[i], floats_of(r, i) * sizeof **r->held);
    }
}

double graph_ref_loss(const graph_ref *r)
{
    double loss = 0;
    for (int l = 0; l < r->graph->n_losses; l++) {
        const int i = r->graph->loss[l].node;
        const int64_t rows = graph_ref_rows(r, i);
        for (int64_t j = 0; j < rows; j++) loss += r->graph->loss[l].weight * r->value[i][j] / (double)rows;
    }
    return loss;
}

void graph_ref_gradient(graph_ref *r, double *slab, size_t lo, size_t hi, double *grad)
{
    const double h = 1e-5;
    graph_ref_run(r, 0);
    graph_ref_hold(r);
    for (size_t i = lo; i < hi; i++) {
        const double kept = slab[i];
        slab[i] = kept + h;
        graph_ref_run(r, 0);
        const double up = graph_ref_loss(r);
        slab[i] = kept - h;
        graph_ref_run(r, 0);
        grad[i - lo] = (up - graph_ref_loss(r)) / (2 * h);
        slab[i] = kept;
    }
    graph_ref_run(r, 0);
}
