/* Wishes to stop or save, and how the ranks agree on them. */
#include "dcmpi/wish.h"

#include <string.h>
#include <unistd.h>

#include "comm_priv.h"
#include "dcmpi/clock.h"
#include "dcmpi/mem.h"
#include "dcmpi/signals.h"

/* Wishes to save, even from all ranks (at most DC_MAX_SHARDS), add up to less than one wish to stop. Both values may be
 * sent as floats, so both are exact as floats, too. */
static const double WISH_STOP = 1, WISH_SAVE = 0x1p-21;

enum { REASON_CHARS = 64 };

/* A run stops some time before its limit: MARGIN_S plus twice the duration of the last save, but at most MARGIN_SHARE
 * of the whole time it has. */
static const double MARGIN_S = 60, MARGIN_SHARE = 0.25;
/* The wait after the first failed save. It doubles with each further failure, but never exceeds save_every_s (RETRY_S
 * if that is 0). */
static const double RETRY_S = 60;

struct dc_wish {
    dc_wish_config cfg;
    bool root;
    bool heard_stop, heard_save;
    int saves_done;                         /* dc_signals_saves() when the last save began */
    double next_save_s, next_look_s;        /* used by rank 0 only */
    double created_s, save_took_s, retry_s; /* used by rank 0 only */
    char reason[REASON_CHARS];              /* why the run must stop; empty: this rank knows of no reason */
    double reason_s;
    bool reason_agreed;
};

dc_status dc_wish_create(dc_comm *comm, dc_wish **out, const dc_wish_config *cfg)
{
    dc_status st = DC_OK;
    dc_wish *w = NULL;
    *out = NULL;
    DC_TRY_ALL(comm, dc_mem_alloc(&w, 1, sizeof *w, "wishes"));
    w->cfg = *cfg;
    w->root = comm->rank == 0;
    w->created_s = dc_clock_now_s();
    w->next_save_s = w->created_s + cfg->save_every_s;
    w->saves_done = dc_signals_saves();
    *out = w;
out:
    return st;
}

void dc_wish_destroy(dc_wish **wish)
{
    dc_mem_free(wish);
}

void dc_comm_set_wish(dc_comm *comm, dc_wish *w)
{
    comm->wish = w;
}
dc_wish *dc_comm_wish(const dc_comm *comm)
{
    return comm->wish;
}

/* ---- Wishes of this rank ----------------------------------------------------------------------------------------- */

static void want_stop(dc_wish *w, const char *reason, double since_s)
{
    if (w->reason[0]) return;
    snprintf(w->reason, sizeof w->reason, "%s", reason);
    w->reason_s = since_s;
}

static bool time_is_up(const dc_wish *w, double now)
{
    if (w->cfg.stop_at_s == 0) return false;
    const double whole = w->cfg.stop_at_s - w->created_s, margin = MARGIN_S + 2 * w->save_took_s;
    return now > w->cfg.stop_at_s - DC_MIN(margin, MARGIN_SHARE * whole);
}

/* Checks that rank 0 makes about once a second: file system calls in every step would cost too much. */
static void look_around(dc_wish *w, double now)
{
    if (now < w->next_look_s) return;
    w->next_look_s = now + 1;
    if (w->cfg.stop_file && access(w->cfg.stop_file, F_OK) == 0) {
        unlink(w->cfg.stop_file);
        want_stop(w, "the file STOP", now);
    }
    if (time_is_up(w, now)) want_stop(w, "run.max_time", now);
    if (w->cfg.beat && w->cfg.beat(w->cfg.ctx) != DC_OK) {
        dc_error_clear(); /* saving will run into the same error and report it */
        want_stop(w, "another run", now);
    }
}

double dc_wish_ask(dc_wish *w)
{
    if (!w) return 0;
    if (dc_error_late(DC_OK) != DC_OK) want_stop(w, "an error", dc_clock_now_s());
    if (dc_signals_stops() > 0) want_stop(w, dc_signals_stop_name(), dc_signals_stop_time());
    bool save = dc_signals_saves() > w->saves_done;
    if (w->root) {
        const double now = dc_clock_now_s();
        look_around(w, now);
        save |= (w->cfg.save_every_s > 0 || w->retry_s > 0) && now >= w->next_save_s;
    }
    return w->reason[0] ? WISH_STOP : save ? WISH_SAVE : 0;
}

void dc_wish_hear(dc_wish *w, double sum)
{
    if (!w) return;
    w->heard_stop = sum >= WISH_STOP;
    w->heard_save = sum > 0;
}

bool dc_wish_takes_save(dc_wish *w, bool *stop)
{
    if (!w) return false;
    const bool save = w->heard_save;
    *stop = w->heard_stop;
    w->heard_save = w->heard_stop = false;
    return save;
}

void dc_wish_save_begins(dc_wish *w)
{
    if (w) w->saves_done = dc_signals_saves();
}

double dc_wish_save_ends(dc_wish *w, double start, bool ok)
{
    if (!w) return 0;
    const double now = dc_clock_now_s(), every = w->cfg.save_every_s > 0 ? w->cfg.save_every_s : RETRY_S;
    w->retry_s = ok ? 0 : DC_MIN(w->retry_s > 0 ? 2 * w->retry_s : RETRY_S, every);
    w->next_save_s = now + (ok ? every : w->retry_s);
    if (ok) w->save_took_s = now - start;
    return w->retry_s;
}

/* ---- Wishes of all ranks ----------------------------------------------------------------------------------------- */

/* Of the ranks that have a reason to stop, the lowest sends its reason to all ranks. Only the first call does this. */
void dc_wish_agree_on_reason(dc_comm *comm, dc_wish *w)
{
    struct {
        char reason[REASON_CHARS];
        double ago_s; /* not the time itself: the clocks of nodes differ */
    } shared = {.ago_s = w ? dc_clock_now_s() - w->reason_s : 0};
    const int rank = comm->rank, size = comm->size;
    if (!w || w->reason_agreed) return;
    double from_end = w->reason[0] ? size - rank : 0;
    dc_comm_max_f64(comm, &from_end, 1);
    const int root = size - (int)from_end;
    DC_ASSERT(root < size);
    if (rank == root) {
        const int n = snprintf(shared.reason, sizeof shared.reason, "%s", w->reason);
        if (root) snprintf(shared.reason + n, sizeof shared.reason - (size_t)n, " to rank %d", root);
    }
    dc_comm_bcast(comm, &shared, sizeof shared, root);
    snprintf(w->reason, sizeof w->reason, "%s", shared.reason);
    w->reason_s = dc_clock_now_s() - shared.ago_s;
    w->reason_agreed = true;
}

void dc_wish_poll(dc_comm *comm, dc_wish *w)
{
    double sum = dc_wish_ask(w);
    dc_comm_sum_f64(comm, &sum, 1);
    dc_wish_hear(w, sum);
}

dc_status dc_wish_poll_stop(dc_comm *comm)
{
    dc_status st = DC_OK;
    dc_wish *w = comm->wish;
    bool stop;
    if (!w) return DC_OK;
    dc_wish_poll(comm, w);
    (void)dc_wish_takes_save(w, &stop);
    if (!stop) return DC_OK;
    DC_TRY_ALL(comm, DC_OK); /* an error may be the reason (dc_error_late) */
    dc_wish_agree_on_reason(comm, w);
    st = DC_STOPPED;
out:
    return st;
}

const char *dc_wish_reason(const dc_wish *w)
{
    return w ? w->reason : "";
}

double dc_wish_latency(const dc_wish *w)
{
    return w && w->reason[0] ? dc_clock_now_s() - w->reason_s : 0;
}
