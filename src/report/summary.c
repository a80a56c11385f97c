/* The RESULT line and summary.json: the same facts for people, scripts and sweeps. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "dcmpi/fault.h"
#include "dcmpi/log.h"
#include "dcmpi/report.h"
#include "dcmpi/version.h"

static int count_empty(const dc_result *r)
{
    int empty = 0;
    for (int64_t k = 0; k < r->K; k++) empty += r->size[k] == 0;
    return empty;
}

static bool is_converged(const dc_result *r)
{
    return r->stop == DC_STOP_CONVERGED || r->stop == DC_STOP_ASSIGNED;
}

void dc_result_line(const dc_result *r, char *out, size_t cap)
{
    int used = snprintf(out, cap, "converged=%s iter=%lld delta=%.4f", is_converged(r) ? "yes" : "no",
                        (long long)r->iterations, r->delta);
    if (r->has_scores)
        used += snprintf(out + used, cap - (size_t)used, " acc=%.3f nmi=%.3f ari=%.3f", r->scores.acc, r->scores.nmi,
                         r->scores.ari);
    if (r->data->unlabelled)
        used += snprintf(out + used, cap - (size_t)used, " unlabelled=%lld", (long long)r->data->unlabelled);
    if (isfinite(r->inertia)) used += snprintf(out + used, cap - (size_t)used, " inertia=%.9g", r->inertia);
    snprintf(out + used, cap - (size_t)used, " clusters=%lld empty=%d wall=%.1fs", (long long)r->K, count_empty(r),
             r->from->wall_before_s + r->timing->wall_s);
}

static void write_result(dc_json *j, const dc_result *r)
{
    dc_json_open(j, "result", '{');
    dc_json_bool(j, "converged", is_converged(r));
    dc_json_str(j, "stop_reason", dc_stop_name(r->stop));
    dc_json_int(j, "iter", r->iterations);
    dc_json_num(j, "delta", r->delta);
    if (r->has_scores) {
        dc_json_num(j, "acc", r->scores.acc);
        dc_json_num(j, "nmi", r->scores.nmi);
        dc_json_num(j, "nmi_arithmetic", r->scores.nmi_arithmetic);
        dc_json_num(j, "ari", r->scores.ari);
    }
    if (r->data->unlabelled) dc_json_int(j, "unlabelled", r->data->unlabelled);
    if (isfinite(r->inertia)) dc_json_num(j, "inertia", r->inertia);
    if (r->outlier) dc_json_int(j, "outliers", r->n_outliers);
    dc_json_int(j, "clusters", r->K);
    dc_json_int(j, "empty", count_empty(r));
    dc_json_num(j, "wall_s", r->from->wall_before_s + r->timing->wall_s);
    dc_json_num(j, "wall_here_s", r->timing->wall_s);
    dc_json_int(j, "parts", r->from->parts);
    dc_json_close(j, '}');
}

static void write_start(dc_json *j, const dc_result *r)
{
    const dc_provenance *p = r->from;
    char hash[32];
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)r->data->hash);
    dc_json_str(j, "version", dc_version());
    dc_json_str(j, "git", dc_version_git());
    dc_json_str(j, "created", p->created);
    dc_json_str(j, "command_line", p->command_line);
    dc_json_str(j, "verb", p->verb);
    dc_json_str(j, "libraries", p->libraries);
    dc_json_str(j, "cpu", p->cpu);
    dc_json_str(j, "isa", p->isa);
    dc_json_int(j, "seed", r->cfg->run.seed);
    dc_json_int(j, "ranks", p->ranks);
    dc_json_int(j, "threads", p->threads);
    dc_json_int(j, "nodes", p->nodes);
    dc_json_num(j, "peak_gflops", 1e-9 * p->peak_flops);
    dc_json_open(j, "data", '{');
    dc_json_str(j, "source", r->data->source);
    dc_json_str(j, "hash", hash);
    dc_json_int(j, "rows", r->data->part.N);
    dc_json_int(j, "columns", r->data->D);
    dc_json_str(j, "type", dc_dtype_name(r->data->dtype));
    dc_json_close(j, '}');
}

static void write_timing(dc_json *j, const dc_timing *t)
{
    dc_json_open(j, "timing", '{');
    for (int s = 0; s < DC_T_COUNT; s++) {
        const dc_section_stats *x = &t->section[s];
        if (x->calls == 0) continue;
        dc_json_open(j, dc_section_name((dc_section)s), '{');
        dc_json_int(j, "calls", x->calls);
        dc_json_num(j, "min_s", x->min_s);
        dc_json_num(j, "avg_s", x->avg_s);
        dc_json_num(j, "max_s", x->max_s);
        dc_json_int(j, "slowest_rank", x->slowest);
        if (x->flops_per_s > 0) dc_json_num(j, "gflops", 1e-9 * x->flops_per_s);
        if (x->bytes_per_s > 0) dc_json_num(j, "gbytes_per_s", 1e-9 * x->bytes_per_s);
        dc_json_close(j, '}');
    }
    dc_json_close(j, '}');
    dc_json_num(j, "memory_peak_bytes", t->memory_peak);
    dc_json_int(j, "memory_peak_rank", t->memory_rank);
    dc_json_num(j, "memory_peak_least_bytes", t->memory_least);
    dc_json_num(j, "message_bytes_per_rank", t->comm_bytes);
    dc_json_num(j, "message_seconds_per_rank", t->comm_seconds);
}

dc_status dc_result_summary(const char *path, const dc_result *r, const dc_self_check *checks, int n_checks)
{
    FILE *f = fopen(path, "w");
    if (!f || dc_fault(DC_FAULT_SUMMARY_WRITE)) return DC_FAIL(DC_ERR_IO, "cannot write %s: %s", path, strerror(errno));
    dc_json j;
    dc_json_begin(&j, f);
    write_result(&j, r);
    write_start(&j, r);
    write_timing(&j, r->timing);
    dc_json_open(&j, "self_checks", '{');
    for (int i = 0; i < n_checks; i++) dc_json_bool(&j, checks[i].name, checks[i].passed);
    dc_json_close(&j, '}');
    dc_json_int(&j, "warnings", dc_log_warning_count());
    dc_json_end(&j);
    const bool bad = ferror(f) != 0;
    if (fclose(f) != 0 || bad) return DC_FAIL(DC_ERR_IO, "cannot write %s: %s", path, strerror(errno));
    return DC_OK;
}
