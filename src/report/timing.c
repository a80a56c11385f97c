/* Combines the section clocks of all ranks into minimum, average, maximum, slowest rank and rates. */
#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/report.h"

const char *dc_section_name(dc_section s)
{
    static const char *const names[DC_T_COUNT] = {
        [DC_T_LOAD] = "load",
        [DC_T_REDUCTION] = "reduction",
        [DC_T_PRETRAIN_GATHER] = "pretrain gather",
        [DC_T_PRETRAIN_NETWORK] = "pretrain network",
        [DC_T_PRETRAIN_SYNC] = "pretrain sync",
        [DC_T_PRETRAIN_UPDATE] = "pretrain update",
        [DC_T_EMBED] = "embed",
        [DC_T_KMEANS] = "k-means",
        [DC_T_REFRESH] = "refresh",
        [DC_T_CLUSTER_GATHER] = "cluster gather",
        [DC_T_CLUSTER_NETWORK] = "cluster network",
        [DC_T_CLUSTER_SYNC] = "cluster sync",
        [DC_T_CLUSTER_UPDATE] = "cluster update",
        [DC_T_NEIGHBOURS] = "neighbours",
        [DC_T_TOPICS] = "topics",
        [DC_T_MAP] = "map",
        [DC_T_CHECKPOINT] = "checkpoint",
        [DC_T_METRICS] = "metrics",
        [DC_T_WRITE] = "write",
    };
    return names[s];
}

/* What each rank contributes. */
typedef struct {
    dc_timers timers;
    double memory_peak;
} rank_record;

static void reduce_section(const rank_record *all, int P, dc_section s, dc_section_stats *out)
{
    double flops = 0, bytes = 0;
    *out = (dc_section_stats){.calls = all[0].timers.section[s].calls, .min_s = all[0].timers.section[s].seconds};
    for (int r = 0; r < P; r++) {
        const dc_timer *t = &all[r].timers.section[s];
        out->avg_s += t->seconds / P;
        flops += t->flops;
        bytes += t->bytes;
        if (t->seconds < out->min_s) out->min_s = t->seconds;
        if (t->seconds > out->max_s) out->max_s = t->seconds, out->slowest = r;
    }
    if (out->avg_s > 0) out->flops_per_s = flops / out->avg_s, out->bytes_per_s = bytes / out->avg_s;
}

static void find_busiest(dc_comm *comm, const rank_record *all, dc_timing *out)
{
    out->ranks = dc_comm_size(comm);
    for (int r = 0; r < out->ranks; r++) {
        const dc_rank_work work = dc_timing_work(&all[r].timers);
        out->busy.seconds += work.seconds / out->ranks;
        out->busy.flops += work.flops / out->ranks;
        if (work.seconds > out->busiest.seconds) out->busiest = work, out->busiest_rank = r;
    }
    snprintf(out->busiest_host, sizeof out->busiest_host, "%s", dc_comm_host(comm));
    dc_comm_bcast(comm, out->busiest_host, sizeof out->busiest_host, out->busiest_rank);
}

static void reduce_memory(const rank_record *all, int P, dc_timing *out)
{
    out->memory_least = all[0].memory_peak;
    for (int r = 0; r < P; r++) {
        out->memory_least = DC_MIN(out->memory_least, all[r].memory_peak);
        if (all[r].memory_peak > out->memory_peak) out->memory_peak = all[r].memory_peak, out->memory_rank = r;
    }
}

dc_status dc_timing_collect(dc_comm *comm, const dc_timers *timers, dc_timing *out)
{
    dc_status st = DC_OK;
    const rank_record own = {*timers, (double)dc_mem_resident_peak_bytes()};
    rank_record *all = NULL;
    size_t *counts = NULL;
    const int P = dc_comm_size(comm);
    *out = (dc_timing){0};
    st = dc_mem_alloc(&all, (size_t)P, sizeof *all, "timers");
    if (st == DC_OK) st = dc_mem_alloc(&counts, (size_t)P, sizeof *counts, "timers");
    DC_TRY_ALL(comm, st);
    for (int r = 0; r < P; r++) counts[r] = sizeof own;
    const dc_comm_traffic traffic = dc_comm_traffic_total(comm);
    double wall_s = dc_clock_now_s() - timers->started;
    double sum[] = {traffic.seconds, (double)traffic.bytes};
    dc_comm_allgatherv(comm, &own, all, counts);
    dc_comm_max_f64(comm, &wall_s, 1);
    dc_comm_sum_f64(comm, sum, 2);
    for (int s = 0; s < DC_T_COUNT; s++) reduce_section(all, P, (dc_section)s, &out->section[s]);
    reduce_memory(all, P, out);
    find_busiest(comm, all, out);
    out->wall_s = wall_s;
    out->comm_seconds = sum[0] / P;
    out->comm_bytes = sum[1] / P;
out:
    dc_mem_free(&all);
    dc_mem_free(&counts);
    return st;
}

static void format_rate(char *out, size_t cap, double rate)
{
    if (rate > 0)
        snprintf(out, cap, "%9.1f", 1e-9 * rate);
    else
        snprintf(out, cap, "%9s", "");
}

static void note(void (*advise)(const dc_timing *, char *, size_t), const dc_timing *t)
{
    char line[256];
    advise(t, line, sizeof line);
    if (line[0]) dc_log_note("%s", line);
}

static void print_sections(const dc_timing *t, double peak_flops)
{
    double listed = 0;
    dc_log_plain("%-18s %8s %9s %9s %9s %7s %9s %9s %8s %8s", "section", "calls", "min s", "avg s", "max s", "% total",
                 "GF/s", "GB/s", "slowest", "% peak");
    for (int s = 0; s < DC_T_COUNT; s++) {
        const dc_section_stats *x = &t->section[s];
        if (x->calls == 0) continue;
        char flops[16], bytes[16], share[16] = "";
        format_rate(flops, sizeof flops, x->flops_per_s);
        format_rate(bytes, sizeof bytes, x->bytes_per_s);
        if (x->flops_per_s > 0 && peak_flops > 0)
            snprintf(share, sizeof share, "%.0f", 100 * x->flops_per_s / peak_flops);
        dc_log_plain("%-18s %8lld %9.2f %9.2f %9.2f %7.1f %s %s %8d %8s", dc_section_name((dc_section)s),
                     (long long)x->calls, x->min_s, x->avg_s, x->max_s, 100 * x->avg_s / t->wall_s, flops, bytes,
                     x->slowest, share);
        listed += x->avg_s;
    }
    dc_log_plain("%-18s %8s %9s %9.2f %9s %7.1f", "other", "", "", t->wall_s - listed, "",
                 100 * (1 - listed / t->wall_s));
    dc_log_plain("%-18s %8s %9s %9.2f", "total", "", "", t->wall_s);
}

void dc_timing_print(const dc_timing *t, double peak_flops)
{
    enum { LEAST_S = 1 }; /* of a shorter run, nobody asks where the time went; summary.json has it all */
    if (t->wall_s >= LEAST_S) print_sections(t, peak_flops);
    dc_log_plain("messages: %.2f GB and %.2f s per rank; memory: %.3f to %.3f GiB, most on rank %d",
                 1e-9 * t->comm_bytes, t->comm_seconds, t->memory_least / 0x1p30, t->memory_peak / 0x1p30,
                 t->memory_rank);
    note(dc_advise_slow_rank, t);
    note(dc_advise_messages, t);
}
