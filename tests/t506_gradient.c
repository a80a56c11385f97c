/* Every gradient of the network against central differences of the naive forward pass in double: all activations in
 * every place, all losses, all sub-ranges of layers, gradients by the input. Fixed seed 506. */
#include "check.h"
#include "dcmpi/nn.h"
#include "dcmpi/rng.h"
#include "ref/nn_ref.h"

enum { ROWS = 6, D = 7, BATCH = 9 };
static const int64_t hidden[] = {5, 4};

typedef struct {
    dc_net net;
    dc_params p;
    dc_net_work work;
    double *value; /* the parameters in double */
    int first, last;
    dc_recon_loss loss;
    float *target; /* what the output of layer last-1 is compared with */
    double *x;     /* input of layer first */
} problem;

static int64_t in_width(const problem *q)
{
    return q->net.layer[q->first].in;
}
static int64_t out_width(const problem *q)
{
    return q->net.layer[q->last - 1].out;
}

static void problem_make(problem *q, dc_act hid, dc_act lat, dc_act out, int first, int last, dc_recon_loss loss)
{
    *q = (problem){.first = first, .last = last, .loss = loss};
    CHECK_OK(dc_net_init(&q->net, D, hidden, 2, 3, hid, lat, out));
    q->net = dc_net_for_loss(&q->net, loss);
    CHECK_OK(dc_params_create(&q->p, &q->net, 0));
    CHECK_OK(dc_net_work_create(&q->work, &q->net, first, last, ROWS, true));
    dc_rng_fill_uniform(q->p.value, q->p.n, 506, 1, 0.9); /* biases too: no unit sits on a kink */
    q->value = malloc(q->p.n * sizeof *q->value);
    for (size_t i = 0; i < q->p.n; i++) q->value[i] = (double)q->p.value[i];
    const size_t nx = (size_t)(ROWS * in_width(q)), ny = (size_t)(ROWS * out_width(q));
    dc_rng_fill_uniform(q->work.act[first], nx, 506, 2, 1);
    q->x = malloc(nx * sizeof *q->x);
    for (size_t i = 0; i < nx; i++) q->x[i] = (double)q->work.act[first][i];
    q->target = malloc(ny * sizeof *q->target);
    dc_rng_fill_uniform(q->target, ny, 506, 3, 1);
}

static void problem_free(problem *q)
{
    dc_net_work_release(&q->work);
    dc_params_release(&q->p);
    free(q->value), free(q->target), free(q->x);
}

static double loss_ref(const problem *q)
{
    double y[ROWS * 16];
    net_forward_ref(&q->net, q->value, q->first, q->last, ROWS, q->x, y);
    return recon_loss_ref(q->loss, q->target, y, ROWS, out_width(q), BATCH, NULL);
}

/* dloss/d(*at), where at points into q->value or q->x. */
static double central_difference(const problem *q, double *at)
{
    const double h = 1e-5, keep = *at;
    *at = keep + h;
    const double up = loss_ref(q);
    *at = keep - h;
    const double down = loss_ref(q);
    *at = keep;
    return (up - down) / (2 * h);
}

/* Layers outside [first, last) must keep what was in the gradient. */
static double parameter_error(const problem *q, float untouched)
{
    double worst = 0;
    for (int l = 0; l < q->net.n_layers; l++) {
        const dc_layer *layer = &q->net.layer[l];
        const bool inside = l >= q->first && l < q->last;
        for (size_t i = layer->weight; i < layer->bias + (size_t)layer->out; i++) {
            const double e = inside ? central_difference(q, &q->value[i]) : (double)untouched;
            worst = worse_of(worst, fabs((double)q->p.grad[i] - e) / fmax(1, fabs(e)));
        }
    }
    return worst;
}

static void check_gradient(dc_act hid, dc_act lat, dc_act out, int first, int last, dc_recon_loss loss)
{
    problem q;
    problem_make(&q, hid, lat, out, first, last, loss);
    float dx[ROWS * 16];
    const float untouched = 77;
    for (size_t i = 0; i < q.p.n; i++) q.p.grad[i] = untouched;
    dc_net_forward(&q.net, q.p.value, &q.work, first, last, ROWS);
    const double value =
        dc_recon_loss_grad(loss, q.target, q.work.act[last], ROWS, out_width(&q), BATCH, q.work.delta[0]);
    dc_net_backward(&q.net, q.p.value, q.p.grad, &q.work, first, last, ROWS, q.work.delta[0], dx);
    printf("# activations %d %d %d, layers %d..%d, loss %d\n", hid, lat, out, first, last - 1, loss);
    CHECK_NEAR(value, loss_ref(&q), 2e-6 * fmax(1, value));
    CHECK_NEAR(parameter_error(&q, untouched), 0, 2e-6);
    double worst = 0;
    for (int64_t i = 0; i < ROWS * in_width(&q); i++)
        worst = worse_of(worst, fabs((double)dx[i] - central_difference(&q, &q.x[i])));
    CHECK_NEAR(worst, 0, 2e-6);
    problem_free(&q);
}

/* The gradient of the output may lie outside the work buffers, and dx may be left out: the same bits. */
static void test_own_dout(void)
{
    problem q;
    problem_make(&q, DC_ACT_TANH, DC_ACT_LINEAR, DC_ACT_LINEAR, 0, 6, DC_LOSS_MSE);
    float dout[ROWS * D], copy[1024];
    dc_net_forward(&q.net, q.p.value, &q.work, 0, 6, ROWS);
    dc_recon_loss_grad(DC_LOSS_MSE, q.target, q.work.act[6], ROWS, D, BATCH, dout);
    memcpy(q.work.delta[0], dout, sizeof dout);
    dc_net_backward(&q.net, q.p.value, q.p.grad, &q.work, 0, 6, ROWS, q.work.delta[0], NULL);
    CHECK(q.p.n <= DC_COUNT_OF(copy));
    memcpy(copy, q.p.grad, q.p.n * sizeof *copy);
    dc_net_backward(&q.net, q.p.value, q.p.grad, &q.work, 0, 6, ROWS, dout, NULL);
    CHECK(memcmp(copy, q.p.grad, q.p.n * sizeof *copy) == 0);
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
    static const dc_act acts[] = {DC_ACT_LINEAR, DC_ACT_RELU, DC_ACT_LEAKY_RELU, DC_ACT_TANH, DC_ACT_SIGMOID};
    for (size_t a = 0; a < DC_COUNT_OF(acts); a++) {
        check_gradient(acts[a], DC_ACT_LINEAR, DC_ACT_LINEAR, 0, 6, DC_LOSS_MSE);
        check_gradient(DC_ACT_TANH, acts[a], DC_ACT_LINEAR, 0, 6, DC_LOSS_MSE);
        check_gradient(DC_ACT_TANH, DC_ACT_LINEAR, acts[a], 0, 6, DC_LOSS_MSE_SUM);
    }
    check_gradient(DC_ACT_RELU, DC_ACT_LINEAR, DC_ACT_LINEAR, 0, 6, DC_LOSS_MSE_HALF_SUM);
    check_gradient(DC_ACT_TANH, DC_ACT_LINEAR, DC_ACT_LINEAR, 0, 3, DC_LOSS_MSE);
    check_gradient(DC_ACT_TANH, DC_ACT_LINEAR, DC_ACT_LINEAR, 3, 6, DC_LOSS_MSE);
    check_gradient(DC_ACT_TANH, DC_ACT_LINEAR, DC_ACT_LINEAR, 2, 3, DC_LOSS_MSE);
    check_gradient(DC_ACT_RELU, DC_ACT_LINEAR, DC_ACT_SIGMOID, 0, 6, DC_LOSS_BCE);
    check_gradient(DC_ACT_TANH, DC_ACT_SIGMOID, DC_ACT_SIGMOID, 3, 6, DC_LOSS_BCE);
    test_loss_net();
    test_own_dout();
    return check_done();
}
