/* Log densities of Gaussians given by the factors of their inverse variances. Sums are in double. */
#include <math.h>

#include "dcmpi/mixture.h"
#include "dcmpi/op.h"

enum { LANES = 16 };

/* |F' (x - m)|^2, some columns of F at a time. */
static double square(const float *x, const float *mean, const float *factor, int64_t d)
{
    double sum = 0;
    for (int64_t first = 0; first < d; first += LANES) {
        const int64_t width = DC_MIN((int64_t)LANES, d - first);
        double y[LANES] = {0};
        for (int64_t j = 0; j < first + width; j++) {
            const double e = (double)x[j] - (double)mean[j];
            for (int64_t l = DC_MAX(j - first, (int64_t)0); l < width; l++)
                y[l] += e * (double)factor[j * d + first + l];
        }
        for (int64_t l = 0; l < width; l++) sum += y[l] * y[l];
    }
    return sum;
}

static void log_densities(const dc_call *c)
{
    const int64_t K = c->node->shape.width, d = dc_in_width(c, 0);
    const int64_t step = dc_node_in(c->graph, c->node, 2)->shape.n == d ? 0 : d * d;
    for (int64_t k = 0; k < K; k++) {
        const float *factor = c->in[2] + k * step;
        double constant = -0.5 * (double)d * log(2 * M_PI);
        for (int64_t j = 0; j < d; j++) constant += log((double)factor[j * d + j]);
        for (int64_t i = 0; i < c->tile->n; i++)
            c->out[i * K + k] = (float)(constant - square(c->in[0] + i * d, c->in[1] + k * d, factor, d) / 2);
    }
}

static const dc_op gauss_factor_log = {.name = "gauss-factor-log", .constant = 7, .forward = log_densities};

dc_val(dc_gauss_factor_log)(dc_graph *g, dc_val x, dc_val mean, dc_val factor)
{
    const dc_shape rows = dc_graph_shape(g, x), m = dc_graph_shape(g, mean), f = dc_graph_shape(g, factor);
    const bool fit = rows.space == DC_ROWS && m.space == DC_ONE && f.space == DC_ONE && rows.width == m.width &&
                     f.width == m.width && (f.n == m.width || f.n == m.n * m.width);
    if (!fit)
        return dc_refuse(g, "rows of width %lld have no density by %lld means of width %lld and factors %lld x %lld",
                         (long long)rows.width, (long long)m.n, (long long)m.width, (long long)f.n, (long long)f.width);
    return dc_record(g, (dc_node){.op = &gauss_factor_log, .n_in = 3, .in = {x.id, mean.id, factor.id}},
                     (dc_shape){DC_ROWS, 1, m.n});
}
