/* The format is that of math.nist.gov/MatrixMarket/formats.html. Lines that are empty or begin with '%' are skipped
 * wherever they stand. */
#include "convert/mtx.h"

#include <string.h>
#include <strings.h>

#include "convert/rawline.h"
#include "dcmpi/heartbeat.h"
#include "dcmpi/mem.h"
#include "dcmpi/signals.h"
#include "dcmpi/text.h"

static const char banner[] = "%%MatrixMarket";

bool dc_mtx_recognise(const dc_stream *s)
{
    const size_t n = sizeof banner - 1;
    return dc_stream_available(s) > n && strncasecmp((const char *)dc_stream_data(s), banner, n) == 0;
}

/* ---- Header ------------------------------------------------------------------------------------------------------ */

/* Index of the word in names[n], or -1. */
static int choose(dc_span word, const char *const *names, int n)
{
    for (int i = 0; i < n; i++)
        if (strlen(names[i]) == word.n && strncasecmp(word.p, names[i], word.n) == 0) return i;
    return -1;
}

static dc_status fail_word(const dc_mtx *m, dc_span word, const char *what)
{
    char shown[40];
    dc_printable(shown, sizeof shown, word.p, word.n);
    return DC_FAIL(DC_ERR_DATA, "%s:1: '%s' is not %s that convert reads", m->stream.name, shown, what);
}

static dc_status read_banner(dc_mtx *m)
{
    static const char *const layouts[] = {"coordinate", "array"};
    static const char *const fields[] = {"real", "double", "integer", "pattern"};
    static const char *const symmetries[] = {"general", "symmetric", "skew-symmetric"};
    dc_span line, word;
    bool found;
    const dc_status st = dc_rawline_next(&m->stream, &m->line, &line, &found);
    if (st != DC_OK) return st;
    (void)dc_rawline_word(&line, &word);
    (void)dc_rawline_word(&line, &word);
    if (choose(word, (const char *const[]){"matrix"}, 1) < 0) return fail_word(m, word, "an object");
    (void)dc_rawline_word(&line, &word);
    const int layout = choose(word, layouts, DC_COUNT_OF(layouts));
    if (layout < 0) return fail_word(m, word, "a format");
    (void)dc_rawline_word(&line, &word);
    const int field = choose(word, fields, DC_COUNT_OF(fields));
    if (field < 0 || (field == 3 && layout == 1)) return fail_word(m, word, "a kind of numbers");
    (void)dc_rawline_word(&line, &word);
    const int symmetry = choose(word, symmetries, DC_COUNT_OF(symmetries));
    if (symmetry < 0) return fail_word(m, word, "a symmetry");
    m->array = layout == 1;
    m->pattern = field == 3;
    m->symmetry = (dc_mtx_symmetry)symmetry;
    return DC_OK;
}

/* The next line that is neither empty nor a comment; *found is false at the end. */
static dc_status next_line(dc_mtx *m, dc_span *line, bool *found)
{
    for (;;) {
        const dc_status st = dc_rawline_next(&m->stream, &m->line, line, found);
        if (st != DC_OK || !*found) return st;
        if (line->n > 0 && line->p[0] != '%' && dc_span_trim(line->p, line->p + line->n, '\0').n > 0) return DC_OK;
    }
}

/* How many values an array of this shape has in the file. */
static int64_t stored_values(const dc_mtx *m)
{
    if (m->symmetry == DC_MTX_GENERAL) return m->rows * m->cols;
    return m->symmetry == DC_MTX_SKEW ? m->rows * (m->rows - 1) / 2 : m->rows * (m->rows + 1) / 2;
}

/* Whether the file may hold `count` more lines, of at least `least` bytes each. */
static dc_status check_room(const dc_mtx *m, int64_t least)
{
    const dc_stream *s = &m->stream;
    const uint64_t ratio = s->unpack ? dc_unpack_max_ratio(s->unpack) : 1;
    const double claimed = (double)m->count * (double)least - 1;
    if (claimed <= (double)s->limit && (ratio == 0 || claimed <= (double)ratio * (double)s->file_bytes)) return DC_OK;
    return DC_FAIL(DC_ERR_DATA, "%s:%lld: claims %lld values, which %llu bytes cannot hold", s->name,
                   (long long)m->line, (long long)m->count, (unsigned long long)s->file_bytes);
}

static dc_status read_size(dc_mtx *m)
{
    dc_span line = {0}, word;
    bool found;
    int64_t number[3] = {0};
    const int wanted = m->array ? 2 : 3;
    const char *name = m->stream.name;
    const dc_status st = next_line(m, &line, &found);
    if (st != DC_OK) return st;
    for (int i = 0; i < wanted; i++)
        if (!dc_rawline_word(&line, &word) || !dc_rawline_integer(word, &number[i]) || number[i] < 0)
            return DC_FAIL(DC_ERR_DATA, "%s:%lld: has no size: %d numbers of rows, columns%s", name, (long long)m->line,
                           wanted, m->array ? "" : " and values");
    if (dc_rawline_word(&line, &word))
        return DC_FAIL(DC_ERR_DATA, "%s:%lld: the size has more than %d numbers", name, (long long)m->line, wanted);
    m->rows = number[0], m->cols = number[1];
    if (m->rows < 1 || m->cols < 1 || m->rows > INT32_MAX || m->cols > INT32_MAX)
        return DC_FAIL(DC_ERR_DATA, "%s:%lld: %lld rows and %lld columns; 1 to %d of each are read", name,
                       (long long)m->line, (long long)m->rows, (long long)m->cols, INT32_MAX);
    if (m->symmetry != DC_MTX_GENERAL && m->rows != m->cols)
        return DC_FAIL(DC_ERR_DATA, "%s:%lld: is symmetric, but has %lld rows and %lld columns", name,
                       (long long)m->line, (long long)m->rows, (long long)m->cols);
    m->count = m->array ? stored_values(m) : number[2];
    m->row = m->symmetry == DC_MTX_SKEW;
    return check_room(m, m->array ? 2 : m->pattern ? 4 : 6);
}

dc_status dc_mtx_open(dc_mtx *m, const char *path, uint64_t limit)
{
    memset(m, 0, sizeof *m);
    dc_status st = dc_stream_open(&m->stream, path, limit);
    if (st != DC_OK) return st;
    st = read_banner(m);
    if (st == DC_OK) st = read_size(m);
    if (st != DC_OK) dc_mtx_close(m);
    return st;
}

void dc_mtx_close(dc_mtx *m)
{
    dc_stream_close(&m->stream);
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */

static dc_status take_place(const dc_mtx *m, dc_span *rest, const char *what, int64_t most, int64_t *place)
{
    dc_span word;
    char shown[40];
    if (!dc_rawline_word(rest, &word))
        return DC_FAIL(DC_ERR_DATA, "%s:%lld: has no %s", m->stream.name, (long long)m->line, what);
    if (!dc_rawline_integer(word, place)) {
        dc_printable(shown, sizeof shown, word.p, word.n);
        return DC_FAIL(DC_ERR_DATA, "%s:%lld: %s '%s' is not an integer", m->stream.name, (long long)m->line, what,
                       shown);
    }
    if (*place >= 1 && *place <= most) return DC_OK;
    return DC_FAIL(DC_ERR_DATA, "%s:%lld: %s %lld is out of range: they count from 1 to %lld", m->stream.name,
                   (long long)m->line, what, (long long)*place, (long long)most);
}

/* The place of the next value of an array, whose columns follow each other. */
static void next_place(dc_mtx *m, dc_entry *e)
{
    *e = (dc_entry){(uint32_t)m->row, (int32_t)m->col, 0};
    if (++m->row < m->rows) return;
    m->col++;
    m->row = m->symmetry == DC_MTX_GENERAL ? 0 : m->col + (m->symmetry == DC_MTX_SKEW);
}

static dc_status parse_entry(dc_mtx *m, dc_span rest, dc_entry *e)
{
    dc_status st = DC_OK;
    dc_span word;
    int64_t row, col;
    if (m->array) {
        next_place(m, e);
    } else {
        DC_TRY(take_place(m, &rest, "row", m->rows, &row));
        DC_TRY(take_place(m, &rest, "column", m->cols, &col));
        *e = (dc_entry){(uint32_t)(row - 1), (int32_t)(col - 1), 1};
    }
    if (!m->pattern) {
        if (!dc_rawline_word(&rest, &word))
            return DC_FAIL(DC_ERR_DATA, "%s:%lld: has no value", m->stream.name, (long long)m->line);
        DC_TRY(dc_rawline_value(m->stream.name, m->line, word, &e->value));
    }
    if (dc_rawline_word(&rest, &word))
        st = DC_FAIL(DC_ERR_DATA, "%s:%lld: has more than %d numbers", m->stream.name, (long long)m->line,
                     (m->array ? 0 : 2) + !m->pattern);
out:
    return st;
}

dc_status dc_mtx_read(dc_mtx *m, size_t n, dc_entry *out, size_t *got)
{
    dc_status st = DC_OK;
    dc_span line;
    bool found;
    *got = 0;
    if (dc_signals_stops() > 0) return DC_STOPPED;
    dc_heartbeat();
    while (*got + 2 <= n) {
        DC_TRY(next_line(m, &line, &found));
        if (!found) break;
        if (m->seen == m->count)
            return DC_FAIL(DC_ERR_DATA, "%s:%lld: more than the %lld values that the header claims", m->stream.name,
                           (long long)m->line, (long long)m->count);
        dc_entry *e = &out[*got];
        DC_TRY(parse_entry(m, line, e));
        m->seen++;
        ++*got;
        if (m->symmetry == DC_MTX_GENERAL || e->row == (uint32_t)e->col) continue;
        out[(*got)++] =
            (dc_entry){(uint32_t)e->col, (int32_t)e->row, m->symmetry == DC_MTX_SKEW ? -e->value : e->value};
    }
    if (*got == 0 && m->seen < m->count)
        st = DC_FAIL(DC_ERR_DATA, "%s: ends after %lld of the %lld values that its header claims", m->stream.name,
                     (long long)m->seen, (long long)m->count);
out:
    return st;
}
