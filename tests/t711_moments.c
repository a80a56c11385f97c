/* Moments of the optimizer: each float is held by the ranks that update it alone, which is where it takes memory, and a
 * run whose moments were brought together and handed out again goes on with the same bits. Adam, all ways, methods with
 * and without decoder. ranks: 1 2 3 5 */
#include "check.h"

#include <sys/mman.h>
#include <unistd.h>

#include "dcmpi/log.h"
#include "train/gradient.h"
#include "train/trainer.h"

enum { N = 97, K = 4, L = 3, STEPS = 3, WIDTH = 270 };

typedef struct {
    dc_dataset *data;
    dc_net net;
    dc_timers timers;
    dc_progress progress;
    dc_model model;
    dc_cluster_config cfg;
    dc_trainer trainer;
    float *Z, *all[2]; /* all: whole slabs of moments */
    int32_t *labels;
} setup;

static void open_setup(dc_comm *comm, const dc_method *method, bool strict, int64_t gather_rows, setup *s)
{
    memset(s, 0, sizeof *s);
    CHECK_OK(dc_dataset_load(comm, DC_BUILTIN_GLYPHS, N, 8, DC_SCALE_UNIT, 1, K, &s->data));
    const dc_part *part = &s->data->part;
    CHECK_OK(dc_net_init(&s->net, s->data->D, (int64_t[]){WIDTH}, 1, L, DC_ACT_TANH, DC_ACT_LINEAR, DC_ACT_LINEAR));
    CHECK_OK(dc_progress_open(&s->progress, NULL, 1e9));
    CHECK_OK(dc_model_create(&s->model, s->data, &s->net, DC_INIT_GLOROT, 3, &s->timers, &s->progress));
    s->model.strict = strict;
    s->model.gather_rows = gather_rows;
    s->cfg = (dc_cluster_config){
        .method = method,
        .env = {.part = part, .K = K, .L = L, .alpha = 1, .kmeans = {.K = K, .n_init = 1, .max_iter = 9, .seed = 1}},
        .batch = 64,
        .update_interval = 1,
        .max_iter = 1,
        .weight = 0.3,
        .recon_loss = DC_LOSS_MSE_SUM,
        .opt = {.kind = DC_OPT_ADAM, .lr = 0.01, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-7}};
    CHECK_OK(dc_model_grow(&s->model, method->n_extra(&s->cfg.env)));
    CHECK_OK(dc_trainer_create(&s->trainer, &s->model, &s->cfg));
    CHECK_OK(dc_mem_alloc(&s->Z, (size_t)(dc_part_rows(part) * L), sizeof *s->Z, "Z"));
    CHECK_OK(dc_mem_alloc(&s->labels, (size_t)dc_part_rows(part), sizeof *s->labels, "labels"));
    for (int i = 0; i < 2; i++)
        CHECK_OK(dc_mem_alloc(&s->all[i], s->model.params.n, sizeof *s->all[i], "whole slab of moments"));
    dc_refresh refresh;
    dc_embed(s->trainer.embedder, &s->model, s->Z);
    CHECK_OK(method->init(comm, &s->trainer.env, s->Z, dc_trainer_extra(&s->trainer), s->labels, &s->trainer.state));
    CHECK_OK(method->refresh(comm, s->trainer.state, s->Z, dc_trainer_extra(&s->trainer), s->labels, &refresh));
}

static void close_setup(setup *s)
{
    dc_trainer_release(&s->trainer);
    dc_model_release(&s->model);
    dc_progress_close(&s->progress);
    for (int i = 0; i < 2; i++) dc_mem_free(&s->all[i]);
    dc_mem_free(&s->Z);
    dc_mem_free(&s->labels);
    dc_dataset_destroy(&s->data);
}

/* First trained float of the slab. */
static size_t trained_lo(const setup *s)
{
    return s->cfg.method->flags & DC_METHOD_RECONSTRUCTS ? 0 : s->net.n_decoder;
}

/* A slab of numbers, handed out and collected. */
static void test_places(dc_comm *comm, setup *s)
{
    const dc_params *p = &s->model.params;
    const size_t lo = trained_lo(s);
    float *const root = dc_comm_rank(comm) == 0 ? s->all[1] : NULL;
    int64_t held = 0, wrong = 0;
    for (size_t i = 0; i < p->n; i++) s->all[0][i] = (float)(i + 1);
    dc_gradient_take_moments(s->trainer.gradient, s->all[0], p->m1);
    for (size_t i = lo; i < s->net.n_params; i++) held += p->m1[i] != 0;
    dc_comm_sum_i64(comm, &held, 1);
    CHECK_INT(held, (int64_t)(s->net.n_params - lo) * (s->model.strict ? 1 : dc_comm_size(comm)));
    dc_gradient_gather_moments(comm, s->trainer.gradient, p->m1, root);
    for (size_t i = lo; root && i < p->n; i++) wrong += root[i] != s->all[0][i];
    CHECK_INT(wrong, 0);
    dc_params_reset_moments(&s->model.params);
}

static void collect(dc_comm *comm, setup *s, int i, float *m)
{
    dc_gradient_gather_moments(comm, s->trainer.gradient, m, dc_comm_rank(comm) == 0 ? s->all[i] : NULL);
    dc_comm_bcast(comm, s->all[i], s->model.params.n * sizeof *s->all[i], 0);
}

/* Floats outside this rank's share that are not 0. */
static int64_t strays(setup *s, const float *m)
{
    const size_t n = s->model.params.n;
    int64_t found = 0;
    memset(s->all[1], 0, n * sizeof *s->all[1]);
    dc_gradient_take_moments(s->trainer.gradient, m, s->all[1]);
    for (size_t i = 0; i < n; i++) found += m[i] != s->all[1][i];
    return found;
}

static void take_steps(dc_comm *comm, setup *s, int64_t from, int64_t to)
{
    dc_step_loss loss;
    for (int64_t t = from; t < to; t++) dc_trainer_step(comm, &s->trainer, t, &loss);
}

/* Bytes of a slab that take memory. */
static size_t resident_bytes(const float *m, size_t n)
{
    static unsigned char state[1 << 12];
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)m / page * page,
                    end = (uintptr_t)(m + n);
    const size_t pages = (end - from + page - 1) / page;
    size_t resident = 0;
    CHECK(pages <= sizeof state && mincore((void *)from, end - from, state) == 0);
    for (size_t i = 0; i < pages; i++) resident += state[i] & 1 ? page : 0;
    return resident;
}

/* After some steps of a large network: a share of a slab is held, but for one unit and the ends of each layer. */
static void check_memory(dc_comm *comm, const setup *s)
{
    const dc_params *p = &s->model.params;
    const size_t share = s->model.strict ? (size_t)dc_comm_size(comm) : 1, page = (size_t)sysconf(_SC_PAGESIZE),
                 unit = (size_t)(DC_PANEL_ROWS * WIDTH) * sizeof *p->m1,
                 most = (s->net.n_params - trained_lo(s)) * sizeof *p->m1 / share + unit +
                        2 * page * (size_t)(s->net.n_layers + 1);
    CHECK(resident_bytes(p->m1, p->n) <= most);
    CHECK(resident_bytes(p->m2, p->n) <= most);
    if (s->model.strict) CHECK(resident_bytes(p->grad, p->n) <= most);
}

/* Interrupted: the moments leave and come back. */
static void test_unbroken(dc_comm *comm, setup *s, setup *broken)
{
    dc_params *p = &broken->model.params;
    take_steps(comm, s, 0, STEPS + 1);
    check_memory(comm, s);
    take_steps(comm, broken, 0, STEPS);
    CHECK_INT(strays(broken, p->m1), 0);
    CHECK_INT(strays(broken, p->m2), 0);
    collect(comm, broken, 0, p->m1);
    collect(comm, broken, 1, p->m2);
    dc_params_reset_moments(p);
    dc_gradient_take_moments(broken->trainer.gradient, broken->all[0], p->m1);
    dc_gradient_take_moments(broken->trainer.gradient, broken->all[1], p->m2);
    take_steps(comm, broken, STEPS, STEPS + 1);
    CHECK(memcmp(s->model.params.value, p->value, p->n * sizeof *p->value) == 0);
}

static void test_method(dc_comm *comm, const dc_method *method, bool strict, int64_t gather_rows)
{
    setup s, broken;
    open_setup(comm, method, strict, gather_rows, &s);
    open_setup(comm, method, strict, gather_rows, &broken);
    test_places(comm, &s);
    test_unbroken(comm, &s, &broken);
    close_setup(&s);
    close_setup(&broken);
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    dc_log_set_active(false);
    const dc_method *m;
    for (int i = 0; (m = dc_method_at(i)) != NULL; i++)
        if (m->flags & DC_METHOD_TRAINS)
            for (int way = 0; way < 3; way++) test_method(comm, m, way > 0, way == 1 ? 64 : 0);
    return check_done_all(&comm);
}
