/* What bits that do not depend on ranks and threads cost: whole training steps of the standard autoencoder
 * (784-500-500-2000-10 and back) with parallel.reproducible strict and off, taken in turns in one run, so that other
 * work on the machine and a changing clock hit both alike. Not a test: prints a row of the table of bench_strict.sh.
 * usage: [mpirun -n P] bench_strict [rows of a batch] [pairs of steps]
 * Step = gather of the batch, forward, reconstruction loss, backward, gradients over ranks, SGD update. */
#include <omp.h>
#include <stdlib.h>
#include <time.h>

#include "check.h"
#include "dcmpi/clock.h"
#include "dcmpi/log.h"
#include "train/gradient.h"

enum { OFF, STRICT, MODES, ROWS = 8192, SHARDS = 64, GATHER_ROWS = 2048, WARM_UP = 2 };

typedef struct {
    dc_net net;
    dc_timers timers;
    dc_progress progress;
    dc_dataset *data;
    dc_model model[MODES];
    dc_gradient *gradient[MODES];
} bench;

static dc_status create(dc_comm *comm, bench *b, int64_t B)
{
    static const int64_t hidden[] = {500, 500, 2000};
    dc_status st = DC_OK;
    *b = (bench){0};
    DC_TRY(dc_dataset_load(comm, DC_BUILTIN_GLYPHS, ROWS, SHARDS, DC_SCALE_UNIT, 1, 10, &b->data));
    DC_TRY(dc_net_init(&b->net, b->data->D, hidden, 3, 10, DC_ACT_RELU, DC_ACT_LINEAR, DC_ACT_LINEAR));
    for (int mode = OFF; mode < MODES; mode++) {
        dc_model *m = &b->model[mode];
        DC_TRY_ALL(comm, dc_model_create(m, b->data, &b->net, DC_INIT_FAN_IN, 1, &b->timers, &b->progress));
        m->strict = mode == STRICT;
        m->gather_rows = GATHER_ROWS;
        const dc_gradient_config cfg = {
            .model = m, .net = &b->net, .params = &m->params, .last = b->net.n_layers, .n_losses = 1, .B = B};
        DC_TRY_ALL(comm, dc_gradient_create(&b->gradient[mode], &cfg));
    }
out:
    return st;
}

static void release(bench *b)
{
    for (int mode = OFF; mode < MODES; mode++) {
        dc_gradient_destroy(&b->gradient[mode]);
        dc_model_release(&b->model[mode]);
    }
    dc_dataset_destroy(&b->data);
}

static void local_step(const bench *b, dc_gradient *g, const dc_places *plan)
{
    const int last = b->net.n_layers;
    const int64_t D = b->net.D;
    const float *x = dc_gradient_act(g, 0), *y = dc_gradient_act(g, last);
    for (int i = 0; i < plan->n_leaves; i++)
        dc_dataset_gather(b->data, plan->leaf[i].rows, plan->leaf[i].n, dc_gradient_act(g, 0) + plan->leaf[i].at * D);
    dc_gradient_forward(g, 0, last);
    dc_gradient_clear_delta(g, last - 1);
    for (int i = 0; i < plan->n_leaves; i++) {
        const int64_t at = plan->leaf[i].at * D;
        const double loss = dc_recon_loss_grad(DC_LOSS_MSE, x + at, y + at, plan->leaf[i].n, D, plan->n_global,
                                               dc_gradient_delta(g, last - 1) + at);
        dc_gradient_leaf(g, i, &loss, NULL);
    }
    dc_gradient_backward(g, 0, last);
}

/* One rank with one thread never waits: its processor time leaves out what other processes take. */
static double now_s(const dc_comm *comm)
{
    struct timespec t;
    if (dc_comm_size(comm) > 1 || omp_get_max_threads() > 1) return dc_clock_now_s();
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Seconds of the slowest rank. */
static double time_step(dc_comm *comm, bench *b, int mode, int64_t step)
{
    static const dc_opt_config sgd = {.kind = DC_OPT_SGD, .lr = 0.1, .momentum = 0.9};
    dc_gradient *g = b->gradient[mode];
    double loss, seconds;
    dc_comm_barrier(comm);
    const double start = now_s(comm);
    local_step(b, g, dc_gradient_plan(g, step));
    dc_gradient_sync(comm, g, &loss);
    dc_gradient_update(comm, g, &sgd, step, 1);
    seconds = now_s(comm) - start;
    dc_comm_max_f64(comm, &seconds, 1);
    DC_ASSERT(isfinite(loss));
    return seconds;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, int n)
{
    qsort(x, (size_t)n, sizeof *x, by_value);
    return n % 2 ? x[n / 2] : 0.5 * (x[n / 2 - 1] + x[n / 2]);
}

/* Medians of each mode's times and of the ratio within a pair; the mode that comes first changes from pair to pair. */
static void run_pairs(dc_comm *comm, bench *b, int64_t B, int pairs)
{
    double *ms[MODES], *ratio = calloc((size_t)pairs, sizeof *ratio);
    for (int mode = OFF; mode < MODES; mode++) ms[mode] = calloc((size_t)pairs, sizeof *ms[mode]);
    for (int i = -WARM_UP; i < pairs; i++) {
        double now[MODES];
        for (int turn = 0; turn < MODES; turn++) {
            const int mode = (i + WARM_UP + turn) % MODES;
            now[mode] = 1e3 * time_step(comm, b, mode, i + WARM_UP);
        }
        if (i < 0) continue;
        for (int mode = OFF; mode < MODES; mode++) ms[mode][i] = now[mode];
        ratio[i] = now[STRICT] / now[OFF];
    }
    const double off = median(ms[OFF], pairs), strict = median(ms[STRICT], pairs), cost = median(ratio, pairs);
    if (dc_comm_rank(comm) == 0)
        printf("| B = %lld, %d rank%s x %d thread%s | %.2f ms | %.2f ms | %.3f | %.3f to %.3f |\n", (long long)B,
               dc_comm_size(comm), dc_comm_size(comm) > 1 ? "s" : "", omp_get_max_threads(),
               omp_get_max_threads() > 1 ? "s" : "", off, strict, cost, ratio[pairs / 4], ratio[pairs * 3 / 4]);
    for (int mode = OFF; mode < MODES; mode++) free(ms[mode]);
    free(ratio);
}

int main(int argc, char **argv)
{
    const int64_t B = argc > 1 ? atoll(argv[1]) : 256;
    const int pairs = argc > 2 ? atoi(argv[2]) : 40;
    dc_comm *comm;
    bench b;
    if (pairs < 1 || B < 1 || dc_comm_create(&comm) != DC_OK) return 1;
    dc_log_set_active(false);
    const dc_status st = create(comm, &b, B);
    if (st == DC_OK)
        run_pairs(comm, &b, B, pairs);
    else
        fprintf(stderr, "%s\n", dc_error_text());
    release(&b);
    dc_comm_destroy(&comm);
    return st == DC_OK ? 0 : 1;
}
