/* The needs of phases as announced before there are data, against phases that run: the memory that they hold, the bytes
 * that this rank sends in a step, the values of a checkpoint; by each way to sum gradients, for each method. The needs
 * follow changes: an operation with scratch, a larger batch. Computing them takes no memory. ranks: 2  ranks_long: 1 3
 */
#include "check.h"

#include "dcmpi/log.h"
#include "dcmpi/op.h"
#include "dcmpi/train.h"
#include "method_keys.h"
#include "ref/one_step.h"

enum { N = 512, K = 5, L = 6, SHARDS = 64, BATCH = 256, HIDDEN = 150, PIECE = DC_STATE_PIECE_BYTES };

static const dc_opt_config sgd = {.kind = DC_OPT_SGD, .lr = 0.01, .momentum = 0.9},
                           adam = {.kind = DC_OPT_ADAM, .lr = 1e-4, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-7};
static const dc_opt_config clipped = {.kind = DC_OPT_SGD, .lr = 0.01, .clip_norm = 0.1};
static const struct {
    const char *name;
    bool strict;
    int64_t gather_rows;
} ways[] = {{"gather", true, BATCH}, {"tree", true, 0}, {"allreduce", false, 0}};

/* ---- A run ------------------------------------------------------------------------------------------------------- */

/* What rank 0, which saves, sees when a phase ends. */
typedef struct {
    size_t held, saved;
} seen;

static dc_status begin(void *ctx, const dc_state *s, const dc_state_array *array, int n)
{
    seen *x = ctx;
    (void)s;
    *x = (seen){.held = dc_mem_current_bytes() - PIECE};
    for (int i = 0; i < n; i++) x->saved += array[i].n * dc_state_type_bytes(array[i].type);
    return DC_OK;
}
static dc_status put(void *ctx, const void *data, size_t bytes)
{
    (void)ctx, (void)data, (void)bytes;
    return DC_OK;
}
static dc_status end(void *ctx, const dc_state *s, dc_status so_far)
{
    (void)ctx, (void)s;
    return so_far;
}

typedef struct {
    dc_comm *comm;
    dc_dataset *data;
    dc_slab slab;
    dc_timers timers;
    dc_progress progress;
    dc_model model, sketch;
    dc_state *state;
    seen seen;
    size_t before; /* held before the phase */
} run;

/* method: NULL, or whose tensors there are beside the network. */
static void run_open(dc_comm *comm, run *r, int way, const dc_method *method)
{
    dc_net net;

    const dc_state_config state = {.begin = begin, .put = put, .end = end, .ctx = &r->seen};
    *r = (run){.comm = comm};
    CHECK_OK(dc_dataset_load(comm, DC_BUILTIN_GLYPHS, N, SHARDS, DC_SCALE_UNIT, 1, K, &r->data));
    CHECK_OK(dc_net_init(&net, r->data->D, (int64_t[]){HIDDEN, 2 * HIDDEN}, 2, L, DC_ACT_RELU, DC_ACT_LINEAR,
                         DC_ACT_LINEAR));
    dc_slab_init(&r->slab, &net);
    if (method) method->build(&(dc_method_env){.K = K, .L = L, .keys = method_keys(method, "")}, &r->slab);
    CHECK_OK(dc_progress_open(&r->progress, NULL, 1e9));
    CHECK_OK(dc_model_create(&r->model, r->data, &r->slab, DC_INIT_GLOROT, 1, &r->timers, &r->progress));
    CHECK_OK(dc_state_create(comm, &r->state, &state, NULL, 0));
    CHECK_OK(dc_model_keep(comm, &r->model, r->state));
    r->model.strict = ways[way].strict;
    r->model.gather_rows = ways[way].gather_rows;
    r->sketch = (dc_model){.data = r->data,
                           .slab = &r->slab,
                           .net = &r->slab.net,
                           .strict = r->model.strict,
                           .gather_rows = r->model.gather_rows,
                           .seed = r->model.seed};
    r->before = dc_mem_current_bytes();
}

static void run_close(run *r)
{
    dc_model_release(&r->model);
    dc_state_destroy(&r->state);
    dc_progress_close(&r->progress);
    dc_dataset_destroy(&r->data);
}

/* Bytes that this rank has sent, by the measure of outer.h. */
static double bytes_sent(dc_comm *comm)
{
    double sent = 0;
    const double P = dc_comm_size(comm);
    for (int op = 0; op < DC_COMM_OP_COUNT; op++)
        sent += (double)dc_comm_traffic_of(comm, (dc_comm_op)op).bytes * (op == DC_COMM_ALLREDUCE ? 2 * (P - 1) / P
                                                                          : op == DC_COMM_ALLGATHERV
                                                                              ? P - 1
                                                                              : op == DC_COMM_ALLTOALLV);
    return sent;
}

/* History and register are not in the needs, or differ a little; params: those that the phase adds to the run's. */
static void check_held(const run *r, const dc_phase_needs *n, double library, double params)
{
    const double needed = n->held_bytes + n->step_bytes - library + params, held = (double)(r->seen.held - r->before);
    if (dc_comm_rank(r->comm) != 0) return;
    printf("# %s: %.0f bytes held, %.0f needed; %zu saved, %.0f needed\n", n->name, held, needed, r->seen.saved,
           n->saved_bytes);
    CHECK(held > 1e6);
    CHECK_NEAR(needed, held, 64 << 10);
    CHECK_NEAR(n->saved_bytes, r->seen.saved, 500);
}

/* Memory that the MPI library takes for messages, which cannot be measured: for allreduce only. */
static double mpi_bytes(const run *r, double floats)
{
    const double P = dc_comm_size(r->comm);
    return r->model.strict || P == 1 ? 0 : 4 * floats / P;
}

/* Compares a run of few steps with one of `more` steps more. */
static void check_sent(double few, double many, int more, double needed)
{
    const double sent = (many - few) / more;
    CHECK_NEAR(needed, sent, 0.01 * sent + 50);
}

/* ---- Phases ------------------------------------------------------------------------------------------------------ */

static double pretrain(run *r, dc_pretrain_config *cfg, int64_t steps)
{
    dc_history history = {0};
    dc_stop stop;
    const double before = bytes_sent(r->comm);
    cfg->steps = steps;
    CHECK_OK(dc_pretrain(r->comm, &r->model, cfg, &history, &stop));
    dc_history_release(&history);
    return bytes_sent(r->comm) - before;
}

static void test_pretrain(dc_comm *comm, int way)
{
    run r;
    dc_phase_needs n;
    run_open(comm, &r, way, NULL);
    dc_pretrain_config cfg = {.batch = BATCH, .loss = DC_LOSS_MSE, .opt = adam, .phase = ways[way].name};
    CHECK_OK(dc_pretrain_needs(comm, &r.sketch, &cfg, &n));
    CHECK_INT(dc_mem_current_bytes(), r.before);
    const double P = dc_comm_size(comm), params = (double)r.slab.n;
    const double few = pretrain(&r, &cfg, 2);
    check_held(&r, &n, mpi_bytes(&r, params), 0);
    check_sent(few, pretrain(&r, &cfg, 6), 4, n.sent_bytes);
    CHECK_INT(n.rows, BATCH);
    CHECK_INT(n.reductions, 1);
    CHECK_NEAR(n.flops, BATCH * dc_net_train_flops(&r.slab.net, 0, r.slab.net.n_layers), 0);
    CHECK_NEAR(n.params_bytes, 4 * params, 0);
    CHECK_NEAR(n.state_bytes, 12 * params / (r.model.strict ? P : 1), 12 * 64 * 1000);
    run_close(&r);
}

static void test_layers(dc_comm *comm, size_t cache_bytes)
{
    run r;
    dc_history history[DC_MAX_PAIRS] = {{0}};
    dc_stop stop;
    dc_phase_needs n;
    run_open(comm, &r, 0, NULL);
    const dc_layerwise_config cfg = {.layer = {.steps = 4, .batch = BATCH, .loss = DC_LOSS_MSE, .opt = sgd},
                                     .dropout = 0.2,
                                     .cache_bytes = cache_bytes};
    CHECK_OK(dc_layerwise_needs(comm, &r.sketch, &cfg, 2, &n));
    CHECK_OK(dc_pretrain_layerwise(comm, &r.model, &cfg, history, &stop));
    const double pair = (double)(2 * HIDDEN * L * 2 + L + 2 * HIDDEN);
    check_held(&r, &n, 0, 4 * 4 * pair); /* value, gradient, two moments */
    CHECK_NEAR(n.params_bytes, 4 * ((double)r.slab.n + pair), 0);
    for (int l = 0; l < DC_MAX_PAIRS; l++) dc_history_release(&history[l]);
    run_close(&r);
}

static dc_cluster_config cluster_config(const run *r, const dc_method *method)
{
    return (dc_cluster_config){.method = method,
                               .env = {.part = &r->data->part,
                                       .K = K,
                                       .L = L,
                                       .keys = method_keys(method, ""),
                                       .kmeans = {.K = K, .n_init = 2, .max_iter = 3, .seed = 1}},
                               .batch = BATCH,
                               .update_interval = 2,
                               .max_iter = 4,
                               .opt = sgd};
}

static void test_method(dc_comm *comm, const dc_method *method, int way)
{
    run r;
    dc_history history = {0};
    dc_cluster_result result;
    dc_cluster_needs n;
    run_open(comm, &r, way, method);
    const dc_cluster_config cfg = cluster_config(&r, method);
    CHECK_OK(dc_cluster_needs_of(comm, &r.sketch, &cfg, &n));
    CHECK_INT(dc_mem_current_bytes(), r.before);
    CHECK_OK(dc_train_cluster(comm, &r.model, &cfg, &history, &result));
    /* The further steps' own moments are pages of which next to none are written to. */
    const double updated = n.phase.state_bytes / 8, moments = 8 * (double)r.slab.n * DC_MAX(method->n_steps - 1, 0);
    check_held(&r, &n.phase, method->n_steps ? mpi_bytes(&r, updated) : 0, moments);
    CHECK_NEAR(n.phase.params_bytes, 4 * (double)r.model.params.n, 0);
    CHECK_NEAR(n.result_bytes, (double)dc_part_rows(&r.data->part) * 4 * (L + 2), 300);
    const double kmeans = 4 * 2 * K * L + 8 * (2 * 4 + 2), mixture = 8 * (7 + 2 * (K + K * L + K * L * L) + 3);
    const double lists = 16 * 7 * (double)r.data->part.N; /* of neighbours, for the scales */
    CHECK_NEAR(n.kmeans.saved_bytes,
               !method->start_bytes                    ? kmeans
               : strcmp(method->name, "gmm") == 0      ? kmeans + mixture
               : strcmp(method->name, "spectral") == 0 ? kmeans + lists
                                                       : 0,
               0);
    dc_history_release(&history);
    dc_cluster_result_release(&result);
    run_close(&r);
}

/* A result that can give q of all rows keeps the inference, but not q. */
static void test_q(dc_comm *comm)
{
    run r;
    dc_history history = {0};
    dc_cluster_result result;
    dc_cluster_needs n;
    const dc_method *idec = dc_method_find("idec");
    run_open(comm, &r, 0, idec);
    dc_cluster_config cfg = cluster_config(&r, idec);
    cfg.gives_q = true;
    CHECK_OK(dc_cluster_needs_of(comm, &r.sketch, &cfg, &n));
    CHECK_OK(dc_train_cluster(comm, &r.model, &cfg, &history, &result));
    const size_t with = dc_mem_current_bytes();
    dc_cluster_result_release(&result);
    CHECK_NEAR((double)(with - dc_mem_current_bytes()), n.result_bytes, 4096);
    dc_history_release(&history);
    run_close(&r);
}

/* The first clusters by another method: a checkpoint holds what that method keeps, too. */
static void test_start(dc_comm *comm)
{
    run r;
    dc_cluster_needs own, other;
    const dc_method *idec = dc_method_find("idec"), *spectral = dc_method_find("spectral");
    run_open(comm, &r, 0, idec);
    dc_cluster_config cfg = cluster_config(&r, idec);
    CHECK_OK(dc_cluster_needs_of(comm, &r.sketch, &cfg, &own));
    cfg.env.start_by = spectral;
    cfg.env.start_keys = method_keys(spectral, "");
    CHECK_OK(dc_cluster_needs_of(comm, &r.sketch, &cfg, &other));
    const double spectral_bytes = 16 * 7 + 4 * K; /* of a row: its edges, its embedding */
    CHECK_NEAR(other.kmeans.saved_bytes, own.kmeans.saved_bytes + spectral_bytes * (double)r.data->part.N, 0);
    CHECK(other.kmeans.bytes > own.kmeans.bytes);
    run_close(&r);
}

/* A step that runs on each fifth batch counts as a fifth. */
static void test_cycle(dc_comm *comm)
{
    run r;
    dc_cluster_needs n[3];
    static const char *const keys[] = {"encoder_every=1", "encoder_every=5", "encoder_every=1000000"};
    const dc_method *dcan = dc_method_find("dcan");
    run_open(comm, &r, 0, dcan);
    for (int i = 0; i < 3; i++) {
        dc_cluster_config cfg = cluster_config(&r, dcan);
        cfg.env.keys = method_keys(dcan, keys[i]);
        CHECK_OK(dc_cluster_needs_of(comm, &r.sketch, &cfg, &n[i]));
    }
    const dc_phase_needs *each = &n[0].phase, *fifth = &n[1].phase, *never = &n[2].phase;
    CHECK(each->flops > 1.5 * never->flops);
    CHECK_NEAR(fifth->flops - never->flops, (each->flops - never->flops) / 5, 1e-5 * each->flops);
    CHECK_NEAR(fifth->sent_bytes - never->sent_bytes, (each->sent_bytes - never->sent_bytes) / 5,
               1e-5 * each->sent_bytes + 1e-9);
    CHECK_NEAR(each->reductions, 2, 0);
    CHECK_NEAR(fifth->reductions, 1.2, 1e-12);
    run_close(&r);
}

/* ---- Steps ------------------------------------------------------------------------------------------------------- */

enum { SCRATCH = 3 << 20, WIDTH = 40 };

static size_t scratch(const dc_graph *g, const dc_node *x)
{
    (void)g, (void)x;
    return SCRATCH;
}
static void forward(const dc_call *c)
{
    memcpy(c->out, c->in[0], (size_t)c->tile->n * sizeof *c->out);
}
static const dc_op greedy = {.name = "greedy", .reach = DC_REACH_ROW, .forward = forward, .scratch = scratch};

/* Bytes of a step that has this operation, or not. */
static double step_bytes(const dc_part *part, bool has_it, int64_t B)
{
    static const dc_tensor tensor = {"scale", 0, 1, WIDTH, true};
    dc_graph *g;
    dc_step *s;
    dc_params params = {0};
    CHECK_OK(dc_graph_create(&g));
    const dc_val x = dc_batch(g, WIDTH), y = dc_map(g, DC_MUL, x, dc_use(g, &tensor)), loss = dc_dot(g, y, y);
    if (has_it) {
        const dc_node node = {.op = &greedy, .n_in = 1, .in = {loss.id}};
        dc_minimize(g, "greedy", 1, dc_record(DC_RECORDED_AT(g), node, (dc_shape){DC_ROWS, 1, 1}));
    }
    dc_minimize(g, "loss", 1, loss);
    CHECK_OK(dc_graph_finish(g));
    const dc_step_config cfg = {.graph = g, .part = part, .params = &params, .B = B, .strict = true};
    dc_mem_rehearse(true);
    const size_t before = dc_mem_current_bytes();
    CHECK_OK(dc_step_create(&s, &cfg));
    const double bytes = (double)(dc_mem_current_bytes() - before);
    dc_step_destroy(&s);
    dc_mem_rehearse(false);
    dc_graph_destroy(&g);
    return bytes;
}

static void test_changes(void)
{
    dc_part part;
    CHECK_OK(dc_part_init(&part, 1000000, 1, 1, 0));
    const double plain = step_bytes(&part, false, 1000);
    CHECK_NEAR(step_bytes(&part, true, 1000), plain + 4.0 * SCRATCH, 50000);
    /* x, y and the loss, with gradients of the last two. */
    CHECK_NEAR(step_bytes(&part, false, 101000), plain + 100000 * (4.0 * (3 * WIDTH + 2) + 8), 500000);
}

/* Sums within the passes, and rows that all ranks read: dc_step_run() and dc_step_update() alone. */
static void test_within(dc_comm *comm, dc_outer_way way, const dc_opt_config *opt)
{
    enum { STEPS = 3, WITHIN = 2 }; /* sums within the passes: the mean and its gradient */
    static float x[N * WIDTH];
    one_step s;
    dc_net net;
    dc_params params;
    double loss[DC_GRAPH_LOSSES];
    for (int i = 0; i < N * WIDTH; i++) x[i] = (float)(i % 17) / 17;
    CHECK_OK(dc_net_init(&net, WIDTH, NULL, 0, L, DC_ACT_TANH, DC_ACT_TANH, DC_ACT_LINEAR));
    CHECK_OK(dc_params_create(&params, &net, 0));
    dc_net_init_weights(&net, DC_INIT_GLOROT, 1, params.value);
    one_step_open(&s);
    const dc_val batch = dc_batch(s.graph, WIDTH), z = dc_layers(s.graph, &net, 0, 1, true, batch);
    const dc_val other = dc_layers(s.graph, &net, 0, 1, true, dc_map(s.graph, DC_MUL, batch, batch));
    dc_minimize(s.graph, "pairs", 1, dc_contrast(s.graph, dc_unit(s.graph, z), dc_unit(s.graph, other), 0.5));
    const dc_val away = dc_map(s.graph, DC_SUB, z, dc_mean(s.graph, z));
    dc_minimize(s.graph, "spread", 1, dc_dot(s.graph, away, away));
    const one_step_rows rows = {.N = N, .width = WIDTH, .x = x, .V = SHARDS, .B = BATCH, .way = way, .seed = 1};
    CHECK_OK(one_step_create(comm, &s, &params, &rows));
    const dc_step_costs costs = dc_step_costs_of(s.step, opt);
    const double before = bytes_sent(comm);
    for (int t = 0; t < STEPS; t++) {
        dc_step_run(comm, s.step, t, loss);
        dc_step_update(comm, s.step, opt, t, STEPS);
    }
    CHECK_NEAR(costs.sent_bytes, (bytes_sent(comm) - before) / STEPS, 0.5);
    CHECK_INT(costs.reductions, WITHIN + 1 + (opt->clip_norm > 0 && way != DC_OUTER_ALLREDUCE));
    one_step_close(&s);
    dc_params_release(&params);
}

/* Tens of GiB. */
static void test_rehearsal(dc_comm *comm)
{
    run r;
    dc_net net;
    dc_slab wide;
    dc_phase_needs n;
    run_open(comm, &r, 1, NULL);
    dc_dataset many = {.D = 784, .dtype = r.data->dtype};
    CHECK_OK(dc_part_init(&many.part, 10000000, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    CHECK_OK(dc_net_init(&net, 784, (int64_t[]){20000}, 1, 10, DC_ACT_RELU, DC_ACT_LINEAR, DC_ACT_LINEAR));
    r.sketch.data = &many;
    dc_slab_init(&wide, &net);
    r.sketch.slab = &wide;
    r.sketch.net = &wide.net;
    const dc_pretrain_config cfg = {.batch = 200000, .steps = 1, .opt = adam, .phase = "wide"};
    const size_t before = dc_mem_resident_peak_bytes(), peak = dc_mem_peak_bytes();
    CHECK_OK(dc_pretrain_needs(comm, &r.sketch, &cfg, &n));
    CHECK(n.held_bytes + n.step_bytes > 200000.0 / 3 * 80000 * 4);
    CHECK(dc_mem_resident_peak_bytes() < before + (32 << 20));
    CHECK_INT(dc_mem_peak_bytes(), peak);
    run_close(&r);
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    dc_log_set_active(false);
    for (int way = 0; way < (int)DC_COUNT_OF(ways); way++) {
        test_pretrain(comm, way);
        test_method(comm, dc_method_find("idec"), way);
    }
    for (int i = 0; dc_method_at(i); i++) test_method(comm, dc_method_at(i), 0);
    test_q(comm);
    test_start(comm);
    test_layers(comm, 0);
    test_layers(comm, SIZE_MAX);
    for (int way = DC_OUTER_GATHER; way <= DC_OUTER_ALLREDUCE; way++) {
        test_within(comm, (dc_outer_way)way, &sgd);
        test_within(comm, (dc_outer_way)way, &clipped);
    }
    test_cycle(comm);
    test_changes();
    test_rehearsal(comm);
    return check_done_all(&comm);
}
