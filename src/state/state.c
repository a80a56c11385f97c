/* The register of state. What a checkpoint looks like on disk is the business of the `save` function of the
 * configuration; this file knows neither files nor HDF5. */
#include "dcmpi/state.h"

#include <string.h>
#include <xxhash.h>

#include "dcmpi/beat.h"
#include "dcmpi/clock.h"
#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/wish.h"

typedef struct {
    dc_state_array array;
    bool has_shares;
    dc_state_shares shares;
    size_t *rows; /* of an array that grows, else NULL: then its n and data are these, not those in `array` */
    size_t width;
    void *const *data;
} kept;

struct dc_state {
    dc_state_config cfg;
    bool root;
    kept kept[DC_STATE_ARRAYS_MAX];
    int n_kept;
    dc_state_array waiting[DC_STATE_ARRAYS_MAX];
    int n_waiting;
    bool continues;
    const char *phase;
    int64_t step;
    bool ends_phase;
    dc_wish *wish;  /* borrowed */
    double retry_s; /* until a failed save is tried again */
};

static const size_t type_bytes[] = {[DC_STATE_F32] = 4, [DC_STATE_F64] = 8, [DC_STATE_I64] = 8};

size_t dc_state_type_bytes(dc_state_type type)
{
    return type_bytes[type];
}

/* ---- Life -------------------------------------------------------------------------------------------------------- */

dc_status dc_state_create(dc_comm *comm, dc_state **out, const dc_state_config *cfg, const dc_state_array *waiting,
                          int n)
{
    dc_status st = DC_OK;
    dc_state *s = NULL;
    *out = NULL;
    DC_ASSERT(n <= DC_STATE_ARRAYS_MAX);
    DC_TRY_ALL(comm, dc_mem_alloc(&s, 1, sizeof *s, "register of state"));
    s->cfg = *cfg;
    s->root = dc_comm_rank(comm) == 0;
    s->phase = "";
    if (n) memcpy(s->waiting, waiting, (size_t)n * sizeof *waiting);
    s->n_waiting = n;
    s->continues = n > 0;
    s->wish = dc_comm_wish(comm);
    *out = s;
out:
    return st;
}

void dc_state_destroy(dc_state **state)
{
    dc_state *s = *state;
    if (!s) return;
    for (int i = 0; i < s->n_waiting; i++) dc_mem_free(&s->waiting[i].data);
    dc_mem_free(state);
}

/* ---- State ------------------------------------------------------------------------------------------------------- */

static dc_state_array *find_waiting(dc_state *s, const char *name)
{
    for (int i = 0; s && i < s->n_waiting; i++)
        if (strcmp(s->waiting[i].name, name) == 0) return &s->waiting[i];
    return NULL;
}

const dc_state_array *dc_state_waiting(const dc_state *s, const char *name)
{
    return find_waiting((dc_state *)(uintptr_t)s, name);
}

bool dc_state_continues(const dc_state *s)
{
    return s && s->continues;
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
static dc_status restore(dc_state *s, kept *k, bool *restored)
{
    dc_state_array *from = find_waiting(s, k->array.name);
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
    *from = s->waiting[--s->n_waiting];
    if (restored) *restored = true;
    return DC_OK;
}

static dc_status keep(dc_state *s, const kept *k, bool *restored)
{
    if (restored) *restored = false;
    if (!s) return DC_OK;
    DC_ASSERT(s->n_kept < DC_STATE_ARRAYS_MAX);
    s->kept[s->n_kept] = *k;
    return restore(s, &s->kept[s->n_kept++], restored);
}

static kept make_kept(const char *name, dc_state_type type, size_t n, void *data)
{
    kept k = {.array = {.type = type, .n = n, .data = data}};
    DC_ASSERT(strlen(name) < sizeof k.array.name);
    snprintf(k.array.name, sizeof k.array.name, "%s", name);
    return k;
}

dc_status dc_state_keep(dc_state *s, const char *name, dc_state_type type, size_t n, void *data, bool *restored)
{
    const kept k = make_kept(name, type, n, data);
    return keep(s, &k, restored);
}

dc_status dc_state_keep_shares(dc_state *s, const char *name, size_t n, float *data, const dc_state_shares *shares)
{
    kept k = make_kept(name, DC_STATE_F32, n, data);
    k.has_shares = true;
    k.shares = *shares;
    return keep(s, &k, NULL);
}

dc_status dc_state_keep_rows(dc_state *s, const char *name, dc_state_type type, size_t width, size_t *rows,
                             void *const *data, size_t capacity)
{
    kept k = make_kept(name, type, 0, NULL);
    const dc_state_array *from = dc_state_waiting(s, name);
    DC_ASSERT(!from || from->n / width <= capacity);
    k.rows = rows;
    k.width = width;
    k.data = data;
    return keep(s, &k, NULL);
}

void dc_state_drop(dc_state *s, const void *data)
{
    int left = 0;
    for (int i = 0; s && i < s->n_kept; i++)
        if (s->kept[i].rows ? s->kept[i].rows != data : s->kept[i].array.data != data) s->kept[left++] = s->kept[i];
    if (s) s->n_kept = left;
}

/* ---- Place ------------------------------------------------------------------------------------------------------ */

void dc_state_at(dc_state *s, const char *phase, int64_t step)
{
    dc_beat_at(phase, step);
    if (!s) return;
    s->phase = phase;
    s->step = step;
}
const char *dc_state_phase(const dc_state *s)
{
    return s ? s->phase : "";
}
int64_t dc_state_step(const dc_state *s)
{
    return s ? s->step : 0;
}

/* ---- Saving ------------------------------------------------------------------------------------------------------ */

/* Whole arrays on rank 0, in the order of the register: shares are gathered into memory of their own. */
static dc_status collect(dc_comm *comm, dc_state *s, dc_state_array *whole)
{
    dc_status st = DC_OK;
    for (int i = 0; i < s->n_kept; i++) {
        const kept *k = &s->kept[i];
        whole[i] = array_now(k);
        if (!k->has_shares) continue;
        whole[i].data = NULL;
        DC_TRY_ALL(comm, s->root ? dc_mem_alloc_raw(&whole[i].data, k->array.n, type_bytes[k->array.type], "checkpoint")
                                 : DC_OK);
        k->shares.gather(comm, k->shares.ctx, k->array.data, whole[i].data);
    }
out:
    return st;
}

/* Of what must be the same on all ranks. */
static uint64_t hash_kept(const dc_state *s)
{
    uint64_t hash = 0;
    for (int i = 0; i < s->n_kept; i++) {
        const dc_state_array a = array_now(&s->kept[i]);
        if (!s->kept[i].has_shares) hash = XXH3_64bits_withSeed(a.data, a.n * type_bytes[a.type], hash);
    }
    return hash;
}

static void release_collected(const dc_state *s, dc_state_array *whole)
{
    for (int i = 0; i < s->n_kept; i++)
        if (s->kept[i].has_shares) dc_mem_free(&whole[i].data);
}

/* Saves; *saved, equal on all ranks. Only rank 0 has the text of what went wrong. Values that differ between ranks are
 * not saved: those of rank 0, which go into the file, may be the wrong ones, and all ranks would continue with them. */
static dc_status save(dc_comm *comm, dc_state *s, bool *saved)
{
    dc_status st = DC_OK;
    dc_state_array whole[DC_STATE_ARRAYS_MAX] = {0};
    const double start = dc_clock_now_s();
    dc_wish_save_begins(s->wish);
    DC_TRY(dc_agree_hash(comm, hash_kept(s), "values to save"));
    DC_TRY(collect(comm, s, whole));
    *saved = !s->root || s->cfg.save(s->cfg.ctx, s, whole, s->n_kept) == DC_OK;
    dc_comm_bcast(comm, saved, sizeof *saved, 0);
    s->retry_s = dc_wish_save_ends(s->wish, start, *saved);
out:
    release_collected(s, whole);
    return st;
}

static void warn_not_saved(const dc_state *s)
{
    if (s->root)
        dc_log_warning("no checkpoint: %s; the one before stays valid, next try in %.0f s", dc_error_text(),
                       s->retry_s);
    dc_error_clear();
}

static dc_status save_and_go_on(dc_comm *comm, dc_state *s)
{
    bool saved;
    const dc_status st = save(comm, s, &saved);
    if (st == DC_OK && !saved) warn_not_saved(s);
    return st;
}

static dc_status save_and_stop(dc_comm *comm, dc_state *s)
{
    bool saved;
    dc_wish_agree_on_reason(comm, s->wish);
    const dc_status st = save(comm, s, &saved);
    if (st != DC_OK) return st;
    if (saved) return DC_STOPPED;
    char cause[DC_ERROR_TEXT_MAX];
    snprintf(cause, sizeof cause, "%.1900s", dc_error_text());
    dc_error_clear();
    return dc_agree(
        comm,
        s->root ? DC_FAIL(DC_ERR_IO, "stopped by %s without a checkpoint: %s", dc_wish_reason(s->wish), cause) : DC_OK);
}

bool dc_state_ends_phase(const dc_state *s)
{
    return s->ends_phase;
}

dc_status dc_state_end_phase(dc_comm *comm, dc_state *s)
{
    bool stop = false;
    if (!s) return DC_OK;
    (void)dc_wish_takes_save(s->wish, &stop);
    s->ends_phase = true;
    const dc_status st = stop ? save_and_stop(comm, s) : save_and_go_on(comm, s);
    s->ends_phase = false;
    return st;
}

dc_status dc_state_act(dc_comm *comm, dc_state *s)
{
    bool stop;
    if (!s || !dc_wish_takes_save(s->wish, &stop)) return DC_OK;
    return stop ? save_and_stop(comm, s) : save_and_go_on(comm, s);
}

dc_status dc_state_poll(dc_comm *comm, dc_state *s)
{
    if (!s) return DC_OK;
    dc_wish_poll(comm, s->wish);
    return dc_state_act(comm, s);
}

double dc_state_ask(dc_state *s)
{
    return s ? dc_wish_ask(s->wish) : 0;
}

void dc_state_hear(dc_state *s, double sum)
{
    if (s) dc_wish_hear(s->wish, sum);
}
