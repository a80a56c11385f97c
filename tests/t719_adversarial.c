/* Three batches of DCAN and AAE from given weights, centres, deviations and labels against PyTorch's autograd
 * (tests/golden/adversarial.txt): the losses of each step, and all weights at the end; each step trains what is its
 * own, in its own cycle. Variances of clusters by hand, and k-means that goes on from its centres. What DCAN starts
 * from, keeps at a refresh and moves before it; which step moves running moments; optimizers and cycles of steps. What
 * the losses tell of a failure. By every way. ranks: 1 2 3 5  threads: 1 2 */
#include "check.h"
#include "dcmpi/log.h"
#include "dcmpi/net_text.h"
#include "golden/golden_method.h"

enum { BATCHES = 3 };
static const char file[] = "adversarial.txt";

typedef struct {
    const char *name, *keys;
    int64_t K;
    double lr[DC_METHOD_STEPS];
} golden_run;

static const golden_run runs[] = {
    {"dcan", "discriminator=[4] weight=0.7 encoder_every=2", 3, {0.05, 0.02}},
    {"aae", "discriminator=[4] weight=0.7 input_dropout=0.25 loss=mse_sum", 2, {0.01, 0.05, 0.03}},
};

static void open_setup(dc_comm *comm, golden_method *s, const golden_run *what, int way)
{
    const dc_net net = golden_net(DC_ACT_RELU, DC_ACT_LINEAR);
    golden_method_open(comm, s, file, what->name, what->keys, what->K, &net, way);
    if (dc_slab_find(&s->base.slab, "deviations")) {
        golden_give_tensor(s, "centers", "mu");
        golden_give_tensor(s, "deviations", "deviation");
    }
    if (s->state->labels) golden_own_rows(s, file, "label", 1, s->state->labels);
}

static void check_loss(const golden_run *what, int64_t t, int step, const double *loss, int n)
{
    char name[64];
    double golden[DC_GRAPH_LOSSES];
    snprintf(name, sizeof name, "%s/loss_%d_%d", what->name, (int)t, step);
    CHECK(golden_read(file, name, golden, (size_t)n));
    for (int i = 0; i < n; i++) CHECK_NEAR(loss[i], golden[i], 2e-6 * golden[i]);
}

static void test_run(dc_comm *comm, const golden_run *what, int way)
{
    golden_method s;
    dc_turn turn[DC_METHOD_STEPS];
    double loss[DC_GRAPH_LOSSES];
    char prefix[32];
    open_setup(comm, &s, what, way);
    for (int i = 0; i < s.method->n_steps; i++) {
        turn[i] = (dc_turn){1, {.kind = DC_OPT_SGD}};
        s.method->turn(&s.env, i, &turn[i]);
        turn[i].opt = (dc_opt_config){.kind = DC_OPT_SGD, .lr = what->lr[i]};
    }
    for (int64_t t = 0; t < BATCHES; t++)
        for (int i = 0; i < s.method->n_steps; i++) {
            if ((t + 1) % turn[i].every != 0) continue;
            CHECK_INT(dc_step_run(comm, s.step[i], t, loss), GOLDEN_N);
            check_loss(what, t, i, loss, s.graph[i]->n_losses);
            dc_step_update(comm, s.step[i], &turn[i].opt, t / turn[i].every, BATCHES);
        }
    snprintf(prefix, sizeof prefix, "%s/final", what->name);
    golden_check_nets(&s, file, prefix, s.env.value, 2e-6);
    golden_method_close(&s);
}

/* ---- Clusters ---------------------------------------------------------------------------------------------------- */

enum { ROWS = 97, D = 2, K = 3 };

static void make_rows(const dc_part *part, float *Z, int32_t *label)
{
    for (int64_t i = 0; i < dc_part_rows(part); i++) {
        const int64_t row = part->row_lo + i;
        label[i] = (int32_t)(row % 2); /* the third cluster has no rows */
        Z[i * D] = (float)(10 * label[i]) + (float)(row % 5) / 4;
        Z[i * D + 1] = (float)(row % 7);
    }
}

static void test_variances(dc_comm *comm)
{
    dc_part part;
    float Z[ROWS * D], variance[K * D];
    int32_t label[ROWS];
    const int64_t width = D;
    const float centers[K * D] = {0.5f, 3, 10.5f, 2, 7, 7};
    CHECK_OK(dc_part_init(&part, ROWS, GOLDEN_SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    make_rows(&part, Z, label);
    const dc_rows rows = dc_rows_of_array(&part, Z, &width);
    CHECK_OK(dc_cluster_variances(comm, &rows, centers, label, K, variance));
    for (int k = 0; k < K; k++)
        for (int j = 0; j < D; j++) {
            double sum = 0, n = 0;
            for (int64_t row = k; row < ROWS && k < 2; row += 2, n++) {
                const double z = j == 0 ? 10 * k + (double)(row % 5) / 4 : (double)(row % 7);
                sum += pow(z - (double)centers[k * D + j], 2);
            }
            CHECK_NEAR(variance[k * D + j], n > 0 ? sum / n : 0, 1e-6);
        }
}

/* Clusters keep their numbers. */
static void test_again(dc_comm *comm)
{
    dc_part part;
    dc_kmeans_result km;
    float Z[ROWS * D];
    int32_t label[ROWS];
    const int64_t width = D;
    for (int turned = 0; turned < 2; turned++) {
        const float first[2 * D] = {turned ? 9 : 1, 3, turned ? 1 : 9, 3};
        const dc_kmeans_config cfg = {.K = 2, .n_init = 1, .max_iter = 20, .seed = 1, .first = first};
        CHECK_OK(dc_part_init(&part, ROWS, GOLDEN_SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
        make_rows(&part, Z, label);
        const dc_rows rows = dc_rows_of_array(&part, Z, &width);
        CHECK_OK(dc_kmeans(comm, &rows, &cfg, &km));
        for (int64_t i = 0; i < dc_part_rows(&part); i++) CHECK_INT(km.labels[i], turned ? 1 - label[i] : label[i]);
        CHECK_NEAR(km.centers[turned ? D : 0], 0.5, 0.05);
        dc_kmeans_result_release(&km);
    }
}

/* ---- DCAN between its steps -------------------------------------------------------------------------------------- */

enum { PARTS = 3, N = GOLDEN_N, L = GOLDEN_L };

/* Three clouds; the cloud of a row is row % PARTS. */
static double z_of(int64_t row, int j)
{
    const int64_t cloud = row % PARTS;
    const double sign = row / PARTS % 2 ? -1 : 1;
    return (j == cloud ? 20 : 0) + sign * (double)(cloud + 1) / (double)(j + 1);
}

static void moments_of(int64_t cloud, int j, double *mean, double *variance)
{
    double sum = 0, squares = 0, n = 0;
    for (int64_t row = cloud; row < N; row += PARTS, n++) sum += z_of(row, j);
    *mean = sum / n;
    for (int64_t row = cloud; row < N; row += PARTS) squares += pow(z_of(row, j) - *mean, 2);
    *variance = squares / n;
}

/* cloud[k]: that of cluster k, -1: to be found. Z is `factor` times z_of(). */
static void check_clusters(const golden_method *s, double factor, bool diagonal, int64_t cloud[PARTS])
{
    const float *center = dc_method_values(&s->env, "centers"), *deviation = dc_method_values(&s->env, "deviations");
    for (int k = 0; k < PARTS; k++) {
        double mean[L], variance[L], whole = 0;
        for (int64_t c = 0; c < PARTS && cloud[k] < 0; c++)
            if ((double)center[k * L + c] > 10 * factor) cloud[k] = c;
        CHECK(cloud[k] >= 0);
        for (int j = 0; j < L; j++) moments_of(cloud[k], j, &mean[j], &variance[j]), whole += variance[j] / L;
        for (int j = 0; j < L; j++) {
            CHECK_NEAR(center[k * L + j], factor * mean[j], 1e-4);
            CHECK_NEAR(deviation[k * L + j], factor * sqrt(diagonal ? variance[j] : whole), 1e-4);
        }
    }
}

static void swap_centers(const golden_method *s)
{
    float *center = dc_method_values(&s->env, "centers"), t[L];
    memcpy(t, center, sizeof t);
    memcpy(center, center + L, sizeof t);
    memcpy(center + L, t, sizeof t);
}

static void test_dcan(dc_comm *comm, bool diagonal)
{
    golden_method s;
    float Z[N * L];
    int32_t label[N];
    golden_run what = runs[0];
    int64_t cloud[PARTS] = {-1, -1, -1};
    what.keys = diagonal ? "discriminator=[4] variance=diagonal" : "discriminator=[4]";
    open_setup(comm, &s, &what, 2);
    const int64_t n = dc_part_rows(s.env.part), lo = s.env.part->row_lo;
    const dc_inferred rows = {.Z = Z, .label = label};
    s.env.kmeans = (dc_kmeans_config){.K = PARTS, .n_init = 3, .max_iter = 20, .seed = 1};
    for (int64_t i = 0; i < n * L; i++) Z[i] = (float)z_of(lo + i / L, (int)(i % L));
    CHECK_OK(s.method->start(comm, s.state, &rows));
    check_clusters(&s, 1, diagonal, cloud);

    dc_refresh out = {0};
    for (int64_t i = 0; i < n; i++) label[i] = (int32_t)((lo + i) % 2) + 1;
    CHECK_OK(s.method->refresh(comm, s.state, &rows, &out));
    for (int64_t i = 0; i < n; i++) CHECK(s.state->labels[i] == (float)label[i]);

    /* From its centres as they are, in their order; what is drawn gets the new spread. */
    const int64_t first = cloud[0];
    cloud[0] = cloud[1], cloud[1] = first;
    swap_centers(&s);
    for (int64_t i = 0; i < n * L; i++) Z[i] *= 1.25f;
    CHECK_OK(s.method->refit(comm, s.state, &rows));
    check_clusters(&s, 1.25, diagonal, cloud);
    golden_method_close(&s);
}

/* ---- Running moments, turns -------------------------------------------------------------------------------------- */

/* Of the steps of a batch, `mover` alone moves running moments. */
static void test_moments(dc_comm *comm, const golden_run *what, int mover)
{
    char why[DC_NET_WHY_MAX];
    dc_net_text text = {.kind = DC_DECODER_MIRROR};
    dc_net net;
    dc_slab slab;
    dc_part part;
    dc_method_state *state;
    const dc_method *method = dc_method_find(what->name);
    CHECK(dc_net_text_encoder("dense 7 bn relu, dense 3 bn", &text, why));
    CHECK_OK(dc_net_build(&net, GOLDEN_D, &text));
    dc_slab_init(&slab, &net);
    CHECK_OK(dc_part_init(&part, N, GOLDEN_SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    const dc_method_env env = {
        .part = &part, .K = what->K, .L = L, .keys = method_keys(method, what->keys), .slab = &slab, .epoch_steps = 1};
    method->build(&env, &slab);
    CHECK_OK(method->create(&env, &state));
    for (int i = 0; i < method->n_steps; i++) {
        dc_graph *g;
        CHECK_OK(dc_graph_create(&g));
        method->record(g, state, i);
        CHECK_OK(dc_graph_finish(g));
        CHECK((g->n_moves > 0) == (i == mover));
        dc_graph_destroy(&g);
    }
    method->destroy(&state);
}

static void check_turn(const char *method, const char *words, int step, int64_t every, double lr, double momentum)
{
    const dc_method *m = dc_method_find(method);
    const dc_method_env env = {.keys = method_keys(m, words)};
    dc_turn turn = {1, {.kind = DC_OPT_ADAM, .lr = 0.5, .momentum = 0.9, .beta1 = 0.9}};
    m->turn(&env, step, &turn);
    CHECK_INT(turn.every, every);
    CHECK_NEAR(turn.opt.lr, lr, 0);
    CHECK_NEAR(turn.opt.momentum, momentum, 0);
    CHECK_NEAR(turn.opt.beta1, momentum, 0);
}

/* A rate of 0 is that of the deck. */
static void test_turns(void)
{
    check_turn("dcan", "discriminator_lr=0.25 encoder_every=4", 0, 1, 0.25, 0.9);
    check_turn("dcan", "discriminator_lr=0.25 encoder_every=4", 1, 4, 0.5, 0.9);
    check_turn("dcan", "discriminator_lr=0", 0, 1, 0.5, 0.9);
    static const char keys[] = "discriminator_lr=0.25 encoder_lr=0.125 momentum=0.375 encoder_every=4";
    check_turn("aae", keys, 0, 1, 0.5, 0.9);
    check_turn("aae", keys, 1, 1, 0.25, 0.375);
    check_turn("aae", keys, 2, 4, 0.125, 0.375);
    check_turn("aae", "encoder_lr=0 momentum=0.375", 2, 1, 0.5, 0.375);
}

/* ---- Failures ---------------------------------------------------------------------------------------------------- */

static const char *failure(const char *method, double effective, const double *loss, size_t n, int stride)
{
    const dc_method_env env = {.K = 10};
    const dc_refresh last = {.k_sized = effective, .k_effective = effective};
    const dc_method_failure *f = dc_method_find(method)->failed(&env, &last, loss, n, stride);
    return f ? f->what : "none";
}

static void test_failures(void)
{
    const double good[] = {1.2, 0.8, 1.1, 0.9, 1.38, 0.7}, won[] = {1.2, 0.8, 0.4, 3, 0.02, 7},
                 idle[] = {1.386, 0.693, 1.387, 0.694, 1.3863, 0.692}, style[] = {1.2, 0.01, 0.8, 5, 1.2, 0.02, 0.8, 5};
    CHECK_TEXT(failure("dcan", 10, good, 3, 2), "none");
    CHECK_TEXT(failure("dcan", 10, won, 2, 2), "none");
    CHECK_TEXT(failure("dcan", 10, won, 3, 2), "the discriminator wins");
    CHECK_TEXT(failure("dcan", 10, idle, 2, 2), "none");
    CHECK_TEXT(failure("dcan", 10, idle, 3, 2), "the discriminator learns nothing");
    CHECK_TEXT(failure("aae", 10, style, 2, 4), "the discriminator of styles wins");
    CHECK_TEXT(failure("aae", 5.1, good, 1, 4), "none");
    CHECK_TEXT(failure("aae", 4.9, good, 1, 4), "rows fall into less than half of the categories");
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    dc_log_set_active(false);
    for (size_t i = 0; i < DC_COUNT_OF(runs); i++)
        for (int way = 0; way < GOLDEN_WAYS; way++) test_run(comm, &runs[i], way);
    test_variances(comm);
    test_again(comm);
    test_dcan(comm, false);
    test_dcan(comm, true);
    test_moments(comm, &runs[0], 1);
    test_moments(comm, &runs[1], 0);
    test_turns();
    test_failures();
    return check_done_all(&comm);
}
