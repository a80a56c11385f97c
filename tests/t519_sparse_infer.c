/* Inference on sparse rows against the same on dense rows, up to rounding: whole tiles, short ones, rows without
 * values; a row's bits do not depend on its tile; what needs the zeros gets them. And what a step on sparse rows is
 * said to cost. Seed 519. */
#include <omp.h>

#include "check.h"
#include "dcmpi/step.h"
#include "ref/one_step.h"
#include "t51_sparse.h"

enum { N = 70, D = 150, TILE = 16, L = 5 };
static const int64_t hidden[] = {33};
static t51_rows rows;
static dc_net net;
static dc_params params;

static dc_infer *open_infer(dc_graph **g, const dc_csr *csr)
{
    dc_infer *e;
    CHECK_OK(dc_graph_create(g));
    dc_output(*g, "embedding", dc_layers(*g, &net, 0, net.n_encoder, false, dc_batch(*g, D)));
    CHECK_OK(dc_graph_finish(*g));
    CHECK_OK(dc_infer_create(&e, *g, params.value, TILE, csr, N));
    return e;
}

static void tiles(void)
{
    static float Z[N * L], again[TILE * L], expected[TILE * L];
    dc_graph *g, *dense_g;
    dc_infer *e = open_infer(&g, &rows.csr), *dense = open_infer(&dense_g, NULL);
    CHECK(dc_infer_is_sparse(e) && !dc_infer_is_sparse(dense));
    CHECK(dc_infer_flops(e) < 0.5 * dc_infer_flops(dense));
    for (int64_t lo = 0; lo < N; lo += TILE) {
        const int64_t n = DC_MIN(N - lo, (int64_t)TILE);
        const dc_csr view = dc_csr_view(&rows.csr, lo, n);
        dc_infer_rows(e, 0, &view);
        dc_infer_run(e, 0);
        memcpy(Z + lo * L, dc_infer_output(e, 0, 0), (size_t)(n * L) * sizeof *Z);
        memset(dc_infer_batch(dense, 0), 0, TILE * D * sizeof *Z);
        memcpy(dc_infer_batch(dense, 0), rows.dense + lo * D, (size_t)(n * D) * sizeof *Z);
        dc_infer_run(dense, 0);
        memcpy(expected, dc_infer_output(dense, 0, 0), sizeof expected);
        CHECK_ARRAY_NEAR(dc_infer_output(e, 0, 0), expected, TILE * L, 1e-5);
    }
    for (int64_t i = 0; i < N; i += 9) {
        const dc_csr view = dc_csr_view(&rows.csr, i, 1);
        dc_infer_rows(e, 0, &view);
        dc_infer_run(e, 0);
        memcpy(again, dc_infer_output(e, 0, 0), sizeof again);
        CHECK_ARRAY_NEAR(again, Z + i * L, L, 1e-6);
    }
    dc_infer_destroy(&e), dc_infer_destroy(&dense);
    dc_graph_destroy(&g), dc_graph_destroy(&dense_g);
}

/* Rows with many values are multiplied as dense rows, and an output that is the batch has its zeros. */
static void stays_dense(void)
{
    dc_graph *g;
    dc_csr many = rows.csr;
    many.total = N * D / 2;
    dc_infer *e = open_infer(&g, &many);
    CHECK(!dc_infer_is_sparse(e));
    dc_infer_destroy(&e);
    dc_graph_destroy(&g);
    CHECK_OK(dc_graph_create(&g));
    dc_output(g, "itself", dc_batch(g, D));
    CHECK_OK(dc_graph_finish(g));
    CHECK_OK(dc_infer_create(&e, g, params.value, TILE, &rows.csr, N));
    CHECK(!dc_infer_is_sparse(e));
    dc_infer_destroy(&e);
    dc_graph_destroy(&g);
}

/* Costs of rank 1 of 3, without values in memory, as before the data are read. */
static dc_step_costs costs(dc_outer_way way, const dc_csr *csr, size_t *bytes)
{
    one_step s;
    dc_step *step;
    dc_params shape;
    dc_part part;
    static dc_timers timers;
    const dc_opt_config opt = {.kind = DC_OPT_SGD, .lr = 0.1};
    one_step_open(&s);
    const dc_val x = dc_batch(s.graph, D);
    dc_minimize(s.graph, "reconstruction", 1,
                dc_recon(s.graph, DC_LOSS_MSE, x, dc_layers(s.graph, &net, 0, net.n_layers, true, x)));
    CHECK_OK(dc_graph_finish(s.graph));
    CHECK_OK(dc_part_init(&part, 3000, 8, 3, 1));
    dc_mem_rehearse(true);
    dc_params_shape(&shape, &net, 0);
    const size_t before = dc_mem_current_bytes();
    const dc_step_config cfg = {.graph = s.graph,
                                .part = &part,
                                .source = {.csr = csr},
                                .params = &shape,
                                .B = 256,
                                .strict = way != DC_OUTER_ALLREDUCE,
                                .gather_rows = way == DC_OUTER_GATHER ? 256 : 0,
                                .timers = &timers};
    CHECK_OK(dc_step_create(&step, &cfg));
    *bytes = dc_mem_current_bytes() - before;
    const dc_step_costs c = dc_step_costs_of(step, &opt);
    dc_step_destroy(&step);
    dc_mem_rehearse(false);
    dc_graph_destroy(&s.graph);
    return c;
}

static void cheaper(void)
{
    const dc_csr header = {.D = D, .longest = 12, .total = 3000 * 6};
    for (dc_outer_way way = DC_OUTER_GATHER; way <= DC_OUTER_ALLREDUCE; way++) {
        size_t bytes, dense_bytes;
        const dc_step_costs sparse = costs(way, &header, &bytes), dense = costs(way, NULL, &dense_bytes);
        CHECK(sparse.flops < 0.8 * dense.flops);
        CHECK(bytes < dense_bytes);
        CHECK(way == DC_OUTER_GATHER ? sparse.sent_bytes < dense.sent_bytes : sparse.sent_bytes == dense.sent_bytes);
    }
}

int main(void)
{
    rows = t51_make(N, D, 7, 3, false, 519);
    CHECK_OK(dc_net_init(&net, D, hidden, 1, L, DC_ACT_RELU, DC_ACT_LINEAR, DC_ACT_LINEAR));
    CHECK_OK(dc_params_create(&params, &net, 0));
    dc_net_init_weights(&net, DC_INIT_GLOROT, 519, params.value);
    tiles();
    stays_dense();
    cheaper();
    dc_params_release(&params);
    t51_free(&rows);
    return check_done();
}
