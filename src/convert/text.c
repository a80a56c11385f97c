/* Text tables. A line is looked at in the stream's window, cell by cell, without a copy. What is ambiguous is refused
 * with its place rather than guessed: ragged rows, empty cells, quotes around separators, decimal commas, NaN.
 *
 * Lines end in LF or CR LF, the last one in nothing if it likes; lines that begin with '#' are comments; empty lines
 * may only come last; a byte order mark is skipped. */
#include "convert/text.h"

#include <math.h>
#include <string.h>

#include "convert/cell.h"
#include "convert/number.h"
#include "dcmpi/convert.h"
#include "dcmpi/mem.h"
#include "dcmpi/text.h"

enum { LINE_STEP_BYTES = 1 << 16 };

/* ---- Lines ------------------------------------------------------------------------------------------------------- */

/* Bytes up to and without the next LF, or up to the end of the file; the line stays visible until the stream is read
 * again. *found is false at the end of the file. */
static dc_status raw_line(dc_stream *s, dc_span *line, bool *found, int64_t number)
{
    size_t searched = 0;
    for (;;) {
        const char *p = (const char *)dc_stream_data(s);
        const size_t have = dc_stream_available(s);
        const char *lf = have > searched ? memchr(p + searched, '\n', have - searched) : NULL;
        if (lf || (s->end && have == searched)) {
            *line = (dc_span){p, lf ? (size_t)(lf - p) : have};
            *found = lf || have > 0;
            dc_stream_skip(s, lf ? line->n + 1 : have);
            return DC_OK;
        }
        if (have > DC_CONVERT_MAX_LINE_BYTES)
            return DC_FAIL(DC_ERR_DATA, "%s:%lld: line is longer than %d bytes", s->name, (long long)number,
                           DC_CONVERT_MAX_LINE_BYTES);
        searched = have;
        const dc_status st = dc_stream_fill(s, have + LINE_STEP_BYTES);
        if (st != DC_OK) return st;
    }
}

/* The next line that is neither comment nor empty, without blanks at its ends unless a tab separates. */
static dc_status next_line(dc_text *t, dc_span *line, bool *found)
{
    for (;;) {
        const dc_status st = raw_line(&t->stream, line, found, t->line + 1);
        if (st != DC_OK || !*found) return st;
        t->line++;
        if (line->n > 0 && line->p[line->n - 1] == '\r') line->n--;
        if (t->line == 1 && line->n >= 3 && memcmp(line->p, "\xEF\xBB\xBF", 3) == 0) line->p += 3, line->n -= 3;
        if (line->n > 0 && line->p[0] == '#') continue;
        if (dc_span_trim(line->p, line->p + line->n, '\0').n > 0) break;
        if (t->blank_line == 0) t->blank_line = t->line;
    }
    if (t->blank_line != 0)
        return DC_FAIL(DC_ERR_DATA, "%s:%lld: line is empty, but data follow it", t->stream.name,
                       (long long)t->blank_line);
    return DC_OK;
}

/* ---- Cells ------------------------------------------------------------------------------------------------------- */

static dc_status fail_cell(const dc_text *t, int64_t column, dc_span cell, const char *cause)
{
    char shown[40];
    const size_t n = DC_MIN(cell.n, sizeof shown - 8);
    dc_printable(shown, sizeof shown, cell.p, n);
    return DC_FAIL(DC_ERR_DATA, "%s:%lld: column %lld: '%s%s' %s", t->stream.name, (long long)t->line,
                   (long long)column + 1, shown, n < cell.n ? "..." : "", cause);
}

/* Why a cell is no number, in the words of the user's file. */
static dc_status fail_number(const dc_text *t, int64_t column, dc_span cell)
{
    dc_span inner = cell;
    if (cell.n == 0) return fail_cell(t, column, cell, "is an empty cell; every cell needs a number");
    if (!dc_cell_unquote(&inner))
        return fail_cell(t, column, cell, "has quotes around a separator or inside; they are not supported");
    if (dc_cell_is_nan_or_inf(inner))
        return fail_cell(t, column, cell, "is not finite; replace it or leave the row out");
    if (memchr(cell.p, '\r', cell.n))
        return fail_cell(t, column, cell, "has a carriage return inside; lines must end in LF");
    if (dc_cell_has_decimal_comma(inner)) return fail_cell(t, column, cell, "has a decimal comma; write a point");
    if (memchr(cell.p, ':', cell.n)) return fail_cell(t, column, cell, "looks like svmlight, which is not supported");
    return fail_cell(t, column, cell, "is not a number; if it is a label, say --label-column");
}

static dc_status parse_number(const dc_text *t, int64_t column, dc_span cell, double *x)
{
    dc_span inner = cell;
    if (!dc_number_parse(cell.p, cell.n, x) && !(dc_cell_unquote(&inner) && dc_number_parse(inner.p, inner.n, x)))
        return fail_number(t, column, cell);
    if (!isfinite((float)*x)) return fail_cell(t, column, cell, "is too large for float32");
    return DC_OK;
}

static dc_status parse_label(const dc_text *t, int64_t column, dc_span cell, dc_label_sink *sink)
{
    dc_span inner = cell;
    if (!dc_cell_unquote(&inner))
        return fail_cell(t, column, cell, "has quotes around a separator or inside; they are not supported");
    if (inner.n == 0) return fail_cell(t, column, cell, "is an empty label");
    if (t->separator == '\0' && dc_cell_separator(inner) != ' ')
        return fail_cell(t, column, cell, "has a separator; a file of labels has one label per line");
    return dc_label_put(sink, t->stream.name, inner.p, inner.n);
}

static dc_status parse_row(const dc_text *t, dc_span line, double *x, dc_label_sink *sink)
{
    dc_span cell;
    int64_t column = 0;
    for (; dc_cell_next(&line, t->separator, &cell); column++) {
        if (column == t->n_columns)
            return DC_FAIL(DC_ERR_DATA, "%s:%lld: column %lld: the line has more than the %lld columns of the first",
                           t->stream.name, (long long)t->line, (long long)column + 1, (long long)t->n_columns);
        const dc_status st =
            column == t->label ? parse_label(t, column, cell, sink) : parse_number(t, column, cell, x++);
        if (st != DC_OK) return st;
    }
    if (column == t->n_columns) return DC_OK;
    return DC_FAIL(DC_ERR_DATA, "%s:%lld: column %lld: the line ends, but the first has %lld columns", t->stream.name,
                   (long long)t->line, (long long)column + 1, (long long)t->n_columns);
}

dc_status dc_text_read(dc_text *t, size_t n, double *x, dc_label_sink *sink, size_t *got)
{
    dc_status st = DC_OK;
    dc_span line;
    bool found;
    for (*got = 0; *got < n; ++*got) {
        DC_TRY(next_line(t, &line, &found));
        if (!found) break;
        DC_TRY(parse_row(t, line, x + *got * (size_t)t->n_features, sink));
    }
out:
    return st;
}

/* ---- What the first lines tell ------------------------------------------------------------------------------------
 */

/* Binary data that no format claimed ends here, with the first byte that text cannot have. */
static dc_status check_is_text(const dc_text *t, dc_span line)
{
    for (size_t i = 0; i < line.n; i++) {
        const unsigned char c = (unsigned char)line.p[i];
        if (c < 0x20 && c != '\t' && c != '\r')
            return DC_FAIL(DC_ERR_DATA,
                           "%s:%lld: byte %zu of the line is 0x%02x: the file is neither text nor IDX, NPY or HDF5",
                           t->stream.name, (long long)t->line, i, c);
    }
    return DC_OK;
}

/* True if no feature of the line is a number and at least one is not empty. */
static bool has_no_numbers(const dc_text *t, dc_span line)
{
    bool any = false;
    dc_span cell;
    for (int64_t i = 0; dc_cell_next(&line, t->separator, &cell); i++) {
        if (i == t->label) continue;
        if (dc_cell_is_number(cell)) return false;
        any |= cell.n > 0;
    }
    return any;
}

static dc_status resolve_label(dc_text *t, long column)
{
    t->label = column == DC_LABEL_LAST ? t->n_columns - 1 : column;
    if (t->label >= t->n_columns)
        return DC_FAIL(DC_ERR_USAGE, "%s:%lld: --label-column=%ld: the line has %lld columns, counted from 0",
                       t->stream.name, (long long)t->line, column, (long long)t->n_columns);
    t->n_features = t->n_columns - (t->label >= 0);
    if (t->n_features > DC_CONVERT_MAX_COLUMNS)
        return DC_FAIL(DC_ERR_DATA, "%s:%lld: %lld values per row, the limit is %d", t->stream.name, (long long)t->line,
                       (long long)t->n_features, DC_CONVERT_MAX_COLUMNS);
    return DC_OK;
}

/* Reads the first lines and fills the description in `t`; the stream is used up a little. */
static dc_status inspect(dc_text *t, long column, bool only_labels)
{
    dc_status st = DC_OK;
    dc_span line;
    bool found, label_is_number = true;
    DC_TRY(next_line(t, &line, &found));
    if (!found) return DC_FAIL(DC_ERR_DATA, "%s: has no rows", t->stream.name);
    DC_TRY(check_is_text(t, line));
    t->separator = only_labels ? '\0' : dc_cell_separator(line);
    t->n_columns = dc_cell_count(line, t->separator);
    DC_TRY(resolve_label(t, column));
    t->header = has_no_numbers(t, line);
    if (t->label >= 0) label_is_number = dc_cell_is_number(dc_cell_at(line, t->separator, t->label));
    if (t->header || label_is_number) return DC_OK;
    DC_TRY(next_line(t, &line, &found));
    t->header = found && dc_cell_is_number(dc_cell_at(line, t->separator, t->label));
out:
    return st;
}

static dc_status open_text(dc_text *t, const char *path, long column, bool only_labels, uint64_t limit)
{
    dc_status st = DC_OK;
    dc_span line;
    bool found;
    memset(t, 0, sizeof *t);
    DC_TRY(dc_stream_open(&t->stream, path, limit));
    st = inspect(t, column, only_labels);
    dc_stream_close(&t->stream);
    if (st != DC_OK) return st;
    t->line = t->blank_line = 0;
    DC_TRY(dc_stream_open(&t->stream, path, limit));
    if (t->header) DC_TRY(next_line(t, &line, &found));
out:
    if (st != DC_OK) dc_text_close(t);
    return st;
}

dc_status dc_text_open(dc_text *t, const char *path, long column, uint64_t limit)
{
    return open_text(t, path, column, false, limit);
}

dc_status dc_text_open_labels(dc_text *t, const char *path, uint64_t limit)
{
    return open_text(t, path, 0, true, limit);
}

void dc_text_close(dc_text *t)
{
    dc_stream_close(&t->stream);
}

/* Header cells of the features, one per line, into out[line.n + 1]; returns the bytes used. */
static size_t join_names(const dc_text *t, dc_span line, char *out)
{
    dc_span cell;
    size_t used = 0;
    for (int64_t i = 0; dc_cell_next(&line, t->separator, &cell); i++) {
        if (i == t->label) continue;
        (void)dc_cell_unquote(&cell);
        if (used > 0) out[used++] = '\n';
        memcpy(out + used, cell.p, cell.n);
        used += cell.n;
    }
    return used;
}

dc_status dc_text_names(const char *path, const dc_text *t, size_t max_bytes, char **names)
{
    dc_status st = DC_OK;
    dc_text head = *t;
    dc_span line;
    bool found;
    *names = NULL;
    if (!t->header) return DC_OK;
    head.line = 0;
    DC_TRY(dc_stream_open(&head.stream, path, 0));
    DC_TRY(next_line(&head, &line, &found));
    if (found && line.n <= max_bytes) {
        DC_TRY(dc_mem_alloc(names, line.n + 2, 1, "feature names"));
        (void)join_names(t, line, *names);
    }
out:
    dc_stream_close(&head.stream);
    return st;
}
