/* Progress for people and machines: every record goes to metrics.jsonl; the log gets a line per interval. The interval
 * starts as log_interval and grows by half each time, up to five minutes, so that the log of a long run stays readable.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "dcmpi/clock.h"
#include "dcmpi/fault.h"
#include "dcmpi/file.h"
#include "dcmpi/log.h"
#include "dcmpi/progress.h"

enum { INTERVAL_MAX_S = 300, LINE_MAX_CHARS = 512 };

dc_status dc_progress_open(dc_progress *p, const char *jsonl_path, double interval_s)
{
    *p = (dc_progress){.interval_s = interval_s};
    return jsonl_path ? dc_progress_reopen(p, jsonl_path) : DC_OK;
}

dc_status dc_progress_reopen(dc_progress *p, const char *jsonl_path)
{
    dc_status st = DC_OK;
    if (!dc_log_is_active()) return DC_OK;
    dc_progress_close(p);
    DC_TRY(dc_file_append(jsonl_path, &p->jsonl));
    setvbuf(p->jsonl, NULL, _IOLBF, 0);
    if (dc_fault(DC_FAULT_METRICS_OPEN)) st = DC_FAIL(DC_ERR_IO, "cannot open %s: %s", jsonl_path, strerror(errno));
out:
    return st;
}

int64_t dc_progress_bytes(const dc_progress *p)
{
    return p->jsonl ? dc_file_written(p->jsonl) : 0;
}

void dc_progress_close(dc_progress *p)
{
    if (p->jsonl) fclose(p->jsonl);
    p->jsonl = NULL;
}

void dc_progress_phase(dc_progress *p, double done)
{
    p->phase_start_s = dc_clock_now_s();
    p->phase_done = done;
    p->phase_rows = p->phase_flops = 0;
    p->next_s = p->phase_start_s;
}

void dc_progress_count(dc_progress *p, double rows, double flops)
{
    p->phase_rows += rows;
    p->phase_flops += flops;
}

static void write_jsonl(FILE *f, const dc_history *h, const double *row, double elapsed)
{
    fprintf(f, "{\"phase\": \"%s\"", h->phase);
    for (int c = 0; c < h->n_columns; c++)
        if (isfinite(row[c]))
            fprintf(f, ", \"%s\": %.9g", h->column[c], row[c]);
        else
            fprintf(f, ", \"%s\": null", h->column[c]);
    fprintf(f, ", \"elapsed_s\": %.3f}\n", elapsed);
}

/* Warns only: a run does not stop because its metrics cannot be written. */
static void warn_once(dc_progress *p)
{
    if (!p->jsonl || !ferror(p->jsonl) || p->warned) return;
    dc_log_warning("cannot write metrics.jsonl: %s", strerror(errno));
    p->warned = true;
}

/* "1h02m", "4m05s", "12s" */
static void format_duration(double s, char *out, size_t cap)
{
    const long t = s < 0 || !isfinite(s) ? 0 : (long)(s + 0.5);
    if (t >= 3600)
        snprintf(out, cap, "%ldh%02ldm", t / 3600, t % 3600 / 60);
    else if (t >= 60)
        snprintf(out, cap, "%ldm%02lds", t / 60, t % 60);
    else
        snprintf(out, cap, "%lds", t);
}

static void format_line(char *out, size_t cap, const dc_progress *p, const dc_history *h, const double *row,
                        double done, double elapsed)
{
    int used =
        isnan(done) ? snprintf(out, cap, "%-9s", h->phase) : snprintf(out, cap, "%-9s %5.1f%%", h->phase, 100 * done);
    for (int c = 0; c < h->n_columns && used < (int)cap; c++)
        if (!h->quiet[c]) used += snprintf(out + used, cap - (size_t)used, "  %s %.5g", h->column[c], row[c]);
    const double here = done - p->phase_done;
    if (isnan(done)) return;
    if (used < (int)cap && elapsed > 0)
        used += snprintf(out + used, cap - (size_t)used, "  | %.3g rows/s  %.0f GF/s", p->phase_rows / elapsed,
                         1e-9 * p->phase_flops / elapsed);
    /* The first steps of a start also load code and caches: of less than a second nothing follows for hours. */
    if (used >= (int)cap || here <= 0 || done >= 1 || elapsed < 1) return;
    char eta[32];
    format_duration(elapsed * (1 - done) / here, eta, sizeof eta);
    snprintf(out + used, cap - (size_t)used, "  ETA %s", eta);
}

void dc_progress_record(dc_progress *p, const dc_history *h, double done, bool force)
{
    if (!dc_log_is_active() || h->n == 0) return;
    const double *row = h->value + (h->n - 1) * (size_t)h->n_columns;
    const double now = dc_clock_now_s(), elapsed = now - p->phase_start_s;
    if (p->jsonl) write_jsonl(p->jsonl, h, row, elapsed);
    warn_once(p);
    char line[LINE_MAX_CHARS];
    format_line(line, sizeof line, p, h, row, done, elapsed);
    if (!force && now < p->next_s) {
        dc_log_bar("%s", line);
        return;
    }
    dc_log("%s", line);
    p->next_s = now + p->interval_s;
    p->interval_s = DC_MIN(1.5 * p->interval_s, (double)INTERVAL_MAX_S);
}
