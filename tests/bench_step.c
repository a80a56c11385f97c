/* Speed of one training step of the standard autoencoder (784-500-500-2000-10 and back, B = 256) beside the FMA peak of
 * the same threads, measured in the same run. Not a test: prints a table.
 * usage: bench_step [seconds] [onednn|cblas]
 * Step = forward + reconstruction loss + backward + SGD update, without the gather of the batch. */
#include <omp.h>
#include <string.h>

#include "dcmpi/clock.h"
#include "dcmpi/la.h"
#include "dcmpi/mem.h"
#include "dcmpi/optim.h"

enum { B = 256 };

typedef struct {
    dc_net net;
    dc_params params;
    dc_net_work work;
} model;

static dc_status model_create(model *m)
{
    dc_status st = DC_OK;
    static const int64_t hidden[] = {500, 500, 2000};
    *m = (model){0};
    DC_TRY(dc_net_init(&m->net, 784, hidden, 3, 10, DC_ACT_RELU, DC_ACT_LINEAR, DC_ACT_LINEAR));
    DC_TRY(dc_params_create(&m->params, &m->net, 0));
    DC_TRY(dc_net_work_create(&m->work, &m->net, 0, m->net.n_layers, B, true));
    dc_net_init_weights(&m->net, DC_INIT_FAN_IN, 1, m->params.value);
    for (int64_t i = 0; i < B * 784; i++) m->work.act[0][i] = (float)(i * 2654435761u % 256) / 255.0f;
out:
    return st;
}

/* The parts of a step, so that each can be timed. */
static void part_forward(model *m)
{
    dc_net_forward(&m->net, m->params.value, &m->work, 0, m->net.n_layers, B);
}
static void part_loss(model *m)
{
    dc_recon_loss_grad(DC_LOSS_MSE, m->work.act[0], m->work.act[m->net.n_layers], B, 784, B, m->work.delta[0]);
}
static void part_backward(model *m)
{
    dc_net_backward(&m->net, m->params.value, m->params.grad, &m->work, 0, m->net.n_layers, B, m->work.delta[0], NULL);
}
static void part_update(model *m)
{
    static const dc_opt_config opt = {.kind = DC_OPT_SGD, .lr = 0.1, .momentum = 0.9};
    dc_opt_step(&opt, &m->params, 0, m->params.n, 0, 1);
}

typedef void (*step_part)(model *m);
static const struct {
    const char *name;
    step_part run;
} parts[] = {{"forward", part_forward}, {"loss", part_loss}, {"backward", part_backward}, {"update", part_update}};
enum { PARTS = sizeof parts / sizeof parts[0] };

/* Best time of each part and of the whole step over `seconds`. */
static double bench_steps(model *m, double seconds, double best_part[PARTS])
{
    double best = 1e30;
    for (int p = 0; p < PARTS; p++) best_part[p] = 1e30;
    for (const double end = dc_clock_now_s() + seconds; dc_clock_now_s() < end;) {
        const double begin = dc_clock_now_s();
        double last = begin;
        for (int p = 0; p < PARTS; p++) {
            parts[p].run(m);
            const double now = dc_clock_now_s();
            best_part[p] = DC_MIN(best_part[p], now - last);
            last = now;
        }
        best = DC_MIN(best, last - begin);
    }
    return best;
}

static double time_gemm(dc_trans ta, dc_trans tb, int64_t m, int64_t n, int64_t k, const float *A, const float *W,
                        float *C)
{
    double best = 1e30;
    for (int r = 0; r < 30; r++) {
        const double begin = dc_clock_now_s();
        dc_gemm(ta, tb, m, n, k, 1, A, ta == DC_N ? k : m, W, tb == DC_N ? n : k, 0, C, n);
        best = DC_MIN(best, dc_clock_now_s() - begin);
    }
    return 2e-9 * (double)m * (double)n * (double)k / best;
}

static void bench_shapes(model *m)
{
    printf("%-14s %10s %10s %10s   GF/s\n", "layer", "Y = X W", "dW = X'dY", "dX = dY W'");
    for (int l = 0; l < m->net.n_layers; l++) {
        const dc_layer *y = &m->net.layer[l];
        const float *X = m->work.act[l], *W = m->params.value + y->weight;
        float *D = m->work.delta[0], *E = m->work.delta[1], *G = m->params.grad + y->weight;
        char shape[32];
        snprintf(shape, sizeof shape, "%lldx%lld", (long long)y->in, (long long)y->out);
        printf("%-14s %10.1f %10.1f %10.1f\n", shape, time_gemm(DC_N, DC_N, B, y->out, y->in, X, W, D),
               time_gemm(DC_T, DC_N, y->in, y->out, B, X, D, G), time_gemm(DC_N, DC_T, B, y->in, y->out, D, W, E));
    }
}

int main(int argc, char **argv)
{
    const double seconds = argc > 1 ? atof(argv[1]) : 3;
    if (argc > 2 && strcmp(argv[2], "cblas") == 0) dc_gemm_set_backend(DC_GEMM_CBLAS);
    model m;
    char libs[128];
    if (model_create(&m) != DC_OK) {
        fprintf(stderr, "%s\n", dc_error_text());
        return 1;
    }
    const int threads = omp_get_max_threads();
    double best_part[PARTS], peak = dc_la_measure_peak_flops(threads);
    dc_la_describe(libs, sizeof libs);
    const double step = bench_steps(&m, seconds, best_part);
    const double flops = B * dc_net_train_flops(&m.net, 0, m.net.n_layers);
    peak = DC_MAX(peak, dc_la_measure_peak_flops(threads));
    printf("%s, %d threads, FMA peak %.1f GF/s\n", libs, threads, peak * 1e-9);
    bench_shapes(&m);
    for (int p = 0; p < PARTS; p++) printf("%-9s %7.3f ms\n", parts[p].name, best_part[p] * 1e3);
    printf("step      %7.3f ms   %.1f steps/s   %.1f GF/s   %.1f %% of peak\n", step * 1e3, 1 / step,
           flops / step * 1e-9, 100 * flops / step / peak);
    dc_net_work_release(&m.work);
    dc_params_release(&m.params);
    return 0;
}
