#include "convert/svmlight.h"

#include <string.h>

#include "convert/number.h"
#include "convert/rawline.h"
#include "dcmpi/convert.h"
#include "dcmpi/heartbeat.h"
#include "dcmpi/mem.h"
#include "dcmpi/signals.h"
#include "dcmpi/text.h"

enum { FIRST_ROOM = 1024 };

/* The line without its comment. */
static dc_span without_comment(dc_span line)
{
    const char *mark = memchr(line.p, '#', line.n);
    if (mark) line.n = (size_t)(mark - line.p);
    return line;
}

/* Cuts "12:0.5" in two; false: there is no colon. */
static bool cut_pair(dc_span word, dc_span *index, dc_span *value)
{
    const char *colon = memchr(word.p, ':', word.n);
    if (!colon) return false;
    *index = (dc_span){word.p, (size_t)(colon - word.p)};
    *value = (dc_span){colon + 1, word.n - index->n - 1};
    return true;
}

static bool is_qid(dc_span index)
{
    return index.n == 3 && memcmp(index.p, "qid", 3) == 0;
}

/* ---- Recognition ------------------------------------------------------------------------------------------------- */

/* A label is a number, or several with commas. */
static bool is_label(dc_span word)
{
    double v;
    for (const char *p = word.p, *const end = word.p + word.n; p <= end;) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        const char *stop = comma ? comma : end;
        if (!dc_number_parse(p, (size_t)(stop - p), &v)) return false;
        p = stop + 1;
    }
    return true;
}

static bool is_pair(dc_span word)
{
    dc_span index, value;
    int64_t i;
    double v;
    if (!cut_pair(word, &index, &value)) return false;
    return (is_qid(index) || dc_rawline_integer(index, &i)) && (dc_number_parse(value.p, value.n, &v) || value.n > 0);
}

/* Whether the file is named as svmlight, compressed or not. */
static bool is_named_so(const char *path)
{
    static const char *const endings[] = {".svm", ".libsvm", ".svmlight"};
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    for (size_t i = 0; i < DC_COUNT_OF(endings); i++) {
        const char *at = strstr(name, endings[i]);
        if (at && (at[strlen(endings[i])] == '\0' || at[strlen(endings[i])] == '.')) return true;
    }
    return false;
}

/* Looks at the lines that the window holds in full, 64 at most. Lines of nothing but a label are rows of zeros, or a
 * table of one column: the name of the file decides. */
bool dc_svmlight_recognise(const dc_stream *s)
{
    enum { LINES = 64 };
    const char *p = (const char *)dc_stream_data(s), *const end = p + dc_stream_available(s);
    int pairs = 0, labels = 0;
    for (int i = 0; i < LINES && p < end; i++) {
        const char *lf = memchr(p, '\n', (size_t)(end - p));
        if (!lf && !s->end && i > 0) break; /* cut by the window */
        size_t n = (size_t)((lf ? lf : end) - p);
        if (lf && n > 0 && p[n - 1] == '\r') n--;
        dc_span rest = without_comment((dc_span){p, n}), word;
        p = lf ? lf + 1 : end;
        if (!dc_rawline_word(&rest, &word)) continue;
        if (!is_label(word)) return false;
        labels++;
        while (dc_rawline_word(&rest, &word)) {
            const bool cut = !lf && !s->end && rest.n == 0;
            if (!is_pair(word) && !cut) return false;
            pairs++;
        }
    }
    return pairs > 0 || (labels > 0 && is_named_so(s->name));
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

dc_status dc_svmlight_open(dc_svmlight *s, const char *path, uint64_t limit)
{
    dc_status st = DC_OK;
    memset(s, 0, sizeof *s);
    s->stream.fd = -1;
    s->least = INT64_MAX;
    s->most = -1;
    s->capacity = FIRST_ROOM;
    DC_TRY(dc_mem_alloc_raw(&s->row, s->capacity, sizeof *s->row, "values of a row"));
    DC_TRY(dc_stream_open(&s->stream, path, limit));
    return DC_OK;
out:
    dc_mem_free(&s->row);
    return st;
}

void dc_svmlight_close(dc_svmlight *s)
{
    dc_stream_close(&s->stream);
    dc_mem_free(&s->row);
}

/* The next line that holds a row, without its comment: the label and the rest. */
static dc_status next_row(dc_svmlight *s, dc_span *label, dc_span *rest, bool *found)
{
    for (;;) {
        const dc_status st = dc_rawline_next(&s->stream, &s->line, rest, found);
        if (st != DC_OK || !*found) return st;
        if (s->line == 1 && rest->n >= 3 && memcmp(rest->p, "\xEF\xBB\xBF", 3) == 0) rest->p += 3, rest->n -= 3;
        *rest = without_comment(*rest);
        if (!dc_rawline_word(rest, label)) continue;
        if (s->rows == INT32_MAX) return DC_FAIL(DC_ERR_DATA, "%s: has more than %d rows", s->stream.name, INT32_MAX);
        s->rows++;
        return DC_OK;
    }
}

static dc_status room_for_one(dc_svmlight *s)
{
    dc_entry *bigger;
    if (s->n < s->capacity) return DC_OK;
    const dc_status st = dc_mem_alloc_raw(&bigger, 2 * s->capacity, sizeof *bigger, "values of a row");
    if (st != DC_OK) return st;
    memcpy(bigger, s->row, s->n * sizeof *bigger);
    dc_mem_free(&s->row);
    s->row = bigger;
    s->capacity *= 2;
    return DC_OK;
}

static dc_status fail_word(const dc_svmlight *s, dc_span word, const char *what)
{
    char shown[40];
    dc_printable(shown, sizeof shown, word.p, word.n);
    return DC_FAIL(DC_ERR_DATA, "%s:%lld: '%s' %s", s->stream.name, (long long)s->line, shown, what);
}

static dc_status take_pair(dc_svmlight *s, dc_span word)
{
    dc_status st = DC_OK;
    dc_span index, value;
    int64_t i;
    double v;
    if (!cut_pair(word, &index, &value)) return fail_word(s, word, "is not index:value");
    if (is_qid(index)) return DC_OK;
    if (!dc_rawline_integer(index, &i)) return fail_word(s, word, "has an index that is not an integer");
    if (i < 0 || i > DC_CONVERT_MAX_COLUMNS)
        return DC_FAIL(DC_ERR_DATA, "%s:%lld: index %lld is out of range: they count from 0 or 1 to %d", s->stream.name,
                       (long long)s->line, (long long)i, DC_CONVERT_MAX_COLUMNS);
    DC_TRY(dc_rawline_value(s->stream.name, s->line, value, &v));
    DC_TRY(room_for_one(s));
    s->row[s->n++] = (dc_entry){(uint32_t)(s->rows - 1), (int32_t)i, v};
    s->least = DC_MIN(s->least, i);
    s->most = DC_MAX(s->most, i);
out:
    return st;
}

static int compare(const void *a, const void *b)
{
    const uint64_t x = dc_entry_key(a), y = dc_entry_key(b);
    return (x > y) - (x < y);
}

static dc_status order_row(dc_svmlight *s)
{
    bool ascends = true;
    for (size_t i = 1; i < s->n && ascends; i++) ascends = s->row[i].col > s->row[i - 1].col;
    if (ascends) return DC_OK;
    qsort(s->row, s->n, sizeof *s->row, compare);
    for (size_t i = 1; i < s->n; i++)
        if (s->row[i].col == s->row[i - 1].col)
            return DC_FAIL(DC_ERR_DATA, "%s:%lld: index %d is there twice", s->stream.name, (long long)s->line,
                           s->row[i].col);
    return DC_OK;
}

static dc_status load_row(dc_svmlight *s, bool *found)
{
    dc_status st = DC_OK;
    dc_span label, rest, word;
    s->n = s->next = 0;
    DC_TRY(next_row(s, &label, &rest, found));
    while (*found && dc_rawline_word(&rest, &word)) DC_TRY(take_pair(s, word));
    DC_TRY(order_row(s));
out:
    return st;
}

dc_status dc_svmlight_read(dc_svmlight *s, size_t n, dc_entry *out, size_t *got)
{
    *got = 0;
    if (dc_signals_stops() > 0) return DC_STOPPED;
    dc_heartbeat();
    while (*got < n) {
        bool found = true;
        if (s->next == s->n) {
            const dc_status st = load_row(s, &found);
            if (st != DC_OK) return st;
        }
        if (!found) break;
        const size_t m = DC_MIN(n - *got, s->n - s->next);
        memcpy(out + *got, s->row + s->next, m * sizeof *out);
        s->next += m;
        *got += m;
    }
    return DC_OK;
}

dc_status dc_svmlight_label(dc_svmlight *s, dc_span *label, bool *found)
{
    dc_span rest;
    double v;
    const dc_status st = next_row(s, label, &rest, found);
    if (st != DC_OK || !*found) return st;
    if (dc_number_parse(label->p, label->n, &v)) return DC_OK;
    return fail_word(s, *label,
                     memchr(label->p, ',', label->n)
                         ? "are several labels; say --label-column=none to leave the labels out"
                         : "is not a label: labels are numbers");
}
