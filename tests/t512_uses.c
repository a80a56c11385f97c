/* Uses that a method may record although no network does: a loss that other values are computed from, a layer's output
 * that is minimised itself, a loss under two names, operands that do not learn; values and gradients against
 * differences of the naive loss in double. What is not allowed is refused. Fixed seed 512. ranks: 1 2 */
#include "check.h"
#include "dcmpi/cluster.h"
#include "dcmpi/op.h"
#include "dcmpi/rng.h"
#include "ref/cluster_ref.h"
#include "ref/nn_ref.h"
#include "ref/one_step.h"

enum { ROWS = 70, D = 3, SHARDS = 4, FLOATS = D + 1, STEPS = 2 };
static dc_comm *comm;
static float x[ROWS * D];

/* One layer D -> 1 with tanh. */
typedef struct {
    dc_net net;
    dc_params p;
    one_step step;
    double *value; /* the parameters in double */
} problem;

static void problem_make(problem *q)
{
    CHECK_OK(dc_net_init(&q->net, D, NULL, 0, 1, DC_ACT_LINEAR, DC_ACT_TANH, DC_ACT_LINEAR));
    CHECK_OK(dc_params_create(&q->p, &q->net, 0));
    dc_rng_fill_uniform(q->p.value, q->p.n, 512, 1, 0.9);
    q->value = malloc(q->p.n * sizeof *q->value);
    for (size_t i = 0; i < q->p.n; i++) q->value[i] = (double)q->p.value[i];
    one_step_open(&q->step);
}

static void problem_free(problem *q)
{
    one_step_close(&q->step);
    dc_params_release(&q->p);
    free(q->value);
}

static dc_val layer(problem *q)
{
    return dc_layers(q->step.graph, &q->net, 0, 1, true, dc_batch(q->step.graph, D));
}

/* Mean over the rows of f(y), y the output of the layer. */
typedef double (*function)(double y);

static double loss_ref(const problem *q, function f)
{
    double wide[ROWS * D], y[ROWS], sum = 0;
    for (int i = 0; i < ROWS * D; i++) wide[i] = (double)x[i];
    net_forward_ref(&q->net, q->value, 0, 1, ROWS, wide, y);
    for (int i = 0; i < ROWS; i++) sum += f(y[i]);
    return sum / ROWS;
}

/* Runs more than one step: nothing of the last gradient may be left in the next. */
static void check(problem *q, function f)
{
    const double h = 1e-5;
    const one_step_rows rows = {
        .N = ROWS, .width = D, .x = x, .V = SHARDS, .B = ROWS, .way = DC_OUTER_GATHER, .seed = 512};
    CHECK_OK(one_step_create(comm, &q->step, &q->p, &rows));
    for (int step = 0; step < STEPS; step++) {
        double worst = 0;
        CHECK_NEAR(one_step_run(comm, &q->step, step), loss_ref(q, f), 1e-6);
        for (size_t i = q->net.layer[0].weight; i < q->net.layer[0].weight + FLOATS; i++) {
            const double kept = q->value[i];
            q->value[i] = kept + h;
            const double up = loss_ref(q, f);
            q->value[i] = kept - h;
            worst = worse_of(worst, fabs((up - loss_ref(q, f)) / (2 * h) - (double)q->p.grad[i]));
            q->value[i] = kept;
        }
        CHECK_NEAR(worst, 0, 1e-6);
    }
}

/* A layer's output as the loss: a critic. */
static double itself(double y)
{
    return 2.5 * y;
}

static void test_layer_itself(void)
{
    problem q;
    problem_make(&q);
    dc_minimize(q.step.graph, "score", 2.5, layer(&q));
    check(&q, itself);
    problem_free(&q);
}

/* loss = y^2, and how far it is from 0.25. */
static double chain(double y)
{
    return 0.7 * y * y + 0.3 * (y * y - 0.25) * (y * y - 0.25) + 0.1 * y * y;
}

static void test_loss_is_used(void)
{
    problem q;
    static float quarter[ROWS], zero[ROWS];
    const dc_table wanted = {"wanted", quarter, 1}, none = {"none", zero, 1};
    for (int i = 0; i < ROWS; i++) quarter[i] = 0.25f;
    problem_make(&q);
    dc_graph *g = q.step.graph;
    const dc_val square = dc_recon(g, DC_LOSS_MSE, dc_entry(g, &none), layer(&q));
    dc_minimize(g, "square", 0.7, square);
    dc_minimize(g, "distance", 0.3, dc_recon(g, DC_LOSS_MSE, dc_entry(g, &wanted), square));
    dc_minimize(g, "square again", 0.1, square);
    check(&q, chain);
    problem_free(&q);
}

/* Centres that learn while their rows do not, and the other way round. */
static void check_student(bool rows_learn, bool centers_learn)
{
    enum { K = 5, CENTERS = K * D, INPUT = D * D + D };
    static const dc_net nothing;
    static float P[ROWS * K], zs[ROWS * D];
    static double pd[ROWS * K];
    double zd[ROWS * D], md[CENTERS], worst = 0;
    const double h = 1e-5;
    dc_params p;
    dc_part part;
    one_step s;
    const one_step_rows rows = {
        .N = ROWS, .width = D, .x = x, .V = SHARDS, .B = ROWS, .way = DC_OUTER_GATHER, .seed = 512};
    CHECK_OK(dc_part_init(&part, ROWS, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    for (int i = 0; i < ROWS * K; i++) pd[i] = (double)(P[i] = i % K == 0 ? 0.6f : 0.1f);
    const dc_table target = {"target", P + part.row_lo * K, K};
    const dc_tensor centers = {"centers", 0, K, D, centers_learn};
    CHECK_OK(dc_params_create(&p, &nothing, CENTERS + INPUT));
    dc_rng_fill_uniform(p.value, CENTERS, 512, 3, 1);
    one_step_open(&s);
    dc_val z = dc_batch(s.graph, D);
    if (rows_learn) z = one_step_input(&s, z, D, CENTERS, p.value);
    dc_minimize(s.graph, "kl", 1, dc_student_kl(s.graph, 1, z, dc_use(s.graph, &centers), dc_entry(s.graph, &target)));
    CHECK_OK(one_step_create(comm, &s, &p, &rows));
    for (int i = 0; i < ROWS * D; i++) zd[i] = (double)x[i];
    for (int i = 0; i < CENTERS; i++) md[i] = (double)p.value[i], p.grad[i] = 77;
    const double loss = one_step_run(comm, &s, 0);
    CHECK_NEAR(loss, ref_student_kl(zd, md, pd, ROWS, K, D, 1, ROWS), 2e-7 * (1 + fabs(loss)));
    for (int i = 0; i < CENTERS; i++) {
        const double kept = md[i];
        md[i] = kept + h;
        const double up = ref_student_kl(zd, md, pd, ROWS, K, D, 1, ROWS);
        md[i] = kept - h;
        const double slope = (up - ref_student_kl(zd, md, pd, ROWS, K, D, 1, ROWS)) / (2 * h);
        md[i] = kept;
        worst = worse_of(worst, fabs((double)p.grad[i] - (centers_learn ? slope : 77)));
    }
    CHECK_NEAR(worst, 0, 1e-6);
    if (rows_learn) one_step_slopes(&s, z, zs);
    worst = 0;
    for (int64_t i = part.row_lo * D; rows_learn && i < part.row_hi * D; i++) {
        const double kept = zd[i];
        zd[i] = kept + h;
        const double up = ref_student_kl(zd, md, pd, ROWS, K, D, 1, ROWS);
        zd[i] = kept - h;
        worst = worse_of(worst, fabs((double)zs[i] - (up - ref_student_kl(zd, md, pd, ROWS, K, D, 1, ROWS)) / (2 * h)));
        zd[i] = kept;
    }
    CHECK_NEAR(worst, 0, 1e-6);
    one_step_close(&s);
    dc_params_release(&p);
}

/* ---- What cannot be ---------------------------------------------------------------------------------------------- */

static const dc_tensor tensor = {"tensor", 0, D, D, true};
static float entries[ROWS * D];
static const dc_table table = {"table", entries, D};

/* Tensors, one after the other. */
enum { SCALAR = D * D, KEPT = SCALAR + 1, WEIGHT = KEPT + D * D, BIAS = WEIGHT + D * D };
static const dc_net layers = {.n_layers = 1,
                              .layer = {{.in = D, .out = D, .weight = WEIGHT, .bias = BIAS, .name = "layer"}}};
static const dc_net other = {.n_layers = 1,
                             .layer = {{.in = D, .out = D, .weight = WEIGHT + D, .bias = BIAS + D, .name = "other"}}};
static const dc_tensor scalar = {"scalar", SCALAR, 1, 1, false}, kept = {"kept", KEPT, D, D, false},
                       bias = {"bias", BIAS, 1, D, true};

static void record_wrong(dc_graph *g, int what)
{
    const dc_val rows = dc_batch(g, D), vector = dc_use(g, &tensor), entry = dc_entry(g, &table);
    switch (what) {
    case 0:
        dc_recon(g, DC_LOSS_MSE, rows, vector);
        break;
    case 1:
        dc_recon(g, DC_LOSS_MSE, vector, rows);
        break;
    case 2:
        dc_dropout(g, 0.1, 1, vector);
        break;
    case 3:
        dc_dropout(g, 1, 1, rows);
        break;
    case 4:
        dc_dropout(g, NAN, 1, rows);
        break;
    case 5:
        dc_student_kl(g, 1, vector, vector, entry);
        break;
    case 6:
        dc_student_kl(g, 1, rows, vector, vector);
        break;
    case 7:
        dc_student_kl(g, 1, rows, rows, entry);
        break;
    case 8:
        dc_minimize(g, "vector", 1, vector);
        break;
    case 9:
        dc_minimize(g, "nothing", 1, DC_NONE);
        break;
    case 10:
        dc_minimize(g, "tensor itself", 1, dc_use(g, &scalar));
        break;
    case 11:
        dc_move(g, &kept, vector);
        break;
    case 12:
        (void)dc_layers(g, &layers, 0, 1, true, dc_layers(g, &other, 0, 1, true, rows));
        break;
    case 13:
        (void)dc_map(g, DC_ADD, dc_layers(g, &layers, 0, 1, true, rows), dc_use(g, &bias));
        break;
    case 14:
        (void)dc_batch(g, D + 1);
        break;
    case 15: {
        dc_val y = rows;
        for (int i = 0; i <= DC_GRAPH_PRODUCTS; i++) y = dc_layers(g, &layers, 0, 1, true, y);
        break;
    }
    default:
        dc_minimize(g, "rows", 1, rows);
        break;
    }
}

/* ---- Gradients as values ----------------------------------------------------------------------------------------- */

/* x^3, whose second derivative nobody has written down: with a tangent, and without. */
static void cube(const dc_call *c)
{
    for (int64_t i = 0; i < c->tile->n * D; i++) c->out[i] = c->in[0][i] * c->in[0][i] * c->in[0][i];
}

static void cube_back(const dc_call *c)
{
    for (int64_t i = 0; i < c->tile->n * D; i++)
        c->din[0][i] = (c->adds[0] ? c->din[0][i] : 0) + 3 * c->in[0][i] * c->in[0][i] * c->dout[i];
}

static void cube_tangent(const dc_call *c, int k, const float *t, bool adds, float *out)
{
    (void)k;
    for (int64_t i = 0; i < c->tile->n * D; i++) out[i] = (adds ? out[i] : 0) + 3 * c->in[0][i] * c->in[0][i] * t[i];
}

static unsigned cube_curved(const dc_node *node, int k)
{
    (void)node, (void)k;
    return 1;
}

static const dc_op cubes[] = {
    {.name = "cube", .forward = cube, .backward = cube_back},
    {.name = "cube", .forward = cube, .backward = cube_back, .tangent = cube_tangent, .curved = cube_curved}};

/* The gradient of the sum of the cubes with respect to the layer's output. */
static dc_val cube_slopes(dc_graph *g, int which)
{
    const dc_val y = dc_layers(g, &layers, 0, 1, true, dc_batch(g, D)), ones = dc_entry(g, &table);
    const dc_val c = dc_record(dc_graph_at(g, __FILE__, __LINE__),
                               (dc_node){.op = &cubes[which], .n_in = 1, .in = {y.id}}, dc_graph_shape(g, y));
    return dc_grad(g, dc_dot(g, c, ones), y);
}

static void record_wrong_gradient(dc_graph *g, int what)
{
    const dc_val rows = dc_batch(g, D), y = dc_dot(g, rows, rows), entry = dc_entry(g, &table);
    const dc_val unit = dc_unit(g, rows), vector = dc_use(g, &tensor);
    switch (what) {
    case 0:
        (void)dc_grad(g, dc_use(g, &scalar), rows);
        break;
    case 1:
        (void)dc_grad(g, y, vector);
        break;
    case 2:
        (void)dc_grad(g, unit, rows);
        break;
    case 3:
        (void)dc_grad(g, dc_dot(g, entry, entry), rows);
        break;
    case 4:
        (void)dc_grad(g, y, y);
        break;
    case 5:
        (void)dc_grad(g, dc_dot(g, dc_stop_gradient(g, rows), entry), rows);
        break;
    case 6:
        (void)dc_grad(g, dc_contrast(g, unit, dc_unit(g, entry), 1), rows);
        break;
    case 7:
        (void)dc_grad(g, dc_student_kl(g, 1, rows, vector, entry), rows);
        break;
    case 8:
        (void)dc_contrast(g, unit, y, 1);
        break;
    case 9:
        (void)dc_contrast(g, unit, vector, 1);
        break;
    case 10:
        (void)dc_contrast(g, unit, unit, 0);
        break;
    case 11:
    case 12:
        dc_minimize(g, "size", 1, dc_dot(g, cube_slopes(g, what - 11), entry));
        break;
    default:
        break;
    }
}

static void test_wrong_gradients(void)
{
    for (int what = 0; what < 13; what++) {
        dc_graph *g;
        CHECK_OK(dc_graph_create(&g));
        record_wrong_gradient(g, what);
        CHECK_STATUS(dc_graph_finish(g), DC_ERR_USAGE);
        CHECK_TEXT_HAS(dc_error_text(), "t512_uses.c:");
        if (what >= 11) CHECK_TEXT_HAS(dc_error_text(), "cube has no second derivative");
        dc_error_clear();
        dc_graph_destroy(&g);
    }
}

/* A gradient that is stopped is not differentiated. */
static void test_stopped_gradients(void)
{
    for (int which = 0; which < 2; which++) {
        dc_graph *g;
        CHECK_OK(dc_graph_create(&g));
        const dc_val y = dc_layers(g, &layers, 0, 1, true, dc_batch(g, D));
        dc_minimize(g, "along", 1, dc_dot(g, y, dc_stop_gradient(g, cube_slopes(g, which))));
        CHECK_OK(dc_graph_finish(g));
        dc_graph_destroy(&g);
    }
}

/* The same weights twice, trained once. */
static void test_shared(void)
{
    dc_graph *g;
    CHECK_OK(dc_graph_create(&g));
    const dc_val y = dc_layers(g, &layers, 0, 1, true, dc_batch(g, D));
    (void)dc_layers(g, &layers, 0, 1, false, y);
    CHECK_OK(dc_graph_finish(g));
    dc_graph_destroy(&g);
}

/* Refused where it is recorded, not where it would run. */
static void test_refusals(void)
{
    for (int what = 0; what <= 16; what++) {
        dc_graph *g;
        CHECK_OK(dc_graph_create(&g));
        record_wrong(g, what);
        CHECK_STATUS(dc_graph_finish(g), DC_ERR_USAGE);
        CHECK_TEXT_HAS(dc_error_text(), "t512_uses.c:");
        dc_error_clear();
        dc_graph_destroy(&g);
    }
}

/* In inference there are tiles of rows, but no batch and no row numbers. */
static void test_inference(void)
{
    for (int what = 0; what < 6; what++) {
        dc_graph *g;
        dc_infer *e;
        CHECK_OK(dc_graph_create(&g));
        const dc_val rows = dc_batch(g, D);
        const dc_val odd[] = {dc_entry(g, &table),
                              dc_dropout(g, 0.1, 1, rows),
                              dc_noise(g, D, 1),
                              dc_map(g, DC_SUB, rows, dc_mean(g, rows)),
                              dc_contrast(g, rows, rows, 1),
                              dc_student_kl(g, 1, rows, dc_use(g, &tensor), dc_softmax(g, rows, DC_NONE))};
        dc_output(g, "odd", odd[what]);
        CHECK_OK(dc_graph_finish(g));
        CHECK_STATUS(dc_infer_create(&e, g, x, 16, NULL, 0), DC_ERR_USAGE);
        CHECK(e == NULL);
        CHECK_TEXT_HAS(dc_error_text(), "inference cannot run");
        dc_error_clear();
        dc_graph_destroy(&g);
    }
}

/* No gradient is computed for a value that no loss depends on. */
static void test_only_put(void)
{
    dc_graph *g;
    dc_plan *plan = malloc(sizeof *plan);
    CHECK_OK(dc_graph_create(&g));
    const dc_val y = dc_layers(g, &layers, 0, 1, true, dc_batch(g, D)), z = dc_map(g, DC_SQUARE, y, DC_NONE);
    dc_put(g, &table, z);
    dc_minimize(g, "loss", 1, dc_dot(g, y, dc_stop_gradient(g, z)));
    CHECK_OK(dc_graph_finish(g));
    dc_plan_training(g, 0, plan);
    CHECK(plan->node[y.id].differentiated && !plan->node[z.id].differentiated && plan->node[z.id].live);
    dc_graph_destroy(&g);
    free(plan);
}

int main(void)
{
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    dc_rng_fill_uniform(x, ROWS * D, 512, 2, 1);
    test_layer_itself();
    test_loss_is_used();
    check_student(true, true);
    check_student(true, false);
    check_student(false, true);
    test_refusals();
    test_wrong_gradients();
    test_stopped_gradients();
    test_shared();
    test_inference();
    test_only_put();
    return check_done_all(&comm);
}
