/* Three batches of IMSAT and DEPICT from given weights, with batch norm, against PyTorch's autograd
 * (tests/golden/heads.txt): the losses of each batch, and all parameters and running moments at the end. What a head
 * starts from, what its target is, what it calls collapsed. By every way. ranks: 1 2 3 5  threads: 1 2 */
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
    {"depict", "hidden=0.4 dropout=0.25 loss=mse", DC_DECODER_MIRROR},
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
        if (strcmp(a.name, "centers") == 0 || (moment && strcmp(prefix, "start") == 0)) continue;
        CHECK(golden_read_f32(file, name, out + a.at, floats));
    }
}

static void open_setup(dc_comm *comm, golden_method *s, const golden_run *what, int way)
{
    const dc_net net = build_net(what);
    golden_method_open(comm, s, file, what->name, what->keys, K, &net, way);
    read_slab(s, "start", s->env.value);
    if (s->state->labels) golden_own_rows(s, file, "radius", 1, s->state->labels);
    if (s->state->P) golden_own_rows(s, file, "target", K, s->state->P);
}

static void test_run(dc_comm *comm, const golden_run *what, int way)
{
    golden_method s;
    double loss[DC_GRAPH_LOSSES], golden[3];
    char name[64];
    open_setup(comm, &s, what, way);
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

/* ---- Start, target, collapse ------------------------------------------------------------------------------------- */

/* The labels of the first head are those of k-means; the target evens the clusters out. */
static void test_start(dc_comm *comm)
{
    golden_method s;
    float Z[N * L], q[N * K];
    int32_t label[N];
    double f[K] = {0};
    dc_kmeans_result km;
    dc_refresh refreshed = {0};
    open_setup(comm, &s, &runs[1], 2);
    const dc_part *part = s.env.part;
    const int64_t n = dc_part_rows(part), width = L;
    for (int64_t i = 0; i < n * L; i++) Z[i] = 100 + sinf((float)(part->row_lo * L + i)) / 50;
    s.env.kmeans = (dc_kmeans_config){.K = K, .n_init = 3, .max_iter = 20, .seed = 3};
    const dc_rows rows = dc_rows_of_array(part, Z, &width);
    CHECK_OK(dc_kmeans(comm, &rows, &s.env.kmeans, &km));
    CHECK_OK(s.method->start(comm, s.state, &(dc_inferred){.Z = Z}));
    const dc_layer *head = &dc_slab_net(&s.base.slab, "head")->layer[0];
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
    test_start(comm);
    test_collapse();
    return check_done_all(&comm);
}
