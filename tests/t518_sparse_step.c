/* Training steps whose batch stays sparse against the same steps on dense rows: losses, values and gradients up to
 * rounding, for each way to sum; the bits of one rank and one thread on any ranks and threads; the gradient of the
 * first layer by finite differences; where something needs the zeros, the bits of the dense steps. No step allocates
 * memory. Seed 518. ranks: 1 2 3 ranks_long: 5 threads: 1 2 */
#include <omp.h>

#include "check.h"
#include "dcmpi/net_text.h"
#include "dcmpi/optim.h"
#include "ref/one_step.h"
#include "step/exec.h"
#include "t51_sparse.h"

enum { N = 330, D = 211, FIRST = 37, SHARDS = 8, B = 100, STEPS = 5 };
static const dc_opt_config sgd = {.kind = DC_OPT_SGD, .lr = 0.1, .momentum = 0.9};
static dc_comm *job, *self;
static t51_rows rows;

/* What is recorded. */
typedef enum { PLAIN, TWICE, BCE, DROPOUT, TIED, NORM, KINDS } kind;

typedef struct {
    dc_net net;
    dc_params p;
    one_step step;
    dc_val y;
} model;

static void record(model *m, kind what)
{
    dc_graph *g = m->step.graph;
    const dc_net net = what == BCE ? dc_net_for_loss(&m->net, DC_LOSS_BCE) : m->net;
    const dc_val x = dc_batch(g, D), in = what == DROPOUT ? dc_dropout(g, 0.2, 1, x) : x;
    m->y = dc_layers(g, &net, 0, net.n_layers, true, in);
    dc_minimize(g, "reconstruction", 1, dc_recon(g, what == BCE ? DC_LOSS_BCE : DC_LOSS_MSE, x, m->y));
    if (what != TWICE) return;
    const dc_val z = dc_layers(g, &net, 0, net.n_encoder, true, x);
    dc_minimize(g, "size", 0.1, dc_dot(g, z, z));
}

static void make(dc_comm *comm, model *m, kind what, dc_outer_way way, bool sparse)
{
    dc_net_text t = {.output_act = what == BCE ? DC_ACT_SIGMOID : DC_ACT_LINEAR};
    char why[DC_NET_WHY_MAX];
    CHECK(dc_net_text_encoder(what == NORM ? "dense 37 bn relu, dense 130 ln relu, dense 6"
                                           : "dense 37 relu, dense 130 relu, dense 6",
                              &t, why));
    CHECK(dc_net_text_decoder(what == TIED ? "tied ~encoder" : "~encoder", &t, why));
    CHECK_OK(dc_net_build(&m->net, D, &t));
    CHECK_OK(dc_params_create(&m->p, &m->net, 0));
    dc_net_init_weights(&m->net, DC_INIT_GLOROT, 518, m->p.value);
    one_step_open(&m->step);
    record(m, what);
    const one_step_rows r = {.N = N,
                             .width = D,
                             .x = rows.dense,
                             .V = SHARDS,
                             .B = B,
                             .way = way,
                             .seed = 518,
                             .csr = sparse ? &rows.csr : NULL};
    CHECK_OK(one_step_create(comm, &m->step, &m->p, &r));
}

static void release(model *m)
{
    one_step_close(&m->step);
    dc_params_release(&m->p);
}

static double largest(const float *x, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++) most = fmax(most, fabs((double)x[i]));
    return most;
}

/* Each step's gradients are from the same weights; both then take the sparse twin's step. */
static void compare_with_dense(kind what, dc_outer_way way)
{
    model sparse, dense;
    make(job, &sparse, what, way, true);
    make(job, &dense, what, way, false);
    const bool stays = what != DROPOUT && what != TIED;
    CHECK(sparse.step.step->plan.sparse == stays && !dense.step.step->plan.sparse);
    CHECK(sparse.step.step->plan.flops <= dense.step.step->plan.flops &&
          (!stays || sparse.step.step->plan.flops * 1.1 < dense.step.step->plan.flops));
    const uint64_t before = dc_mem_alloc_count();
    for (int t = 0; t < STEPS; t++) {
        const double loss = one_step_run(job, &sparse.step, t), expected = one_step_run(job, &dense.step, t);
        CHECK_NEAR(loss, expected, stays ? 1e-6 * expected : 0);
        if (stays)
            CHECK_ARRAY_NEAR(sparse.p.grad, dense.p.grad, dense.p.n, 1e-5 * largest(dense.p.grad, dense.p.n));
        else
            CHECK(memcmp(sparse.p.grad, dense.p.grad, dense.p.n * sizeof *dense.p.grad) == 0);
        dc_step_update(job, sparse.step.step, &sgd, t, STEPS);
        memcpy(dense.p.value, sparse.p.value, dense.p.n * sizeof *dense.p.value);
    }
    CHECK_INT(dc_mem_alloc_count() - before, 0);
    release(&sparse);
    release(&dense);
}

/* Sparse steps of all ranks, and of this rank alone with one thread. */
static void compare_bits(kind what, dc_outer_way way)
{
    model all, one;
    const int threads = omp_get_max_threads();
    make(job, &all, what, way, true);
    omp_set_num_threads(1);
    make(self, &one, what, way, true);
    for (int t = 0; t < STEPS; t++) {
        omp_set_num_threads(threads);
        const double loss = one_step_run(job, &all.step, t);
        dc_step_update(job, all.step.step, &sgd, t, STEPS);
        omp_set_num_threads(1);
        CHECK_NEAR(one_step_run(self, &one.step, t), loss, 0);
        dc_step_update(self, one.step.step, &sgd, t, STEPS);
        CHECK(memcmp(all.p.grad, one.p.grad, one.p.n * sizeof *one.p.grad) == 0);
        CHECK(memcmp(all.p.value, one.p.value, one.p.n * sizeof *one.p.value) == 0);
    }
    omp_set_num_threads(threads);
    release(&all);
    release(&one);
}

static void differences(void)
{
    enum { CHECKED = 25 };
    model m;
    make(job, &m, BCE, DC_OUTER_TREE, true);
    one_step_run(job, &m.step, 0);
    float *grad = t51_alloc((int64_t)m.p.n, sizeof *grad);
    memcpy(grad, m.p.grad, m.p.n * sizeof *grad);
    const double most = largest(grad + m.net.layer[0].weight, (size_t)(D * FIRST));
    for (int64_t i = 0; i < CHECKED; i++) {
        const size_t at = m.net.layer[0].weight + (size_t)(i * 977 % (D * FIRST));
        const float value = m.p.value[at], h = 4e-3F;
        m.p.value[at] = value + h;
        const double above = one_step_run(job, &m.step, 0);
        m.p.value[at] = value - h;
        const double below = one_step_run(job, &m.step, 0);
        m.p.value[at] = value;
        CHECK_NEAR((double)grad[at], (above - below) / (2 * (double)h), 0.05 * most);
    }
    free(grad);
    release(&m);
}

int main(void)
{
    if (dc_comm_create(&job) != DC_OK) return 1;
    check_init(dc_comm_rank(job));
    CHECK_OK(dc_comm_split(job, dc_comm_rank(job), &self));
    rows = t51_make(N, D, 9, 4, true, 518);
    for (int64_t e = 0; e < rows.csr.total; e++) rows.val[e] = fabsf(rows.val[e]) / 3; /* bce wants values in [0, 1] */
    for (int64_t i = 0; i < N; i++)
        for (int64_t e = rows.ptr[i]; e < rows.ptr[i + 1]; e++)
            rows.dense[i * D + rows.col[e]] = dc_csr_value(&rows.csr, i, e);
    for (kind what = 0; what < KINDS; what++)
        for (dc_outer_way way = DC_OUTER_GATHER; way <= DC_OUTER_ALLREDUCE; way++) {
            compare_with_dense(what, way);
            if (way != DC_OUTER_ALLREDUCE) compare_bits(what, way);
        }
    differences();
    t51_free(&rows);
    dc_comm_destroy(&self);
    return check_done_all(&job);
}
