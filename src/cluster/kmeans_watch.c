/* Long passes of k-means over the rows: between their parts the ranks agree on stop requests, and the log says from
 * time to time how far the work is. */
#include "kmeans_impl.h"

#include "dcmpi/clock.h"
#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/state.h"
#include "dcmpi/wish.h"

#include <stdarg.h>
#include <stdio.h>

static const double PART = 0x1p34; /* some tenths of a second */
static const double INTERVAL_MAX_S = 300, GROWS = 1.5;

void dc_km_watch_init(dc_km_watch *w, const dc_kmeans_config *cfg)
{
    const double next_s = dc_clock_now_s() + cfg->say_every_s;
    *w = (dc_km_watch){.cfg = cfg, .interval_s = cfg->say_every_s, .next_s = next_s, .part = PART};
}

dc_status dc_km_poll(dc_comm *comm, const dc_kmeans_config *cfg)
{
    return cfg->state ? dc_state_poll(comm, cfg->state) : dc_wish_poll_stop(comm);
}

void dc_km_say(dc_km_watch *w, const char *fmt, ...)
{
    char where[128];
    va_list args;
    const double now = dc_clock_now_s();
    if (w->cfg->quiet || !(w->interval_s > 0) || now < w->next_s) return;
    va_start(args, fmt);
    vsnprintf(where, sizeof where, fmt, args);
    va_end(args);
    dc_log("k-means   %s", where);
    w->next_s = now + w->interval_s;
    w->interval_s = DC_MIN(GROWS * w->interval_s, INTERVAL_MAX_S);
}

/* Blocks of a part, a multiple of the threads. */
static int64_t blocks_of_part(const dc_km_watch *w, const dc_km_tiles *t, int64_t m)
{
    const double reading = 32; /* a value takes as long as so many products */
    const double block = (double)DC_BLOCK_ROWS * ((double)m + reading) * (double)(t->d + 1);
    return t->n_threads * DC_MAX((int64_t)1, (int64_t)(w->part / block));
}

dc_status dc_km_in_parts(dc_comm *comm, dc_km_watch *w, const dc_km_tiles *t, int64_t m, const char *what,
                         dc_km_blocks run, void *ctx)
{
    dc_status st = DC_OK;
    const int64_t n = (int64_t)t->rows->part->n_blocks, of_part = blocks_of_part(w, t, m);
    int64_t most = -((n + of_part - 1) / of_part);
    dc_comm_min_i64(comm, &most, 1);
    for (int64_t i = 0; i < -most; i++) {
        if (i > 0) DC_TRY(w->steady ? dc_km_poll(comm, w->cfg) : dc_wish_poll_stop(comm));
        if (i > 0) dc_km_say(w, "%s, %.0f %% of the rows", what, 100 * (double)i / (double)-most);
        run(ctx, (size_t)DC_MIN(i * of_part, n), (size_t)DC_MIN((i + 1) * of_part, n));
    }
out:
    return st;
}
