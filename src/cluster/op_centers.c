/* Operations on rows and centres: squared distances, the nearest centre, the centre of a number, running means of
 * clusters. */
#include "dcmpi/cluster.h"
#include "dcmpi/op.h"

#include <string.h>

static bool fit(const dc_graph *g, dc_val z, dc_val centers)
{
    const dc_shape rows = dc_graph_shape(g, z), mu = dc_graph_shape(g, centers);
    return rows.space == DC_ROWS && mu.space == DC_ONE && rows.width == mu.width;
}

static dc_val refuse(dc_graph *g, dc_val z, dc_val centers)
{
    return dc_refuse(g, "rows of width %lld have no distance to centres of width %lld",
                     (long long)dc_graph_shape(g, z).width, (long long)dc_graph_shape(g, centers).width);
}

/* d_ik = |z_i - mu_k|^2: dz_i = 2 sum_k dd_ik (z_i - mu_k), dmu_k = -2 sum_i dd_ik (z_i - mu_k). */
static void distances(const dc_call *c)
{
    const int64_t K = c->node->shape.width, L = dc_in_width(c, 0);
    for (int64_t i = 0; i < c->tile->n; i++)
        for (int64_t k = 0; k < K; k++) {
            double sum = 0;
            for (int64_t j = 0; j < L; j++) {
                const double e = (double)c->in[0][i * L + j] - (double)c->in[1][k * L + j];
                sum += e * e;
            }
            c->out[i * K + k] = (float)sum;
        }
}

static void distances_back(const dc_call *c)
{
    const int64_t K = c->node->shape.width, L = dc_in_width(c, 0);
    if (!c->din[0]) return;
    for (int64_t i = 0; i < c->tile->n; i++)
        for (int64_t j = 0; j < L; j++) {
            double sum = 0;
            for (int64_t k = 0; k < K; k++)
                sum += (double)c->dout[i * K + k] * ((double)c->in[0][i * L + j] - (double)c->in[1][k * L + j]);
            float *d = &c->din[0][i * L + j];
            *d = c->adds[0] ? *d + (float)(2 * sum) : (float)(2 * sum);
        }
}

static void distances_partial(const dc_call *c, int operand, double *sum)
{
    const int64_t K = c->node->shape.width, L = dc_in_width(c, 0);
    (void)operand;
    for (int64_t i = 0; i < c->tile->n; i++)
        for (int64_t k = 0; k < K; k++) {
            const double share = -2 * (double)c->dout[i * K + k];
            for (int64_t j = 0; j < L; j++)
                sum[k * L + j] += share * ((double)c->in[0][i * L + j] - (double)c->in[1][k * L + j]);
        }
}

/* Derivative along t: 2 t.(z_i - mu_k). */
static void distances_tangent(const dc_call *c, int operand, const float *t, bool adds, float *out)
{
    const int64_t K = c->node->shape.width, L = dc_in_width(c, 0);
    (void)operand;
    for (int64_t i = 0; i < c->tile->n; i++)
        for (int64_t k = 0; k < K; k++) {
            double sum = 0;
            for (int64_t j = 0; j < L; j++)
                sum += (double)t[i * L + j] * ((double)c->in[0][i * L + j] - (double)c->in[1][k * L + j]);
            float *d = &out[i * K + k];
            *d = adds ? *d + (float)(2 * sum) : (float)(2 * sum);
        }
}

static unsigned distances_curved(const dc_node *x, int operand)
{
    (void)x, (void)operand;
    return 3;
}

static void distances_curve(const dc_call *c, int operand, const float *t)
{
    const int64_t K = c->node->shape.width, L = dc_in_width(c, 0);
    (void)operand;
    for (int64_t i = 0; i < c->tile->n; i++) {
        double sum = 0;
        for (int64_t k = 0; k < K; k++) sum += (double)c->dout[i * K + k];
        for (int64_t j = i * L; j < (i + 1) * L; j++) {
            const float d = (float)(2 * sum * (double)t[j]);
            c->din[0][j] = c->adds[0] ? c->din[0][j] + d : d;
        }
    }
}

static void distances_curve_partial(const dc_call *c, int operand, const float *t, int by, double *sum)
{
    const int64_t K = c->node->shape.width, L = dc_in_width(c, 0);
    (void)operand, (void)by;
    for (int64_t i = 0; i < c->tile->n; i++)
        for (int64_t k = 0; k < K; k++)
            for (int64_t j = 0; j < L; j++) sum[k * L + j] -= 2 * (double)c->dout[i * K + k] * (double)t[i * L + j];
}

static const dc_op sqdist = {.name = "sqdist",
                             .forward = distances,
                             .backward = distances_back,
                             .partial = distances_partial,
                             .tangent = distances_tangent,
                             .curved = distances_curved,
                             .curve = distances_curve,
                             .curve_partial = distances_curve_partial};

dc_val(dc_sqdist)(dc_graph *g, dc_val z, dc_val centers)
{
    if (!fit(g, z, centers)) return refuse(g, z, centers);
    return dc_record(g, (dc_node){.op = &sqdist, .n_in = 2, .in = {z.id, centers.id}},
                     (dc_shape){DC_ROWS, 1, dc_graph_shape(g, centers).n});
}

enum { TILE = 64 };

static void nearest_rows(const dc_call *c)
{
    const int64_t K = dc_node_in(c->graph, c->node, 1)->shape.n, L = dc_in_width(c, 0);
    int32_t label[TILE];
    for (int64_t lo = 0; lo < c->tile->n; lo += TILE) {
        const int64_t n = DC_MIN(c->tile->n - lo, (int64_t)TILE);
        dc_nearest(c->in[0] + lo * L, c->in[1], n, K, L, label);
        for (int64_t i = 0; i < n; i++) c->out[lo + i] = (float)label[i];
    }
}

static const dc_op nearest = {.name = "nearest", .constant = 3, .forward = nearest_rows};

dc_val(dc_nearest_center)(dc_graph *g, dc_val z, dc_val centers)
{
    if (!fit(g, z, centers)) return refuse(g, z, centers);
    return dc_record(g, (dc_node){.op = &nearest, .n_in = 2, .in = {z.id, centers.id}}, (dc_shape){DC_ROWS, 1, 1});
}

static void pick_rows(const dc_call *c)
{
    const int64_t L = c->node->shape.width, K = dc_node_in(c->graph, c->node, 1)->shape.n;
    for (int64_t i = 0; i < c->tile->n; i++) {
        const int64_t k = (int64_t)c->in[0][i];
        DC_ASSERT(k >= 0 && k < K);
        memcpy(c->out + i * L, c->in[1] + k * L, (size_t)L * sizeof *c->out);
    }
}

static const dc_op pick = {.name = "pick", .constant = 3, .forward = pick_rows};

dc_val(dc_pick)(dc_graph *g, dc_val number, dc_val vector)
{
    const dc_shape which = dc_graph_shape(g, number), from = dc_graph_shape(g, vector);
    if (which.space != DC_ROWS || which.width != 1 || from.space != DC_ONE)
        return dc_refuse(g, "a row of a vector is picked by a number per row, not by %lld", (long long)which.width);
    return dc_record(g, (dc_node){.op = &pick, .n_in = 2, .in = {number.id, vector.id}},
                     (dc_shape){DC_ROWS, 1, from.width});
}

/* Mean over c rows whose mean is m and n more rows whose sum is s: (c m + s) / (c + n), in double. */
static void mean_of(const dc_call *c)
{
    const int64_t L = c->node->shape.width;
    for (int64_t k = 0; k < c->tile->n; k++) {
        const double before = (double)c->in[1][k], more = (double)c->in[2][k];
        for (int64_t j = 0; j < L; j++) {
            const double m = (double)c->in[0][k * L + j], s = (double)c->in[3][k * L + j];
            c->out[k * L + j] = more > 0 ? (float)((before * m + s) / (before + more)) : c->in[0][k * L + j];
        }
    }
}

static const dc_op running_mean = {.name = "running-mean", .constant = 15, .forward = mean_of};

dc_val(dc_running_mean)(dc_graph *g, dc_val mean, dc_val count, dc_val more, dc_val sum)
{
    const dc_shape m = dc_graph_shape(g, mean), c = dc_graph_shape(g, count), n = dc_graph_shape(g, more),
                   s = dc_graph_shape(g, sum);
    const long long counts = c.n * c.width, joining = n.n * n.width;
    if (m.n != s.n || m.width != s.width || counts != m.n || joining != m.n)
        return dc_refuse(g, "%lld means, %lld and %lld counts, %lld sums", (long long)m.n, counts, joining,
                         (long long)s.n);
    return dc_record(g, (dc_node){.op = &running_mean, .n_in = 4, .in = {mean.id, count.id, more.id, sum.id}}, m);
}
