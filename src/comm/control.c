/* Wishes, their agreement, and the register of state. What a checkpoint looks like on disk is the business of the
 * `save` function of the configuration; this file knows neither files nor HDF5. */
#include "dcmpi/control.h"

#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "dcmpi/clock.h"
#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/signals.h"
#include "dcmpi/watchdog.h"

/* A wish to save counts less than one wish to stop, however many ranks have it (DC_MAX_SHARDS is the most there are);
 * both are exact in floats, in which they may travel. */
static const double WISH_STOP = 1, WISH_SAVE = 0x1p-21;

enum { REASON_CHARS = 64 };

/* Before the end of its time a run wants what a save took last, twice, and this long, but no more than this share. */
static const double MARGIN_S = 60, MARGIN_SHARE = 0.25;
/* The first wait after a failed save; it doubles up to save_every_s. */
static const double RETRY_S = 60;

typedef struct {
    dc_state_array array;
    bool has_shares;
    dc_state_shares shares;
    size_t *rows; /* of an array that grows, else NULL: its n and data are not in `array`, but these */
    size_t width;
    void *const *data;
} kept;

struct dc_control {
    dc_control_config cfg;
    bool root;
    kept kept[DC_STATE_ARRAYS_MAX];
    int n_kept;
    dc_state_array waiting[DC_STATE_ARRAYS_MAX];
    int n_waiting;
    bool continues;
    const char *phase;
    int64_t step;
    bool ends_phase;
    bool heard_stop, heard_save;
    int saves_done;                         /* of dc_signals_saves() */
    double next_save_s, next_look_s;        /* rank 0 */
    double created_s, save_took_s, retry_s; /* rank 0 */
    char reason[REASON_CHARS];              /* why to stop; empty: this rank knows of no reason */
    double reason_s;
    bool reason_agreed;
};

static const size_t type_bytes[] = {[DC_STATE_F32] = 4, [DC_STATE_F64] = 8, [DC_STATE_I64] = 8};

size_t dc_state_type_bytes(dc_state_type type)
{
    return type_bytes[type];
}

/* ---- Life -------------------------------------------------------------------------------------------------------- */

dc_status dc_control_create(dc_comm *comm, dc_control **out, const dc_control_config *cfg,
                            const dc_state_array *waiting, int n)
{
    dc_status st = DC_OK;
    dc_control *c = NULL;
    *out = NULL;
    DC_ASSERT(n <= DC_STATE_ARRAYS_MAX);
    DC_TRY_ALL(comm, dc_mem_alloc(&c, 1, sizeof *c, "control"));
    c->cfg = *cfg;
    c->root = dc_comm_rank(comm) == 0;
    c->phase = "";
    if (n) memcpy(c->waiting, waiting, (size_t)n * sizeof *waiting);
    c->n_waiting = n;
    c->continues = n > 0;
    c->created_s = dc_clock_now_s();
    c->next_save_s = c->created_s + cfg->save_every_s;
    c->saves_done = dc_signals_saves();
    *out = c;
out:
    return st;
}

void dc_control_destroy(dc_control **control)
{
    dc_control *c = *control;
    if (!c) return;
    for (int i = 0; i < c->n_waiting; i++) dc_mem_free(&c->waiting[i].data);
    dc_mem_free(control);
}

/* ---- State ------------------------------------------------------------------------------------------------------- */

static dc_state_array *find_waiting(dc_control *c, const char *name)
{
    for (int i = 0; c && i < c->n_waiting; i++)
        if (strcmp(c->waiting[i].name, name) == 0) return &c->waiting[i];
    return NULL;
}

const dc_state_array *dc_control_waiting(const dc_control *c, const char *name)
{
    return find_waiting((dc_control *)(uintptr_t)c, name);
}

bool dc_control_continues(const dc_control *c)
{
    return c && c->continues;
}

/* The array as it is now. */
static dc_state_array array_now(const kept *k)
{
    dc_state_array now = k->array;
    if (!k->rows) return now;
    now.n = *k->rows * k->width;
    now.data = *k->data;
    return now;
}

/* Gives the kept array the values that wait for it, once. */
static dc_status restore(dc_control *c, kept *k, bool *restored)
{
    dc_state_array *from = find_waiting(c, k->array.name);
    if (!from) return DC_OK;
    if (k->rows && from->n % k->width == 0) *k->rows = from->n / k->width;
    const dc_state_array array = array_now(k);
    if (from->type != array.type || from->n != array.n)
        return DC_FAIL(DC_ERR_FORMAT, "the checkpoint has %zu values of '%s', this run %zu: it belongs to another run",
                       from->n, array.name, array.n);
    if (k->has_shares)
        k->shares.take(k->shares.ctx, from->data, array.data);
    else if (array.n)
        memcpy(array.data, from->data, array.n * type_bytes[array.type]);
    dc_mem_free(&from->data);
    *from = c->waiting[--c->n_waiting];
    if (restored) *restored = true;
    return DC_OK;
}

static dc_status keep(dc_control *c, const kept *k, bool *restored)
{
    if (restored) *restored = false;
    if (!c) return DC_OK;
    DC_ASSERT(c->n_kept < DC_STATE_ARRAYS_MAX);
    c->kept[c->n_kept] = *k;
    return restore(c, &c->kept[c->n_kept++], restored);
}

static kept make_kept(const char *name, dc_state_type type, size_t n, void *data)
{
    kept k = {.array = {.type = type, .n = n, .data = data}};
    DC_ASSERT(strlen(name) < sizeof k.array.name);
    snprintf(k.array.name, sizeof k.array.name, "%s", name);
    return k;
}

dc_status dc_control_keep(dc_control *c, const char *name, dc_state_type type, size_t n, void *data, bool *restored)
{
    const kept k = make_kept(name, type, n, data);
    return keep(c, &k, restored);
}

dc_status dc_control_keep_shares(dc_control *c, const char *name, size_t n, float *data, const dc_state_shares *shares)
{
    kept k = make_kept(name, DC_STATE_F32, n, data);
    k.has_shares = true;
    k.shares = *shares;
    return keep(c, &k, NULL);
}

dc_status dc_control_keep_rows(dc_control *c, const char *name, dc_state_type type, size_t width, size_t *rows,
                               void *const *data, size_t capacity)
{
    kept k = make_kept(name, type, 0, NULL);
    const dc_state_array *from = dc_control_waiting(c, name);
    DC_ASSERT(!from || from->n / width <= capacity);
    k.rows = rows;
    k.width = width;
    k.data = data;
    return keep(c, &k, NULL);
}

void dc_control_drop(dc_control *c, const void *data)
{
    int left = 0;
    for (int i = 0; c && i < c->n_kept; i++)
        if (c->kept[i].rows ? c->kept[i].rows != data : c->kept[i].array.data != data) c->kept[left++] = c->kept[i];
    if (c) c->n_kept = left;
}

/* ---- Wishes ------------------------------------------------------------------------------------------------------ */

void dc_control_at(dc_control *c, const char *phase, int64_t step)
{
    dc_watchdog_note(phase, step);
    if (!c) return;
    c->phase = phase;
    c->step = step;
}
const char *dc_control_phase(const dc_control *c)
{
    return c ? c->phase : "";
}
int64_t dc_control_step(const dc_control *c)
{
    return c ? c->step : 0;
}

static void want_stop(dc_control *c, const char *reason, double since_s)
{
    if (c->reason[0]) return;
    snprintf(c->reason, sizeof c->reason, "%s", reason);
    c->reason_s = since_s;
}

static bool time_is_up(const dc_control *c, double now)
{
    if (c->cfg.stop_at_s == 0) return false;
    const double whole = c->cfg.stop_at_s - c->created_s, margin = MARGIN_S + 2 * c->save_took_s;
    return now > c->cfg.stop_at_s - DC_MIN(margin, MARGIN_SHARE * whole);
}

/* What only rank 0 looks at, about once a second: file system calls in every step would cost more than they tell. */
static void look_around(dc_control *c, double now)
{
    if (now < c->next_look_s) return;
    c->next_look_s = now + 1;
    if (c->cfg.stop_file && access(c->cfg.stop_file, F_OK) == 0) {
        unlink(c->cfg.stop_file);
        want_stop(c, "the file STOP", now);
    }
    if (time_is_up(c, now)) want_stop(c, "run.max_time", now);
    if (c->cfg.beat && c->cfg.beat(c->cfg.ctx) != DC_OK) {
        dc_error_clear(); /* saving will meet it again, and tell */
        want_stop(c, "another run", now);
    }
}

double dc_control_ask(dc_control *c)
{
    if (!c) return 0;
    if (dc_signals_stops() > 0) want_stop(c, dc_signals_stop_name(), dc_signals_stop_time());
    bool save = dc_signals_saves() > c->saves_done;
    if (c->root) {
        const double now = dc_clock_now_s();
        look_around(c, now);
        save |= (c->cfg.save_every_s > 0 || c->retry_s > 0) && now >= c->next_save_s;
    }
    return c->reason[0] ? WISH_STOP : save ? WISH_SAVE : 0;
}

void dc_control_hear(dc_control *c, double sum)
{
    if (!c) return;
    c->heard_stop = sum >= WISH_STOP;
    c->heard_save = sum > 0;
}

/* The reason of the lowest rank that has one goes to all ranks, once. */
static void agree_on_reason(dc_comm *comm, dc_control *c)
{
    struct {
        char reason[REASON_CHARS];
        double ago_s; /* clocks of nodes differ, so not when */
    } shared = {.ago_s = dc_clock_now_s() - c->reason_s};
    const int rank = dc_comm_rank(comm), size = dc_comm_size(comm);
    if (c->reason_agreed) return;
    double from_end = c->reason[0] ? size - rank : 0;
    dc_comm_max_f64(comm, &from_end, 1);
    const int root = size - (int)from_end;
    DC_ASSERT(root < size);
    if (rank == root) {
        const int n = snprintf(shared.reason, sizeof shared.reason, "%s", c->reason);
        if (root) snprintf(shared.reason + n, sizeof shared.reason - (size_t)n, " to rank %d", root);
    }
    dc_comm_bcast(comm, &shared, sizeof shared, root);
    snprintf(c->reason, sizeof c->reason, "%s", shared.reason);
    c->reason_s = dc_clock_now_s() - shared.ago_s;
    c->reason_agreed = true;
}

/* ---- Saving ------------------------------------------------------------------------------------------------------ */

/* Whole arrays on rank 0, in the order of the register: shares are gathered into memory of their own. */
static dc_status collect(dc_comm *comm, dc_control *c, dc_state_array *whole)
{
    dc_status st = DC_OK;
    for (int i = 0; i < c->n_kept; i++) {
        const kept *k = &c->kept[i];
        whole[i] = array_now(k);
        if (!k->has_shares) continue;
        whole[i].data = NULL;
        DC_TRY_ALL(comm, c->root ? dc_mem_alloc_raw(&whole[i].data, k->array.n, type_bytes[k->array.type], "checkpoint")
                                 : DC_OK);
        k->shares.gather(comm, k->shares.ctx, k->array.data, whole[i].data);
    }
out:
    return st;
}

/* Of what must be the same on all ranks. */
static uint64_t hash_kept(const dc_control *c)
{
    uint64_t hash = 0;
    for (int i = 0; i < c->n_kept; i++) {
        const dc_state_array a = array_now(&c->kept[i]);
        if (!c->kept[i].has_shares) hash = XXH3_64bits_withSeed(a.data, a.n * type_bytes[a.type], hash);
    }
    return hash;
}

static void release_collected(const dc_control *c, dc_state_array *whole)
{
    for (int i = 0; i < c->n_kept; i++)
        if (c->kept[i].has_shares) dc_mem_free(&whole[i].data);
}

/* The clock after a save that went well or did not. */
static void plan_next(dc_control *c, double start, bool ok)
{
    const double now = dc_clock_now_s(), every = c->cfg.save_every_s > 0 ? c->cfg.save_every_s : RETRY_S;
    c->retry_s = ok ? 0 : DC_MIN(c->retry_s > 0 ? 2 * c->retry_s : RETRY_S, every);
    c->next_save_s = now + (ok ? every : c->retry_s);
    if (ok) c->save_took_s = now - start;
}

/* Saves; *saved, equal on all ranks. Only rank 0 has the text of what went wrong. Its own values may be the odd ones,
 * and all ranks would continue with them: what is not the same everywhere is no checkpoint. */
static dc_status save(dc_comm *comm, dc_control *c, bool *saved)
{
    dc_status st = DC_OK;
    dc_state_array whole[DC_STATE_ARRAYS_MAX] = {0};
    const double start = dc_clock_now_s();
    c->saves_done = dc_signals_saves();
    DC_TRY(dc_agree_hash(comm, hash_kept(c), "values to save"));
    DC_TRY(collect(comm, c, whole));
    *saved = !c->root || c->cfg.save(c->cfg.ctx, c, whole, c->n_kept) == DC_OK;
    dc_comm_bcast(comm, saved, sizeof *saved, 0);
    plan_next(c, start, *saved);
out:
    release_collected(c, whole);
    return st;
}

static void warn_not_saved(const dc_control *c)
{
    if (c->root)
        dc_log_warning("no checkpoint: %s; the one before stays valid, next try in %.0f s", dc_error_text(),
                       c->retry_s);
    dc_error_clear();
}

static dc_status save_and_go_on(dc_comm *comm, dc_control *c)
{
    bool saved;
    const dc_status st = save(comm, c, &saved);
    if (st == DC_OK && !saved) warn_not_saved(c);
    return st;
}

static dc_status save_and_stop(dc_comm *comm, dc_control *c)
{
    bool saved;
    agree_on_reason(comm, c);
    const dc_status st = save(comm, c, &saved);
    if (st != DC_OK) return st;
    if (saved) return DC_STOPPED;
    char cause[DC_ERROR_TEXT_MAX];
    snprintf(cause, sizeof cause, "%.1900s", dc_error_text());
    dc_error_clear();
    return dc_agree(comm,
                    c->root ? DC_FAIL(DC_ERR_IO, "stopped by %s without a checkpoint: %s", c->reason, cause) : DC_OK);
}

static dc_status save_as_heard(dc_comm *comm, dc_control *c)
{
    const bool stop = c->heard_stop;
    c->heard_save = c->heard_stop = false;
    return stop ? save_and_stop(comm, c) : save_and_go_on(comm, c);
}

bool dc_control_ends_phase(const dc_control *c)
{
    return c->ends_phase;
}

dc_status dc_control_end_phase(dc_comm *comm, dc_control *c)
{
    if (!c) return DC_OK;
    c->ends_phase = true;
    const dc_status st = save_as_heard(comm, c);
    c->ends_phase = false;
    return st;
}

dc_status dc_control_act(dc_comm *comm, dc_control *c)
{
    return c && c->heard_save ? save_as_heard(comm, c) : DC_OK;
}

static void agree_on_wishes(dc_comm *comm, dc_control *c)
{
    double sum = dc_control_ask(c);
    dc_comm_sum_f64(comm, &sum, 1);
    dc_control_hear(c, sum);
}

dc_status dc_control_poll(dc_comm *comm, dc_control *c)
{
    if (!c) return DC_OK;
    agree_on_wishes(comm, c);
    return dc_control_act(comm, c);
}

dc_status dc_control_poll_stop(dc_comm *comm, dc_control *c)
{
    if (!c) return DC_OK;
    agree_on_wishes(comm, c);
    c->heard_save = false;
    if (!c->heard_stop) return DC_OK;
    agree_on_reason(comm, c);
    return DC_STOPPED;
}

const char *dc_control_stop_reason(const dc_control *c)
{
    return c ? c->reason : "";
}

double dc_control_stop_latency(const dc_control *c)
{
    return c && c->reason[0] ? dc_clock_now_s() - c->reason_s : 0;
}
