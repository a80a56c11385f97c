/* Self-test, numbers: known answers of the generator and of the sum over rows, and gradients against differences of
 * their losses. A compiler or library that breaks one of them gives wrong results without any error. */
#include <math.h>
#include <string.h>

#include "dcmpi/cluster.h"
#include "dcmpi/mem.h"
#include "dcmpi/nn.h"
#include "dcmpi/rng.h"
#include "dcmpi/sum.h"
#include "selftest.h"

/* ---- Known answers ----------------------------------------------------------------------------------------------- */

/* Vectors of Random123's known-answer file (kat_vectors, philox4x32 10); the stream lies in the upper bits of the step.
 */
static const struct {
    uint64_t seed;
    int stream;
    uint64_t step, index;
    uint32_t answer[4];
} vectors[] = {
    {0, 0, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {UINT64_MAX, 0xffff, 0xffffffffffff, UINT64_MAX, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {0x299f31d0a4093822, 0x0370, 0x734413198a2e, 0x85a308d3243f6a88, {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

static dc_status check_vectors(void)
{
    for (size_t i = 0; i < DC_COUNT_OF(vectors); i++) {
        uint32_t w[4];
        dc_rng4(vectors[i].seed, (dc_rng_stream)vectors[i].stream, vectors[i].step, vectors[i].index, w);
        if (memcmp(w, vectors[i].answer, sizeof w) != 0)
            return DC_FAIL(DC_ERR_NUMERIC, "Philox4x32-10, vector %zu: %08x %08x %08x %08x, not %08x ...", i, w[0],
                           w[1], w[2], w[3], vectors[i].answer[0]);
    }
    return DC_OK;
}

dc_status dc_selftest_rng(dc_comm *comm, dc_selftest *t)
{
    dc_selftest_figure(t, "Philox4x32-10 gives the %zu known answers of Random123", DC_COUNT_OF(vectors));
    return dc_agree(comm, check_vectors());
}

/* Terms between 2^-21 and 2^19 in size: every order of summation has its own last bits. Products with powers of two are
 * exact, so that contraction to FMA changes nothing. */
static double term(uint64_t row)
{
    uint32_t w[4];
    dc_rng4(1, DC_STREAM_TEST, 0, row, w);
    return ldexp(dc_rng_unit53(w[0], w[1]) - 0.5, (int)(w[2] % 41) - 20);
}

static void sum_block(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const dc_part *part = ctx;
    (void)thread;
    for (int64_t i = block->lo; i < block->hi; i++) leaf[0] += term((uint64_t)(part->row_lo + i));
}

enum { SUM_ROWS = 300007, SUM_SHARDS = 65536 };
/* Defined by rows and shards alone; from one rank with one thread. */
static const double SUM_ANSWER = -0x1.c005d0502c45p+21;

static dc_status sum_terms(dc_comm *comm, double *total)
{
    dc_status st = DC_OK;
    dc_sum *sum = NULL;
    dc_part part;
    DC_TRY_ALL(comm, dc_part_init(&part, SUM_ROWS, SUM_SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    DC_TRY_ALL(comm, dc_sum_create(&sum, &part, 1));
    dc_sum_over_blocks(comm, sum, sum_block, &part, total);
out:
    dc_sum_destroy(&sum);
    return st;
}

dc_status dc_selftest_canonical_sum(dc_comm *comm, dc_selftest *t)
{
    double total = 0;
    if (dc_comm_size(comm) > SUM_SHARDS) return dc_selftest_skip(t, "more than %d ranks", (int)SUM_SHARDS);
    const dc_status st = sum_terms(comm, &total);
    if (st != DC_OK) return st;
    dc_selftest_figure(t, "%d terms: the bits of one rank with one thread", (int)SUM_ROWS);
    return dc_agree(comm, total == SUM_ANSWER
                              ? DC_OK
                              : DC_FAIL(DC_ERR_NUMERIC,
                                        "the sum of %d terms is %a, not %a: results depend on ranks and "
                                        "threads",
                                        (int)SUM_ROWS, total, SUM_ANSWER));
}

/* ---- Gradients --------------------------------------------------------------------------------------------------- */

/* Losses are computed in float: differences are taken over wide steps, with the formula of fourth order. */
static const float STEP = 0x1p-5F;
static const double TOLERANCE = 1e-3; /* of the largest component; rounding alone reaches 1e-5 */

typedef double (*loss_function)(void *ctx);

static double loss_at(loss_function loss, void *ctx, float *x, float value)
{
    const float keep = *x;
    *x = value;
    const double l = loss(ctx);
    *x = keep;
    return l;
}

static double slope(loss_function loss, void *ctx, float *x)
{
    const float x0 = *x, h = STEP;
    const double inner = loss_at(loss, ctx, x, x0 + h) - loss_at(loss, ctx, x, x0 - h);
    const double outer = loss_at(loss, ctx, x, x0 + 2 * h) - loss_at(loss, ctx, x, x0 - 2 * h);
    return (8 * inner - outer) / (12 * (double)h);
}

/* Largest difference between gradient[n] and the slopes of `loss` in x[n], relative to the largest component. loss()
 * must leave `gradient` alone. */
static double gradient_error(loss_function loss, void *ctx, float *x, const float *gradient, size_t n)
{
    double worst = 0, largest = 0;
    for (size_t i = 0; i < n; i++) {
        const double error = fabs(slope(loss, ctx, &x[i]) - (double)gradient[i]);
        if (!(error <= worst)) worst = error; /* NaN counts as an error */
        largest = fmax(largest, fabs((double)gradient[i]));
    }
    return worst / largest;
}

static dc_status judge(dc_selftest *t, const char *what, double error)
{
    dc_selftest_figure(t, "%s: differences agree to %.0e", what, error);
    if (error <= TOLERANCE) return DC_OK;
    return DC_FAIL(DC_ERR_NUMERIC,
                   "%s: gradient and differences of the loss differ by %g of the largest component "
                   "(allowed: %g)",
                   what, error, TOLERANCE);
}

enum { NET_ROWS = 6, NET_INPUT = 7, NET_LATENT = 3 };

typedef struct {
    dc_net net;
    dc_params params;
    dc_net_work work;
    float x[NET_ROWS * NET_INPUT], dout[NET_ROWS * NET_INPUT];
} small_net;

static double net_loss(void *ctx)
{
    small_net *s = ctx;
    const int last = s->net.n_layers;
    memcpy(s->work.act[0], s->x, sizeof s->x);
    dc_net_forward(&s->net, s->params.value, &s->work, 0, last, NET_ROWS);
    return dc_recon_loss_grad(DC_LOSS_MSE, s->x, s->work.act[last], NET_ROWS, NET_INPUT, NET_ROWS, s->dout);
}

/* tanh: an activation with a kink would spoil the differences. */
static dc_status small_net_create(small_net *s)
{
    static const int64_t hidden[] = {5, 4};
    dc_status st = DC_OK;
    *s = (small_net){0};
    DC_TRY(dc_net_init(&s->net, NET_INPUT, hidden, 2, NET_LATENT, DC_ACT_TANH, DC_ACT_LINEAR, DC_ACT_LINEAR));
    DC_TRY(dc_params_create(&s->params, &s->net, 0));
    DC_TRY(dc_net_work_create(&s->work, &s->net, 0, s->net.n_layers, NET_ROWS, true));
    dc_rng_fill_uniform(s->params.value, s->params.n, 1, 0, 0.9);
    dc_rng_fill_uniform(s->x, NET_ROWS * NET_INPUT, 1, 1, 1);
out:
    return st;
}

dc_status dc_selftest_net_gradient(dc_comm *comm, dc_selftest *t)
{
    small_net s;
    dc_status st = small_net_create(&s);
    if (st == DC_OK) {
        net_loss(&s);
        dc_net_backward(&s.net, s.params.value, s.params.grad, &s.work, 0, s.net.n_layers, NET_ROWS, s.dout, NULL);
        st =
            judge(t, "mean squared error", gradient_error(net_loss, &s, s.params.value, s.params.grad, s.net.n_params));
    }
    dc_net_work_release(&s.work);
    dc_params_release(&s.params);
    return dc_agree(comm, st);
}

enum { KL_ROWS = 12, KL_CLUSTERS = 4, KL_LATENT = 3 };

/* One gradient is kept while differences are taken; the loss writes to `d`. */
typedef struct {
    float Z[KL_ROWS * KL_LATENT], M[KL_CLUSTERS * KL_LATENT], P[KL_ROWS * KL_CLUSTERS];
    float dZ[KL_ROWS * KL_LATENT], dM[KL_CLUSTERS * KL_LATENT];
    float scratch[2 * KL_ROWS * KL_CLUSTERS];
    int64_t rows[KL_ROWS];
} head;

static double kl_loss(void *ctx)
{
    head *h = ctx;
    return dc_student_kl_grad(h->Z, h->M, h->P, h->rows, KL_ROWS, KL_CLUSTERS, KL_LATENT, 1, KL_ROWS, h->dZ, h->dM,
                              h->scratch);
}

/* Target: the sharpened assignment of other rows, so that P is far from Q. */
static void head_init(head *h)
{
    const double f[KL_CLUSTERS] = {3, 3, 3, 3};
    dc_rng_fill_uniform(h->M, KL_CLUSTERS * KL_LATENT, 1, 2, 1);
    dc_rng_fill_uniform(h->Z, KL_ROWS * KL_LATENT, 1, 3, 1);
    dc_softassign(h->Z, h->M, KL_ROWS, KL_CLUSTERS, KL_LATENT, 1, h->P, NULL);
    dc_target(h->P, f, KL_ROWS, KL_CLUSTERS, KL_ROWS, h->P);
    dc_rng_fill_uniform(h->Z, KL_ROWS * KL_LATENT, 1, 4, 1);
    for (int64_t i = 0; i < KL_ROWS; i++) h->rows[i] = i;
}

dc_status dc_selftest_kl_gradient(dc_comm *comm, dc_selftest *t)
{
    head h;
    float dZ[KL_ROWS * KL_LATENT], dM[KL_CLUSTERS * KL_LATENT];
    head_init(&h);
    kl_loss(&h);
    memcpy(dZ, h.dZ, sizeof dZ);
    memcpy(dM, h.dM, sizeof dM);
    const double error = fmax(gradient_error(kl_loss, &h, h.Z, dZ, DC_COUNT_OF(dZ)),
                              gradient_error(kl_loss, &h, h.M, dM, DC_COUNT_OF(dM)));
    return dc_agree(comm, judge(t, "KL divergence of Student's t", error));
}
