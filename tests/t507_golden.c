/* A step of the network, its losses and its optimizers against PyTorch (tests/golden/autoencoder.txt, made by
 * tools/golden.py), by every way in which rows meet. ranks: 1 3 */
#include "check.h"
#include "golden/golden_net.h"
#include "ref/one_step.h"

enum { ROWS = 8, D = 12, N_LAYERS = 6, SHARDS = 4, INPUT_FLOATS = D * D + D };
static const char file[] = "autoencoder.txt";
static const int64_t hidden[] = {7, 5};
static dc_comm *comm;

/* After the parameters of the network come, if wanted, those of a layer that gives the input a gradient. */
typedef struct {
    dc_net net;
    dc_params p;
    float x[ROWS * D];
    one_step step;
    dc_val input, act[N_LAYERS];
} model;

/* weight: that of the mean over the rows. */
static void model_make(model *m, dc_act act, dc_recon_loss loss, double weight, dc_outer_way way, bool slopes)
{
    const dc_act output = loss == DC_LOSS_BCE ? DC_ACT_SIGMOID : DC_ACT_LINEAR;
    CHECK_OK(dc_net_init(&m->net, D, hidden, 2, 3, act, DC_ACT_LINEAR, output));
    m->net = dc_net_for_loss(&m->net, loss);
    CHECK_OK(dc_params_create(&m->p, &m->net, INPUT_FLOATS));
    golden_read_slab(file, &m->net, "start", m->p.value);
    CHECK(golden_read_f32(file, "x", m->x, ROWS * D));
    const one_step_rows rows = {.N = ROWS, .width = D, .x = m->x, .V = SHARDS, .B = ROWS, .way = way, .seed = 507};
    one_step_open(&m->step);
    dc_graph *g = m->step.graph;
    const dc_val x = dc_batch(g, D);
    dc_val y = m->input = slopes ? one_step_input(&m->step, x, D, m->net.n_params, m->p.value) : x;
    for (int l = 0; l < N_LAYERS; l++) m->act[l] = y = dc_layers(g, &m->net, l, l + 1, true, y);
    dc_minimize(g, "reconstruction", weight, dc_recon(g, loss, x, y));
    CHECK_OK(one_step_create(comm, &m->step, &m->p, &rows));
}

static void model_free(model *m)
{
    one_step_close(&m->step);
    dc_params_release(&m->p);
}

/* `actual` has the rows of this rank, `expected` those of all ranks. */
static void check_rows(const model *m, const float *actual, const float *expected, int64_t width, double tolerance)
{
    const int64_t lo = m->step.part.row_lo * width, n = dc_part_rows(&m->step.part) * width;
    CHECK_ARRAY_NEAR(actual + lo, expected + lo, n, tolerance);
}

static void test_forward(void)
{
    model m;
    model_make(&m, DC_ACT_RELU, DC_LOSS_MSE, 1, DC_OUTER_GATHER, true);
    one_step_run(comm, &m.step, 0);
    for (int l = 0; l < N_LAYERS; l++) {
        float expected[ROWS * D], actual[ROWS * D];
        char name[32];
        snprintf(name, sizeof name, "act_%d", l);
        CHECK(golden_read_f32(file, name, expected, (size_t)(ROWS * m.net.layer[l].out)));
        one_step_values(&m.step, m.act[l], actual);
        check_rows(&m, actual, expected, m.net.layer[l].out, 1e-6);
    }
    model_free(&m);
}

/* The numbers are those of 8 rows in a batch of B. */
static void check_gradients(dc_act act, dc_recon_loss loss, dc_outer_way way, const char *prefix)
{
    model m;
    char name[64];
    double B, expected;
    float dx[ROWS * D], expected_dx[ROWS * D];
    const double tolerance = loss == DC_LOSS_MSE ? 2e-7 : 2e-6;
    snprintf(name, sizeof name, "%s/loss", prefix);
    CHECK(golden_read(file, "B", &B, 1) && golden_read(file, name, &expected, 1));
    model_make(&m, act, loss, ROWS / B, way, true);
    CHECK_NEAR(one_step_run(comm, &m.step, 0), expected, 1e-6 * expected);
    golden_check_slab(file, &m.net, prefix, m.p.grad, tolerance);
    snprintf(name, sizeof name, "%s/dx", prefix);
    CHECK(golden_read_f32(file, name, expected_dx, ROWS * D));
    one_step_slopes(&m.step, m.input, dx);
    check_rows(&m, dx, expected_dx, D, tolerance);
    model_free(&m);
}

static void test_gradients(dc_act act, dc_recon_loss loss, const char *prefix)
{
    for (int way = DC_OUTER_GATHER; way <= DC_OUTER_ALLREDUCE; way++)
        check_gradients(act, loss, (dc_outer_way)way, prefix);
}

static void test_ten_steps(const dc_opt_config *opt, const char *prefix)
{
    for (int way = DC_OUTER_GATHER; way <= DC_OUTER_ALLREDUCE; way++) {
        model m;
        model_make(&m, DC_ACT_RELU, DC_LOSS_MSE, 1, (dc_outer_way)way, false);
        for (int t = 0; t < 10; t++) {
            one_step_run(comm, &m.step, t);
            dc_step_update(comm, m.step.step, opt, t, 10);
        }
        golden_check_slab(file, &m.net, prefix, m.p.value, 5e-6);
        model_free(&m);
    }
}

/* Clipping costs one more message if gradients lie in slices, and only then. */
static void test_messages(dc_opt_config opt)
{
    for (int way = DC_OUTER_GATHER; way <= DC_OUTER_ALLREDUCE; way++) {
        model m;
        int64_t calls[2];
        model_make(&m, DC_ACT_RELU, DC_LOSS_MSE, 1, (dc_outer_way)way, false);
        for (int clips = 0; clips < 2; clips++) {
            opt.clip_norm = clips;
            one_step_run(comm, &m.step, clips);
            const uint64_t before = dc_comm_traffic_total(comm).calls;
            dc_step_update(comm, m.step.step, &opt, clips, 2);
            calls[clips] = (int64_t)(dc_comm_traffic_total(comm).calls - before);
        }
        CHECK_INT(calls[1] - calls[0], dc_comm_size(comm) > 1 && way != DC_OUTER_ALLREDUCE);
        model_free(&m);
    }
}

/* halved: SGD whose rate is halved after five steps. */
static void test_more_optimizers(dc_opt_config halved)
{
    halved.kind = DC_OPT_NESTEROV;
    test_ten_steps(&halved, "nesterov");
    halved.kind = DC_OPT_NESTEROV_TORCH;
    test_ten_steps(&halved, "nesterov_torch");
    halved.lr = 1, halved.weight_decay = 0.01, halved.clip_norm = 0.12;
    test_ten_steps(&halved, "clip");
    dc_opt_config rmsprop = {.kind = DC_OPT_RMSPROP, .lr = 0.01, .rho = 0.9, .epsilon = 1e-7};
    test_ten_steps(&rmsprop, "rmsprop");
    rmsprop.weight_decay = 0.3;
    test_ten_steps(&rmsprop, "decay");
    const dc_opt_config factors = {.kind = DC_OPT_SGD_TORCH,
                                   .lr = 0.3,
                                   .momentum = 0.9,
                                   .bias_lr = 2,
                                   .lr_factors = {2, {{"encoder", 0.5}, {"encoder_1", 3}}},
                                   .schedule = DC_SCHED_STEP,
                                   .lr_step = 3,
                                   .lr_factor = 0.1,
                                   .lr_min = 0.006};
    test_ten_steps(&factors, "factors");
}

int main(void)
{
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    test_forward();
    test_gradients(DC_ACT_RELU, DC_LOSS_MSE, "relu/mse");
    test_gradients(DC_ACT_RELU, DC_LOSS_MSE_SUM, "relu/mse_sum");
    test_gradients(DC_ACT_RELU, DC_LOSS_MSE_HALF_SUM, "relu/mse_half_sum");
    test_gradients(DC_ACT_LEAKY_RELU, DC_LOSS_MSE, "leaky_relu/mse");
    test_gradients(DC_ACT_TANH, DC_LOSS_MSE, "tanh/mse");
    test_gradients(DC_ACT_SIGMOID, DC_LOSS_MSE, "sigmoid/mse");
    test_gradients(DC_ACT_LINEAR, DC_LOSS_MSE, "linear/mse");
    test_gradients(DC_ACT_ELU, DC_LOSS_MSE, "elu/mse");
    test_gradients(DC_ACT_SELU, DC_LOSS_MSE, "selu/mse");
    test_gradients(DC_ACT_SOFTPLUS, DC_LOSS_MSE, "softplus/mse");
    test_gradients(DC_ACT_GELU, DC_LOSS_MSE, "gelu/mse");
    test_gradients(DC_ACT_RELU, DC_LOSS_BCE, "relu/bce");

    dc_opt_config sgd = {.kind = DC_OPT_SGD, .lr = 0.3, .momentum = 0.9};
    sgd.schedule = DC_SCHED_STEP, sgd.lr_step = 5, sgd.lr_factor = 0.5;
    test_ten_steps(&sgd, "sgd");
    sgd.kind = DC_OPT_SGD_TORCH;
    test_ten_steps(&sgd, "sgd_torch");
    const dc_opt_config adam = {.kind = DC_OPT_ADAM, .lr = 0.01, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-7};
    test_ten_steps(&adam, "adam");
    test_more_optimizers(sgd);
    test_messages(sgd);
    return check_done_all(&comm);
}
