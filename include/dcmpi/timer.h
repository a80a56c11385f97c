/* Where the time of a run goes: one clock per section, filled by the phases, reduced over ranks by the report. */
#ifndef DCMPI_TIMER_H
#define DCMPI_TIMER_H

#include "dcmpi/clock.h"

typedef enum {
    DC_T_LOAD,
    DC_T_REDUCTION,
    DC_T_PRETRAIN_GATHER,
    DC_T_PRETRAIN_NETWORK,
    DC_T_PRETRAIN_SYNC,
    DC_T_PRETRAIN_UPDATE,
    DC_T_EMBED,
    DC_T_KMEANS,
    DC_T_REFRESH,
    DC_T_CLUSTER_GATHER,
    DC_T_CLUSTER_NETWORK,
    DC_T_CLUSTER_SYNC,
    DC_T_CLUSTER_UPDATE,
    DC_T_NEIGHBOURS,
    DC_T_TOPICS,
    DC_T_MAP,
    DC_T_CHECKPOINT,
    DC_T_METRICS,
    DC_T_WRITE,
    DC_T_COUNT
} dc_section;

typedef struct {
    int64_t calls;
    double seconds;
    double flops; /* useful floating-point operations of this rank */
    double bytes; /* moved by this rank: files or messages */
} dc_timer;

typedef struct {
    dc_timer section[DC_T_COUNT];
    double started; /* dc_clock_now_s() at the start of the run */
} dc_timers;

/* "load", "pretrain gather", ... */
const char *dc_section_name(dc_section s);

static inline double dc_timer_start(void)
{
    return dc_clock_now_s();
}
static inline void dc_timer_stop(dc_timers *t, dc_section s, double start, double flops, double bytes)
{
    dc_timer *x = &t->section[s];
    x->calls++;
    x->seconds += dc_clock_now_s() - start;
    x->flops += flops;
    x->bytes += bytes;
}

/* Moves seconds from section `from` to section `to`, for work that was timed as part of `from`. */
static inline void dc_timer_move(dc_timers *t, dc_section from, dc_section to, double seconds)
{
    t->section[from].seconds -= seconds;
    t->section[to].seconds += seconds;
}

#endif
