/* The gradient of a training step against long double: gathered, by the tree and off, for a full batch and the short
 * one that ends the epoch. Every element is within the bound that rounding keeps to in the worst case, which a batch
 * that lacks one row is not; the whole gradient is as exact as single precision is on average. N is prime, no batch is
 * a multiple of the shards. ranks: 1 3 5 */
#include "check.h"

#include "dcmpi/log.h"
#include "ref/gradient_ref.h"
#include "ref/nn_ref.h"
#include "train/gradient.h"

enum { N = 151, B = 61, SHARDS = 16 };
static const char *const ways[] = {"off", "gather", "tree"};
enum { OFF, GATHER, TREE, WAYS };

typedef struct {
    dc_dataset *data;
    dc_net net;
    dc_timers timers;
    dc_progress progress;
    dc_model model;
    dc_gradient *gradient;
    double *value, *bound;
    float *rows; /* [B x D] of this rank */
} setup;

static void open_setup(dc_comm *comm, int way, setup *s)
{
    memset(s, 0, sizeof *s);
    CHECK_OK(dc_dataset_load(comm, DC_BUILTIN_GLYPHS, N, SHARDS, DC_SCALE_UNIT, 1, 1, &s->data));
    CHECK_OK(dc_net_init(&s->net, s->data->D, (int64_t[]){18}, 1, 5, DC_ACT_TANH, DC_ACT_LINEAR, DC_ACT_LINEAR));
    CHECK_OK(dc_model_create(&s->model, s->data, &s->net, DC_INIT_GLOROT, 704, &s->timers, &s->progress));
    s->model.strict = way != OFF;
    s->model.gather_rows = way == GATHER ? B : 0;
    const dc_gradient_config cfg = {
        .model = &s->model, .net = &s->net, .params = &s->model.params, .last = s->net.n_layers, .n_losses = 1, .B = B};
    CHECK_OK(dc_gradient_create(&s->gradient, &cfg));
    CHECK_OK(dc_mem_alloc(&s->value, s->net.n_params, sizeof *s->value, "reference"));
    CHECK_OK(dc_mem_alloc(&s->bound, s->net.n_params, sizeof *s->bound, "bound"));
    CHECK_OK(dc_mem_alloc(&s->rows, (size_t)(B * s->net.D), sizeof *s->rows, "rows"));
}

static void close_setup(setup *s)
{
    dc_gradient_destroy(&s->gradient);
    dc_model_release(&s->model);
    dc_dataset_destroy(&s->data);
    dc_mem_free(&s->value);
    dc_mem_free(&s->bound);
    dc_mem_free(&s->rows);
}

/* The whole gradient on all ranks, in params.grad. */
static void take_gradient(dc_comm *comm, setup *s, const dc_places *plan)
{
    dc_gradient *g = s->gradient;
    dc_params *p = &s->model.params;
    const int last = s->net.n_layers;
    const int64_t D = s->net.D;
    double loss;
    memset(p->grad, 0, p->n * sizeof *p->grad);
    for (int i = 0; i < plan->n_leaves; i++)
        dc_dataset_gather(s->data, plan->leaf[i].rows, plan->leaf[i].n, dc_gradient_act(g, 0) + plan->leaf[i].at * D);
    dc_gradient_forward(g, 0, last);
    dc_gradient_clear_delta(g, last - 1);
    for (int i = 0; i < plan->n_leaves; i++) {
        const int64_t at = plan->leaf[i].at * D;
        const double of_leaf =
            dc_recon_loss_grad(DC_LOSS_MSE, dc_gradient_act(g, 0) + at, dc_gradient_act(g, last) + at, plan->leaf[i].n,
                               D, plan->n_global, dc_gradient_delta(g, last - 1) + at);
        dc_gradient_leaf(g, i, &of_leaf, NULL);
    }
    dc_gradient_backward(g, 0, last);
    dc_gradient_sync(comm, g, &loss);
    if (s->model.strict) dc_comm_sum_f32(comm, p->grad, s->net.n_params);
}

/* Rows of this rank's part of the batch. */
static int64_t take_rows(setup *s, const dc_places *plan)
{
    int64_t n = 0;
    for (int i = 0; i < plan->n_leaves; i++) {
        dc_dataset_gather(s->data, plan->leaf[i].rows, plan->leaf[i].n, s->rows + n * s->net.D);
        n += plan->leaf[i].n;
    }
    return n;
}

typedef struct {
    double of_bound; /* largest error in units of its bound */
    double relative; /* norm of the error against that of the gradient */
} exactness;

/* Against the reference for the first `n` rows of this rank. */
static exactness compare(dc_comm *comm, setup *s, int64_t n, int64_t n_global)
{
    exactness x = {0, 0};
    double size = 0;
    gradient_ref(&s->net, s->model.params.value, s->rows, n, n_global, s->value, s->bound);
    dc_comm_sum_f64(comm, s->value, s->net.n_params);
    dc_comm_sum_f64(comm, s->bound, s->net.n_params);
    for (size_t i = 0; i < s->net.n_params; i++) {
        const double error = fabs((double)s->model.params.grad[i] - s->value[i]);
        x.of_bound = worse_of(x.of_bound, error == 0 ? 0 : error / s->bound[i]);
        x.relative += error * error;
        size += s->value[i] * s->value[i];
    }
    x.relative = sqrt(x.relative / size);
    return x;
}

static void test_step(dc_comm *comm, setup *s, int way, int64_t step)
{
    const dc_places *plan = dc_gradient_plan(s->gradient, step);
    take_gradient(comm, s, plan);
    const int64_t n = take_rows(s, plan);
    const exactness all = compare(comm, s, n, plan->n_global);
    const exactness without_one = compare(comm, s, n - (dc_comm_rank(comm) == 0 && n > 0), plan->n_global);
    if (dc_comm_rank(comm) == 0)
        printf("# %s, %lld rows: largest error %.2g of its bound (%.3g without a row), error of the whole %.2g\n",
               ways[way], (long long)plan->n_global, all.of_bound, without_one.of_bound, all.relative);
    CHECK(all.of_bound <= 1);
    CHECK(without_one.of_bound > 1);
    CHECK(all.relative < 5e-7);
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    dc_log_set_active(false);
    for (int way = OFF; way < WAYS; way++) {
        setup s;
        open_setup(comm, way, &s);
        test_step(comm, &s, way, 0);
        test_step(comm, &s, way, N / B);
        close_setup(&s);
    }
    return check_done_all(&comm);
}
