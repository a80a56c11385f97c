/* Every gradient of the network against central differences of the naive forward pass in double: all activations in
 * every place, all losses, all sub-ranges of layers, gradients by the input, all ways to sum over ranks; decoders
 * that are tied or have other shapes; values that are used twice. Fixed seed 506. ranks: 1 3 */
#include "check.h"
#include "dcmpi/net_text.h"
#include "dcmpi/rng.h"
#include "ref/nn_ref.h"
#include "ref/one_step.h"

enum { ROWS = 6, D = 7, BATCH = 9, SHARDS = 4, WIDEST = 16 };
static const int64_t hidden[] = {5, 4};
static const double share = (double)ROWS / BATCH; /* weight that makes a loss one of BATCH rows */
static const float untouched = 77;
static dc_comm *comm;

/* After the parameters of the network come those of a layer that gives the input a gradient. */
typedef struct {
    dc_net net;
    dc_params p;
    double *value; /* the parameters in double */
    int first, last;
    dc_recon_loss loss;
    float input[ROWS * WIDEST], target[ROWS * WIDEST]; /* what the output of layer last-1 is compared with */
    double x[ROWS * WIDEST];                           /* input of layer first */
} problem;

static int64_t in_width(const problem *q)
{
    return q->net.layer[q->first].in;
}
static int64_t out_width(const problem *q)
{
    return q->net.layer[q->last - 1].out;
}

static void problem_of(problem *q, const dc_net *net, int first, int last, dc_recon_loss loss)
{
    *q = (problem){.first = first, .last = last, .loss = loss, .net = dc_net_for_loss(net, loss)};
    CHECK_OK(dc_params_create(&q->p, &q->net, WIDEST * WIDEST + WIDEST));
    dc_rng_fill_uniform(q->p.value, q->net.n_params, 506, 1, 0.9); /* biases too: no unit sits on a kink */
    q->value = malloc(q->p.n * sizeof *q->value);
    for (size_t i = 0; i < q->p.n; i++) q->value[i] = (double)q->p.value[i];
    const size_t nx = (size_t)(ROWS * in_width(q));
    dc_rng_fill_uniform(q->input, nx, 506, 2, 1);
    for (size_t i = 0; i < nx; i++) q->x[i] = (double)q->input[i];
    dc_rng_fill_uniform(q->target, (size_t)(ROWS * out_width(q)), 506, 3, 1);
}

static void problem_make(problem *q, dc_act hid, dc_act lat, dc_act out, int first, int last, dc_recon_loss loss)
{
    dc_net net;
    CHECK_OK(dc_net_init(&net, D, hidden, 2, 3, hid, lat, out));
    problem_of(q, &net, first, last, loss);
}

static void problem_free(problem *q)
{
    dc_params_release(&q->p);
    free(q->value);
}

typedef double (*loss_function)(const problem *q);

static double loss_ref(const problem *q)
{
    double y[ROWS * WIDEST];
    net_forward_ref(&q->net, q->value, q->first, q->last, ROWS, q->x, y);
    return recon_loss_ref(q->loss, q->target, y, ROWS, out_width(q), BATCH, NULL);
}

/* dloss/d(*at), where at points into q->value or q->x. */
static double central_difference(const problem *q, loss_function loss, double *at)
{
    const double h = 1e-5, keep = *at;
    *at = keep + h;
    const double up = loss(q);
    *at = keep - h;
    const double down = loss(q);
    *at = keep;
    return (up - down) / (2 * h);
}

/* Layers outside [first, last) must keep what was in the gradient. */
static double parameter_error(const problem *q, loss_function loss)
{
    double worst = 0;
    for (int l = 0; l < q->net.n_layers; l++) {
        const dc_layer *layer = &q->net.layer[l];
        const bool inside = l >= q->first && l < q->last;
        for (size_t i = layer->tied ? layer->bias : layer->weight; i < layer->bias + (size_t)layer->out; i++) {
            const double e = inside ? central_difference(q, loss, &q->value[i]) : (double)untouched;
            worst = worse_of(worst, fabs((double)q->p.grad[i] - e) / fmax(1, fabs(e)));
        }
    }
    return worst;
}

/* Error of the gradient by the input, for this rank's rows. */
static double input_error(problem *q, loss_function loss, const one_step *s, const float *dx)
{
    double worst = 0;
    for (int64_t i = s->part.row_lo * in_width(q); i < s->part.row_hi * in_width(q); i++)
        worst = worse_of(worst, fabs((double)dx[i] - central_difference(q, loss, &q->x[i])));
    return worst;
}

/* ---- Steps ------------------------------------------------------------------------------------------------------ */

/* Recorded: layers [first, last) on `in`, and their loss. */
static dc_val record_plain(one_step *s, const problem *q, const dc_table *target, dc_val in)
{
    const dc_val y = dc_layers(s->graph, &q->net, q->first, q->last, true, in);
    dc_minimize(s->graph, "reconstruction", share, dc_recon(s->graph, q->loss, dc_entry(s->graph, target), y));
    return y;
}

typedef dc_val (*record_function)(one_step *s, const problem *q, const dc_table *target, dc_val in);

static dc_table rows_of_rank(float *all, int64_t width)
{
    dc_part part;
    CHECK_OK(dc_part_init(&part, ROWS, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    return (dc_table){"target", (float *)(uintptr_t)all + part.row_lo * width, width};
}

/* One step; dx: the gradient with respect to the input, or NULL: the input has none. Returns the loss. */
static double take_step(problem *q, dc_outer_way way, record_function record, one_step *s, float *dx)
{
    const one_step_rows rows = {
        .N = ROWS, .width = in_width(q), .x = q->input, .V = SHARDS, .B = ROWS, .way = way, .seed = 506};
    one_step_open(s);
    const dc_table target = rows_of_rank(q->target, out_width(q));
    dc_val in = dc_batch(s->graph, in_width(q));
    if (dx) in = one_step_input(s, in, in_width(q), q->net.n_params, q->p.value);
    record(s, q, &target, in);
    for (size_t i = 0; i < q->p.n; i++) q->p.grad[i] = untouched;
    CHECK_OK(one_step_create(comm, s, &q->p, &rows));
    const double loss = one_step_run(comm, s, 0);
    if (dx) one_step_slopes(s, in, dx);
    return loss;
}

static void check_way(problem *q, dc_outer_way way, record_function record, loss_function expected)
{
    one_step s;
    float dx[ROWS * WIDEST];
    const double loss = take_step(q, way, record, &s, dx);
    CHECK_NEAR(loss, expected(q), 2e-6 * fmax(1, loss));
    CHECK_NEAR(parameter_error(q, expected), 0, 2e-6);
    CHECK_NEAR(input_error(q, expected, &s, dx), 0, 2e-6);
    one_step_close(&s);
}

static void check_gradient(dc_act hid, dc_act lat, dc_act out, int first, int last, dc_recon_loss loss)
{
    problem q;
    problem_make(&q, hid, lat, out, first, last, loss);
    if (dc_comm_rank(comm) == 0)
        printf("# activations %d %d %d, layers %d..%d, loss %d\n", hid, lat, out, first, last - 1, loss);
    for (int way = DC_OUTER_GATHER; way <= DC_OUTER_ALLREDUCE; way++)
        check_way(&q, (dc_outer_way)way, record_plain, loss_ref);
    problem_free(&q);
}

static void check_text(const char *encoder, const char *decoder, int first, dc_recon_loss loss)
{
    problem q;
    dc_net net;
    dc_net_text t = {.output_act = DC_ACT_SIGMOID};
    char why[DC_NET_WHY_MAX];
    CHECK(dc_net_text_encoder(encoder, &t, why) && dc_net_text_decoder(decoder, &t, why));
    CHECK_OK(dc_net_build(&net, D, &t));
    problem_of(&q, &net, first, net.n_layers, loss);
    if (dc_comm_rank(comm) == 0) printf("# %s | %s, from layer %d, loss %d\n", encoder, decoder, first, loss);
    for (int way = DC_OUTER_GATHER; way <= DC_OUTER_ALLREDUCE; way++)
        check_way(&q, (dc_outer_way)way, record_plain, loss_ref);
    problem_free(&q);
}

/* The gradient by the input may be left out: the same bits. */
static void test_without_input(void)
{
    problem q;
    one_step s;
    float dx[ROWS * WIDEST], copy[1024];
    problem_make(&q, DC_ACT_TANH, DC_ACT_LINEAR, DC_ACT_LINEAR, 0, 6, DC_LOSS_MSE);
    CHECK(q.net.n_params <= DC_COUNT_OF(copy));
    take_step(&q, DC_OUTER_GATHER, record_plain, &s, dx);
    memcpy(copy, q.p.grad, q.net.n_params * sizeof *copy);
    one_step_close(&s);
    take_step(&q, DC_OUTER_GATHER, record_plain, &s, NULL);
    CHECK(memcmp(copy, q.p.grad, q.net.n_params * sizeof *copy) == 0);
    CHECK_NEAR(q.p.grad[q.net.n_params], untouched, 0);
    one_step_close(&s);
    problem_free(&q);
}

/* ---- Values that are used twice ---------------------------------------------------------------------------------- */

/* The embedding is decoded, and another loss compares it with 0: one gradient is written, the other is added to it. */
static float zeros[ROWS * WIDEST];
static const double OTHER = 0.3;

static dc_val record_second_loss(one_step *s, dc_val z, const problem *q)
{
    static dc_table zero;
    zero = rows_of_rank(zeros, q->net.L);
    dc_minimize(s->graph, "size", OTHER, dc_recon(s->graph, DC_LOSS_MSE_SUM, dc_entry(s->graph, &zero), z));
    return z;
}

static dc_val record_before(one_step *s, const problem *q, const dc_table *target, dc_val in)
{
    const dc_val z = dc_layers(s->graph, &q->net, 0, 3, true, in);
    record_second_loss(s, z, q);
    const dc_val y = dc_layers(s->graph, &q->net, 3, 6, true, z);
    dc_minimize(s->graph, "reconstruction", share, dc_recon(s->graph, q->loss, dc_entry(s->graph, target), y));
    return y;
}

static dc_val record_behind(one_step *s, const problem *q, const dc_table *target, dc_val in)
{
    const dc_val z = dc_layers(s->graph, &q->net, 0, 3, true, in), y = dc_layers(s->graph, &q->net, 3, 6, true, z);
    dc_minimize(s->graph, "reconstruction", share, dc_recon(s->graph, q->loss, dc_entry(s->graph, target), y));
    return record_second_loss(s, z, q);
}

static double two_losses_ref(const problem *q)
{
    double z[ROWS * WIDEST];
    net_forward_ref(&q->net, q->value, 0, 3, ROWS, q->x, z);
    return loss_ref(q) + OTHER * recon_loss_ref(DC_LOSS_MSE_SUM, zeros, z, ROWS, q->net.L, ROWS, NULL);
}

/* The same loss under two names. */
static dc_val record_twice(one_step *s, const problem *q, const dc_table *target, dc_val in)
{
    const dc_val y = dc_layers(s->graph, &q->net, 0, 6, true, in);
    const dc_val loss = dc_recon(s->graph, q->loss, dc_entry(s->graph, target), y);
    dc_minimize(s->graph, "first", 0.7 * share, loss);
    dc_minimize(s->graph, "second", 0.3 * share, loss);
    return y;
}

static void test_two_uses(void)
{
    problem q;
    problem_make(&q, DC_ACT_TANH, DC_ACT_LINEAR, DC_ACT_LINEAR, 0, 6, DC_LOSS_MSE);
    for (int way = DC_OUTER_GATHER; way <= DC_OUTER_ALLREDUCE; way++) {
        check_way(&q, (dc_outer_way)way, record_before, two_losses_ref);
        check_way(&q, (dc_outer_way)way, record_behind, two_losses_ref);
        check_way(&q, (dc_outer_way)way, record_twice, loss_ref);
    }
    problem_free(&q);
}

/* Only a sigmoid output under cross-entropy changes; parameters stay where they are. */
static void test_loss_net(void)
{
    dc_net net, trained;
    CHECK_OK(dc_net_init(&net, D, hidden, 2, 3, DC_ACT_SIGMOID, DC_ACT_LINEAR, DC_ACT_SIGMOID));
    trained = dc_net_for_loss(&net, DC_LOSS_MSE);
    CHECK(memcmp(&net, &trained, sizeof net) == 0);
    trained = dc_net_for_loss(&net, DC_LOSS_BCE);
    CHECK_INT(trained.layer[5].act, DC_ACT_LINEAR);
    trained.layer[5].act = DC_ACT_SIGMOID;
    CHECK(memcmp(&net, &trained, sizeof net) == 0);
}

int main(void)
{
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    for (int a = 0; a < DC_ACTS; a++) {
        check_gradient((dc_act)a, DC_ACT_LINEAR, DC_ACT_LINEAR, 0, 6, DC_LOSS_MSE);
        check_gradient(DC_ACT_TANH, (dc_act)a, DC_ACT_LINEAR, 0, 6, DC_LOSS_MSE);
        check_gradient(DC_ACT_TANH, DC_ACT_LINEAR, (dc_act)a, 0, 6, DC_LOSS_MSE_SUM);
    }
    check_gradient(DC_ACT_RELU, DC_ACT_LINEAR, DC_ACT_LINEAR, 0, 6, DC_LOSS_MSE_HALF_SUM);
    check_gradient(DC_ACT_TANH, DC_ACT_LINEAR, DC_ACT_LINEAR, 0, 3, DC_LOSS_MSE);
    check_gradient(DC_ACT_TANH, DC_ACT_LINEAR, DC_ACT_LINEAR, 3, 6, DC_LOSS_MSE);
    check_gradient(DC_ACT_TANH, DC_ACT_LINEAR, DC_ACT_LINEAR, 2, 3, DC_LOSS_MSE);
    check_gradient(DC_ACT_RELU, DC_ACT_LINEAR, DC_ACT_SIGMOID, 0, 6, DC_LOSS_BCE);
    check_gradient(DC_ACT_TANH, DC_ACT_SIGMOID, DC_ACT_SIGMOID, 3, 6, DC_LOSS_BCE);
    check_text("dense 5 tanh, dense 4 relu, dense 3", "tied ~encoder", 0, DC_LOSS_MSE);
    check_text("dense 5 leaky_relu, dense 3", "tied ~encoder", 0, DC_LOSS_BCE);
    check_text("dense 3 tanh", "tied ~encoder", 0, DC_LOSS_MSE_SUM);
    check_text("dense 5 tanh, dense 3", "dense 11 tanh, dense 2 sigmoid, dense 6, dense data tanh", 0, DC_LOSS_MSE);
    check_text("dense 5 tanh, dense 4, dense 3", "dense data sigmoid", 0, DC_LOSS_BCE);
    check_text("dense 5 tanh, dense 4, dense 3", "dense data sigmoid", 2, DC_LOSS_BCE);
    test_loss_net();
    test_without_input();
    test_two_uses();
    return check_done_all(&comm);
}
