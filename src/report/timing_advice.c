/* Advice on machine and layout from the clocks of a finished run: is there a rank that the others wait for, and do
 * messages take too much of the steps? Waiting and rare sections (k-means, refresh, files) do not count as work. */
#include <math.h>

#include "dcmpi/report.h"

static const dc_section busy_sections[] = {
    DC_T_PRETRAIN_GATHER, DC_T_PRETRAIN_NETWORK, DC_T_PRETRAIN_UPDATE, DC_T_EMBED,
    DC_T_CLUSTER_GATHER,  DC_T_CLUSTER_NETWORK,  DC_T_CLUSTER_UPDATE,
};

/* A rank is slow if it needs SLOW_FACTOR times the average time for the same work, and the excess is at least
 * SLOW_SHARE of the run's time. */
static const double SLOW_FACTOR = 1.25, SLOW_SHARE = 0.05;
/* Messages take too long if they take this share of the steps or more. */
static const double MESSAGES_SHARE = 0.4;
/* Times shorter than this mean nothing. */
static const double LEAST_S = 1;

dc_rank_work dc_timing_work(const dc_timers *t)
{
    dc_rank_work w = {0, 0};
    for (size_t i = 0; i < DC_COUNT_OF(busy_sections); i++) {
        w.seconds += t->section[busy_sections[i]].seconds;
        w.flops += t->section[busy_sections[i]].flops;
    }
    return w;
}

void dc_advise_slow_rank(const dc_timing *t, char *out, size_t cap)
{
    const double excess_s = t->busiest.seconds - t->busy.seconds;
    const double more_work = t->busy.flops > 0 ? t->busiest.flops / t->busy.flops : 1;
    out[0] = '\0';
    if (t->ranks < 2 || excess_s < fmax(SLOW_SHARE * t->wall_s, LEAST_S)) return;
    if (t->busiest.seconds < SLOW_FACTOR * fmax(more_work, 1) * t->busy.seconds) return;
    snprintf(
        out, cap,
        "rank %d on %s worked %.1f s where the average rank worked %.1f s, and the others waited for it: is its core "
        "shared with other processes, or its node slower?",
        t->busiest_rank, t->busiest_host, t->busiest.seconds, t->busy.seconds);
}

void dc_advise_messages(const dc_timing *t, char *out, size_t cap)
{
    const dc_section_stats *s = t->section;
    /* The rank that waits least shows what messages cost without waiting. */
    const double sync_s = s[DC_T_PRETRAIN_SYNC].min_s + s[DC_T_CLUSTER_SYNC].min_s;
    const double steps_s = sync_s + t->busy.seconds - s[DC_T_EMBED].avg_s;
    out[0] = '\0';
    if (t->ranks < 2 || steps_s < LEAST_S || sync_s < MESSAGES_SHARE * steps_s) return;
    snprintf(out, cap,
             "messages took %.0f %% of the training steps on %d ranks: use fewer ranks with more threads, or a larger "
             "batch (which gives other results)",
             100 * sync_s / steps_s, t->ranks);
}
