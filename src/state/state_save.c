/* Decides when the registered arrays are saved, and sends them to rank 0. */
#include <xxhash.h>

#include "dcmpi/clock.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "state_priv.h"

/* ---- Values ------------------------------------------------------------------------------------------------------ */

/* Hash of the arrays that must be the same on all ranks. */
static uint64_t hash_kept(const dc_state *s)
{
    uint64_t hash = 0;
    for (int i = 0; i < s->n_kept; i++) {
        const dc_kept *k = &s->kept[i];
        const dc_state_array a = dc_kept_array(k);
        if (k->kind == DC_KEPT_SAME || k->kind == DC_KEPT_GROWS)
            hash = XXH3_64bits_withSeed(dc_kept_data(k), a.n * dc_state_type_bytes(a.type), hash);
    }
    return hash;
}

/* Returns values [first, first + n) on rank 0: a pointer into the array itself, or to `piece` if they were gathered.
 * Collective for arrays that are spread over the ranks. */
static const void *gather(dc_comm *comm, const dc_state *s, const dc_kept *k, size_t first, size_t n, void *piece)
{
    if (k->kind == DC_KEPT_SHARES) {
        k->shares.gather(comm, k->shares.ctx, k->data, first, n, piece);
        return piece;
    }
    if (k->kind == DC_KEPT_ROWS) {
        const size_t at = dc_kept_counts(k, s->rank, first, n, s->counts);
        dc_comm_gatherv(comm, (const char *)k->data + at, piece, s->counts, 0);
        return piece;
    }
    return (const char *)dc_kept_data(k) + first * dc_state_type_bytes(k->array.type);
}

static dc_status put(dc_comm *comm, const dc_state *s, const dc_kept *k, void *piece)
{
    dc_status st = DC_OK;
    const size_t size = dc_state_type_bytes(k->array.type), N = dc_kept_array(k).n, most = DC_STATE_PIECE_BYTES / size;
    for (size_t first = 0; first < N; first += most) {
        const size_t n = DC_MIN(most, N - first);
        const void *from = gather(comm, s, k, first, n, piece);
        if (s->rank == 0 && st == DC_OK) st = s->cfg.put(s->cfg.ctx, from, n * size);
    }
    return st;
}

/* Arrays that are spread over the ranks are gathered only while rank 0 can still write. If writing fails, the error
 * text stays on rank 0. Collective. */
static dc_status put_all(dc_comm *comm, const dc_state *s, dc_status st, void *piece)
{
    for (int i = 0; i < s->n_kept; i++) {
        const dc_kept *k = &s->kept[i];
        bool goes_on = st == DC_OK;
        if (k->kind == DC_KEPT_SHARES || k->kind == DC_KEPT_ROWS) dc_comm_bcast(comm, &goes_on, sizeof goes_on, 0);
        if (goes_on) st = put(comm, s, k, piece);
    }
    return st;
}

/* Sends everything to rank 0, piece by piece. Only rank 0 knows the result. Collective. */
static dc_status write_kept(dc_comm *comm, dc_state *s)
{
    dc_state_array array[DC_STATE_ARRAYS_MAX];
    void *piece = NULL;
    dc_status st = DC_OK;
    for (int i = 0; i < s->n_kept; i++) array[i] = dc_kept_array(&s->kept[i]);
    if (s->rank == 0) st = dc_mem_alloc_raw(&piece, DC_STATE_PIECE_BYTES, 1, "piece of a checkpoint");
    if (s->rank == 0 && st == DC_OK) st = s->cfg.begin(s->cfg.ctx, s, array, s->n_kept);
    const bool begun = s->rank == 0 && st == DC_OK;
    st = put_all(comm, s, st, piece);
    dc_mem_free(&piece);
    return begun ? s->cfg.end(s->cfg.ctx, s, st) : st;
}

/* Saves; *saved is the same on all ranks. Only rank 0 has the error text. Values that were made of rows that could not
 * be read (dc_error_late) are not saved, nor are values that differ between ranks: rank 0's values may be the wrong
 * ones, and all ranks would continue with them. */
static dc_status save(dc_comm *comm, dc_state *s, bool *saved)
{
    dc_status st = DC_OK;
    const double start = dc_clock_now_s();
    dc_wish_save_begins(s->wish);
    DC_TRY_ALL(comm, DC_OK);
    DC_TRY(dc_agree_hash(comm, hash_kept(s), "values to save"));
    *saved = write_kept(comm, s) == DC_OK;
    dc_comm_bcast(comm, saved, sizeof *saved, 0);
    s->retry_s = dc_wish_save_ends(s->wish, start, *saved);
out:
    return st;
}

/* ---- Wishes ------------------------------------------------------------------------------------------------------ */

static void warn_not_saved(const dc_state *s)
{
    if (s->rank == 0)
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
    dc_status st = dc_agree(comm, DC_OK); /* an error may be the reason (dc_error_late) */
    if (st != DC_OK) return st;
    dc_wish_agree_on_reason(comm, s->wish);
    st = save(comm, s, &saved);
    if (st != DC_OK) return st;
    if (saved) return DC_STOPPED;
    char cause[DC_ERROR_TEXT_MAX];
    snprintf(cause, sizeof cause, "%.1900s", dc_error_text());
    dc_error_clear();
    return dc_agree(comm, s->rank == 0 ? DC_FAIL(DC_ERR_IO, "stopped by %s without a checkpoint: %s",
                                                 dc_wish_reason(s->wish), cause)
                                       : DC_OK);
}

bool dc_state_ends_phase(const dc_state *s)
{
    return s->ends_phase;
}

void dc_state_in_part(dc_state *s, bool part)
{
    if (s) s->in_part = part;
}

dc_status dc_state_end_phase(dc_comm *comm, dc_state *s)
{
    bool stop = false;
    if (!s || s->in_part) return dc_state_poll(comm, s);
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
