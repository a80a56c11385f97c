/* The network, its losses and its optimizers against PyTorch (tests/golden/autoencoder.txt, made by tools/golden.py).
 */
#include "check.h"
#include "dcmpi/optim.h"
#include "golden/golden_net.h"

enum { ROWS = 8, D = 12, N_LAYERS = 6 };
static const char file[] = "autoencoder.txt";
static const int64_t hidden[] = {7, 5};

typedef struct {
    dc_net net;
    dc_params p;
    dc_net_work work;
} model;

static void model_make(model *m, dc_act act, dc_recon_loss loss)
{
    const dc_act output = loss == DC_LOSS_BCE ? DC_ACT_SIGMOID : DC_ACT_LINEAR;
    CHECK_OK(dc_net_init(&m->net, D, hidden, 2, 3, act, DC_ACT_LINEAR, output));
    m->net = dc_net_for_loss(&m->net, loss);
    CHECK_OK(dc_params_create(&m->p, &m->net, 0));
    CHECK_OK(dc_net_work_create(&m->work, &m->net, 0, N_LAYERS, ROWS, true));
    golden_read_slab(file, &m->net, "start", m->p.value);
    CHECK(golden_read_f32(file, "x", m->work.act[0], ROWS * D));
}

static void model_free(model *m)
{
    dc_net_work_release(&m->work);
    dc_params_release(&m->p);
}

static double forward_backward(model *m, dc_recon_loss loss, int64_t B, float *dx)
{
    dc_net_forward(&m->net, m->p.value, &m->work, 0, N_LAYERS, ROWS);
    const double value = dc_recon_loss_grad(loss, m->work.act[0], m->work.act[N_LAYERS], ROWS, D, B, m->work.delta[0]);
    dc_net_backward(&m->net, m->p.value, m->p.grad, &m->work, 0, N_LAYERS, ROWS, m->work.delta[0], dx);
    return value;
}

static void test_forward(void)
{
    model m;
    model_make(&m, DC_ACT_RELU, DC_LOSS_MSE);
    dc_net_forward(&m.net, m.p.value, &m.work, 0, N_LAYERS, ROWS);
    for (int l = 0; l < N_LAYERS; l++) {
        float expected[ROWS * D];
        char name[32];
        const size_t n = (size_t)(ROWS * m.net.layer[l].out);
        snprintf(name, sizeof name, "act_%d", l);
        CHECK(golden_read_f32(file, name, expected, n));
        CHECK_ARRAY_NEAR(m.work.act[l + 1], expected, n, 1e-6);
    }
    model_free(&m);
}

static void test_gradients(dc_act act, dc_recon_loss loss, const char *prefix)
{
    model m;
    model_make(&m, act, loss);
    char name[64];
    double B, expected;
    float dx[ROWS * D], expected_dx[ROWS * D];
    snprintf(name, sizeof name, "%s/loss", prefix);
    CHECK(golden_read(file, "B", &B, 1) && golden_read(file, name, &expected, 1));
    CHECK_NEAR(forward_backward(&m, loss, (int64_t)B, dx), expected, 1e-6 * expected);
    golden_check_slab(file, &m.net, prefix, m.p.grad, loss == DC_LOSS_MSE ? 2e-7 : 2e-6);
    snprintf(name, sizeof name, "%s/dx", prefix);
    CHECK(golden_read_f32(file, name, expected_dx, ROWS * D));
    CHECK_ARRAY_NEAR(dx, expected_dx, ROWS * D, loss == DC_LOSS_MSE ? 2e-7 : 2e-6);
    model_free(&m);
}

static void test_ten_steps(const dc_opt_config *opt, const char *prefix)
{
    model m;
    model_make(&m, DC_ACT_RELU, DC_LOSS_MSE);
    for (int t = 0; t < 10; t++) {
        forward_backward(&m, DC_LOSS_MSE, ROWS, NULL);
        dc_opt_step(opt, &m.p, 0, m.p.n, t, 10);
    }
    golden_check_slab(file, &m.net, prefix, m.p.value, 5e-6);
    model_free(&m);
}

int main(void)
{
    test_forward();
    test_gradients(DC_ACT_RELU, DC_LOSS_MSE, "relu/mse");
    test_gradients(DC_ACT_RELU, DC_LOSS_MSE_SUM, "relu/mse_sum");
    test_gradients(DC_ACT_RELU, DC_LOSS_MSE_HALF_SUM, "relu/mse_half_sum");
    test_gradients(DC_ACT_LEAKY_RELU, DC_LOSS_MSE, "leaky_relu/mse");
    test_gradients(DC_ACT_TANH, DC_LOSS_MSE, "tanh/mse");
    test_gradients(DC_ACT_SIGMOID, DC_LOSS_MSE, "sigmoid/mse");
    test_gradients(DC_ACT_LINEAR, DC_LOSS_MSE, "linear/mse");
    test_gradients(DC_ACT_RELU, DC_LOSS_BCE, "relu/bce");

    dc_opt_config sgd = {.kind = DC_OPT_SGD, .lr = 0.3, .momentum = 0.9};
    sgd.schedule = DC_SCHED_STEP, sgd.lr_step = 5, sgd.lr_factor = 0.5;
    test_ten_steps(&sgd, "sgd");
    sgd.kind = DC_OPT_SGD_TORCH;
    test_ten_steps(&sgd, "sgd_torch");
    const dc_opt_config adam = {.kind = DC_OPT_ADAM, .lr = 0.01, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-7};
    test_ten_steps(&adam, "adam");
    return check_done();
}
