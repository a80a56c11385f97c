/* Sums over all rows of the batch: means, totals, cross products. An operation only computes what a tile adds; the
 * executor forms the sum, shard by shard, in double. */
#include "dcmpi/op.h"

static double all_of(const dc_tile *tile)
{
    (void)tile;
    return 1;
}

static double mean_of(const dc_tile *tile)
{
    return 1 / (double)tile->B;
}

static void add_columns(const dc_call *c, double *sum)
{
    const int64_t width = dc_in_width(c, 0);
    for (int64_t i = 0; i < c->tile->n; i++)
        for (int64_t j = 0; j < width; j++) sum[j] += (double)c->in[0][i * width + j];
}

static void spread(const dc_call *c)
{
    const int64_t width = dc_in_width(c, 0);
    const double share = c->node->op->share(c->tile);
    for (int64_t i = 0; i < c->tile->n; i++)
        for (int64_t j = 0; j < width; j++) {
            float *d = &c->din[0][i * width + j];
            *d = (c->adds[0] ? *d : 0) + (float)(share * (double)c->dout[j]);
        }
}

static const dc_op mean = {
    .name = "mean", .reach = DC_REACH_SUM, .add = add_columns, .share = mean_of, .backward = spread};
static const dc_op total = {
    .name = "total", .reach = DC_REACH_SUM, .add = add_columns, .share = all_of, .backward = spread};

static dc_val sum_columns(dc_graph *g, const dc_op *op, dc_val x)
{
    const dc_shape s = dc_graph_shape(g, x);
    if (s.space != DC_ROWS) return dc_refuse(g, "%s over rows of a vector", op->name);
    return dc_record(g, (dc_node){.op = op, .n_in = 1, .in = {x.id}}, (dc_shape){DC_ONE, 1, s.width});
}

dc_val(dc_mean)(dc_graph *g, dc_val x)
{
    return sum_columns(g, &mean, x);
}

dc_val(dc_total)(dc_graph *g, dc_val x)
{
    return sum_columns(g, &total, x);
}

/* C = a'b: da = b dC', db = a dC. */
static void add_products(const dc_call *c, double *sum)
{
    const int64_t m = dc_in_width(c, 0), n = dc_in_width(c, 1);
    for (int64_t i = 0; i < c->tile->n; i++)
        for (int64_t j = 0; j < m; j++) {
            const double a = (double)c->in[0][i * m + j];
            for (int64_t k = 0; k < n; k++) sum[j * n + k] += a * (double)c->in[1][i * n + k];
        }
}

static void spread_products(const dc_call *c)
{
    const int64_t m = dc_in_width(c, 0), n = dc_in_width(c, 1);
    for (int64_t i = 0; i < c->tile->n; i++) {
        const float *a = c->in[0] + i * m, *b = c->in[1] + i * n;
        for (int64_t j = 0; c->din[0] && j < m; j++) {
            double sum = 0;
            for (int64_t k = 0; k < n; k++) sum += (double)b[k] * (double)c->dout[j * n + k];
            float *d = &c->din[0][i * m + j];
            *d = (c->adds[0] ? *d : 0) + (float)sum;
        }
        for (int64_t k = 0; c->din[1] && k < n; k++) {
            double sum = 0;
            for (int64_t j = 0; j < m; j++) sum += (double)a[j] * (double)c->dout[j * n + k];
            float *d = &c->din[1][i * n + k];
            *d = (c->adds[1] ? *d : 0) + (float)sum;
        }
    }
}

static const dc_op cross = {
    .name = "cross", .reach = DC_REACH_SUM, .add = add_products, .share = all_of, .backward = spread_products};

dc_val(dc_cross)(dc_graph *g, dc_val a, dc_val b)
{
    const dc_shape x = dc_graph_shape(g, a), y = dc_graph_shape(g, b);
    if (x.space != DC_ROWS || y.space != DC_ROWS) return dc_refuse(g, "cross product of vectors");
    return dc_record(g, (dc_node){.op = &cross, .n_in = 2, .in = {a.id, b.id}}, (dc_shape){DC_ONE, x.width, y.width});
}
