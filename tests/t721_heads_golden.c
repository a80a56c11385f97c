/* Three batches of IMSAT and DEPICT from given weights, with batch norm, against PyTorch's autograd
 * (tests/golden/heads.txt): the losses of each batch, and all parameters and running moments at the end. What heads and
 * radii start from, what targets and centres are, what is called collapsed. By every way. ranks: 1 2 3 5  threads: 1 2
 */
#include "check.h"
#include "dcmpi/log.h"
#include "dcmpi/net_text.h"
#include "golden/golden_method.h"

enum { N = GOLDEN_N, K = 4, L = GOLDEN_L, BATCHES = 3 };
static const char file[] = "heads.txt";
static const dc_opt_config sgd = {.kind = DC_OPT_SGD, .lr = 0.02};

typedef struct {
    const char *name, *keys;
    dc_decoder_kind decoder;
} golden_run;

static const golden_run runs[] = {
    {"imsat", "lambda=0.3 mu=2 xi=1.5", DC_DECODER_NONE},
    {"depict", "hidden=0.4 dropout=0.25 label_epochs=0 loss=mse", DC_DECODER_MIRROR},
};

static dc_net build_net(const golden_run *what)
{
    char why[DC_NET_WHY_MAX];
    dc_net net;
    dc_net_text text = {.kind = what->decoder};
    CHECK(dc_net_text_encoder("dense 7 bn relu, dense 5 bn relu, dense 3", &text, why));
    CHECK_OK(dc_net_build(&net, GOLDEN_D, &text));
    return net;
}

/* Every array of the slab that the file has. */
static void read_slab(const golden_method *s, const char *prefix, float *out)
{
    dc_slab_array a;
    for (int i = 0; dc_slab_at(&s->base.slab, i, &a); i++) {
        char name[128];
        const size_t floats = (size_t)(a.dim[0] * (a.n_dims == 2 ? a.dim[1] : 1));
        const bool moment = strstr(a.name, "/mean") || strstr(a.name, "/variance");
        snprintf(name, sizeof name, "%s/%s", prefix, a.name);
        if (strcmp(a.name, "centers") == 0 || strcmp(a.name, "label_share") == 0 ||
            (moment && strcmp(prefix, "start") == 0))
            continue;
        CHECK(golden_read_f32(file, name, out + a.at, floats));
    }
}

static void open_setup(dc_comm *comm, golden_method *s, const golden_run *what, int way)
{
    const dc_net net = build_net(what);
    golden_method_open(comm, s, file, what->name, what->keys, K, &net, way);
    read_slab(s, "start", s->env.value);
    if (s->state->labels) golden_own_rows(s, file, "radius", 1, s->state->labels);
}

/* Makes the target with the head as it was at a refresh. */
static void refresh_target(dc_comm *comm, golden_method *s)
{
    const dc_net *head = dc_slab_net(&s->base.slab, "head");
    golden_read_slab(file, head, "refresh", s->env.value);
    golden_refresh(comm, s);
    golden_read_slab(file, head, "start", s->env.value);
}

static void test_run(dc_comm *comm, const golden_run *what, int way)
{
    golden_method s;
    double loss[DC_GRAPH_LOSSES], golden[3];
    char name[64];
    open_setup(comm, &s, what, way);
    if (s.state->target.K > 0) refresh_target(comm, &s);
    for (int64_t t = 0; t < BATCHES; t++) {
        CHECK_INT(dc_step_run(comm, s.step[0], t, loss), N);
        snprintf(name, sizeof name, "%s/loss_%d", what->name, (int)t);
        CHECK(golden_read(file, name, golden, 3));
        for (int i = 0; i < 3; i++) CHECK_NEAR(loss[i], golden[i], 1e-5);
        dc_step_update(comm, s.step[0], &sgd, t, BATCHES);
    }
    float *expected = calloc(s.base.slab.n, sizeof *expected);
    snprintf(name, sizeof name, "%s/final", what->name);
    read_slab(&s, name, expected);
    CHECK_ARRAY_NEAR(s.env.value, expected, dc_slab_find(&s.base.slab, "centers")->at, 2e-5);
    free(expected);
    golden_method_close(&s);
}

/* Pretraining of DEPICT minimises the losses of its step that do not need the head. */
static void test_pretraining(dc_comm *comm)
{
    golden_method s;
    dc_graph *g;
    dc_step *step;
    double loss[DC_GRAPH_LOSSES], golden[3];
    open_setup(comm, &s, &runs[1], 2);
    const dc_row_source rows = dc_model_rows(&s.base.model);
    CHECK_OK(dc_graph_create(&g));
    s.method->pretrain(g, &s.base.slab.net, s.env.keys, DC_LOSS_MSE);
    CHECK_OK(dc_graph_finish(g));
    const dc_step_config cfg = dc_model_step(&s.base.model, g, &rows, GOLDEN_N, DC_T_PRETRAIN_GATHER);
    CHECK_OK(dc_step_create(&step, &cfg));
    CHECK_INT(dc_step_run(comm, step, 0, loss), N);
    CHECK(golden_read(file, "depict/loss_0", golden, 3));
    CHECK_INT(g->n_losses, 2);
    for (int i = 0; i < 2; i++) CHECK_NEAR(loss[i], golden[1 + i], 1e-5);
    dc_step_destroy(&step);
    dc_graph_destroy(&g);
    golden_method_close(&s);
}

/* After the first epochs the target is that of the last refresh. */
static void test_later(dc_comm *comm)
{
    golden_method s;
    double loss[DC_GRAPH_LOSSES], golden[3];
    const golden_run what = {"depict", "hidden=0.4 dropout=0.25 label_epochs=2 loss=mse", DC_DECODER_MIRROR};
    open_setup(comm, &s, &what, 2);
    refresh_target(comm, &s);
    CHECK_INT(s.method->settling(&s.env), 2);
    s.method->anneal(s.state, 2);
    CHECK_INT(dc_step_run(comm, s.step[0], 0, loss), N);
    CHECK(golden_read(file, "depict/loss_0", golden, 3));
    CHECK_NEAR(loss[0], golden[0], 1e-5);
    golden_method_close(&s);
}

/* In the first epochs it is the label that k-means gave. */
static void test_labels(dc_comm *comm)
{
    enum { STEPS = 400 };
    static const dc_opt_config adam = {.kind = DC_OPT_ADAM, .lr = 0.02, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-7};
    golden_method s;
    double loss[DC_GRAPH_LOSSES], first = 0;
    const golden_run what = {"depict", "hidden=0 dropout=0 label_epochs=2 loss=mse", DC_DECODER_MIRROR};
    open_setup(comm, &s, &what, 2);
    refresh_target(comm, &s);
    for (int64_t i = 0; i < dc_part_rows(s.env.part); i++) s.state->labels[i] = (float)((s.env.part->row_lo + i) % K);
    s.method->anneal(s.state, 1);
    for (int64_t t = 0; t < STEPS; t++) {
        (void)dc_step_run(comm, s.step[0], t, loss);
        if (t == 0) first = loss[0];
        dc_step_update(comm, s.step[0], &adam, t, STEPS);
    }
    CHECK(first > 1);
    CHECK(loss[0] < 0.2);
    printf("# cross-entropy with the labels: %g, then %g\n", first, loss[0]);
    golden_method_close(&s);
}

/* ---- Start, target, collapse ------------------------------------------------------------------------------------- */

/* Logits of rows Z from the head, and the softmax of them. */
static void infer_head(const golden_method *s, const float *Z, int64_t n, double *logit, double *q, int32_t *label)
{
    const dc_layer *head = &dc_slab_net(&s->base.slab, "head")->layer[0];
    for (int64_t i = 0; i < n; i++) {
        double sum = 0, *t = logit + i * K;
        for (int64_t k = 0; k < K; k++) {
            t[k] = (double)s->env.value[head->bias + (size_t)k];
            for (int64_t j = 0; j < L; j++)
                t[k] += (double)Z[i * L + j] * (double)s->env.value[head->weight + (size_t)(j * K + k)];
            if (k == 0 || t[k] > t[label[i]]) label[i] = (int32_t)k;
        }
        for (int64_t k = 0; k < K; k++) sum += exp(t[k] - t[0]);
        for (int64_t k = 0; k < K; k++) q[i * K + k] = exp(t[k] - t[0]) / sum;
    }
}

/* What steps compute of rows Z: q from the head, p from the target. */
static void run_head(const golden_method *s, const float *Z, int64_t n, float *q, float *p)
{
    dc_graph *g;
    dc_infer *infer;
    CHECK_OK(dc_graph_create(&g));
    const dc_val z = dc_batch(g, L);
    dc_output(g, "q", dc_softmax(g, dc_layers(g, dc_slab_net(&s->base.slab, "head"), 0, 1, DC_FIXED, z), DC_NONE));
    dc_output(g, "p", dc_target_of(g, &s->state->target, z));
    CHECK_OK(dc_graph_finish(g));
    CHECK_OK(dc_infer_create(&infer, g, s->env.value, N, NULL, N));
    memset(dc_infer_batch(infer, 0), 0, N * L * sizeof *Z);
    memcpy(dc_infer_batch(infer, 0), Z, (size_t)(n * L) * sizeof *Z);
    dc_infer_run(infer, 0);
    memcpy(q, dc_infer_output(infer, 0, dc_infer_find(infer, "q")), (size_t)(n * K) * sizeof *q);
    memcpy(p, dc_infer_output(infer, 0, dc_infer_find(infer, "p")), (size_t)(n * K) * sizeof *p);
    dc_infer_destroy(&infer);
    dc_graph_destroy(&g);
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
static void check_centers(dc_comm *comm, const golden_method *s, const float *Z, const int32_t *label)
{
    double sum[K * L] = {0}, size[K] = {0};
    const float *center = dc_method_values(&s->env, "centers");
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
    golden_method s;
    float Z[N * L], q[N * K], target[N * K];
    double logit[N * K], twin[N * K], f[K] = {0};
    int32_t label[N];
    dc_kmeans_result km;
    dc_refresh refreshed = {0};
    open_setup(comm, &s, &(golden_run){"depict", keys, DC_DECODER_MIRROR}, 2);
    const dc_part *part = s.env.part;
    const int64_t n = dc_part_rows(part), width = L;
    for (int64_t i = 0; i < n * L; i++) Z[i] = 100 + sinf((float)(part->row_lo * L + i)) / 50;
    s.env.kmeans = (dc_kmeans_config){.K = K, .n_init = 3, .max_iter = 20, .seed = 3};
    const dc_rows rows = dc_rows_of_array(part, Z, &width);
    CHECK_OK(dc_kmeans(comm, &rows, &s.env.kmeans, &km));
    CHECK_OK(s.method->start(comm, s.state, &(dc_inferred){.Z = Z}));
    infer_head(&s, Z, n, logit, twin, label);
    check_head(&km, Z, n, logit);
    for (int64_t i = 0; i < n; i++) {
        CHECK_INT(label[i], km.labels[i]);
        if (s.state->labels) CHECK_INT((int64_t)s.state->labels[i], km.labels[i]);
        for (int64_t k = 0; k < K; k++) f[k] += twin[i * K + k];
    }
    dc_comm_sum_f64(comm, f, K);
    const dc_inferred inferred = {.Z = Z, .label = label, .f = f};
    CHECK_OK(s.method->refresh(comm, s.state, &inferred, &refreshed));
    run_head(&s, Z, n, q, target);
    for (int64_t i = 0; i < n; i++) {
        double p[K], sum = 0;
        for (int64_t k = 0; k < K; k++) {
            const double share = (double)q[i * K + k];
            sum += p[k] = square ? share * share / f[k] : share / sqrt(f[k]);
        }
        for (int64_t k = 0; k < K; k++) {
            CHECK_NEAR(q[i * K + k], twin[i * K + k], 5e-3); /* float: terms of 1e5 cancel */
            CHECK_NEAR(target[i * K + k], p[k] / sum, 1e-6);
        }
    }
    check_centers(comm, &s, Z, label);
    CHECK_INT(refreshed.odd_targets, 0);
    CHECK(refreshed.loss > 0);
    dc_kmeans_result_release(&km);
    golden_method_close(&s);
}

/* IMSAT starts with a share of the distance to the fourth neighbour, and with a small head. */
static void test_radius(dc_comm *comm)
{
    enum { FOURTH = 4 };
    golden_method s;
    float x[N * GOLDEN_D], before[L * K];
    open_setup(comm, &s, &(golden_run){"imsat", "neighbours=4 radius=0.5 output_scale=0.125", DC_DECODER_NONE}, 2);
    s.env.input = dc_rows_of_dataset(&s.base.data);
    float *weight = s.env.value + dc_slab_net(&s.base.slab, "head")->layer[0].weight;
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
    golden_method_close(&s);
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
    for (size_t i = 0; i < DC_COUNT_OF(runs); i++)
        for (int way = 0; way < GOLDEN_WAYS; way++) test_run(comm, &runs[i], way);
    test_pretraining(comm);
    test_later(comm);
    test_labels(comm);
    test_start(comm, "label_epochs=0 loss=mse", false);
    test_start(comm, "label_epochs=3 target=square", true);
    test_radius(comm);
    test_collapse();
    return check_done_all(&comm);
}
