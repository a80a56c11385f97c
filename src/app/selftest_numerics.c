/* Self-test, numbers: checks known answers of the random generator and of the sum over rows, and compares gradients
 * with finite differences of their losses. A compiler or library that breaks one of these would give wrong results
 * without any error. */
#include <math.h>
#include <string.h>

#include "dcmpi/cluster.h"
#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "dcmpi/rng.h"
#include "dcmpi/step.h"
#include "selftest.h"

/* ---- Known answers ----------------------------------------------------------------------------------------------- */

/* Vectors of Random123's known-answer file (kat_vectors, philox4x32 10); the stream goes into the upper bits of the
 * step. */
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

/* Terms between 2^-21 and 2^19 in size: every order of summation gives different last bits. Products with powers of two
 * are exact, so that contraction to FMA changes nothing. */
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
/* The sum, computed on one rank with one thread; it depends on rows and shards alone. */
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

/* Losses are computed in float, so differences are taken over wide steps, with a formula of fourth order. */
static const float STEP = 0x1p-5F;
static const double TOLERANCE = 1e-3; /* relative to the largest component; rounding alone reaches 1e-5 */

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

/* A training step on a few rows; every rank takes it on its own. The activation is tanh, because a function with a kink
 * would spoil the differences. */
enum { ROWS = 12, INPUT = 7, LATENT = 3, CLUSTERS = 4 };
static const int64_t hidden[] = {5, 4};

typedef struct {
    dc_comm *alone;
    dc_part part;
    dc_net net;
    dc_params params;
    dc_graph *graph;
    dc_step *step;
    dc_timers timers;
    float x[ROWS * INPUT], P[ROWS * CLUSTERS];
    dc_table target;
} problem;

static void gather(const void *from, const int64_t *rows, int64_t n, float *out)
{
    const problem *p = from;
    for (int64_t i = 0; i < n; i++) memcpy(out + i * INPUT, p->x + rows[i] * INPUT, INPUT * sizeof *out);
}

static void record_reconstruction(problem *p)
{
    const dc_val x = dc_batch(p->graph, INPUT);
    dc_minimize(p->graph, "reconstruction", 1,
                dc_recon(p->graph, DC_LOSS_MSE, x, dc_layers(p->graph, &p->net, 0, p->net.n_layers, true, x)));
}

/* The target P is the sharpened assignment of other rows, so that it is far from Q. */
static void record_kl(problem *p)
{
    const double f[CLUSTERS] = {3, 3, 3, 3};
    float Z[ROWS * LATENT];
    const dc_tensor centers = {"centers", p->net.n_params, CLUSTERS, LATENT, true};
    dc_rng_fill_uniform(Z, ROWS * LATENT, 1, 3, 1);
    dc_softassign(Z, p->params.value + centers.at, ROWS, CLUSTERS, LATENT, 1, p->P, NULL);
    dc_target(p->P, f, ROWS, CLUSTERS, ROWS, p->P);
    p->target = (dc_table){"target", p->P, CLUSTERS};
    const dc_val z = dc_layers(p->graph, &p->net, 0, p->net.n_encoder, true, dc_batch(p->graph, INPUT));
    dc_minimize(p->graph, "clustering", 1,
                dc_student_kl(p->graph, 1, z, dc_use(p->graph, &centers), dc_entry(p->graph, &p->target)));
}

static dc_status create(problem *p, void (*record)(problem *p))
{
    dc_status st = DC_OK;
    DC_TRY(dc_part_init(&p->part, ROWS, 4, 1, 0));
    DC_TRY(dc_net_init(&p->net, INPUT, hidden, 2, LATENT, DC_ACT_TANH, DC_ACT_LINEAR, DC_ACT_LINEAR));
    DC_TRY(dc_params_create(&p->params, &p->net, CLUSTERS * LATENT));
    dc_rng_fill_uniform(p->params.value, p->params.n, 1, 0, 0.9);
    dc_rng_fill_uniform(p->x, ROWS * INPUT, 1, 1, 1);
    DC_TRY(dc_graph_create(&p->graph));
    record(p);
    DC_TRY(dc_graph_finish(p->graph));
    const dc_step_config cfg = {.graph = p->graph,
                                .part = &p->part,
                                .source = {.gather = gather, .from = p},
                                .params = &p->params,
                                .B = ROWS,
                                .strict = true,
                                .gather_rows = ROWS,
                                .timers = &p->timers,
                                .gather = DC_T_PRETRAIN_GATHER};
    DC_TRY(dc_step_create(&p->step, &cfg));
out:
    return st;
}

static double loss_of(void *ctx)
{
    problem *p = ctx;
    double loss;
    dc_step_run(p->alone, p->step, 0, &loss);
    return loss;
}

/* Checks the gradients of all parameters; the gradient is 0 for a parameter that the loss does not depend on. */
static dc_status check_gradient(dc_selftest *t, problem *p, const char *what)
{
    dc_status st = DC_OK;
    float *gradient = NULL;
    DC_TRY(dc_mem_alloc(&gradient, p->params.n, sizeof *gradient, "gradient"));
    loss_of(p);
    memcpy(gradient, p->params.grad, p->params.n * sizeof *gradient);
    st = judge(t, what, gradient_error(loss_of, p, p->params.value, gradient, p->params.n));
out:
    dc_mem_free(&gradient);
    return st;
}

static dc_status check_step(dc_comm *comm, dc_selftest *t, const char *what, void (*record)(problem *p))
{
    dc_status st = DC_OK;
    problem p = {0};
    DC_TRY(dc_comm_split(comm, dc_comm_rank(comm), &p.alone));
    st = create(&p, record);
    if (st == DC_OK) st = check_gradient(t, &p, what);
out:
    dc_step_destroy(&p.step);
    dc_graph_destroy(&p.graph);
    dc_params_release(&p.params);
    dc_comm_destroy(&p.alone);
    return dc_agree(comm, st);
}

dc_status dc_selftest_net_gradient(dc_comm *comm, dc_selftest *t)
{
    return check_step(comm, t, "mean squared error", record_reconstruction);
}

dc_status dc_selftest_kl_gradient(dc_comm *comm, dc_selftest *t)
{
    return check_step(comm, t, "KL divergence of Student's t", record_kl);
}
