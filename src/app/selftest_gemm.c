/* Self-test, matrix products: are they right, how fast are they compared with the FMA peak, and does a row have the
 * same bits whichever thread and tile computes it? Shapes are those of the encoder of the published configuration.
 *
 * Bits: dc_embed() computes all rows in tiles of the same shape, one thread per tile. Equal results on any number of
 * ranks and threads need two things: a tile has the same bits on one thread and on several, and a row has the same bits
 * whatever the other rows of its tile are. A row may depend on its place in the tile. That place is the same in every
 * run on these data. In another file, the same row may have another place, and its last digits may then differ. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "dcmpi/clock.h"
#include "dcmpi/la.h"
#include "dcmpi/mem.h"
#include "dcmpi/rng.h"
#include "selftest.h"
#include "selftest_kern.h"

enum { ROWS = 256, INPUT = 784, LATENT = 10, N_HIDDEN = 3, SAMPLES = 64 };
static const int64_t hidden[N_HIDDEN] = {500, 500, 2000};
static const double MEASURE_S = 0.1; /* per product */

static dc_status make_net(dc_net *net)
{
    return dc_net_init(net, INPUT, hidden, N_HIDDEN, LATENT, DC_ACT_RELU, DC_ACT_LINEAR, DC_ACT_LINEAR);
}

/* ---- One product ------------------------------------------------------------------------------------------------- */

/* C[m x n] = op(A) op(B), as the network calls it. */
typedef struct {
    dc_trans ta, tb;
    int64_t m, n, k;
    float *A, *B, *C;
} product;

/* The three products of a layer in -> out: forward Y = X W, gradients dW = X^T dY and dX = dY W^T. */
static product product_of(int which, int64_t in, int64_t out)
{
    return which == 0   ? (product){.ta = DC_N, .tb = DC_N, .m = ROWS, .n = out, .k = in}
           : which == 1 ? (product){.ta = DC_T, .tb = DC_N, .m = in, .n = out, .k = ROWS}
                        : (product){.ta = DC_N, .tb = DC_T, .m = ROWS, .n = in, .k = out};
}

static dc_status product_create(product *p)
{
    dc_status st = DC_OK;
    const size_t a = (size_t)(p->m * p->k), b = (size_t)(p->k * p->n);
    DC_TRY(dc_mem_alloc_raw(&p->A, a, sizeof *p->A, "matrix A"));
    DC_TRY(dc_mem_alloc_raw(&p->B, b, sizeof *p->B, "matrix B"));
    DC_TRY(dc_mem_alloc(&p->C, (size_t)(p->m * p->n), sizeof *p->C, "matrix C"));
    dc_rng_fill_uniform(p->A, a, 1, 0, 1);
    dc_rng_fill_uniform(p->B, b, 1, 1, 1);
out:
    return st;
}

static void product_release(product *p)
{
    dc_mem_free(&p->A);
    dc_mem_free(&p->B);
    dc_mem_free(&p->C);
}

static int64_t ld_of_a(const product *p)
{
    return p->ta == DC_N ? p->k : p->m;
}

static int64_t ld_of_b(const product *p)
{
    return p->tb == DC_N ? p->n : p->k;
}

static void multiply(const product *p)
{
    dc_gemm(p->ta, p->tb, p->m, p->n, p->k, 1, p->A, ld_of_a(p), p->B, ld_of_b(p), 0, p->C, p->n);
}

/* Compares some elements of C with sums in double; the allowed error holds for every order of summation. */
static dc_status check_product(const product *p)
{
    const int64_t lda = ld_of_a(p), ldb = ld_of_b(p);
    for (int64_t s = 0; s < SAMPLES; s++) {
        const int64_t i = s * (p->m - 1) / (SAMPLES - 1), j = (s * 37 + p->n - 1) % p->n;
        double sum = 0, size = 0;
        for (int64_t l = 0; l < p->k; l++) {
            const double a = (double)p->A[p->ta == DC_N ? i * lda + l : l * lda + i];
            const double b = (double)p->B[p->tb == DC_N ? l * ldb + j : j * ldb + l];
            sum += a * b;
            size += fabs(a * b);
        }
        const double c = (double)p->C[i * p->n + j];
        if (!(fabs(c - sum) <= (double)FLT_EPSILON * (double)p->k * size))
            return DC_FAIL(DC_ERR_NUMERIC, "product %lld x %lld x %lld is wrong: element (%lld, %lld) is %g, not %g",
                           (long long)p->m, (long long)p->n, (long long)p->k, (long long)i, (long long)j, c, sum);
    }
    return DC_OK;
}

/* Seconds of the fastest call. It is compared with the FMA peak, which is a best time, too. */
static double best_seconds(const product *p)
{
    double best = INFINITY;
    const double start = dc_clock_now_s();
    double now = start;
    do {
        const double before = now;
        multiply(p);
        now = dc_clock_now_s();
        best = fmin(best, now - before);
    } while (now - start < MEASURE_S);
    return best;
}

/* *seconds stays 0 on an error. Local. */
static dc_status measure(int which, int64_t in, int64_t out, double *flops, double *seconds)
{
    dc_status st = DC_OK;
    product p = product_of(which, in, out);
    *flops = 2.0 * (double)p.m * (double)p.n * (double)p.k;
    *seconds = 0;
    DC_TRY(product_create(&p));
    multiply(&p);
    DC_TRY(check_product(&p));
    *seconds = best_seconds(&p);
out:
    product_release(&p);
    return st;
}

/* ---- Rates ------------------------------------------------------------------------------------------------------- */

/* Returns the average over ranks in GF/s; *percent: this rate in % of the average peak. Collective. */
static double rate(dc_comm *comm, const dc_selftest *t, double flops, double seconds, double *percent)
{
    const double all = dc_selftest_sum(comm, seconds > 0 ? flops / seconds : 0);
    *percent = 100 * all / dc_selftest_sum(comm, t->peak_flops);
    return 1e-9 * all / dc_comm_size(comm);
}

dc_status dc_selftest_gemm(dc_comm *comm, dc_selftest *t)
{
    dc_status st = DC_OK;
    dc_net net;
    double gflops[3], percent[3];
    DC_TRY_ALL(comm, make_net(&net));
    const dc_layer *layer = &net.layer[t->check->which];
    for (int w = 0; w < 3; w++) {
        double flops, seconds;
        dc_comm_barrier(comm);
        DC_TRY_ALL(comm, measure(w, layer->in, layer->out, &flops, &seconds));
        gflops[w] = rate(comm, t, flops, seconds, &percent[w]);
        t->gemm_flops += flops;
        t->gemm_seconds += seconds;
    }
    dc_selftest_figure(t, "forward %4.0f GF/s %3.0f %%, weights %4.0f GF/s %3.0f %%, input %4.0f GF/s %3.0f %%",
                       gflops[0], percent[0], gflops[1], percent[1], gflops[2], percent[2]);
out:
    return st;
}

dc_status dc_selftest_gemm_all(dc_comm *comm, dc_selftest *t)
{
    double percent;
    const double gflops = rate(comm, t, t->gemm_flops, t->gemm_seconds, &percent);
    if (gflops == 0) return dc_selftest_skip(t, "no product was measured");
    dc_selftest_figure(t, "%.0f GF/s per rank, %.0f %% of the FMA peak; products agree with sums in double", gflops,
                       percent);
    if (percent < 40)
        dc_selftest_advise(t, "slow: are the cores shared with other processes, or are there more threads than cores?");
    return DC_OK;
}

/* ---- Bits -------------------------------------------------------------------------------------------------------- */

/* MNIST in 64 shards is embedded in tiles of 219 rows; no vector length divides 219. */
enum { TILES = 2, TILE_ROWS = 219, ALL_ROWS = TILES * TILE_ROWS, THREADS_MAX = 8 };

typedef struct {
    dc_net net;
    dc_params params;
    dc_graph *graph;
    dc_infer *infer;
    int n_threads; /* at least 2: they may share a core */
    float *X;      /* [ALL_ROWS x D] */
    float *Z[2];   /* [ALL_ROWS x L] */
    dc_status st;  /* the status of creating infer */
} embedding;

static void create_infer(void *ctx)
{
    embedding *e = ctx;
    e->st = dc_infer_create(&e->infer, e->graph, e->params.value, TILE_ROWS, NULL, 0);
}

static dc_status embedding_create(embedding *e, int threads)
{
    dc_status st = DC_OK;
    *e = (embedding){.n_threads = DC_MIN(DC_MAX(threads, 2), (int)THREADS_MAX)};
    DC_TRY(make_net(&e->net));
    DC_TRY(dc_params_create(&e->params, &e->net, 0));
    DC_TRY(dc_graph_create(&e->graph));
    dc_output(e->graph, "embedding",
              dc_layers(e->graph, &e->net, 0, e->net.n_encoder, false, dc_batch(e->graph, INPUT)));
    DC_TRY(dc_graph_finish(e->graph));
    dc_selftest_with_threads(e->n_threads, create_infer, e);
    DC_TRY(e->st);
    DC_TRY(dc_mem_alloc_raw(&e->X, ALL_ROWS * INPUT, sizeof *e->X, "rows"));
    for (int i = 0; i < 2; i++) DC_TRY(dc_mem_alloc(&e->Z[i], ALL_ROWS * LATENT, sizeof *e->Z[i], "embedding"));
    dc_net_init_weights(&e->net, DC_INIT_GLOROT, 1, e->params.value);
    dc_rng_fill_uniform(e->X, ALL_ROWS * INPUT, 1, 0, 1);
out:
    return st;
}

static void embedding_release(embedding *e)
{
    dc_infer_destroy(&e->infer);
    dc_graph_destroy(&e->graph);
    dc_params_release(&e->params);
    dc_mem_free(&e->X);
    dc_mem_free(&e->Z[0]);
    dc_mem_free(&e->Z[1]);
}

static void embed(embedding *e, int n_threads, float *Z)
{
    dc_selftest_tiles(e->infer, &e->net, n_threads, TILES, TILE_ROWS, e->X, Z);
}

/* Number of rows whose bits differ between the two embeddings; row i of Z[0] is compared with row (i + shift) of Z[1].
 */
static int64_t rows_that_differ(const embedding *e, int64_t shift)
{
    int64_t n = 0;
    for (int64_t i = 0; i < ALL_ROWS; i++) {
        const int64_t j = (i + shift) % ALL_ROWS;
        n += memcmp(e->Z[0] + i * LATENT, e->Z[1] + j * LATENT, LATENT * sizeof(float)) != 0;
    }
    return n;
}

static dc_status compare_threads(embedding *e)
{
    embed(e, 1, e->Z[0]);
    embed(e, e->n_threads, e->Z[1]);
    const int64_t differ = rows_that_differ(e, 0);
    if (differ == 0) return DC_OK;
    return DC_FAIL(DC_ERR_NUMERIC,
                   "%lld of %d rows have other bits on %d threads than on one: results depend on the number of "
                   "threads; try another version of oneDNN",
                   (long long)differ, (int)ALL_ROWS, e->n_threads);
}

dc_status dc_selftest_thread_bits(dc_comm *comm, dc_selftest *t)
{
    embedding e;
    dc_status st = embedding_create(&e, t->binding.threads);
    if (st == DC_OK && dc_comm_node_rank(comm) == 0) st = compare_threads(&e); /* one rank per node */
    dc_selftest_figure(t, "encoder, tiles of %d rows: the same bits on 1 and on %d threads", (int)TILE_ROWS,
                       e.n_threads);
    embedding_release(&e);
    return dc_agree(comm, st);
}

/* Moves all rows on by `shift` places. */
static dc_status rotate_rows(embedding *e, int64_t shift)
{
    float *old = NULL;
    const dc_status st = dc_mem_alloc_raw(&old, ALL_ROWS * INPUT, sizeof *old, "rows");
    if (st != DC_OK) return st;
    const size_t head = (size_t)((ALL_ROWS - shift) * INPUT), tail = (size_t)(shift * INPUT);
    memcpy(old, e->X, (head + tail) * sizeof *old);
    memcpy(e->X + tail, old, head * sizeof *old);
    memcpy(e->X, old + head, tail * sizeof *old);
    dc_mem_free(&old);
    return DC_OK;
}

/* Keeps even rows and fills odd rows with other values. */
static void change_odd_rows(embedding *e)
{
    for (int64_t i = 1; i < ALL_ROWS; i += 2) dc_rng_fill_uniform(e->X + i * INPUT, INPUT, 2, (uint64_t)i, 1);
}

/* *placed: number of rows whose bits depend on their place in the tile. */
static dc_status compare_rows(embedding *e, int64_t *placed)
{
    enum { SHIFT = 37 };
    int64_t differ = 0;
    embed(e, 1, e->Z[0]);
    const dc_status st = rotate_rows(e, SHIFT);
    if (st != DC_OK) return st;
    embed(e, 1, e->Z[1]);
    *placed = rows_that_differ(e, SHIFT);
    change_odd_rows(e);
    embed(e, 1, e->Z[0]);
    for (int64_t i = 0; i < ALL_ROWS; i += 2)
        differ += memcmp(e->Z[0] + i * LATENT, e->Z[1] + i * LATENT, LATENT * sizeof(float)) != 0;
    if (differ == 0) return DC_OK;
    return DC_FAIL(DC_ERR_NUMERIC,
                   "%lld of %d rows have other bits among other rows: results depend on how rows are cut into tiles; "
                   "try another version of oneDNN",
                   (long long)differ, (int)ALL_ROWS / 2);
}

dc_status dc_selftest_row_bits(dc_comm *comm, dc_selftest *t)
{
    embedding e;
    int64_t placed = 0;
    dc_status st = embedding_create(&e, 1);
    if (st == DC_OK && dc_comm_node_rank(comm) == 0) st = compare_rows(&e, &placed);
    embedding_release(&e);
    DC_TRY_ALL(comm, st);
    dc_comm_max_i64(comm, &placed, 1);
    dc_selftest_figure(t, "a row has the same bits among other rows%s", placed ? "" : ", at every place of a tile");
    if (placed)
        dc_selftest_advise(
            t,
            "%.1f %% of the rows of a tile depend on their place in it: the same row in another file may "
            "differ in the last digits",
            100.0 * (double)placed / ALL_ROWS);
out:
    return st;
}
