/* A method with a network of its own. On every third batch its second step trains that network and what the first step
 * trains, with an optimizer of its own. The trainer does the same as a loop by hand, with separate moments, and a run
 * that continues gets both sets back. What a method registers for the result is there, and it is asked for a failure
 * with the losses of each interval. What it moves at a refresh is there when rows are inferred. ranks: 1 3 threads: 1 2
 */
#include "dcmpi/log.h"
#include "t71_help.h"

enum { STEPS = 8, EVERY = 3 };
static const dc_opt_config adam = {.kind = DC_OPT_ADAM, .lr = 0.01, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-7},
                           sgd = {.kind = DC_OPT_SGD, .lr = 0.02, .momentum = 0.9, .schedule = DC_SCHED_COSINE};

/* ---- The method -------------------------------------------------------------------------------------------------- */

static void record(dc_graph *g, const dc_method_state *s, int step)
{
    const dc_method_env *env = *(const dc_method_env *const *)s;
    const dc_net *net = &env->slab->net, *critic = dc_slab_net(env->slab, "critic");
    const dc_tensor *centers = dc_slab_find(env->slab, "centers");
    const dc_val x = dc_batch(g, net->D), z = dc_layers(g, net, 0, net->n_encoder, true, x);
    if (step == 0)
        dc_minimize(g, "clustering", 1,
                    dc_dot(g, dc_sqdist(g, z, dc_use(g, centers)), dc_student(g, 1, z, dc_use(g, centers))));
    else
        dc_minimize(g, "reconstruction", 1,
                    dc_recon(g, DC_LOSS_MSE_SUM, x, dc_layers(g, critic, 0, critic->n_layers, true, z)));
}

static void build(const dc_method_env *env, dc_slab *slab)
{
    dc_slab_add_net(slab, "critic", env->L, "dense 9 tanh, dense 784 sigmoid rate=0.5");
    dc_slab_add(slab, "centers", env->K, env->L, true);
}

static void turn(const dc_method_env *env, int step, dc_turn *out)
{
    (void)env;
    if (step == 1) *out = (dc_turn){EVERY, sgd};
}

static dc_status create(const dc_method_env *env, dc_method_state **out)
{
    const dc_method_env **s;
    const dc_status st = dc_mem_alloc(&s, 1, sizeof *s, "state");
    if (st != DC_OK) return st;
    *s = env;
    *out = (void *)s;
    return DC_OK;
}

static void destroy(dc_method_state **state)
{
    dc_mem_free(state);
}

static dc_status start(dc_comm *comm, dc_method_state *s, const dc_inferred *rows)
{
    const dc_method_env *env = *(const dc_method_env *const *)s;
    float *centers = env->value + dc_slab_find(env->slab, "centers")->at;
    (void)comm, (void)rows;
    for (int i = 0; i < K * L; i++) centers[i] = 0.1f * (float)(i * i % 7) - 0.3f;
    return DC_OK;
}

static dc_status results(const dc_method_state *s, dc_results *r)
{
    dc_status st = DC_OK;
    const double pair[] = {0.5, -2};
    (void)s;
    DC_TRY(dc_results_add(r, "/toy/pair", DC_STATE_F64, 1, (int64_t[]){2}, pair));
out:
    return st;
}

static dc_method toy;

static void make_toy(void)
{
    toy = *dc_method_find("dec");
    toy.build = build, toy.create = create, toy.destroy = destroy, toy.start = start, toy.refresh = NULL;
    toy.n_steps = 2, toy.record = record, toy.turn = turn, toy.results = results;
}

/* ---- Tests ------------------------------------------------------------------------------------------------------- */

/* The same loop by hand. */
static void run_by_hand(dc_comm *comm, clustering_setup *s)
{
    dc_params own;
    double loss[DC_GRAPH_LOSSES];
    const dc_row_source data = dc_model_rows(&s->model);
    CHECK_OK(dc_params_share(&own, &s->model.params));
    dc_step_destroy(&s->step[1]);
    dc_step_config cfg = dc_model_step(&s->model, s->graph[1], &data, BATCH, DC_T_CLUSTER_GATHER);
    cfg.params = &own;
    CHECK_OK(dc_step_create(&s->step[1], &cfg));
    for (int64_t t = 0; t < STEPS; t++) {
        dc_step_run(comm, s->step[0], t, loss);
        dc_step_update(comm, s->step[0], &adam, t, STEPS);
        if ((t + 1) % EVERY != 0) continue;
        dc_step_run(comm, s->step[1], t, loss);
        dc_step_update(comm, s->step[1], &sgd, t / EVERY, STEPS / EVERY);
    }
    clustering_drop_steps(s);
    dc_params_release(&own);
}

static void run_as_phase(dc_comm *comm, clustering_setup *s)
{
    dc_cluster_result result;
    dc_history history = {0};
    const dc_cluster_config cfg = {
        .method = &toy, .env = s->env, .batch = BATCH, .update_interval = STEPS, .max_iter = STEPS, .opt = adam};
    CHECK_OK(dc_train_cluster(comm, &s->model, &cfg, &history, &result));
    const dc_result_array *pair = &result.more.array[result.more.n - 1];
    CHECK_TEXT(pair->name, "/toy/pair");
    CHECK(((const double *)pair->data)[1] == -2 && pair->dim[0] == 2 && !pair->of_rows);
    dc_cluster_result_release(&result);
    dc_history_release(&history);
}

static void test_loop(dc_comm *comm, int64_t gather_rows)
{
    clustering_setup hand, phase;
    clustering_open(comm, &toy, true, gather_rows, 12, &hand);
    clustering_open(comm, &toy, true, gather_rows, 12, &phase);
    run_by_hand(comm, &hand);
    run_as_phase(comm, &phase);
    CHECK(memcmp(hand.model.params.value, phase.model.params.value, hand.slab.n * sizeof(float)) == 0);
    clustering_close(&hand);
    clustering_close(&phase);
}

/* ---- Failures ---------------------------------------------------------------------------------------------------- */

static const dc_method_failure made_up = {"made up", "none"};
static struct {
    double loss[STEPS];
    size_t n;
} told;

static const dc_method_failure *failed(const dc_method_env *env, const dc_refresh *last, const double *loss, size_t n,
                                       int stride)
{
    (void)env, (void)last;
    told.n = n;
    for (size_t i = 0; i < n && i < STEPS; i++) told.loss[i] = loss[i * (size_t)stride];
    return &made_up;
}

/* The second step's loss has a name, and so a column. */
static void record_named(dc_graph *g, const dc_method_state *s, int step)
{
    const dc_method_env *env = *(const dc_method_env *const *)s;
    const dc_net *net = &env->slab->net;
    if (step == 0) {
        record(g, s, step);
        return;
    }
    const dc_val z = dc_layers(g, net, 0, net->n_encoder, true, dc_batch(g, net->D));
    dc_minimize(g, "length", 1, dc_dot(g, z, z));
}

/* Losses of all intervals, the last one among them. Here an interval is an epoch and nothing is learnt, so a loss is
 * its mean over all rows, however many a batch has. */
static void test_failed(dc_comm *comm)
{
    clustering_setup s;
    dc_cluster_result result;
    dc_history h = {0};
    double length = 0;
    dc_method named = toy;
    named.record = record_named, named.turn = NULL, named.failed = failed;
    clustering_open(comm, &named, true, 0, 12, &s);
    const dc_cluster_config cfg = {.method = &named,
                                   .env = s.env,
                                   .batch = BATCH,
                                   .update_interval = 2,
                                   .max_iter = STEPS,
                                   .opt = {.kind = DC_OPT_SGD, .lr = 1e-30}};
    CHECK_OK(dc_train_cluster(comm, &s.model, &cfg, &h, &result));
    CHECK_TEXT(h.column[h.n_columns - 1], "length");
    CHECK(h.n > 2);
    CHECK_INT(told.n, h.n - 1);
    for (size_t i = 0; i < told.n; i++)
        CHECK(told.loss[i] > 0 && told.loss[i] == h.value[(i + 2) * (size_t)h.n_columns - 1]);
    for (int64_t i = 0; i < dc_part_rows(s.env.part) * L; i++) length += pow((double)result.Z[i], 2) / N;
    dc_comm_sum_f64(comm, &length, 1);
    for (size_t i = 0; i < told.n; i++) CHECK_NEAR(told.loss[i], length, 1e-5 * length);
    CHECK(result.failure == &made_up);
    dc_cluster_result_release(&result);
    dc_history_release(&h);
    clustering_close(&s);
}

/* ---- Refit ------------------------------------------------------------------------------------------------------- */

static int refits, refreshes;
static int64_t strange; /* labels that are not those of the centres at a refresh */

static dc_status refit(dc_comm *comm, dc_method_state *s, const dc_inferred *rows)
{
    const dc_method_env *env = *(const dc_method_env *const *)s;
    float *centers = env->value + dc_slab_find(env->slab, "centers")->at;
    (void)comm, (void)rows;
    refits++;
    for (int i = 0; i < K * L; i++) centers[i] = 0.2f * (float)((i + refits) * i % 5) - 0.4f;
    return DC_OK;
}

static dc_status refresh(dc_comm *comm, dc_method_state *s, const dc_inferred *rows, dc_refresh *out)
{
    const dc_method_env *env = *(const dc_method_env *const *)s;
    int32_t label[N];
    (void)comm, (void)out;
    dc_nearest(rows->Z, env->value + dc_slab_find(env->slab, "centers")->at, dc_part_rows(env->part), K, L, label);
    for (int64_t i = 0; i < dc_part_rows(env->part); i++) strange += label[i] != rows->label[i];
    refreshes++;
    return DC_OK;
}

/* At each refresh but the first, and in time. */
static void test_refit(dc_comm *comm)
{
    clustering_setup s;
    dc_cluster_result result;
    dc_history h = {0};
    dc_method moves = toy;
    moves.refit = refit;
    clustering_open(comm, &moves, true, 0, 12, &s);
    moves.refresh = refresh;
    const dc_cluster_config cfg = {
        .method = &moves, .env = s.env, .batch = BATCH, .update_interval = 2, .max_iter = STEPS, .opt = adam};
    CHECK_OK(dc_train_cluster(comm, &s.model, &cfg, &h, &result));
    CHECK(h.n > 2);
    CHECK_INT(refreshes, h.n);
    CHECK_INT(refits, h.n - 1);
    CHECK_INT(strange, 0);
    dc_cluster_result_release(&result);
    dc_history_release(&h);
    clustering_close(&s);
}

/* Its layers have names, places and weights of their own. */
static void test_net(dc_comm *comm)
{
    clustering_setup s;
    dc_slab_array a, b;
    clustering_open(comm, &toy, true, 0, 12, &s);
    const dc_net *critic = dc_slab_net(&s.slab, "critic");
    const float *value = s.model.params.value;
    CHECK(critic != NULL && dc_slab_net(&s.slab, "crit") == NULL && dc_slab_net_at(&s.slab, 2) == NULL);
    CHECK(dc_slab_at(&s.slab, 8, &a) && dc_slab_at(&s.slab, 9, &b));
    CHECK_TEXT(a.name, "critic_0/weight");
    CHECK(a.at == s.slab.net.n_params && a.dim[0] == L && a.dim[1] == 9 && b.at == a.at + 9 * L && b.n_dims == 1);
    CHECK(dc_slab_at(&s.slab, 12, &a) && !dc_slab_at(&s.slab, 13, &b));
    CHECK_TEXT(a.name, "centers");
    CHECK_INT(a.at + K * L, s.slab.n);
    CHECK(value[critic->layer[0].weight] != 0 && value[critic->layer[0].weight] != value[s.slab.net.layer[0].weight]);
    CHECK_INT(s.model.params.n_biases, 6);
    clustering_close(&s);
    dc_slab wrong = {0};
    dc_slab_add_net(&wrong, "critic", L, "dense 9 tanh, dents 784");
    CHECK_INT(wrong.st, DC_ERR_USAGE);
    CHECK_TEXT_HAS(dc_error_text(), "network critic: ");
    CHECK_TEXT_HAS(dc_error_text(), "column 15");
    dc_error_clear();
}

/* Array i of the checkpoint is i + 1 everywhere. */
static dc_status load(void *ctx, int index, size_t first, size_t n, void *out)
{
    (void)ctx, (void)first;
    for (size_t i = 0; i < n; i++) ((float *)out)[i] = (float)(index + 1);
    return DC_OK;
}

/* Moments of both steps come back, each to its own. */
static void test_moments(dc_comm *comm)
{
    static const char *const names[] = {"moment1", "moment2", "step1/moment1"};
    clustering_setup s;
    dc_state *state;
    dc_params own;
    dc_state_array waiting[DC_COUNT_OF(names)];
    clustering_open(comm, &toy, true, 1000, 12, &s);
    for (size_t i = 0; i < DC_COUNT_OF(names); i++) {
        waiting[i] = (dc_state_array){.type = DC_STATE_F32, .n = s.slab.n};
        snprintf(waiting[i].name, sizeof waiting[i].name, "%s", names[i]);
    }
    CHECK_OK(dc_state_create(comm, &state, &(dc_state_config){.load = load}, waiting, (int)DC_COUNT_OF(names)));
    clustering_drop_steps(&s);
    s.model.state = state;
    CHECK_OK(dc_params_share(&own, &s.model.params));
    const dc_row_source data = dc_model_rows(&s.model);
    const dc_opt_config *const opt[] = {&adam, &sgd};
    for (int i = 0; i < 2; i++) {
        dc_step_config cfg = dc_model_step(&s.model, s.graph[i], &data, BATCH, DC_T_CLUSTER_GATHER);
        if (i == 1) cfg.params = &own;
        CHECK_OK(dc_step_create(&s.step[i], &cfg));
        CHECK_OK(dc_step_keep_moments(comm, s.step[i], i, opt[i]));
    }
    float greatest[] = {0, 0, 0};
    for (size_t i = 0; i < s.slab.n; i++) {
        greatest[0] = fmaxf(greatest[0], s.model.params.m1[i]);
        greatest[1] = fmaxf(greatest[1], s.model.params.m2[i]);
        greatest[2] = fmaxf(greatest[2], own.m1[i]);
    }
    for (int i = 0; i < 3; i++) CHECK(greatest[i] == (float)(i + 1));
    clustering_drop_steps(&s);
    dc_params_release(&own);
    s.model.state = NULL;
    dc_state_destroy(&state);
    clustering_close(&s);
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    dc_log_set_active(false);
    make_toy();
    test_loop(comm, 1000);
    test_loop(comm, 0);
    test_moments(comm);
    test_failed(comm);
    test_refit(comm);
    test_net(comm);
    return check_done_all(&comm);
}
