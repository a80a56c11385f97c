/* Three batches of IMSAT and DEPICT from given weights, with batch norm, against PyTorch's autograd
 * (tests/golden/heads.txt): the losses of each batch, and all parameters and running moments at the end. What heads and
 * radii start from, what targets and centres are, what is called collapsed. By every way. ranks: 1 2 3 5  threads: 1 2
 */
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

/* Logits of rows Z from the head, and the softmax of them. */
static void infer_head(const setup *s, const float *Z, int64_t n, double *logit, float *q, int32_t *label)
{
    const dc_layer *head = &dc_slab_net(&s->slab, "head")->layer[0];
    for (int64_t i = 0; i < n; i++) {
        double sum = 0, *t = logit + i * K;
        for (int64_t k = 0; k < K; k++) {
            t[k] = (double)s->env.value[head->bias + (size_t)k];
            for (int64_t j = 0; j < L; j++)
                t[k] += (double)Z[i * L + j] * (double)s->env.value[head->weight + (size_t)(j * K + k)];
            if (k == 0 || t[k] > t[label[i]]) label[i] = (int32_t)k;
        }
        for (int64_t k = 0; k < K; k++) sum += exp(t[k] - t[0]);
        for (int64_t k = 0; k < K; k++) q[i * K + k] = (float)(exp(t[k] - t[0]) / sum);
    }
}

/* The first head is the classifier of Gaussians around the centres of k-means, whose variance is that of all clusters.
 */
static void check_head(const dc_kmeans_result *km, const float *Z, int64_t n, const double *logit)
{
    const double variance = km->inertia / (N * L);
    double worst = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < K; k++) {
            double t = 0;
            for (int64_t j = 0; j < L; j++)
                t += pow((double)Z[i * L + j] - (double)km->centers[j], 2) -
                     pow((double)Z[i * L + j] - (double)km->centers[k * L + j], 2);
            t /= 2 * variance;
            worst = fmax(worst, fabs(logit[i * K + k] - logit[i * K] - t) / (1 + fabs(t)));
        }
    CHECK_NEAR(worst, 0, 0.1); /* float: rows and centres are far from 0 */
}

/* After a refresh the centres are the means of the rows of each label. */
static void check_centers(dc_comm *comm, const setup *s, const float *Z, const int32_t *label)
{
    double sum[K * L] = {0}, size[K] = {0};
    const float *center = s->env.value + dc_slab_find(&s->slab, "centers")->at;
    for (int64_t i = 0; i < dc_part_rows(s->env.part); i++) {
        for (int64_t j = 0; j < L; j++) sum[label[i] * L + j] += (double)Z[i * L + j];
        size[label[i]]++;
    }
    dc_comm_sum_f64(comm, sum, K * L);
    dc_comm_sum_f64(comm, size, K);
    for (int i = 0; i < K * L; i++) CHECK_NEAR(center[i], sum[i] / size[i / L], 1e-4);
}

/* The labels of the first head are those of k-means; the target is that of the paper, or that of DEC. */
static void test_start(dc_comm *comm, const char *keys, bool square)
{
    setup s;
    float Z[N * L], q[N * K];
    double logit[N * K], f[K] = {0};
    int32_t label[N];
    dc_kmeans_result km;
    dc_refresh refreshed = {0};
    open_setup(comm, &s, &(golden_run){"depict", keys, DC_DECODER_MIRROR}, true, 0);
    const dc_part *part = s.env.part;
    const int64_t n = dc_part_rows(part), width = L;
    for (int64_t i = 0; i < n * L; i++) Z[i] = 100 + sinf((float)(part->row_lo * L + i)) / 50;
    s.env.kmeans = (dc_kmeans_config){.K = K, .n_init = 3, .max_iter = 20, .seed = 3};
    const dc_rows rows = dc_rows_of_array(part, Z, &width);
    CHECK_OK(dc_kmeans(comm, &rows, &s.env.kmeans, &km));
    CHECK_OK(s.method->start(comm, s.state, &(dc_inferred){.Z = Z}));
    infer_head(&s, Z, n, logit, q, label);
    check_head(&km, Z, n, logit);
    for (int64_t i = 0; i < n; i++) {
        CHECK_INT(label[i], km.labels[i]);
        for (int64_t k = 0; k < K; k++) f[k] += (double)q[i * K + k];
    }
    dc_comm_sum_f64(comm, f, K);
    const dc_inferred inferred = {.Z = Z, .q = q, .label = label, .f = f};
    CHECK_OK(s.method->refresh(comm, s.state, &inferred, &refreshed));
    for (int64_t i = 0; i < n; i++) {
        double p[K], sum = 0;
        for (int64_t k = 0; k < K; k++) {
            const double share = (double)q[i * K + k];
            sum += p[k] = square ? share * share / f[k] : share / sqrt(f[k]);
        }
        for (int64_t k = 0; k < K; k++) CHECK_NEAR(s.state->P[i * K + k], p[k] / sum, 1e-6);
    }
    check_centers(comm, &s, Z, label);
    CHECK_INT(refreshed.odd_targets, 0);
    CHECK(refreshed.loss > 0);
    dc_kmeans_result_release(&km);
    close_setup(&s);
}

static void data_rows(const void *ctx, int64_t lo, int64_t n, float *out)
{
    dc_dataset_rows(ctx, lo, n, out);
}

/* IMSAT starts with a share of the distance to the fourth neighbour, and with a small head. */
static void test_radius(dc_comm *comm)
{
    enum { FOURTH = 4 };
    setup s;
    float x[N * GOLDEN_D], before[L * K];
    open_setup(comm, &s, &(golden_run){"imsat", "neighbours=4 radius=0.5 output_scale=0.125", DC_DECODER_NONE}, true,
               0);
    s.env.input = (dc_rows){.part = s.env.part, .d = GOLDEN_D, .rows = data_rows, .ctx = &s.data};
    float *weight = s.env.value + dc_slab_net(&s.slab, "head")->layer[0].weight;
    memcpy(before, weight, sizeof before);
    CHECK(golden_read_f32(file, "x", x, N * GOLDEN_D));
    CHECK_OK(s.method->start(comm, s.state, &(dc_inferred){0}));
    for (int64_t i = 0; i < dc_part_rows(s.env.part); i++) {
        double nearest[FOURTH + 1] = {INFINITY, INFINITY, INFINITY, INFINITY,
                                      INFINITY}; /* sorted; the row itself, too */
        for (int64_t other = 0; other < N; other++) {
            double square = 0;
            for (int64_t j = 0; j < GOLDEN_D; j++)
                square += pow((double)x[(s.env.part->row_lo + i) * GOLDEN_D + j] - (double)x[other * GOLDEN_D + j], 2);
            for (int m = 0; m <= FOURTH; m++)
                if (square < nearest[m]) {
                    const double t = nearest[m];
                    nearest[m] = square;
                    square = t;
                }
        }
        CHECK_NEAR(s.state->labels[i], 0.5 * sqrt(nearest[FOURTH]), 1e-6);
    }
    for (int i = 0; i < L * K; i++) CHECK(before[i] != 0 && weight[i] == 0.125f * before[i]);
    close_setup(&s);
}

static void test_collapse(void)
{
    const dc_method_env env = {.K = 10};
    const double loss = 0;
    for (size_t i = 0; i < DC_COUNT_OF(runs); i++) {
        const dc_method *m = dc_method_find(runs[i].name);
        CHECK(m->failed(&env, &(dc_refresh){.k_effective = 4.9}, &loss, 1, 1) != NULL);
        CHECK(m->failed(&env, &(dc_refresh){.k_effective = 5.1}, &loss, 1, 1) == NULL);
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
    test_start(comm, "loss=mse", false);
    test_start(comm, "target=square", true);
    test_radius(comm);
    test_collapse();
    return check_done_all(&comm);
}
