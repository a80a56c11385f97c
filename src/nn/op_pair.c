/* Operations on pairs of rows of the batch: NT-Xent.
 *
 * A batch of B rows has 2 B views v_m: its rows of z and its rows of partner. View m' is the other view of the row that
 * m belongs to. With s_mn = v_m v_n / t, the loss of a view is
 *   l_m = log sum_(n != m) exp(s_mn) - s_mm'
 * and the loss of a row is (l_m + l_m') / 2.
 *
 * Let h_m be half the gradient with respect to the loss of m's row (dout / 2), and e_m the logarithm in l_m, kept from
 * the forward pass. The gradient with respect to view m, from its own loss and from those of all other views, is
 *   dv_m = (1/t) (sum_(n != m) (h_m exp(s_mn - e_m) + h_n exp(s_mn - e_n)) v_n - 2 h_m v_m')
 * The rank that has the row of m computes all of dv_m, block by block over the rows of the whole batch, in order. */
#include <math.h>

#include "dcmpi/op.h"
#include "nn/act.h"

enum { VIEWS = 2, BLOCK = 64, TOGETHER = 4 };

static double scale_of(const dc_call *c)
{
    return 1 / c->node->real[0];
}

static float sum_lanes(dc_vec v)
{
    float sum = 0;
    for (int l = 0; l < DC_VEC_LANES; l++) sum += v[l];
    return sum;
}

/* s[j] = scale * (a b_j) for m rows of B. */
static void products(const float *a, const float *B, int64_t m, int64_t width, double scale, float *s)
{
    for (int64_t j = 0; j < m; j += TOGETHER) {
        dc_vec sum[TOGETHER] = {0};
        const float *b[TOGETHER];
        for (int q = 0; q < TOGETHER; q++) b[q] = B + DC_MIN(j + q, m - 1) * width;
        for (int64_t k = 0; k < width; k += DC_VEC_LANES) {
            const dc_vec x = dc_vec_load(a + k, width - k);
            for (int q = 0; q < TOGETHER; q++) sum[q] += x * dc_vec_load(b[q] + k, width - k);
        }
        for (int q = 0; q < TOGETHER && j + q < m; q++) s[j + q] = (float)(scale * (double)sum_lanes(sum[q]));
    }
}

/* d += sum_j f_j b_j over m rows of B. */
static void add_rows(const float *f, const float *B, int64_t m, int64_t width, float *d)
{
    for (int64_t k = 0; k < width; k += DC_VEC_LANES) {
        dc_vec sum = dc_vec_load(d + k, width - k);
        for (int64_t j = 0; j < m; j++) sum += f[j] * dc_vec_load(B + j * width + k, width - k);
        dc_vec_store(d + k, width - k, sum);
    }
}

/* exp(x_j - y) of a block. Exponents are at most 0, apart from rounding. */
static void exps(const float *x, float y, float *out)
{
    for (int64_t j = 0; j < BLOCK; j += DC_VEC_LANES) {
        dc_vec scale, rest;
        dc_vec_exp_parts(dc_vec_load(x + j, BLOCK) - y, &scale, &rest);
        dc_vec_store(out + j, BLOCK, scale * rest + scale);
    }
}

/* s[BLOCK]: s_mn for view `view` of row i of the tile (m) and view `other` of each row (n) of the block that starts at
 * row `first` of the batch; -1e30 where n is m, and after the last row. Returns the number of rows in the block. */
static int64_t block_products(const dc_call *c, int view, int64_t i, int other, int64_t first, float *s)
{
    const int64_t width = dc_in_width(c, 0), m = DC_MIN(c->tile->B - first, (int64_t)BLOCK), own = c->tile->at + i;
    products(c->in[view] + i * width, c->all[other] + first * width, m, width, scale_of(c), s);
    for (int64_t j = m; j < BLOCK; j++) s[j] = -1e30f;
    if (view == other && own >= first && own < first + m) s[own - first] = -1e30f;
    return m;
}

/* log sum_(n != m) exp(s_mn). `pair` is s_mm': the search for the largest s_mn, `most`, starts with it. */
static double log_sum(const dc_call *c, int view, int64_t i, float pair)
{
    float s[BLOCK], e[BLOCK], most = pair;
    double sum = 0;
    for (int other = 0; other < VIEWS; other++)
        for (int64_t first = 0; first < c->tile->B; first += BLOCK) {
            const float before = most;
            (void)block_products(c, view, i, other, first, s);
            for (int j = 0; j < BLOCK; j++) most = s[j] > most ? s[j] : most;
            if (most > before) sum *= exp((double)before - (double)most);
            exps(s, most, e);
            for (int j = 0; j < BLOCK; j++) sum += (double)e[j];
        }
    return (double)most + log(sum); /* cppcheck-suppress invalidFunctionArg; a batch has rows, the likest adds 1 */
}

static void forward(const dc_call *c)
{
    const int64_t width = dc_in_width(c, 0);
    for (int64_t i = 0; i < c->tile->n; i++) {
        float pair;
        double loss = 0;
        products(c->in[0] + i * width, c->in[1] + i * width, 1, width, scale_of(c), &pair);
        for (int view = 0; view < VIEWS; view++) {
            const double e = log_sum(c, view, i, pair);
            c->aux[i * VIEWS + view] = (float)e;
            loss += (e - (double)pair) / VIEWS;
        }
        c->out[i] = (float)loss;
    }
}

/* f_n = (h_m exp(s_mn - e_m) + h_n exp(s_mn - e_n)) / t for the rows n of a block. */
static void factors(const dc_call *c, int view, int64_t i, int other, int64_t first, int64_t m, const float *s,
                    float *f)
{
    float own[BLOCK], rest[BLOCK], theirs[BLOCK];
    const float half = c->dout[i] / VIEWS, scale = (float)scale_of(c);
    exps(s, c->aux[i * VIEWS + view], own);
    for (int64_t j = 0; j < BLOCK; j++) rest[j] = j < m ? s[j] - c->all_aux[(first + j) * VIEWS + other] : -1e30f;
    exps(rest, 0, theirs);
    for (int64_t j = 0; j < m; j++) f[j] = scale * (half * own[j] + c->all_dout[first + j] / VIEWS * theirs[j]);
}

static void give(const dc_call *c, int view)
{
    const int64_t width = dc_in_width(c, 0);
    float s[BLOCK], f[BLOCK];
    for (int64_t i = 0; i < c->tile->n; i++) {
        float *d = c->din[view] + i * width;
        const float pair = -c->dout[i] * (float)scale_of(c);
        for (int64_t j = 0; j < width && !c->adds[view]; j++) d[j] = 0;
        for (int other = 0; other < VIEWS; other++)
            for (int64_t first = 0; first < c->tile->B; first += BLOCK) {
                const int64_t m = block_products(c, view, i, other, first, s);
                factors(c, view, i, other, first, m, s, f);
                add_rows(f, c->all[other] + first * width, m, width, d);
            }
        add_rows(&pair, c->in[1 - view] + i * width, 1, width, d);
    }
}

static void backward(const dc_call *c)
{
    for (int view = 0; view < VIEWS; view++)
        if (c->din[view]) give(c, view);
}

static int64_t aux(const dc_graph *g, const dc_node *x)
{
    (void)g, (void)x;
    return VIEWS;
}

static const dc_op contrast = {
    .name = "contrast", .reach = DC_REACH_ALL, .gathers = 3, .forward = forward, .backward = backward, .aux = aux};

dc_val(dc_contrast)(dc_graph *g, dc_val z, dc_val partner, double temperature)
{
    const dc_shape a = dc_graph_shape(g, z), b = dc_graph_shape(g, partner);
    if (a.space != DC_ROWS || b.space != DC_ROWS || a.width != b.width)
        return dc_refuse(g, "the two views of a batch must be rows of the same width, not %lld and %lld",
                         (long long)a.width, (long long)b.width);
    if (!(temperature > 0)) return dc_refuse(g, "the temperature must be above 0, not %g", temperature);
    return dc_record(g, (dc_node){.op = &contrast, .n_in = 2, .in = {z.id, partner.id}, .real = {temperature}},
                     (dc_shape){DC_ROWS, 1, 1});
}
