/* Three batches of IMSAT and DEPICT from given weights, with batch norm, against PyTorch's autograd
 * (tests/golden/heads.txt): the losses of each batch, and all parameters and running moments at the end. What a head
 * starts from, what its target is, what it calls collapsed. By every way. ranks: 1 2 3 5  threads: 1 2 */
#include "check.h"
#include "dcmpi/log.h"
#include "dcmpi/net_text.h"
#include "golden/golden_net.h"
#include "method/methods.h"
#include "method_keys.h"

enum { N = 17, K = 4, L = GOLDEN_L, BATCHES = 3 };
static const char file[] = "heads.txt";
static const dc_opt_config sgd = {.kind = DC_OPT_SGD, .lr = 0.02};

typedef struct {
    const char *name, *keys;
    dc_decoder_kind decoder;
} golden_run;

static const golden_run runs[] = {
    {"imsat", "lambda=0.3 mu=2 xi=1.5", DC_DECODER_NONE},
    {"depict", "hidden=0.4 dropout=0.25 loss=mse", DC_DECODER_MIRROR},
};

typedef struct {
    dc_dataset data;
    dc_slab slab;
    dc_timers timers;
    dc_progress progress;
    dc_model model;
    const dc_method *method;
    dc_method_env env;
    dc_method_state *state;
} setup;

static void build_net(const golden_run *what, dc_net *net)
{
    char why[DC_NET_WHY_MAX];
    dc_net_text text = {.kind = what->decoder};
    CHECK(dc_net_text_encoder("dense 7 bn relu, dense 5 bn relu, dense 3", &text, why));
    CHECK_OK(dc_net_build(net, GOLDEN_D, &text));
}

/* Every array of the slab that the file has. */
static void read_slab(const setup *s, const char *prefix, float *out)
{
    dc_slab_array a;
    for (int i = 0; dc_slab_at(&s->slab, i, &a); i++) {
        char name[128];
        const size_t floats = (size_t)(a.dim[0] * (a.n_dims == 2 ? a.dim[1] : 1));
        const bool moment = strstr(a.name, "/mean") || strstr(a.name, "/variance");
        snprintf(name, sizeof name, "%s/%s", prefix, a.name);
        if (strcmp(a.name, "centers") == 0 || (moment && strcmp(prefix, "start") == 0)) continue;
        CHECK(golden_read_f32(file, name, out + a.at, floats));
    }
}

static void open_setup(dc_comm *comm, setup *s, const golden_run *what, bool strict, int64_t gather_rows)
{
    float x[N * GOLDEN_D], radius[N], target[N * K];
    dc_net net;
    *s = (setup){.method = dc_method_find(what->name)};
    CHECK(golden_read_f32(file, "x", x, N * GOLDEN_D));
    CHECK(golden_read_f32(file, "radius", radius, N));
    CHECK(golden_read_f32(file, "target", target, N * K));
    golden_data(comm, &s->data, x, N, 0);
    build_net(what, &net);
    dc_slab_init(&s->slab, &net);
    const dc_part *part = &s->data.part;
    const size_t n = (size_t)dc_part_rows(part);
    s->env = (dc_method_env){
        .part = part, .K = K, .L = L, .keys = method_keys(s->method, what->keys), .slab = &s->slab, .epoch_steps = 1};
    s->method->build(&s->env, &s->slab);
    CHECK_OK(dc_progress_open(&s->progress, NULL, 1e9));
    CHECK_OK(dc_model_create(&s->model, &s->data, &s->slab, DC_INIT_FAN_IN, 1, &s->timers, &s->progress));
    read_slab(s, "start", s->model.params.value);
    s->model.strict = strict;
    s->model.gather_rows = gather_rows;
    s->env.value = s->model.params.value;
    CHECK_OK(s->method->create(&s->env, &s->state));
    if (s->state->labels) memcpy(s->state->labels, radius + part->row_lo, n * sizeof *radius);
    if (s->state->P) memcpy(s->state->P, target + part->row_lo * K, n * K * sizeof *target);
}

static void close_setup(setup *s)
{
    s->method->destroy(&s->state);
    dc_model_release(&s->model);
    dc_progress_close(&s->progress);
    dc_mem_free(&s->data.X);
    dc_mem_free(&s->data.shift);
    dc_mem_free(&s->data.scale);
}

static void test_run(dc_comm *comm, const golden_run *what, bool strict, int64_t gather_rows)
{
    setup s;
    dc_graph *graph;
    dc_step *step;
    double loss[DC_GRAPH_LOSSES], golden[3];
    char name[64];
    open_setup(comm, &s, what, strict, gather_rows);
    const dc_row_source rows = dc_model_rows(&s.model);
    CHECK_OK(dc_graph_create(&graph));
    s.method->record(graph, s.state, 0);
    CHECK_OK(dc_graph_finish(graph));
    const dc_step_config cfg = dc_model_step(&s.model, graph, &rows, N, DC_T_CLUSTER_GATHER);
    CHECK_OK(dc_step_create(&step, &cfg));
    for (int64_t t = 0; t < BATCHES; t++) {
        CHECK_INT(dc_step_run(comm, step, t, loss), N);
        snprintf(name, sizeof name, "%s/loss_%d", what->name, (int)t);
        CHECK(golden_read(file, name, golden, 3));
        for (int i = 0; i < 3; i++) CHECK_NEAR(loss[i], golden[i], 1e-5);
        dc_step_update(comm, step, &sgd, t, BATCHES);
    }
    float *expected = calloc(s.slab.n, sizeof *expected);
    snprintf(name, sizeof name, "%s/final", what->name);
    read_slab(&s, name, expected);
    const size_t floats = dc_slab_find(&s.slab, "centers")->at;
    CHECK_ARRAY_NEAR(s.env.value, expected, floats, 2e-5);
    free(expected);
    dc_step_destroy(&step);
    dc_graph_destroy(&graph);
    close_setup(&s);
}

/* ---- Start, target, collapse ---------------------------------------------------------------------------------------
 */

/* The labels of the first head are those of k-means; the target evens the clusters out. */
static void test_start(dc_comm *comm)
{
    setup s;
    float Z[N * L], q[N * K];
    int32_t label[N];
    double f[K] = {0};
    dc_kmeans_result km;
    dc_refresh refreshed = {0};
    open_setup(comm, &s, &runs[1], true, 0);
    const dc_part *part = s.env.part;
    const int64_t n = dc_part_rows(part), width = L;
    for (int64_t i = 0; i < n * L; i++) Z[i] = 100 + sinf((float)(part->row_lo * L + i)) / 50;
    s.env.kmeans = (dc_kmeans_config){.K = K, .n_init = 3, .max_iter = 20, .seed = 3};
    const dc_rows rows = dc_rows_of_array(part, Z, &width);
    CHECK_OK(dc_kmeans(comm, &rows, &s.env.kmeans, &km));
    CHECK_OK(s.method->start(comm, s.state, &(dc_inferred){.Z = Z}));
    const dc_layer *head = &dc_slab_net(&s.slab, "head")->layer[0];
    for (int64_t i = 0; i < n; i++) {
        double sum = 0, first = 0;
        for (int64_t k = 0; k < K; k++) {
            double t = (double)s.env.value[head->bias + (size_t)k];
            for (int64_t j = 0; j < L; j++)
                t += (double)Z[i * L + j] * (double)s.env.value[head->weight + (size_t)(j * K + k)];
            if (k == 0) first = t;
            q[i * K + k] = (float)exp(t - first);
            sum += (double)q[i * K + k];
            if (k == 0 || q[i * K + k] > q[i * K + label[i]]) label[i] = (int32_t)k;
        }
        for (int64_t k = 0; k < K; k++) f[k] += (double)(q[i * K + k] /= (float)sum);
        CHECK_INT(label[i], km.labels[i]);
    }
    dc_comm_sum_f64(comm, f, K);
    const dc_inferred inferred = {.Z = Z, .q = q, .label = label, .f = f};
    CHECK_OK(s.method->refresh(comm, s.state, &inferred, &refreshed));
    for (int64_t i = 0; i < n; i++) {
        double p[K], sum = 0;
        for (int64_t k = 0; k < K; k++) sum += p[k] = (double)q[i * K + k] / sqrt(f[k]);
        for (int64_t k = 0; k < K; k++) CHECK_NEAR(s.state->P[i * K + k], p[k] / sum, 1e-6);
    }
    CHECK_INT(refreshed.odd_targets, 0);
    CHECK(refreshed.loss > 0);
    dc_kmeans_result_release(&km);
    close_setup(&s);
}

static void test_collapse(void)
{
    const dc_method_env env = {.K = 10};
    const double loss = 0;
    for (size_t i = 0; i < DC_COUNT_OF(runs); i++) {
        const dc_method *m = dc_method_find(runs[i].name);
        CHECK(m->failed(&env, &(dc_refresh){.k_sized = 4.9}, &loss, 1, 1) != NULL);
        CHECK(m->failed(&env, &(dc_refresh){.k_sized = 5.1}, &loss, 1, 1) == NULL);
    }
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    dc_log_set_active(false);
    for (size_t i = 0; i < DC_COUNT_OF(runs); i++) {
        test_run(comm, &runs[i], false, 0);
        test_run(comm, &runs[i], true, N);
        test_run(comm, &runs[i], true, 0);
    }
    test_start(comm);
    test_collapse();
    return check_done_all(&comm);
}
