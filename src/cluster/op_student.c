/* Loss of deep embedded clustering and its gradients: KL(P || Q) of the Student-t assignment Q, with P constant. It is
 * fused: the factors S are the only n x K values that backward needs from forward.
 *
 * With w_ij = 1/(1 + d_ij/a), d = |z_i - mu_j|^2, log q_ij = (a+1)/2 log w_ij - log sum_k w_ik^((a+1)/2):
 *   d(-log q_ij)/dd_ik = (a+1)/(2a) (delta_jk - q_ik) w_ik,
 *   d/dd_ik sum_j p_ij (log p_ij - log q_ij) = (a+1)/(2a) (p_ik - q_ik) w_ik      since sum_j p_ij = 1,
 *   dL/dz_i  =  (a+1)/a dout_i sum_k S_ik (z_i - mu_k),  S_ik = w_ik (p_ik - q_ik),
 *   dL/dmu_k = -(a+1)/a sum_i dout_i S_ik (z_i - mu_k).
 * The factor contains p - q; the gradient with p alone, which is often printed, is wrong. Differences z - mu are formed
 * before they are weighted, so nothing cancels. The engine takes care of the batch size B; here dout_i is the gradient
 * with respect to the loss of row i. */
#include "softassign_impl.h"

#include "dcmpi/op.h"
#include "lanes.h"

enum { Z, CENTERS, TARGET };

typedef struct {
    const float *z, *M, *p;
    int64_t n, K, L;
    double alpha;
    float *aux; /* [n x 2K] a row holds K exponents and K weights w_ij; S_ij replaces the exponents */
} student;

static student of_call(const dc_call *c)
{
    return (student){.z = c->in[Z],
                     .M = c->in[CENTERS],
                     .p = c->in[TARGET],
                     .n = c->tile->n,
                     .K = dc_node_in(c->graph, c->node, CENTERS)->shape.n,
                     .L = dc_in_width(c, Z),
                     .alpha = c->node->real[0],
                     .aux = c->aux};
}

/* Factor of the gradients of row i. */
static double scale_of(const student *a, const dc_call *c, int64_t i)
{
    return (a->alpha + 1) / a->alpha * (double)c->dout[i];
}

static float *factors_of(const student *a, int64_t i)
{
    return a->aux + 2 * i * a->K;
}

/* Computes, for `n` rows from row i on, w and the exponents relative to that of the nearest centre; adds the exp of all
 * exponents of row l to sum[l]. */
static void weigh(const student *a, int64_t i, int64_t n, double *sum)
{
    dc_soft_lane least, room[DC_SOFT_CENTERS], kept[DC_SOFT_KEPT];
    int32_t nearest[DC_SOFT_LANES];
    const double half = (a->alpha + 1) / 2;
    dc_soft_nearest(a->z + i * a->L, n, a->M, a->K, a->L, least, nearest, kept);
    for (int l = 0; l < DC_SOFT_LANES; l++) least[l] = half * dc_lane_log1p(least[l] / a->alpha);
    for (int64_t k0 = 0; k0 < a->K; k0 += DC_SOFT_CENTERS) {
        const int64_t m = DC_MIN(a->K - k0, (int64_t)DC_SOFT_CENTERS);
        const dc_soft_lane *d = dc_soft_again(a->z + i * a->L, n, a->M, a->K, k0, m, a->L, kept, room);
        for (int64_t k = 0; k < m; k++) {
            dc_soft_lane u, w;
            for (int l = 0; l < DC_SOFT_LANES; l++) {
                u[l] = least[l] - half * dc_lane_log1p(d[k][l] / a->alpha);
                w[l] = 1 / (1 + d[k][l] / a->alpha);
                sum[l] += dc_lane_exp(u[l]);
            }
            for (int64_t l = 0; l < n; l++) {
                factors_of(a, i + l)[k0 + k] = (float)u[l];
                factors_of(a, i + l)[a->K + k0 + k] = (float)w[l];
            }
        }
    }
}

/* Turns the exponents of row i into S = w (p - q); returns the row's loss. log_sum normalises q. */
static double factors(const student *a, int64_t i, double log_sum)
{
    const float *p = a->p + i * a->K;
    float *s = factors_of(a, i), *w = s + a->K;
    double term[DC_SOFT_CENTERS], loss = 0;
    for (int64_t k0 = 0; k0 < a->K; k0 += DC_SOFT_CENTERS) {
        const int64_t m = DC_MIN(a->K - k0, (int64_t)DC_SOFT_CENTERS);
        for (int64_t k = 0; k < m; k++) {
            const double log_q = (double)s[k0 + k] - log_sum, pk = (double)p[k0 + k];
            term[k] = pk * (dc_lane_log(pk) - log_q); /* 0 for p = 0 */
            s[k0 + k] = (float)((double)w[k0 + k] * (pk - dc_lane_exp(log_q)));
        }
        for (int64_t k = 0; k < m; k++) loss += term[k];
    }
    return loss;
}

static void forward(const dc_call *c)
{
    const student a = of_call(c);
    for (int64_t i = 0; i < a.n; i += DC_SOFT_LANES) {
        const int64_t m = DC_MIN(a.n - i, (int64_t)DC_SOFT_LANES);
        dc_soft_lane sum = {0};
        weigh(&a, i, m, sum);
        for (int64_t l = 0; l < m; l++) c->out[i + l] = (float)factors(&a, i + l, dc_lane_log(sum[l]));
    }
}

/* dz of `n` rows from row i on: sum_k S_ik (z_i - mu_k), scaled. */
static void row_gradients(const student *a, const dc_call *c, int64_t i, int64_t n)
{
    dc_soft_lane z[DC_SOFT_COLUMNS], g[DC_SOFT_COLUMNS], s = {0};
    for (int64_t c0 = 0; c0 < a->L; c0 += DC_SOFT_COLUMNS) {
        const int64_t width = DC_MIN(a->L - c0, (int64_t)DC_SOFT_COLUMNS);
        dc_soft_load(a->z + i * a->L, n, a->L, c0, width, z);
        memset(g, 0, sizeof g);
        for (int64_t k = 0; k < a->K; k++) {
            const float *mu = a->M + k * a->L + c0;
            for (int64_t l = 0; l < n; l++) s[l] = (double)factors_of(a, i + l)[k];
            for (int64_t j = 0; j < width; j++)
                for (int l = 0; l < DC_SOFT_LANES; l++) g[j][l] += s[l] * (z[j][l] - (double)mu[j]);
        }
        for (int64_t l = 0; l < n; l++) {
            const double scale = scale_of(a, c, i + l);
            float *d = c->din[Z] + (i + l) * a->L + c0;
            for (int64_t j = 0; j < width; j++)
                d[j] = c->adds[Z] ? d[j] + (float)(scale * g[j][l]) : (float)(scale * g[j][l]);
        }
    }
}

static void backward(const dc_call *c)
{
    const student a = of_call(c);
    if (!c->din[Z]) return; /* only the centres learn */
    for (int64_t i = 0; i < a.n; i += DC_SOFT_LANES) row_gradients(&a, c, i, DC_MIN(a.n - i, (int64_t)DC_SOFT_LANES));
}

/* Adds the gradients of all centres. */
static void partial(const dc_call *c, int k, double *sum)
{
    const student a = of_call(c);
    (void)k;
    for (int64_t i = 0; i < a.n; i++) {
        const double scale = scale_of(&a, c, i);
        const float *z = a.z + i * a.L, *s = factors_of(&a, i);
        for (int64_t j = 0; j < a.K; j++) {
            const double share = -scale * (double)s[j];
            const float *mu = a.M + j * a.L;
            for (int64_t d = 0; d < a.L; d++) sum[j * a.L + d] += share * ((double)z[d] - (double)mu[d]);
        }
    }
}

static int64_t aux(const dc_graph *g, const dc_node *x)
{
    return 2 * dc_node_in(g, x, CENTERS)->shape.n;
}

static const dc_op student_kl = {.name = "student-kl",
                                 .constant = 1u << TARGET,
                                 .forward = forward,
                                 .backward = backward,
                                 .partial = partial,
                                 .aux = aux};

dc_val(dc_student_kl)(dc_graph *g, double alpha, dc_val z, dc_val centers, dc_val p)
{
    const dc_shape rows = dc_graph_shape(g, z), mu = dc_graph_shape(g, centers), target = dc_graph_shape(g, p);
    if (rows.space != DC_ROWS || target.space != DC_ROWS)
        return dc_refuse(g, "needs rows of the batch and a target for each of them, not a vector");
    if (mu.space != DC_ONE || mu.width != rows.width || target.width != mu.n)
        return dc_refuse(g, "%lld centres of width %lld, rows of width %lld, targets of width %lld", (long long)mu.n,
                         (long long)mu.width, (long long)rows.width, (long long)target.width);
    return dc_record(g, (dc_node){.op = &student_kl, .n_in = 3, .in = {z.id, centers.id, p.id}, .real = {alpha}},
                     (dc_shape){DC_ROWS, 1, 1});
}

/* ---- q alone ----------------------------------------------------------------------------------------------------- */

static void assign(const dc_call *c)
{
    const int64_t K = c->node->shape.width, L = dc_in_width(c, Z);
    dc_softassign_rows(c->in[Z], c->in[CENTERS], c->tile->n, K, L, c->node->real[0], c->out, NULL);
}

static const dc_op student_q = {.name = "student", .constant = 1u << Z | 1u << CENTERS, .forward = assign};

dc_val(dc_student)(dc_graph *g, double alpha, dc_val z, dc_val centers)
{
    const dc_shape rows = dc_graph_shape(g, z), mu = dc_graph_shape(g, centers);
    if (rows.space != DC_ROWS || mu.space != DC_ONE || mu.width != rows.width)
        return dc_refuse(g, "rows of width %lld have no assignment to centres of width %lld", (long long)rows.width,
                         (long long)mu.width);
    return dc_record(g, (dc_node){.op = &student_q, .n_in = 2, .in = {z.id, centers.id}, .real = {alpha}},
                     (dc_shape){DC_ROWS, 1, mu.n});
}
