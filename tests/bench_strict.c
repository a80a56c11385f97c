/* Measures what it costs that bits do not depend on ranks and threads: whole training steps of the standard autoencoder
 * (784-500-500-2000-10 and back) with parallel.reproducible strict and off. The two take turns in one run, so that
 * other work on the machine and a changing clock hit both alike. Not a test: prints a row of the table of
 * bench_strict.sh. usage: [mpirun -n P] bench_strict [rows of a batch] [pairs of steps] Step = gather of the batch,
 * forward, reconstruction loss, backward, gradients over ranks, SGD update. */
#include <omp.h>
#include <stdlib.h>
#include <time.h>

#include "check.h"
#include "dcmpi/clock.h"
#include "dcmpi/log.h"
#include "dcmpi/train.h"

enum { OFF, STRICT, MODES, ROWS = 8192, SHARDS = 64, GATHER_ROWS = 2048, WARM_UP = 2 };

typedef struct {
    dc_net net;
    dc_slab slab;
    dc_timers timers;
    dc_progress progress;
    dc_dataset *data;
    dc_model model[MODES];
    dc_graph *graph;
    dc_step *step[MODES];
} bench;

static dc_status create(dc_comm *comm, bench *b, int64_t B)
{
    static const int64_t hidden[] = {500, 500, 2000};
    dc_status st = DC_OK;
    *b = (bench){0};
    DC_TRY(dc_dataset_load(comm, DC_BUILTIN_GLYPHS, ROWS, SHARDS, DC_SCALE_UNIT, 1, 10, &b->data));
    DC_TRY(dc_net_init(&b->net, b->data->D, hidden, 3, 10, DC_ACT_RELU, DC_ACT_LINEAR, DC_ACT_LINEAR));
    dc_slab_init(&b->slab, &b->net);
    DC_TRY_ALL(comm, dc_graph_create(&b->graph));
    const dc_val x = dc_batch(b->graph, b->net.D);
    dc_minimize(b->graph, "reconstruction", 1,
                dc_recon(b->graph, DC_LOSS_MSE, x, dc_layers(b->graph, &b->net, 0, b->net.n_layers, true, x)));
    DC_TRY(dc_graph_finish(b->graph));
    for (int mode = OFF; mode < MODES; mode++) {
        dc_model *m = &b->model[mode];
        DC_TRY_ALL(comm, dc_model_create(m, b->data, &b->slab, DC_INIT_FAN_IN, 1, &b->timers, &b->progress));
        m->strict = mode == STRICT;
        m->gather_rows = GATHER_ROWS;
        const dc_row_source rows = dc_model_rows(m);
        const dc_step_config cfg = dc_model_step(m, b->graph, &rows, B, DC_T_PRETRAIN_GATHER);
        DC_TRY_ALL(comm, dc_step_create(&b->step[mode], &cfg));
    }
out:
    return st;
}

static void release(bench *b)
{
    for (int mode = OFF; mode < MODES; mode++) {
        dc_step_destroy(&b->step[mode]);
        dc_model_release(&b->model[mode]);
    }
    dc_graph_destroy(&b->graph);
    dc_dataset_destroy(&b->data);
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
    double loss, seconds;
    dc_comm_barrier(comm);
    const double start = now_s(comm);
    dc_step_run(comm, b->step[mode], step, &loss);
    dc_step_update(comm, b->step[mode], &sgd, step, 1);
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
