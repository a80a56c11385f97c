/* Moments of the optimizer: only the ranks that update a float hold its moments, and only there they take memory. A run
 * whose moments were collected for a checkpoint and handed out again to a new step goes on with the same bits. Adam,
 * all ways, methods with and without decoder. ranks: 1 3  ranks_long: 2 5 */
#include "check.h"

#include <sys/mman.h>
#include <unistd.h>

#include "dcmpi/log.h"
#include "dcmpi/wish.h"
#include "ref/one_step.h"
#include "step/exec.h"
#include "t71_help.h"

enum { STEPS = 3, WIDTH = 270 };
static const dc_opt_config adam = {.kind = DC_OPT_ADAM, .lr = 0.01, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-7};
static const char *const names[] = {"moment1", "moment2"};

typedef struct {
    clustering_setup base;
    float *all[2]; /* whole slabs of moments, equal on all ranks */
    size_t saved;  /* floats of them that a checkpoint has got so far */
} setup;

static void open_setup(dc_comm *comm, const dc_method *method, bool strict, int64_t gather_rows, setup *s)
{
    clustering_open(comm, method, strict, gather_rows, WIDTH, &s->base);
    for (int i = 0; i < 2; i++) {
        s->all[i] = NULL;
        CHECK_OK(dc_mem_alloc(&s->all[i], s->base.model.params.n, sizeof *s->all[i], "whole slab of moments"));
    }
}

static void close_setup(setup *s)
{
    for (int i = 0; i < 2; i++) dc_mem_free(&s->all[i]);
    clustering_close(&s->base);
}

/* Of floats [0, n) of the slab. */
static size_t trained_floats(const setup *s, size_t n)
{
    size_t trained = 0;
    for (size_t i = 0; i < n; i++) trained += one_step_trains(s->base.step[0], i);
    return trained;
}

/* ---- Checkpoints ------------------------------------------------------------------------------------------------- */

/* Only the moments are saved: on rank 0 they go to s->all in their order, and are loaded from there. */
static dc_status begin(void *ctx, const dc_state *state, const dc_state_array *array, int n)
{
    setup *s = ctx;
    (void)state;
    CHECK_INT(n, 2);
    for (int k = 0; k < n; k++) CHECK(strcmp(array[k].name, names[k]) == 0 && array[k].n == s->base.model.params.n);
    s->saved = 0;
    return DC_OK;
}

static dc_status put(void *ctx, const void *data, size_t bytes)
{
    setup *s = ctx;
    const size_t n = s->base.model.params.n, k = s->saved / n;
    if (CHECK(k < 2)) memcpy(s->all[k] + s->saved % n, data, bytes);
    s->saved += bytes / sizeof(float);
    return DC_OK;
}

static dc_status end(void *ctx, const dc_state *state, dc_status so_far)
{
    const setup *s = ctx;
    (void)state;
    CHECK_INT(s->saved, 2 * s->base.model.params.n);
    return so_far;
}

static dc_status load(void *ctx, int index, size_t first, size_t n, void *out)
{
    const setup *s = ctx;
    memcpy(out, s->all[index] + first, n * sizeof(float));
    return DC_OK;
}

/* Makes new steps with the moments in s->all, or with fresh ones; the moments become part of *state. */
static dc_state *continue_from(dc_comm *comm, setup *s, bool moments)
{
    const size_t n = s->base.model.params.n;
    dc_state_array waiting[2] = {{.type = DC_STATE_F32, .n = n}, {.type = DC_STATE_F32, .n = n}};
    dc_state *state;
    for (int k = 0; k < 2; k++) snprintf(waiting[k].name, sizeof waiting[k].name, "%s", names[k]);
    const dc_state_config cfg = {.begin = begin, .put = put, .end = end, .load = load, .ctx = s};
    CHECK_OK(dc_state_create(comm, &state, &cfg, waiting, moments ? 2 : 0));
    clustering_drop_steps(&s->base);
    dc_params_reset(&s->base.model.params);
    s->base.model.state = state;
    clustering_make_steps(&s->base);
    CHECK_OK(dc_step_keep_moments(comm, s->base.step[0], 0, &adam));
    for (int k = 0; k < 2; k++) CHECK(dc_state_waiting(state, names[k]) == NULL);
    return state;
}

/* Moments on all ranks in s->all. */
static void collect(dc_comm *comm, setup *s, dc_state *state)
{
    CHECK_OK(dc_state_end_phase(comm, state));
    for (int k = 0; k < 2; k++) dc_comm_bcast(comm, s->all[k], s->base.model.params.n * sizeof *s->all[k], 0);
}

/* Ends the steps, and the state that their moments are part of. */
static void end_state(setup *s, dc_state **state)
{
    clustering_drop_steps(&s->base);
    s->base.model.state = NULL;
    dc_state_destroy(state);
}

/* ---- Tests ------------------------------------------------------------------------------------------------------- */

/* A slab of numbers, handed out and collected; what is not trained has none. */
static void test_places(dc_comm *comm, setup *s)
{
    const dc_params *p = &s->base.model.params;
    const size_t n_net = s->base.slab.net.n_params;
    int64_t held = 0, wrong = 0;
    for (size_t i = 0; i < p->n; i++) s->all[0][i] = s->all[1][i] = (float)(i + 1);
    dc_state *state = continue_from(comm, s, true);
    for (size_t i = 0; i < n_net; i++) held += p->m1[i] != 0;
    dc_comm_sum_i64(comm, &held, 1);
    CHECK_INT(held, (int64_t)trained_floats(s, n_net) * (s->base.model.strict ? 1 : dc_comm_size(comm)));
    CHECK_INT(trained_floats(s, n_net),
              s->base.method->flags & DC_METHOD_RECONSTRUCTS ? n_net : s->base.slab.net.n_encoder_params);
    for (size_t i = 0; i < p->n; i++) s->all[0][i] = s->all[1][i] = -1;
    collect(comm, s, state);
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < p->n; i++)
            wrong += s->all[k][i] != (one_step_trains(s->base.step[0], i) ? (float)(i + 1) : 0);
    CHECK_INT(wrong, 0);
    end_state(s, &state);
    dc_params_reset(&s->base.model.params);
}

static bool is_owned(const dc_step *step, size_t i)
{
    for (int item = 0; item < step->plan.n_products; item++) {
        size_t lo, hi;
        dc_outer_owned(step->outer, item, &lo, &hi);
        if (i >= lo && i < hi) return true;
    }
    return false;
}

/* Floats outside this rank's share and the centres that are not 0. */
static int64_t strays(const setup *s, const float *m)
{
    int64_t found = 0;
    for (size_t i = 0; i < s->base.slab.net.n_params; i++) found += m[i] != 0 && !is_owned(s->base.step[0], i);
    return found;
}

static void take_steps(dc_comm *comm, setup *s, int64_t from, int64_t to)
{
    double loss[DC_GRAPH_LOSSES];
    for (int64_t t = from; t < to; t++) {
        clustering_anneal(&s->base, t);
        for (int i = 0; i < s->base.method->n_steps; i++) {
            dc_step_run(comm, s->base.step[i], t, loss);
            dc_step_update(comm, s->base.step[i], &adam, t, 1);
        }
    }
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

/* After some steps of a large network, a rank holds at most its share of a slab plus a unit and the ends of each
 * layer. */
static void check_memory(dc_comm *comm, const setup *s)
{
    const dc_params *p = &s->base.model.params;
    const size_t share = s->base.model.strict ? (size_t)dc_comm_size(comm) : 1, page = (size_t)sysconf(_SC_PAGESIZE),
                 unit = (size_t)(DC_PANEL_ROWS * WIDTH) * sizeof *p->m1,
                 most = trained_floats(s, s->base.slab.net.n_params) * sizeof *p->m1 / share + unit +
                        2 * page * (size_t)(s->base.slab.net.n_layers + 1);
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
    dc_state *state = continue_from(comm, broken, false);
    take_steps(comm, broken, 0, STEPS);
    CHECK_INT(strays(broken, p->m1), 0);
    CHECK_INT(strays(broken, p->m2), 0);
    collect(comm, broken, state);
    end_state(broken, &state);
    state = continue_from(comm, broken, true);
    CHECK_INT(strays(broken, p->m1), 0);
    CHECK_INT(strays(broken, p->m2), 0);
    take_steps(comm, broken, STEPS, STEPS + 1);
    CHECK(memcmp(s->base.model.params.value, p->value, p->n * sizeof *p->value) == 0);
    end_state(broken, &state);
}

static void test_method(dc_comm *comm, const dc_method *method, bool strict, int64_t gather_rows)
{
    setup s, broken;
    open_setup(comm, method, strict, gather_rows, &s);
    open_setup(comm, method, strict, gather_rows, &broken);
    test_places(comm, &broken);
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
    dc_wish *wish = NULL;
    CHECK_OK(dc_wish_create(comm, &wish, &(dc_wish_config){0}));
    dc_comm_set_wish(comm, wish);
    const dc_method *m;
    for (int i = 0; (m = dc_method_at(i)) != NULL; i++)
        if ((m->flags & DC_METHOD_TRAINS) && !m->turn) /* else further steps have moments, too: t716, t717 */
            for (int way = 0; way < 3; way++) test_method(comm, m, way > 0, way == 1 ? 64 : 0);
    dc_comm_set_wish(comm, NULL);
    dc_wish_destroy(&wish);
    return check_done_all(&comm);
}
