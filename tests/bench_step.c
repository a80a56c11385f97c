/* Speed of one training step of the standard autoencoder (784-500-500-2000-10 and back, B = 256) beside the FMA peak of
 * the same threads, measured in the same run. Not a test: prints a table.
 * usage: bench_step [seconds] [onednn|cblas]
 * Step = gather of the batch, network (forward, reconstruction loss, backward, products of the gradients), sync, SGD
 * update: the same sections as in the report of a run. */
#include <omp.h>
#include <string.h>

#include "dcmpi/clock.h"
#include "dcmpi/comm.h"
#include "dcmpi/la.h"
#include "dcmpi/mem.h"
#include "ref/one_step.h"

enum { B = 256, WIDEST = 2000, SHARDS = 64 };

typedef struct {
    dc_net net;
    dc_params params;
    float *x; /* [B x 784] */
    one_step step;
} model;

static dc_status model_create(dc_comm *comm, model *m)
{
    dc_status st = DC_OK;
    static const int64_t hidden[] = {500, 500, 2000};
    *m = (model){0};
    DC_TRY(dc_net_init(&m->net, 784, hidden, 3, 10, DC_ACT_RELU, DC_ACT_LINEAR, DC_ACT_LINEAR));
    DC_TRY(dc_params_create(&m->params, &m->net, 0));
    DC_TRY(dc_mem_alloc(&m->x, B * 784, sizeof *m->x, "rows"));
    dc_net_init_weights(&m->net, DC_INIT_FAN_IN, 1, m->params.value);
    for (int64_t i = 0; i < B * 784; i++) m->x[i] = (float)(i * 2654435761u % 256) / 255.0f;
    one_step_open(&m->step);
    const dc_val x = dc_batch(m->step.graph, 784);
    dc_minimize(
        m->step.graph, "reconstruction", 1,
        dc_recon(m->step.graph, DC_LOSS_MSE, x, dc_layers(m->step.graph, &m->net, 0, m->net.n_layers, true, x)));
    const one_step_rows rows = {
        .N = B, .width = 784, .x = m->x, .V = SHARDS, .B = B, .way = DC_OUTER_GATHER, .seed = 1};
    DC_TRY(one_step_create(comm, &m->step, &m->params, &rows));
out:
    return st;
}

static void model_release(model *m)
{
    one_step_close(&m->step);
    dc_params_release(&m->params);
    dc_mem_free(&m->x);
}

static void take_step(dc_comm *comm, model *m, int64_t t)
{
    static const dc_opt_config opt = {.kind = DC_OPT_SGD, .lr = 0.1, .momentum = 0.9};
    one_step_run(comm, &m->step, t);
    dc_step_update(comm, m->step.step, &opt, t, 1);
}

static const char *const parts[] = {"gather", "network", "sync", "update"}; /* sections of a step, in order */
enum { PARTS = sizeof parts / sizeof parts[0] };

static double section_s(const model *m, int part)
{
    return m->step.timers.section[DC_T_PRETRAIN_GATHER + part].seconds;
}

/* Best time of each part and of the whole step over `seconds`. */
static double bench_steps(dc_comm *comm, model *m, double seconds, double best_part[PARTS])
{
    double best = 1e30;
    int64_t t = 0;
    for (int p = 0; p < PARTS; p++) best_part[p] = 1e30;
    for (const double end = dc_clock_now_s() + seconds; dc_clock_now_s() < end;) {
        double before[PARTS];
        for (int p = 0; p < PARTS; p++) before[p] = section_s(m, p);
        const double begin = dc_clock_now_s();
        take_step(comm, m, t++);
        best = DC_MIN(best, dc_clock_now_s() - begin);
        for (int p = 0; p < PARTS; p++) best_part[p] = DC_MIN(best_part[p], section_s(m, p) - before[p]);
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

/* Times the library's products, each for all rows at once. */
static dc_status bench_shapes(const model *m)
{
    dc_status st = DC_OK;
    float *X = NULL, *D = NULL, *E = NULL, *G = NULL;
    DC_TRY(dc_mem_alloc(&X, B * WIDEST, sizeof *X, "rows"));
    DC_TRY(dc_mem_alloc(&D, B * WIDEST, sizeof *D, "rows"));
    DC_TRY(dc_mem_alloc(&E, B * WIDEST, sizeof *E, "rows"));
    DC_TRY(dc_mem_alloc(&G, m->params.n, sizeof *G, "gradients"));
    for (int64_t i = 0; i < B * WIDEST; i++) X[i] = D[i] = m->x[i % (B * 784)];
    printf("%-14s %10s %10s %10s   GF/s\n", "layer", "Y = X W", "dW = X'dY", "dX = dY W'");
    for (int l = 0; l < m->net.n_layers; l++) {
        const dc_layer *y = &m->net.layer[l];
        const float *W = m->params.value + y->weight;
        char shape[32];
        snprintf(shape, sizeof shape, "%lldx%lld", (long long)y->in, (long long)y->out);
        printf("%-14s %10.1f %10.1f %10.1f\n", shape, time_gemm(DC_N, DC_N, B, y->out, y->in, X, W, E),
               time_gemm(DC_T, DC_N, y->in, y->out, B, X, D, G + y->weight),
               time_gemm(DC_N, DC_T, B, y->in, y->out, D, W, E));
    }
out:
    dc_mem_free(&X);
    dc_mem_free(&D);
    dc_mem_free(&E);
    dc_mem_free(&G);
    return st;
}

static dc_status bench(dc_comm *comm, model *m, double seconds)
{
    dc_status st = DC_OK;
    char libs[128];
    const int threads = omp_get_max_threads();
    double best_part[PARTS], peak = dc_la_measure_peak_flops(threads);
    DC_TRY(model_create(comm, m));
    dc_la_describe(libs, sizeof libs);
    const double step = bench_steps(comm, m, seconds, best_part);
    const double flops = B * dc_net_train_flops(&m->net, 0, m->net.n_layers);
    peak = DC_MAX(peak, dc_la_measure_peak_flops(threads));
    printf("%s, %d threads, FMA peak %.1f GF/s\n", libs, threads, peak * 1e-9);
    DC_TRY(bench_shapes(m));
    for (int p = 0; p < PARTS; p++) printf("%-9s %7.3f ms\n", parts[p], best_part[p] * 1e3);
    printf("step      %7.3f ms   %.1f steps/s   %.1f GF/s   %.1f %% of peak\n", step * 1e3, 1 / step,
           flops / step * 1e-9, 100 * flops / step / peak);
out:
    return st;
}

int main(int argc, char **argv)
{
    const double seconds = argc > 1 ? atof(argv[1]) : 3;
    if (argc > 2 && strcmp(argv[2], "cblas") == 0) dc_gemm_set_backend(DC_GEMM_CBLAS);
    model m = {0};
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    const dc_status st = bench(comm, &m, seconds);
    if (st != DC_OK) fprintf(stderr, "%s\n", dc_error_text());
    model_release(&m);
    dc_comm_destroy(&comm);
    return st == DC_OK ? 0 : 1;
}
