/* Diagonal Gaussians: log densities of K of them at a row, and the divergence of a row's own Gaussian from each.
 *
 * Both come from one sum. With x_i the row, or the mean of its Gaussian, v_ij the variance of its Gaussian (0 if it has
 * none), m_k and s_kj^2 = exp(l_kj) mean and variance of Gaussian k:
 *   t_ik = sum_j l_kj + (v_ij + (x_ij - m_kj)^2) / s_kj^2
 *   log N(x_i; m_k, s_k^2) = -1/2 (t_ik + L log 2 pi)
 *   KL(N(x_i, v_i) || N(m_k, s_k^2)) = 1/2 (t_ik - sum_j (log v_ij + 1))
 * Without means and variances there is one Gaussian, the standard normal one. Variances are given by their logarithms:
 * no step can make them negative. Sums are in double. The variance of Gaussian k, column j, is computed once for up to
 * CHUNK rows. */
#include <math.h>

#include "dcmpi/cluster.h"
#include "dcmpi/op.h"

enum { CHUNK = 64, NONE = -1 };

/* Numbers of the operands, and the factor of t. */
typedef struct {
    int x, own, mean, log_var;
    double scale;
} family;

typedef struct {
    const dc_call *c;
    family f;
    int64_t lo, n, K, L; /* rows [lo, lo + n) of the call */
} chunk;

static chunk chunk_at(const dc_call *c, const family *f, int64_t lo)
{
    chunk a = {.c = c, .f = *f, .lo = lo, .n = DC_MIN(c->tile->n - lo, (int64_t)CHUNK), .L = dc_in_width(c, f->x)};
    if (c->node->n_in <= f->mean) a.f.mean = a.f.log_var = NONE;
    a.K = c->node->shape.width;
    return a;
}

/* Mean, log variance and inverse variance of Gaussian k in column j. */
typedef struct {
    double m, l, inverse;
} side;

static side side_at(const chunk *a, int64_t k, int64_t j)
{
    if (a->f.mean == NONE) return (side){0, 0, 1};
    const double l = (double)a->c->in[a->f.log_var][k * a->L + j];
    return (side){(double)a->c->in[a->f.mean][k * a->L + j], l, exp(-l)};
}

/* Of row i of the chunk: x - m, the variance v, the gradient of the value by t_ik. */
static double offset(const chunk *a, int64_t i, int64_t j, const side *s)
{
    return (double)a->c->in[a->f.x][(a->lo + i) * a->L + j] - s->m;
}
static double own_variance(const chunk *a, int64_t i, int64_t j)
{
    return a->f.own == NONE ? 0 : (double)a->c->aux[(a->lo + i) * a->L + j];
}
static double slope(const chunk *a, int64_t i, int64_t k)
{
    return a->f.scale * (double)a->c->dout[(a->lo + i) * a->K + k];
}

static void give(const chunk *a, int operand, int64_t i, int64_t j, double d)
{
    float *to = &a->c->din[operand][(a->lo + i) * a->L + j];
    *to = a->c->adds[operand] ? *to + (float)d : (float)d;
}

/* t of all rows of the chunk, for Gaussian k. */
static void sum_terms(const chunk *a, int64_t k, double t[CHUNK])
{
    for (int64_t i = 0; i < a->n; i++) t[i] = 0;
    for (int64_t j = 0; j < a->L; j++) {
        const side s = side_at(a, k, j);
        for (int64_t i = 0; i < a->n; i++) {
            const double e = offset(a, i, j, &s);
            t[i] += s.l + (own_variance(a, i, j) + e * e) * s.inverse;
        }
    }
}

/* What a row adds to t, whatever the Gaussian. */
static double constant_of(const chunk *a, int64_t i)
{
    double sum = 0;
    if (a->f.own == NONE) return (double)a->L * log(2 * M_PI);
    for (int64_t j = 0; j < a->L; j++) sum -= (double)a->c->in[a->f.own][(a->lo + i) * a->L + j] + 1;
    return sum;
}

static void write_values(const chunk *a)
{
    double t[CHUNK], constant[CHUNK] = {0};
    for (int64_t i = 0; i < a->n; i++) constant[i] = constant_of(a, i);
    for (int64_t k = 0; k < a->K; k++) {
        sum_terms(a, k, t);
        for (int64_t i = 0; i < a->n; i++)
            a->c->out[(a->lo + i) * a->K + k] = (float)(a->f.scale * (t[i] + constant[i]));
    }
}

/* dx = 2 sum_k dt_k (x - m_k) / s_k^2; by the log variance of the row: sum_k dt_k (v / s_k^2 - 1). */
static void write_gradients(const chunk *a)
{
    for (int64_t j = 0; j < a->L; j++) {
        double by_x[CHUNK] = {0}, by_own[CHUNK] = {0};
        for (int64_t k = 0; k < a->K; k++) {
            const side s = side_at(a, k, j);
            for (int64_t i = 0; i < a->n; i++) {
                by_x[i] += 2 * slope(a, i, k) * offset(a, i, j, &s) * s.inverse;
                by_own[i] += slope(a, i, k) * (own_variance(a, i, j) * s.inverse - 1);
            }
        }
        for (int64_t i = 0; i < a->n; i++) {
            if (a->c->din[a->f.x]) give(a, a->f.x, i, j, by_x[i]);
            if (a->f.own != NONE && a->c->din[a->f.own]) give(a, a->f.own, i, j, by_own[i]);
        }
    }
}

/* dm = -2 sum_i dt (x - m) / s^2, dl = sum_i dt (1 - (v + (x - m)^2) / s^2). */
static void add_parts(const chunk *a, int operand, double *sum)
{
    for (int64_t k = 0; k < a->K; k++)
        for (int64_t j = 0; j < a->L; j++) {
            const side s = side_at(a, k, j);
            for (int64_t i = 0; i < a->n; i++) {
                const double e = offset(a, i, j, &s), d = slope(a, i, k);
                sum[k * a->L + j] += operand == a->f.mean ? -2 * d * e * s.inverse
                                                          : d * (1 - (own_variance(a, i, j) + e * e) * s.inverse);
            }
        }
}

typedef void (*pass)(const chunk *a);

static void run(const dc_call *c, const family *f, pass what)
{
    for (int64_t lo = 0; lo < c->tile->n; lo += CHUNK) {
        const chunk a = chunk_at(c, f, lo);
        what(&a);
    }
}

static void run_parts(const dc_call *c, const family *f, int operand, double *sum)
{
    for (int64_t lo = 0; lo < c->tile->n; lo += CHUNK) {
        const chunk a = chunk_at(c, f, lo);
        add_parts(&a, operand, sum);
    }
}

static bool fit(const dc_graph *g, dc_val x, dc_val mean, dc_val log_var)
{
    const dc_shape rows = dc_graph_shape(g, x), m = dc_graph_shape(g, mean), l = dc_graph_shape(g, log_var);
    return rows.space == DC_ROWS && m.space == DC_ONE && l.space == DC_ONE && m.width == rows.width &&
           l.width == m.width && l.n == m.n;
}

static dc_val refuse(dc_graph *g, dc_val x, dc_val mean, dc_val log_var)
{
    const dc_shape m = dc_graph_shape(g, mean), l = dc_graph_shape(g, log_var);
    return dc_refuse(g, "rows of width %lld, means [%lld x %lld] and log variances [%lld x %lld] of Gaussians",
                     (long long)dc_graph_shape(g, x).width, (long long)m.n, (long long)m.width, (long long)l.n,
                     (long long)l.width);
}

/* ---- Log densities ---------------------------------------------------------------------------------------------- */

static const family density = {.x = 0, .own = NONE, .mean = 1, .log_var = 2, .scale = -0.5};

static void log_forward(const dc_call *c)
{
    run(c, &density, write_values);
}
static void log_backward(const dc_call *c)
{
    if (c->din[density.x]) run(c, &density, write_gradients);
}
static void log_partial(const dc_call *c, int k, double *sum)
{
    run_parts(c, &density, k, sum);
}

static const dc_op gauss_log = {
    .name = "gauss-log", .forward = log_forward, .backward = log_backward, .partial = log_partial};

dc_val(dc_gauss_log)(dc_graph *g, dc_val x, dc_val mean, dc_val log_var)
{
    if (!fit(g, x, mean, log_var)) return refuse(g, x, mean, log_var);
    return dc_record(g, (dc_node){.op = &gauss_log, .n_in = 3, .in = {x.id, mean.id, log_var.id}},
                     (dc_shape){DC_ROWS, 1, dc_graph_shape(g, mean).n});
}

/* ---- Divergences ------------------------------------------------------------------------------------------------ */

static const family divergence = {.x = 0, .own = 1, .mean = 2, .log_var = 3, .scale = 0.5};

static void kl_forward(const dc_call *c)
{
    const int64_t count = c->tile->n * dc_in_width(c, divergence.own);
    for (int64_t i = 0; i < count; i++) c->aux[i] = expf(c->in[divergence.own][i]);
    run(c, &divergence, write_values);
}
static void kl_backward(const dc_call *c)
{
    if (c->din[divergence.x] || c->din[divergence.own]) run(c, &divergence, write_gradients);
}
static void kl_partial(const dc_call *c, int k, double *sum)
{
    run_parts(c, &divergence, k, sum);
}

/* The variances of the rows. */
static int64_t kl_aux(const dc_graph *g, const dc_node *x)
{
    return dc_node_in(g, x, divergence.own)->shape.width;
}

static const dc_op gauss_kl = {
    .name = "gauss-kl", .forward = kl_forward, .backward = kl_backward, .partial = kl_partial, .aux = kl_aux};

dc_val(dc_gauss_kl)(dc_graph *g, dc_val x, dc_val own, dc_val mean, dc_val log_var)
{
    const bool standard = mean.id < 0 && log_var.id < 0;
    const dc_shape a = dc_graph_shape(g, x), b = dc_graph_shape(g, own);
    if (a.space != DC_ROWS || b.space != DC_ROWS || a.width != b.width)
        return dc_refuse(g, "rows of %lld means and %lld variances are no Gaussians", (long long)a.width,
                         (long long)b.width);
    if (!standard && !fit(g, x, mean, log_var)) return refuse(g, x, mean, log_var);
    const dc_node node = {.op = &gauss_kl, .n_in = standard ? 2 : 4, .in = {x.id, own.id, mean.id, log_var.id}};
    return dc_record(g, node, (dc_shape){DC_ROWS, 1, standard ? 1 : dc_graph_shape(g, mean).n});
}

dc_val(dc_gauss_sample)(dc_graph *g, dc_val mean, dc_val log_var, int site)
{
    const dc_val half = (dc_map)(g, DC_MUL, log_var, (dc_number)(g, 0.5)),
                 noise = (dc_noise)(g, dc_graph_shape(g, mean).width, site);
    return (dc_map)(g, DC_ADD, mean, (dc_map)(g, DC_MUL, (dc_map)(g, DC_EXP, half, DC_NONE), noise));
}
