/* The gradient of a training step against long double: gathered, by the tree and off, for a full batch, the short one
 * that ends the epoch, and one with fewer rows than ranks. Every element is within the bound of rounding in the worst
 * case; if a batch lacks one row, it is not. The whole gradient is as exact as single precision is on average. N is
 * prime, no batch is a multiple of the shards. ranks: 1 3 5 */
#include "check.h"

#include "dcmpi/log.h"
#include "dcmpi/train.h"
#include "ref/gradient_ref.h"
#include "ref/nn_ref.h"
#include "ref/one_step.h"

enum { N = 151, B = 61, FEW = 2, SHARDS = 16 };
static const char *const ways[] = {"off", "gather", "tree"};
enum { OFF, GATHER, TREE, WAYS };

typedef struct {
    dc_dataset *data;
    dc_net net;
    dc_slab slab;
    dc_timers timers;
    dc_progress progress;
    dc_model model;
    dc_graph *graph;
    dc_step *step;
    double *value, *bound;
    float *rows; /* [B x D] of this rank */
} setup;

static void open_setup(dc_comm *comm, int way, int64_t batch, setup *s)
{
    memset(s, 0, sizeof *s);
    CHECK_OK(dc_dataset_load(comm, DC_BUILTIN_GLYPHS, N, SHARDS, DC_SCALE_UNIT, 1, 1, &s->data));
    CHECK_OK(dc_net_init(&s->net, s->data->D, (int64_t[]){18}, 1, 5, DC_ACT_TANH, DC_ACT_LINEAR, DC_ACT_LINEAR));
    dc_slab_init(&s->slab, &s->net);
    CHECK_OK(dc_model_create(&s->model, s->data, &s->slab, DC_INIT_GLOROT, 704, &s->timers, &s->progress));
    s->model.strict = way != OFF;
    s->model.gather_rows = way == GATHER ? batch : 0;
    CHECK_OK(dc_graph_create(&s->graph));
    const dc_val x = dc_batch(s->graph, s->net.D);
    dc_minimize(s->graph, "reconstruction", 1,
                dc_recon(s->graph, DC_LOSS_MSE, x, dc_layers(s->graph, &s->net, 0, s->net.n_layers, true, x)));
    CHECK_OK(dc_graph_finish(s->graph));
    const dc_row_source source = dc_model_rows(&s->model);
    const dc_step_config cfg = dc_model_step(&s->model, s->graph, &source, batch, DC_T_PRETRAIN_GATHER);
    CHECK_OK(dc_step_create(&s->step, &cfg));
    CHECK_OK(dc_mem_alloc(&s->value, s->net.n_params, sizeof *s->value, "reference"));
    CHECK_OK(dc_mem_alloc(&s->bound, s->net.n_params, sizeof *s->bound, "bound"));
    CHECK_OK(dc_mem_alloc(&s->rows, (size_t)(B * s->net.D), sizeof *s->rows, "rows"));
}

static void close_setup(setup *s)
{
    dc_step_destroy(&s->step);
    dc_graph_destroy(&s->graph);
    dc_model_release(&s->model);
    dc_dataset_destroy(&s->data);
    dc_mem_free(&s->value);
    dc_mem_free(&s->bound);
    dc_mem_free(&s->rows);
}

/* The whole gradient on all ranks, in params.grad. Returns the rows of the batch. */
static int64_t take_gradient(dc_comm *comm, setup *s, int64_t step)
{
    dc_params *p = &s->model.params;
    double loss;
    memset(p->grad, 0, p->n * sizeof *p->grad);
    const int64_t n_global = dc_step_run(comm, s->step, step, &loss);
    one_step_share(comm, s->step, p->grad);
    return n_global;
}

/* Rows of this rank's part of the batch. */
static int64_t take_rows(setup *s, int64_t step)
{
    int64_t rows[B], n, n_global;
    dc_batcher_step(dc_step_batcher(s->step), step, rows, &n, &n_global, NULL);
    dc_dataset_gather(s->data, rows, n, s->rows);
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

/* 1 on the first rank that has rows. */
static int64_t lacks_a_row(dc_comm *comm, int64_t n)
{
    int64_t first = n > 0 ? dc_comm_rank(comm) : INT64_MAX;
    dc_comm_min_i64(comm, &first, 1);
    return first == dc_comm_rank(comm);
}

static void test_step(dc_comm *comm, setup *s, int way, int64_t step)
{
    const int64_t n_global = take_gradient(comm, s, step), n = take_rows(s, step);
    const exactness all = compare(comm, s, n, n_global);
    const exactness without_one = compare(comm, s, n - lacks_a_row(comm, n), n_global);
    if (dc_comm_rank(comm) == 0)
        printf("# %s, %lld rows: largest error %.2g of its bound (%.3g without a row), error of the whole %.2g\n",
               ways[way], (long long)n_global, all.of_bound, without_one.of_bound, all.relative);
    CHECK(all.of_bound <= 1);
    CHECK(without_one.of_bound > 1);
    CHECK(all.relative < (n_global > FEW ? 5e-7 : 1e-6)); /* errors of few rows cancel less */
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    dc_log_set_active(false);
    for (int way = OFF; way < WAYS; way++) {
        setup s;
        open_setup(comm, way, B, &s);
        test_step(comm, &s, way, 0);
        test_step(comm, &s, way, N / B);
        close_setup(&s);
        open_setup(comm, way, FEW, &s);
        test_step(comm, &s, way, 5);
        close_setup(&s);
    }
    return check_done_all(&comm);
}
