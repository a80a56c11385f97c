/* Reconstruction losses of rows.
 *
 * Squared errors: with e = xhat - x and loss = s * sum e^2 the gradient is dloss/dxhat = 2 s e.
 *
 * Binary cross-entropy from the logit t, with p = sigmoid(t):
 *   -x log p - (1-x) log(1-p) = max(t, 0) - t x + log(1 + exp(-|t|)),  d/dt = p - x.
 * This form neither overflows nor takes the logarithm of a p that was rounded to 0 or 1, and its gradient does not
 * vanish where p is saturated but wrong.
 *
 * The terms of a row are added in double and rounded to float. If x is a sparse batch, one row at a time is filled up.
 */
#include "dcmpi/op.h"
#include "nn/act.h"

static dc_recon_loss kind_of(const dc_call *c)
{
    return (dc_recon_loss)c->node->whole[0];
}

/* Factor that turns the sum over a row of width D into its loss. */
static double row_scale(dc_recon_loss kind, int64_t D)
{
    switch (kind) {
    case DC_LOSS_MSE:
    case DC_LOSS_BCE:
        return 1 / (double)D;
    case DC_LOSS_MSE_SUM:
        return 1;
    case DC_LOSS_MSE_HALF_SUM:
        return 0.5;
    }
    DC_ASSERT(!"unknown reconstruction loss");
}

/* The derivative of a row's loss is this factor times xhat - x, or times p - x for cross-entropy. */
static double slope_scale(dc_recon_loss kind, int64_t D)
{
    return row_scale(kind, D) * (kind == DC_LOSS_BCE ? 1 : 2);
}

/* Keeps the first `count` lanes and zeroes the rest, because each padded lane of the last vector would add log 2 to the
 * loss. */
static inline dc_vec first_lanes(dc_vec v, int64_t count)
{
    return count >= DC_VEC_LANES ? v : dc_vec_load((const float *)&v, count);
}

static inline dc_dvec square_terms(const float *x, const float *xhat, int64_t D)
{
    dc_dvec sum = {0};
    for (int64_t j = 0; j < D; j += DC_VEC_LANES) {
        const dc_dvec e = __builtin_convertvector(dc_vec_load(xhat + j, D - j) - dc_vec_load(x + j, D - j), dc_dvec);
        sum += e * e;
    }
    return sum;
}

static inline dc_dvec bce_terms(const float *x, const float *logit, int64_t D)
{
    dc_dvec sum = {0};
    for (int64_t j = 0; j < D; j += DC_VEC_LANES) {
        const dc_vec t = dc_vec_load(logit + j, D - j), target = dc_vec_load(x + j, D - j);
        const dc_vec positive = dc_vec_select(t < 0.0f, (dc_vec){0}, t);
        const dc_vec log_term = first_lanes(dc_vec_log1p_unit(dc_vec_exp(-dc_vec_abs(t))), D - j);
        sum += __builtin_convertvector(positive, dc_dvec) -
               __builtin_convertvector(t, dc_dvec) * __builtin_convertvector(target, dc_dvec) +
               __builtin_convertvector(log_term, dc_dvec);
    }
    return sum;
}

static void forward(const dc_call *c)
{
    const int64_t D = dc_in_width(c, 0);
    const double scale = row_scale(kind_of(c), D);
    for (int64_t i = 0; i < c->tile->n; i++) {
        const float *x = dc_in_row(c, 0, i), *xhat = c->in[1] + i * D;
        const dc_dvec lanes = kind_of(c) == DC_LOSS_BCE ? bce_terms(x, xhat, D) : square_terms(x, xhat, D);
        double sum = 0;
        for (int l = 0; l < DC_VEC_LANES; l++) sum += lanes[l];
        c->out[i] = (float)(scale * sum);
    }
}

/* Writes v to d, or adds it to what is there. */
static inline void give(float *d, int64_t count, bool adds, dc_vec v)
{
    dc_vec_store(d, count, adds ? dc_vec_load(d, count) + v : v);
}

static void backward(const dc_call *c)
{
    const int64_t D = dc_in_width(c, 0);
    const bool bce = kind_of(c) == DC_LOSS_BCE, adds = c->adds[1];
    const double scale = slope_scale(kind_of(c), D);
    for (int64_t i = 0; i < c->tile->n; i++) {
        const float *x = dc_in_row(c, 0, i), *xhat = c->in[1] + i * D, factor = (float)((double)c->dout[i] * scale);
        float *d = c->din[1] + i * D;
        for (int64_t j = 0; j < D; j += DC_VEC_LANES) {
            const dc_vec y = dc_vec_load(xhat + j, D - j);
            give(d + j, D - j, adds, ((bce ? dc_vec_sigmoid(y) : y) - dc_vec_load(x + j, D - j)) * factor);
        }
    }
}

/* The tangent of one row: the sum over j of t_j times the derivative of the loss with respect to xhat_j. */
static double tangent_of(const dc_call *c, const float *x, const float *xhat, const float *t, int64_t D)
{
    const bool bce = kind_of(c) == DC_LOSS_BCE;
    dc_dvec lanes = {0};
    double sum = 0;
    for (int64_t j = 0; j < D; j += DC_VEC_LANES) {
        const dc_vec y = dc_vec_load(xhat + j, D - j);
        const dc_vec e = (bce ? dc_vec_sigmoid(y) : y) - dc_vec_load(x + j, D - j);
        lanes += __builtin_convertvector(e, dc_dvec) * __builtin_convertvector(dc_vec_load(t + j, D - j), dc_dvec);
    }
    for (int l = 0; l < DC_VEC_LANES; l++) sum += lanes[l];
    return sum * slope_scale(kind_of(c), D);
}

static void tangent(const dc_call *c, int k, const float *t, bool adds, float *out)
{
    const int64_t D = dc_in_width(c, 0);
    (void)k;
    for (int64_t i = 0; i < c->tile->n; i++) {
        const float d = (float)tangent_of(c, c->in[0] + i * D, c->in[1] + i * D, t + i * D, D);
        out[i] = adds ? out[i] + d : d;
    }
}

static unsigned curved(const dc_node *x, int k)
{
    (void)x, (void)k;
    return 2;
}

static void curve(const dc_call *c, int k, const float *t)
{
    const int64_t D = dc_in_width(c, 0);
    const bool bce = kind_of(c) == DC_LOSS_BCE, adds = c->adds[1];
    (void)k;
    for (int64_t i = 0; i < c->tile->n; i++) {
        const float factor = (float)((double)c->dout[i] * slope_scale(kind_of(c), D));
        for (int64_t j = 0; j < D; j += DC_VEC_LANES) {
            const int64_t at = i * D + j;
            const dc_vec y = dc_vec_load(c->in[1] + at, D - j), d = factor * dc_vec_load(t + at, D - j);
            give(c->din[1] + at, D - j, adds, bce ? dc_vec_act_grad(DC_ACT_SIGMOID, dc_vec_sigmoid(y), d) : d);
        }
    }
}

const dc_op dc_op_recon = {.name = "recon",
                           .constant = 1,
                           .sparse = 1,
                           .forward = forward,
                           .backward = backward,
                           .tangent = tangent,
                           .curved = curved,
                           .curve = curve};

dc_val(dc_recon)(dc_graph *g, dc_recon_loss kind, dc_val x, dc_val xhat)
{
    const dc_shape target = dc_graph_shape(g, x), made = dc_graph_shape(g, xhat);
    if (target.space != DC_ROWS || made.space != DC_ROWS)
        return dc_refuse(g, "rows of the batch are compared with rows of the batch, not with a vector");
    if (target.width != made.width)
        return dc_refuse(g, "a reconstruction of width %lld is compared with rows of width %lld", (long long)made.width,
                         (long long)target.width);
    return dc_record(g, (dc_node){.op = &dc_op_recon, .n_in = 2, .in = {x.id, xhat.id}, .whole = {kind}},
                     (dc_shape){DC_ROWS, 1, 1});
}
