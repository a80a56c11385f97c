/* Single steps of DCN and DKM from given weights, centres, labels and counts against PyTorch's autograd
 * (tests/golden/centers.txt), and against ClustPy's modules (clustpy.txt): losses, gradients of every weight and
 * centre, the weights after SGD, the labels, centres and counts that DCN moves after it, DKM's alphas. By every way.
 * ranks: 1 2 3 5  threads: 1 2 */
#include "check.h"
#include "dcmpi/log.h"
#include "golden/golden_net.h"
#include "method/methods.h"
#include "method_keys.h"
#include "ref/one_step.h"

enum { N = 17, K = 3, EXTRA = K * GOLDEN_L };
static const char file[] = "centers.txt";
static const dc_opt_config sgd = {.kind = DC_OPT_SGD, .lr = 0.02};

typedef struct {
    const char *name, *method, *keys;
    int64_t step;     /* whose alpha is used */
    const char *file; /* NULL: that of the start */
} golden_step;

static const golden_step steps[] = {
    {"one_dcn", "dcn", "beta=0.3 loss=mse_sum", 0, NULL},
    {"one_dkm0", "dkm", "lambda=0.7 loss=mse sharpness=0", 0, NULL},
    {"one_dkm12", "dkm", "lambda=0.7 loss=mse sharpness=0", 12, NULL},
    {"one_dkm_sharp", "dkm", "lambda=0.7 loss=mse sharpness=1000", 12, NULL},
    {"one_clustpy_dcn", "dcn", "beta=0.4 loss=mse", 0, "clustpy.txt"},
    {"one_clustpy_dkm", "dkm", "lambda=0.7 loss=mse sharpness=3", 0, "clustpy.txt"},
};

typedef struct {
    golden_setup base;
    const dc_method *method;
    dc_method_env env;
    dc_method_state *state;
    dc_graph *graph[DC_METHOD_STEPS];
    dc_step *step[DC_METHOD_STEPS];
} setup;

static float *tensor_of(setup *s, const char *name)
{
    return s->base.model.params.value + dc_slab_find(&s->base.slab, name)->at;
}

static const char *file_of(const golden_step *what)
{
    return what && what->file ? what->file : file;
}

static void read_f32(const golden_step *what, const char *name, float *out, size_t count)
{
    char full[64];
    snprintf(full, sizeof full, "%s%s%s", what ? what->name : "", what ? "/" : "", name);
    CHECK(golden_read_f32(file_of(what), full, out, count));
}

/* In place of k-means. */
static void give_start(setup *s)
{
    const dc_part *part = &s->base.data.part;
    float label[N];
    read_f32(NULL, "mu", tensor_of(s, "centers"), EXTRA);
    if (!s->state->labels) return;
    read_f32(NULL, "label", label, N);
    read_f32(NULL, "counts", tensor_of(s, "counts"), K);
    memcpy(s->state->labels, label + part->row_lo, (size_t)dc_part_rows(part) * sizeof *label);
}

static void open_setup(dc_comm *comm, setup *s, const golden_step *what, bool strict, int64_t gather_rows)
{
    float x[N * GOLDEN_D];
    *s = (setup){.method = dc_method_find(what->method)};
    read_f32(NULL, "x", x, N * GOLDEN_D);
    golden_open(comm, &s->base, file, x, N, 0, DC_ACT_RELU, DC_ACT_LINEAR);
    s->env = (dc_method_env){.part = &s->base.data.part,
                             .K = K,
                             .L = GOLDEN_L,
                             .keys = method_keys(s->method, what->keys),
                             .kmeans = {.K = K, .n_init = 1, .max_iter = 1, .seed = 1},
                             .slab = &s->base.slab,
                             .epoch_steps = 1};
    s->method->build(&s->env, &s->base.slab);
    golden_model(&s->base, file);
    s->base.model.strict = strict;
    s->base.model.gather_rows = gather_rows;
    s->env.value = s->base.model.params.value;
    CHECK_OK(s->method->create(&s->env, &s->state));
    give_start(s);
    const dc_row_source rows = dc_model_rows(&s->base.model);
    for (int i = 0; i < s->method->n_steps; i++) {
        CHECK_OK(dc_graph_create(&s->graph[i]));
        s->method->record(s->graph[i], s->state, i);
        CHECK_OK(dc_graph_finish(s->graph[i]));
        const dc_step_config cfg = dc_model_step(&s->base.model, s->graph[i], &rows, N, DC_T_CLUSTER_GATHER);
        CHECK_OK(dc_step_create(&s->step[i], &cfg));
    }
}

static void close_setup(setup *s)
{
    for (int i = 0; i < s->method->n_steps; i++) dc_step_destroy(&s->step[i]), dc_graph_destroy(&s->graph[i]);
    s->method->destroy(&s->state);
    golden_close(&s->base);
}

/* The losses of the first step, and the gradients. */
static void check_gradients(dc_comm *comm, setup *s, const golden_step *what)
{
    double loss[DC_GRAPH_LOSSES], golden[2], total = 0, recon = 0;
    float mu[EXTRA];
    char prefix[32], name[64];
    const dc_params *p = &s->base.model.params;
    CHECK_INT(dc_step_run(comm, s->step[0], 0, loss), N);
    one_step_share(comm, s->step[0], p->grad);
    for (int i = 0; i < s->graph[0]->n_losses; i++) {
        total += loss[i];
        if (strcmp(s->graph[0]->loss[i].name, "reconstruction") == 0) recon += loss[i];
    }
    snprintf(name, sizeof name, "%s/loss", what->name);
    CHECK(golden_read(file_of(what), name, golden, 2));
    CHECK_NEAR(total, golden[0], 1e-6 * golden[0]);
    CHECK_NEAR(recon, golden[1], 1e-6 * golden[1]);
    snprintf(prefix, sizeof prefix, "%s/grad", what->name);
    golden_check_slab(file_of(what), &s->base.net, prefix, p->grad, 5e-6);
    if (s->method->n_steps > 1) return;
    read_f32(what, "grad/mu", mu, EXTRA);
    CHECK_ARRAY_NEAR(p->grad + s->base.net.n_params, mu, EXTRA, 5e-6);
}

/* Labels of this rank's rows, centres and counts. */
static void check_moved(setup *s, const golden_step *what)
{
    float label[N], counts[K];
    const dc_part *part = &s->base.data.part;
    read_f32(what, "label", label, N);
    read_f32(what, "counts", counts, K);
    CHECK_ARRAY_NEAR(s->state->labels, label + part->row_lo, dc_part_rows(part), 0);
    CHECK_ARRAY_NEAR(tensor_of(s, "counts"), counts, K, 0);
}

static void check_step(dc_comm *comm, const golden_step *what, bool strict, int64_t gather_rows)
{
    setup s;
    float mu[EXTRA], before[EXTRA];
    char prefix[32];
    double loss[DC_GRAPH_LOSSES], alpha;
    open_setup(comm, &s, what, strict, gather_rows);
    float *centers = tensor_of(&s, "centers");
    if (s.method->anneal) {
        snprintf(prefix, sizeof prefix, "%s/alpha", what->name);
        CHECK(golden_read(file_of(what), prefix, &alpha, 1));
        s.method->anneal(s.state, what->step);
        CHECK_NEAR(-*tensor_of(&s, "alpha"), alpha, 1e-7 * alpha);
    }
    check_gradients(comm, &s, what);
    memcpy(before, centers, sizeof before);
    dc_step_update(comm, s.step[0], &sgd, 0, 1);
    snprintf(prefix, sizeof prefix, "%s/moved", what->name);
    golden_check_slab(file_of(what), &s.base.net, prefix, s.base.model.params.value, 1e-6);
    if (s.method->n_steps > 1) {
        CHECK(memcmp(before, centers, sizeof before) == 0); /* the network's step leaves the centres where they are */
        dc_step_run(comm, s.step[1], 0, loss);
        dc_step_update(comm, s.step[1], &sgd, 0, 1);
        check_moved(&s, what);
        golden_check_slab(file_of(what), &s.base.net, prefix, s.base.model.params.value,
                          1e-6); /* and the other the network */
    }
    read_f32(what, s.method->n_steps > 1 ? "mu" : "moved/mu", mu, EXTRA);
    CHECK_ARRAY_NEAR(centers, mu, EXTRA, 1e-6);
    close_setup(&s);
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    dc_log_set_active(false);
    for (size_t i = 0; i < DC_COUNT_OF(steps); i++) {
        check_step(comm, &steps[i], false, 0);
        check_step(comm, &steps[i], true, N);
        check_step(comm, &steps[i], true, 0);
    }
    return check_done_all(&comm);
}
