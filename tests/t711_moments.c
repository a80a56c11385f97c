/* Moments of the optimizer: each float is held by the ranks that update it alone, which is where it takes memory, and a
 * run whose moments were brought together and handed out again goes on with the same bits. Adam, all ways, methods with
 * and without decoder. ranks: 1 2 3 5 */
#include "check.h"

#include <sys/mman.h>
#include <unistd.h>

#include "dcmpi/log.h"
#include "t71_help.h"
#include "train/gradient.h"

enum { STEPS = 3, WIDTH = 270 };

typedef struct {
    trainer_setup base;
    float *all[2]; /* whole slabs of moments */
} setup;

static void open_setup(dc_comm *comm, const dc_method *method, bool strict, int64_t gather_rows, setup *s)
{
    const dc_opt_config adam = {.kind = DC_OPT_ADAM, .lr = 0.01, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-7};
    trainer_open(comm, method, strict, gather_rows, WIDTH, &adam, &s->base);
    for (int i = 0; i < 2; i++) {
        s->all[i] = NULL;
        CHECK_OK(dc_mem_alloc(&s->all[i], s->base.model.params.n, sizeof *s->all[i], "whole slab of moments"));
    }
}

static void close_setup(setup *s)
{
    for (int i = 0; i < 2; i++) dc_mem_free(&s->all[i]);
    trainer_close(&s->base);
}

/* First trained float of the slab. */
static size_t trained_lo(const setup *s)
{
    return s->base.cfg.method->flags & DC_METHOD_RECONSTRUCTS ? 0 : s->base.net.n_decoder;
}

/* A slab of numbers, handed out and collected. */
static void test_places(dc_comm *comm, setup *s)
{
    const dc_params *p = &s->base.model.params;
    const size_t lo = trained_lo(s);
    float *const root = dc_comm_rank(comm) == 0 ? s->all[1] : NULL;
    int64_t held = 0, wrong = 0;
    for (size_t i = 0; i < p->n; i++) s->all[0][i] = (float)(i + 1);
    dc_gradient_take_moments(s->base.trainer.gradient, s->all[0], p->m1);
    for (size_t i = lo; i < s->base.net.n_params; i++) held += p->m1[i] != 0;
    dc_comm_sum_i64(comm, &held, 1);
    CHECK_INT(held, (int64_t)(s->base.net.n_params - lo) * (s->base.model.strict ? 1 : dc_comm_size(comm)));
    dc_gradient_gather_moments(comm, s->base.trainer.gradient, p->m1, root);
    for (size_t i = lo; root && i < p->n; i++) wrong += root[i] != s->all[0][i];
    CHECK_INT(wrong, 0);
    dc_params_reset_moments(&s->base.model.params);
}

static void collect(dc_comm *comm, setup *s, int i, float *m)
{
    dc_gradient_gather_moments(comm, s->base.trainer.gradient, m, dc_comm_rank(comm) == 0 ? s->all[i] : NULL);
    dc_comm_bcast(comm, s->all[i], s->base.model.params.n * sizeof *s->all[i], 0);
}

/* Floats outside this rank's share that are not 0. */
static int64_t strays(setup *s, const float *m)
{
    const size_t n = s->base.model.params.n;
    int64_t found = 0;
    memset(s->all[1], 0, n * sizeof *s->all[1]);
    dc_gradient_take_moments(s->base.trainer.gradient, m, s->all[1]);
    for (size_t i = 0; i < n; i++) found += m[i] != s->all[1][i];
    return found;
}

static void take_steps(dc_comm *comm, setup *s, int64_t from, int64_t to)
{
    dc_step_loss loss;
    for (int64_t t = from; t < to; t++) dc_trainer_step(comm, &s->base.trainer, t, &loss);
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
    const dc_params *p = &s->base.model.params;
    const size_t share = s->base.model.strict ? (size_t)dc_comm_size(comm) : 1, page = (size_t)sysconf(_SC_PAGESIZE),
                 unit = (size_t)(DC_PANEL_ROWS * WIDTH) * sizeof *p->m1,
                 most = (s->base.net.n_params - trained_lo(s)) * sizeof *p->m1 / share + unit +
                        2 * page * (size_t)(s->base.net.n_layers + 1);
    CHECK(resident_bytes(p->m1, p->n) <= most);
    CHECK(resident_bytes(p->m2, p->n) <= most);
    if (s->base.model.strict) CHECK(resident_bytes(p->grad, p->n) <= most);
}

/* Interrupted: the moments leave and come back. */
static void test_unbroken(dc_comm *comm, setup *s, setup *broken)
{
    dc_params *p = &broken->base.model.params;
    take_steps(comm, s, 0, STEPS + 1);
    check_memory(comm, s);
    take_steps(comm, broken, 0, STEPS);
    CHECK_INT(strays(broken, p->m1), 0);
    CHECK_INT(strays(broken, p->m2), 0);
    collect(comm, broken, 0, p->m1);
    collect(comm, broken, 1, p->m2);
    dc_params_reset_moments(p);
    dc_gradient_take_moments(broken->base.trainer.gradient, broken->all[0], p->m1);
    dc_gradient_take_moments(broken->base.trainer.gradient, broken->all[1], p->m2);
    take_steps(comm, broken, STEPS, STEPS + 1);
    CHECK(memcmp(s->base.model.params.value, p->value, p->n * sizeof *p->value) == 0);
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
