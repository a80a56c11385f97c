/* Single steps of DCN and DKM from given weights, centres, labels and counts against PyTorch's autograd
 * (tests/golden/centers.txt), and against ClustPy's modules (clustpy.txt): losses, gradients of every weight and
 * centre, the weights after SGD, the labels, centres and counts that DCN moves after it, DKM's alphas. By every way.
 * ranks: 1 2 3 5  threads: 1 2 */
#include "check.h"
#include "dcmpi/log.h"
#include "golden/golden_method.h"
#include "ref/one_step.h"

enum { K = 3, EXTRA = K * GOLDEN_L };
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

static const char *file_of(const golden_step *what)
{
    return what->file ? what->file : file;
}

static void open_setup(dc_comm *comm, golden_method *s, const golden_step *what, int way)
{
    const dc_net net = golden_net(DC_ACT_RELU, DC_ACT_LINEAR);
    golden_method_open(comm, s, file, what->method, what->keys, K, &net, way);
    golden_give_tensor(s, "centers", "mu"); /* in place of k-means */
    if (!s->state->labels) return;
    golden_give_tensor(s, "counts", "counts");
    golden_own_rows(s, file, "label", 1, s->state->labels);
}

/* The losses of the first step, and the gradients. */
static void check_gradients(dc_comm *comm, golden_method *s, const golden_step *what)
{
    double loss[DC_GRAPH_LOSSES];
    char prefix[32];
    const dc_params *p = &s->base.model.params;
    CHECK_INT(dc_step_run(comm, s->step[0], 0, loss), GOLDEN_N);
    one_step_share(comm, s->step[0], p->grad);
    golden_check_loss(file_of(what), what->name, s->graph[0], loss);
    snprintf(prefix, sizeof prefix, "%s/grad", what->name);
    golden_check_nets(s, file_of(what), prefix, p->grad, 5e-6);
    if (s->method->n_steps == 1) golden_check_tensor(s, "centers", file_of(what), prefix, "mu", p->grad, 5e-6);
}

/* Labels of this rank's rows, and counts. */
static void check_moved(const golden_method *s, const golden_step *what)
{
    char name[64];
    float label[GOLDEN_N];
    snprintf(name, sizeof name, "%s/label", what->name);
    golden_own_rows(s, file_of(what), name, 1, label);
    CHECK_ARRAY_NEAR(s->state->labels, label, dc_part_rows(s->env.part), 0);
    golden_check_tensor(s, "counts", file_of(what), what->name, "counts", s->env.value, 0);
}

static void check_step(dc_comm *comm, const golden_step *what, int way)
{
    golden_method s;
    float before[EXTRA];
    char prefix[32];
    double loss[DC_GRAPH_LOSSES], alpha;
    open_setup(comm, &s, what, way);
    const float *centers = s.env.value + dc_slab_find(&s.base.slab, "centers")->at;
    if (s.method->anneal) {
        snprintf(prefix, sizeof prefix, "%s/alpha", what->name);
        CHECK(golden_read(file_of(what), prefix, &alpha, 1));
        s.method->anneal(s.state, what->step);
        CHECK_NEAR(-s.env.value[dc_slab_find(&s.base.slab, "alpha")->at], alpha, 1e-7 * alpha);
    }
    check_gradients(comm, &s, what);
    memcpy(before, centers, sizeof before);
    dc_step_update(comm, s.step[0], &sgd, 0, 1);
    snprintf(prefix, sizeof prefix, "%s/moved", what->name);
    golden_check_nets(&s, file_of(what), prefix, s.env.value, 1e-6);
    if (s.method->n_steps > 1) {
        CHECK(memcmp(before, centers, sizeof before) == 0); /* the network's step leaves the centres where they are */
        dc_step_run(comm, s.step[1], 0, loss);
        dc_step_update(comm, s.step[1], &sgd, 0, 1);
        check_moved(&s, what);
        golden_check_nets(&s, file_of(what), prefix, s.env.value, 1e-6); /* and the other the network */
    }
    golden_check_tensor(&s, "centers", file_of(what), s.method->n_steps > 1 ? what->name : prefix, "mu", s.env.value,
                        1e-6);
    golden_method_close(&s);
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    dc_log_set_active(false);
    for (size_t i = 0; i < DC_COUNT_OF(steps); i++)
        for (int way = 0; way < GOLDEN_WAYS; way++) check_step(comm, &steps[i], way);
    return check_done_all(&comm);
}
