/* Missing values, handled alike for all formats: a reader returns NaN or an infinity for each. Means come from sums in
 * double, in the order of the rows. */
#include "convert/missing.h"

#include <math.h>
#include <string.h>

#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/text.h"

static const char *const actions[] = {"error", "drop", "mean", "value"};

dc_status dc_missing_create(dc_missing *m, dc_missing_options options, int64_t D)
{
    dc_status st = DC_OK;
    *m = (dc_missing){.options = options, .D = D};
    if (options.action != DC_MISSING_MEAN) return DC_OK;
    DC_TRY(dc_mem_alloc(&m->sum, (size_t)D, sizeof *m->sum, "sums of the columns"));
    DC_TRY(dc_mem_alloc(&m->count, (size_t)D, sizeof *m->count, "numbers of values of the columns"));
out:
    if (st != DC_OK) dc_missing_destroy(m);
    return st;
}

void dc_missing_destroy(dc_missing *m)
{
    dc_mem_free(&m->sum);
    dc_mem_free(&m->count);
}

void dc_missing_scan(dc_missing *m, size_t n, const double *x, bool words, bool *skip)
{
    const bool mean = m->options.action == DC_MISSING_MEAN;
    for (size_t i = 0; i < n; i++, x += m->D) {
        int64_t cells = 0;
        for (int64_t c = 0; c < m->D; c++) {
            if (isfinite(x[c])) {
                if (mean) m->sum[c] += x[c], m->count[c]++;
                continue;
            }
            cells++;
            if (!words) m->kinds[dc_missing_kind(x[c])]++;
        }
        m->cells += cells;
        m->rows += cells > 0;
        skip[i] = cells > 0 && m->options.action == DC_MISSING_DROP;
    }
}

/* Name of column c from a list of lines, for messages: "name, ". */
static void show_name(const char *names, int64_t column, char *out, size_t cap)
{
    char shown[40];
    for (; names && column > 0; column--) {
        names = strchr(names, '\n');
        if (names) names++;
    }
    out[0] = '\0';
    if (!names) return;
    dc_printable(shown, sizeof shown, names, strcspn(names, "\n"));
    snprintf(out, cap, "%s, ", shown);
}

dc_status dc_missing_finish(dc_missing *m, const char *names)
{
    char name[48];
    if (m->options.action != DC_MISSING_MEAN || m->cells == 0) return DC_OK;
    for (int64_t c = 0; c < m->D; c++) {
        show_name(m->count[c] == 0 ? names : NULL, c, name, sizeof name);
        if (m->count[c] == 0)
            return DC_FAIL(
                DC_ERR_DATA,
                "--missing=mean: feature %lld (%scounted from 0 among the features) has no value in any row; leave "
                "its column out with --drop-columns",
                (long long)c, name);
        m->sum[c] /= (double)m->count[c];
    }
    return DC_OK;
}

void dc_missing_apply(const dc_missing *m, size_t n, double *x, bool *skip)
{
    for (size_t i = 0; i < n; i++, x += m->D) {
        skip[i] = false;
        for (int64_t c = 0; c < m->D; c++) {
            if (isfinite(x[c])) continue;
            if (m->options.action == DC_MISSING_DROP) skip[i] = true;
            if (m->options.action == DC_MISSING_MEAN) x[c] = m->sum[c];
            if (m->options.action == DC_MISSING_VALUE) x[c] = m->options.value;
        }
    }
}

void dc_missing_text(const dc_missing *m, char *out, size_t cap)
{
    size_t used = (size_t)snprintf(out, cap, "action=%s", actions[m->options.action]);
    if (m->options.action == DC_MISSING_VALUE)
        used += (size_t)snprintf(out + used, cap - used, "\nvalue=%.17g", m->options.value);
    used +=
        (size_t)snprintf(out + used, cap - used, "\ncells=%lld\nrows=%lld", (long long)m->cells, (long long)m->rows);
    for (int k = 0; k < DC_WORD_COUNT; k++)
        if (m->kinds[k] > 0)
            used += (size_t)snprintf(out + used, cap - used, "\n%s=%lld", dc_missing_word(k), (long long)m->kinds[k]);
}

void dc_missing_note(const dc_missing *m, const char *output)
{
    char kinds[DC_WORD_COUNT * 24] = "";
    size_t used = 0;
    if (m->cells == 0) return;
    for (int k = 0; k < DC_WORD_COUNT; k++)
        if (m->kinds[k] > 0)
            used += (size_t)snprintf(kinds + used, sizeof kinds - used, "%s%s %lld", used ? ", " : "",
                                     dc_missing_word(k), (long long)m->kinds[k]);
    if (m->options.action == DC_MISSING_DROP)
        dc_log_note("%s: rows left out for missing values: %lld (%s)", output, (long long)m->rows, kinds);
    else
        dc_log_note("%s: missing values replaced by %s: %lld in %lld rows (%s)", output,
                    m->options.action == DC_MISSING_MEAN ? "the mean of their column" : "the value of --missing",
                    (long long)m->cells, (long long)m->rows, kinds);
}
