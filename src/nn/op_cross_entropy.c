/* Cross-entropy of a target p with s = softmax(a), from the logits a:
 *   y = sum_c p_c (lse(a) - a_c),   dy/dp_c = lse(a) - a_c,   dy/da_c = s_c sum p - p_c.
 * log s is never taken of a rounded s, so a class that is nearly impossible costs what it should. The rows of p need
 * not sum to 1. a may be a vector, the same for all rows. Arithmetic in double, values in float. */
#include <math.h>

#include "dcmpi/op.h"

enum { TARGET, LOGITS };

/* What a row needs of its logits. */
typedef struct {
    const float *p, *a;
    int64_t width;
    double most, log_sum; /* lse(a) = most + log_sum */
} row;

static row row_at(const dc_call *c, int64_t i)
{
    const bool one = dc_node_in(c->graph, c->node, LOGITS)->shape.n == 1 &&
                     dc_node_in(c->graph, c->node, LOGITS)->shape.space == DC_ONE;
    const int64_t width = dc_in_width(c, TARGET);
    row r = {.p = c->in[TARGET] + i * width, .a = c->in[LOGITS] + (one ? 0 : i * width), .width = width};
    double sum = 0;
    r.most = (double)r.a[0];
    for (int64_t j = 1; j < width; j++) r.most = fmax(r.most, (double)r.a[j]);
    for (int64_t j = 0; j < width; j++) sum += exp((double)r.a[j] - r.most);
    r.log_sum = log(sum); /* cppcheck-suppress invalidFunctionArg; a row has columns, the largest adds exp(0) */
    return r;
}

/* -log s_j and s_j. */
static double cost(const row *r, int64_t j)
{
    return r->log_sum - ((double)r->a[j] - r->most);
}
static double share(const row *r, int64_t j)
{
    return exp(-cost(r, j));
}

static double sum_of(const float *x, int64_t width)
{
    double sum = 0;
    for (int64_t j = 0; j < width; j++) sum += (double)x[j];
    return sum;
}

/* sum_j s_j t_j. */
static double mean_of(const row *r, const float *t)
{
    double sum = 0;
    for (int64_t j = 0; j < r->width; j++) sum += share(r, j) * (double)t[j];
    return sum;
}

static inline void give(const dc_call *c, int k, int64_t at, double d)
{
    c->din[k][at] = c->adds[k] ? c->din[k][at] + (float)d : (float)d;
}

static void forward(const dc_call *c)
{
    for (int64_t i = 0; i < c->tile->n; i++) {
        const row r = row_at(c, i);
        double sum = 0;
        for (int64_t j = 0; j < r.width; j++) sum += (double)r.p[j] * cost(&r, j);
        c->out[i] = (float)sum;
    }
}

static void backward(const dc_call *c)
{
    for (int64_t i = 0; i < c->tile->n; i++) {
        const row r = row_at(c, i);
        const double dout = (double)c->dout[i], whole = sum_of(r.p, r.width);
        for (int64_t j = 0; c->din[TARGET] && j < r.width; j++) give(c, TARGET, i * r.width + j, dout * cost(&r, j));
        for (int64_t j = 0; c->din[LOGITS] && j < r.width; j++)
            give(c, LOGITS, i * r.width + j, dout * (share(&r, j) * whole - (double)r.p[j]));
    }
}

static void partial(const dc_call *c, int k, double *sum)
{
    (void)k; /* a target is no vector if rows are wanted */
    for (int64_t i = 0; i < c->tile->n; i++) {
        const row r = row_at(c, i);
        const double dout = (double)c->dout[i], whole = sum_of(r.p, r.width);
        for (int64_t j = 0; j < r.width; j++) sum[j] += dout * (share(&r, j) * whole - (double)r.p[j]);
    }
}

/* Along t in the target: sum t_c (lse - a_c). Along t in the logits: (sum p) (s t) - (p t). */
static double tangent_of(const row *r, int k, const float *t)
{
    const double mean = k == LOGITS ? mean_of(r, t) : 0;
    double sum = 0;
    for (int64_t j = 0; j < r->width; j++)
        sum += k == TARGET ? (double)t[j] * cost(r, j) : (double)r->p[j] * (mean - (double)t[j]);
    return sum;
}

static void tangent(const dc_call *c, int k, const float *t, bool adds, float *out)
{
    for (int64_t i = 0; i < c->tile->n; i++) {
        const row r = row_at(c, i);
        const float d = (float)tangent_of(&r, k, t + i * r.width);
        out[i] = adds ? out[i] + d : d;
    }
}

static unsigned curved(const dc_node *x, int k)
{
    (void)x;
    return k == TARGET ? 1u << LOGITS : 1u << TARGET | 1u << LOGITS;
}

/* Derivative of the tangent with respect to logit j; whole: the sum of t or of p. */
static double bend(const row *r, int k, const float *t, double whole, double mean, int64_t j)
{
    return k == TARGET ? share(r, j) * whole - (double)t[j] : whole * share(r, j) * ((double)t[j] - mean);
}

static void curve(const dc_call *c, int k, const float *t)
{
    for (int64_t i = 0; i < c->tile->n; i++) {
        const row r = row_at(c, i);
        const float *along = t + i * r.width;
        const double dout = (double)c->dout[i], mean = mean_of(&r, along),
                     whole = sum_of(k == TARGET ? along : r.p, r.width);
        for (int64_t j = 0; c->din[TARGET] && j < r.width; j++)
            give(c, TARGET, i * r.width + j, dout * (mean - (double)along[j]));
        for (int64_t j = 0; c->din[LOGITS] && j < r.width; j++)
            give(c, LOGITS, i * r.width + j, dout * bend(&r, k, along, whole, mean, j));
    }
}

static void curve_partial(const dc_call *c, int k, const float *t, int by, double *sum)
{
    (void)by;
    for (int64_t i = 0; i < c->tile->n; i++) {
        const row r = row_at(c, i);
        const float *along = t + i * r.width;
        const double whole = sum_of(k == TARGET ? along : r.p, r.width), mean = mean_of(&r, along);
        for (int64_t j = 0; j < r.width; j++) sum[j] += (double)c->dout[i] * bend(&r, k, along, whole, mean, j);
    }
}

static const dc_op cross_entropy = {.name = "cross-entropy",
                                    .forward = forward,
                                    .backward = backward,
                                    .partial = partial,
                                    .tangent = tangent,
                                    .curved = curved,
                                    .curve = curve,
                                    .curve_partial = curve_partial};

dc_val(dc_cross_entropy)(dc_graph *g, dc_val p, dc_val logits)
{
    const dc_shape x = dc_graph_shape(g, p), a = dc_graph_shape(g, logits);
    const bool same = a.space == x.space && a.n == x.n, vector = a.space == DC_ONE && a.n == 1;
    if (x.width != a.width || !(same || vector))
        return dc_refuse(g, "targets of width %lld have no cross-entropy with logits of width %lld", (long long)x.width,
                         (long long)a.width);
    return dc_record(g, (dc_node){.op = &cross_entropy, .n_in = 2, .in = {p.id, logits.id}},
                     (dc_shape){x.space, x.n, 1});
}

dc_val(dc_kl)(dc_graph *g, dc_val p, dc_val logits)
{
    return (dc_map)(g, DC_ADD, (dc_neg_entropy)(g, p), (dc_cross_entropy)(g, p, logits));
}
