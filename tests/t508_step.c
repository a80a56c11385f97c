/* Whole training steps: no allocation inside, the same bits for one and two threads, training reduces the loss, rows
 * are independent of each other, ranks without rows, steps of one row and operations on none are legal, a diverged
 * network shows NaN. With both GEMM libraries. Fixed seed 508. ranks: 1 2 */
#include <omp.h>

#include "check.h"
#include "dcmpi/cluster.h"
#include "dcmpi/la.h"
#include "dcmpi/rng.h"
#include "ref/nn_ref.h"
#include "ref/one_step.h"
#include "ref/op_call.h"

enum { ROWS = 96, D = 64, SHARDS = 8 };
static const int64_t hidden[] = {50, 120};
static const dc_opt_config sgd = {.kind = DC_OPT_SGD, .lr = 0.5, .momentum = 0.9};
static dc_comm *comm;

typedef struct {
    dc_net net;
    dc_params p;
    float x[ROWS * D];
    one_step step;
    dc_val y;
} model;

/* Batches of B of the first N rows. */
static void model_make_for(model *m, int64_t N, int64_t B)
{
    CHECK_OK(dc_net_init(&m->net, D, hidden, 2, 4, DC_ACT_RELU, DC_ACT_LINEAR, DC_ACT_LINEAR));
    CHECK_OK(dc_params_create(&m->p, &m->net, 0));
    dc_net_init_weights(&m->net, DC_INIT_GLOROT, 508, m->p.value);
    dc_rng_fill_uniform(m->x, ROWS * D, 508, 1, 1);
    one_step_open(&m->step);
    const dc_val x = dc_batch(m->step.graph, D);
    m->y = dc_layers(m->step.graph, &m->net, 0, m->net.n_layers, true, x);
    dc_minimize(m->step.graph, "reconstruction", 1, dc_recon(m->step.graph, DC_LOSS_MSE, x, m->y));
    const one_step_rows rows = {
        .N = N, .width = D, .x = m->x, .V = SHARDS, .B = B, .way = DC_OUTER_GATHER, .seed = 508};
    CHECK_OK(one_step_create(comm, &m->step, &m->p, &rows));
}

static void model_make(model *m)
{
    model_make_for(m, ROWS, ROWS);
}

static void model_free(model *m)
{
    one_step_close(&m->step);
    dc_params_release(&m->p);
}

static void test_no_allocation(void)
{
    model m;
    model_make(&m);
    const uint64_t before = dc_mem_alloc_count();
    for (int t = 0; t < 3; t++) {
        one_step_run(comm, &m.step, t);
        dc_step_update(comm, m.step.step, &sgd, t, 3);
    }
    CHECK_INT(dc_mem_alloc_count() - before, 0);
    model_free(&m);
}

static void test_threads_agree(void)
{
    model one, two;
    omp_set_num_threads(1);
    model_make(&one);
    const double loss1 = one_step_run(comm, &one.step, 0);
    omp_set_num_threads(2);
    model_make(&two);
    const double loss2 = one_step_run(comm, &two.step, 0);
    CHECK_NEAR(loss1, loss2, 0);
    CHECK(memcmp(one.p.grad, two.p.grad, one.p.n * sizeof *one.p.grad) == 0);
    model_free(&one);
    model_free(&two);
}

/* Number of this rank's rows that differ between a and b. */
static int64_t different_rows(const model *m, const float *a, const float *b)
{
    int64_t found = 0;
    for (int64_t i = m->step.part.row_lo; i < m->step.part.row_hi; i++)
        found += memcmp(a + i * D, b + i * D, D * sizeof *a) != 0;
    return found;
}

/* The same weights on fewer rows: rows of the first step come back in the second, most at other places. A row at the
 * same place has the same bits as before, although its neighbours differ. */
static void test_rows_are_independent(void)
{
    model m;
    static float whole[ROWS * D], again[ROWS * D];
    memset(whole, 0, sizeof whole);
    model_make(&m);
    one_step_run(comm, &m.step, 0);
    one_step_values(&m.step, m.y, whole);
    for (int64_t odd = 0; odd < 2; odd++) {
        for (int64_t i = odd; i < ROWS; i += 2) dc_rng_fill_uniform(m.x + i * D, D, 508, 2 + (uint64_t)i, 9);
        one_step_run(comm, &m.step, 0);
        one_step_values(&m.step, m.y, again);
        const int64_t n = dc_part_rows(&m.step.part), moved = (n + (m.step.part.row_lo + odd + 1) % 2) / 2;
        CHECK_INT(different_rows(&m, whole, again), moved);
        dc_rng_fill_uniform(m.x, ROWS * D, 508, 1, 1);
    }
    model_free(&m);
    dc_comm_sum_f32(comm, whole, ROWS * D); /* of all ranks: a row of few may lie on another */
    for (int64_t n = SHARDS; n < ROWS; n += 13) {
        model few;
        model_make_for(&few, n, n);
        one_step_run(comm, &few.step, 0);
        one_step_values(&few.step, few.y, again);
        const int64_t lo = few.step.part.row_lo * D;
        CHECK_ARRAY_NEAR(again + lo, whole + lo, dc_part_rows(&few.step.part) * D, 1e-6);
        model_free(&few);
    }
}

/* One row, on the last of two ranks or on the first: both ranks get its gradient. */
static void test_one_row(void)
{
    model one, all;
    dc_comm *self;
    CHECK_OK(dc_comm_split(comm, dc_comm_rank(comm), &self));
    int64_t without = 0;
    model_make_for(&one, ROWS, 1);
    dc_comm *const job = comm;
    comm = self;
    model_make_for(&all, ROWS, 1);
    for (int64_t step = 0; step < 4; step++) {
        memset(one.p.grad, 0, one.p.n * sizeof *one.p.grad);
        const double loss = one_step_run(job, &one.step, step), expected = one_step_run(self, &all.step, step);
        CHECK_NEAR(loss, expected, 0);
        CHECK(memcmp(one.p.grad, all.p.grad, one.p.n * sizeof *one.p.grad) == 0);
        without += dc_batcher_offset(dc_step_batcher(one.step.step), step, dc_comm_rank(job)) ==
                   dc_batcher_offset(dc_step_batcher(one.step.step), step, dc_comm_rank(job) + 1);
    }
    dc_comm_sum_i64(job, &without, 1);
    CHECK_INT(without, 4 * (dc_comm_size(job) - 1));
    comm = job;
    dc_comm_destroy(&self);
    model_free(&one);
    model_free(&all);
}

/* Called for 0 rows, no operation touches anything. */
static void call_for_none(op_call *c, dc_val x)
{
    float row[ROWS * D], grad[ROWS * D];
    const float weights[D * D + D] = {0};
    double sum[D * D];
    const int64_t none = 0;
    for (int i = 0; i < ROWS * D; i++) row[i] = grad[i] = 7;
    for (int i = 0; i < D * D; i++) sum[i] = 7;
    op_call_of(c, x, DC_ROW_TILE);
    const dc_node *node = c->call.node;
    c->tile.row = &none;
    c->tile.n = 0;
    c->call.tile = &c->tile;
    c->call.out = c->call.dout = row;
    c->call.aux = c->aux, c->call.scratch = c->scratch, c->call.spill = c->spill;
    for (int k = 0; k < node->n_in; k++) c->call.in[k] = weights, c->call.din[k] = grad;
    if (node->op->forward) node->op->forward(&c->call);
    if (node->op->backward) node->op->backward(&c->call);
    if (node->op->forward_all) node->op->forward_all(&c->call, 0);
    if (node->op->backward_all) node->op->backward_all(&c->call, 0);
    if (node->op->partial) node->op->partial(&c->call, 1, sum);
    bool same = true;
    for (int i = 0; i < ROWS * D; i++) same = same && row[i] == 7 && grad[i] == 7;
    for (int i = 0; i < D * D; i++) same = same && sum[i] == 7;
    CHECK(same);
    op_call_close(c);
}

static void test_no_rows(void)
{
    op_call c;
    dc_net net;
    static float rows[D * D];
    const dc_table table = {"target", rows, D};
    const dc_tensor centers = {"centers", 0, D, D, true};
    CHECK_OK(dc_net_init(&net, D, NULL, 0, D, DC_ACT_TANH, DC_ACT_TANH, DC_ACT_TANH));
    op_call_open(&c);
    call_for_none(&c, dc_layers(c.graph, &net, 0, 1, true, dc_batch(c.graph, D)));
    op_call_open(&c);
    call_for_none(&c, dc_entry(c.graph, &table));
    op_call_open(&c);
    call_for_none(&c, dc_dropout(c.graph, 0.5, 1, dc_batch(c.graph, D)));
    op_call_open(&c);
    call_for_none(&c, dc_recon(c.graph, DC_LOSS_BCE, dc_batch(c.graph, D), dc_batch(c.graph, D)));
    op_call_open(&c);
    call_for_none(
        &c, dc_student_kl(c.graph, 1, dc_batch(c.graph, D), dc_use(c.graph, &centers), dc_entry(c.graph, &table)));
}

static void test_training_learns(void)
{
    model m;
    omp_set_num_threads(1);
    model_make(&m);
    /* rows on a line: one latent unit can hold them */
    for (int i = 0; i < ROWS * D; i++) m.x[i] = (float)(i / D) / ROWS * (float)sin(0.37 * (double)(i % D));
    const double start = one_step_run(comm, &m.step, 0);
    for (int t = 0; t < 60; t++) {
        one_step_run(comm, &m.step, t);
        dc_step_update(comm, m.step.step, &sgd, t, 60);
    }
    const double end = one_step_run(comm, &m.step, 60);
    if (dc_comm_rank(comm) == 0) printf("# loss %g -> %g\n", start, end);
    CHECK(end < 0.02 * start);
    model_free(&m);
}

static void test_nan_shows(void)
{
    model m;
    model_make(&m);
    m.p.value[m.net.layer[0].weight] = NAN;
    CHECK(isnan(one_step_run(comm, &m.step, 0)));
    model_free(&m);
}

int main(void)
{
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    for (int backend = DC_GEMM_ONEDNN; backend <= DC_GEMM_CBLAS; backend++) {
        dc_gemm_set_backend((dc_gemm_backend)backend);
        test_no_allocation();
        test_threads_agree();
        test_rows_are_independent();
        test_one_row();
        test_no_rows();
        test_training_learns();
        test_nan_shows();
    }
    return check_done_all(&comm);
}
