/* Whole training steps: no allocation inside, one and two threads agree, training reduces the loss, no rows and one row
 * are legal, a diverged network shows NaN. Fixed seed 508. */
#include <omp.h>

#include "check.h"
#include "dcmpi/optim.h"
#include "dcmpi/rng.h"
#include "ref/nn_ref.h"

enum { ROWS = 96, D = 64 };
static const int64_t hidden[] = {50, 120};
static const dc_opt_config sgd = {.kind = DC_OPT_SGD, .lr = 0.5, .momentum = 0.9};

typedef struct {
    dc_net net;
    dc_params p;
    dc_net_work work;
} model;

static void model_make(model *m)
{
    CHECK_OK(dc_net_init(&m->net, D, hidden, 2, 4, DC_ACT_RELU, DC_ACT_LINEAR, DC_ACT_LINEAR));
    CHECK_OK(dc_params_create(&m->p, &m->net, 0));
    CHECK_OK(dc_net_work_create(&m->work, &m->net, 0, m->net.n_layers, ROWS, true));
    dc_net_init_weights(&m->net, DC_INIT_GLOROT, 508, m->p.value);
    dc_rng_fill_uniform(m->work.act[0], ROWS * D, 508, 1, 1);
}

static void model_free(model *m)
{
    dc_net_work_release(&m->work);
    dc_params_release(&m->p);
}

static double gradient(model *m, int64_t n)
{
    const int last = m->net.n_layers;
    dc_net_forward(&m->net, m->p.value, &m->work, 0, last, n);
    const double loss =
        dc_recon_loss_grad(DC_LOSS_MSE, m->work.act[0], m->work.act[last], n, D, DC_MAX(n, 1), m->work.delta[0]);
    dc_net_backward(&m->net, m->p.value, m->p.grad, &m->work, 0, last, n, m->work.delta[0], NULL);
    return loss;
}

static void test_no_allocation(void)
{
    model m;
    model_make(&m);
    const uint64_t before = dc_mem_alloc_count();
    for (int t = 0; t < 3; t++) {
        gradient(&m, ROWS);
        dc_opt_step(&sgd, &m.p, 0, m.p.n, t, 3);
    }
    CHECK_INT(dc_mem_alloc_count() - before, 0);
    model_free(&m);
}

static void test_threads_agree(void)
{
    model one, two;
    omp_set_num_threads(1);
    model_make(&one);
    const double loss1 = gradient(&one, ROWS);
    omp_set_num_threads(2);
    model_make(&two);
    const double loss2 = gradient(&two, ROWS);
    CHECK_NEAR(loss1, loss2, 1e-7);
    CHECK_ARRAY_NEAR(one.p.grad, two.p.grad, one.p.n, 1e-7);
    model_free(&one);
    model_free(&two);
}

/* The same weights on fewer rows: rows of the first pass come back in the second. */
static void test_rows_are_independent(void)
{
    model m;
    model_make(&m);
    const int last = m.net.n_layers;
    float whole[ROWS * D];
    dc_net_forward(&m.net, m.p.value, &m.work, 0, last, ROWS);
    memcpy(whole, m.work.act[last], sizeof whole);
    for (int64_t n = 1; n < ROWS; n += 13) {
        dc_net_forward(&m.net, m.p.value, &m.work, 0, last, n);
        CHECK_ARRAY_NEAR(m.work.act[last], whole, n * D, 1e-6);
    }
    model_free(&m);
}

static void test_no_rows(void)
{
    model m;
    model_make(&m);
    for (size_t i = 0; i < m.p.n; i++) m.p.grad[i] = NAN;
    CHECK_NEAR(gradient(&m, 0), 0, 0);
    double sum = 0;
    for (size_t i = 0; i < m.p.n; i++) sum = worse_of(sum, fabs((double)m.p.grad[i]));
    CHECK_NEAR(sum, 0, 0);
    model_free(&m);
}

static void test_training_learns(void)
{
    model m;
    omp_set_num_threads(1);
    model_make(&m);
    /* rows on a line: one latent unit can hold them */
    for (int i = 0; i < ROWS * D; i++) m.work.act[0][i] = (float)(i / D) / ROWS * (float)sin(0.37 * (double)(i % D));
    const double start = gradient(&m, ROWS);
    for (int t = 0; t < 60; t++) {
        gradient(&m, ROWS);
        dc_opt_step(&sgd, &m.p, 0, m.p.n, t, 60);
    }
    const double end = gradient(&m, ROWS);
    printf("# loss %g -> %g\n", start, end);
    CHECK(end < 0.02 * start);
    model_free(&m);
}

static void test_nan_shows(void)
{
    model m;
    model_make(&m);
    m.p.value[m.net.layer[0].weight] = NAN;
    CHECK(isnan(gradient(&m, ROWS)));
    model_free(&m);
}

int main(void)
{
    for (int backend = DC_GEMM_ONEDNN; backend <= DC_GEMM_CBLAS; backend++) {
        dc_gemm_set_backend((dc_gemm_backend)backend);
        test_no_allocation();
        test_threads_agree();
        test_rows_are_independent();
        test_no_rows();
        test_training_learns();
        test_nan_shows();
    }
    return check_done();
}
