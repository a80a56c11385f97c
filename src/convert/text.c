/* Rows of a text table. A line is parsed in the stream's window, cell by cell, without a copy. Ambiguous input is
 * refused, not guessed at; the error names its place and the option that resolves it. */
#include "convert/text.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "dcmpi/mem.h"
#include "dcmpi/text.h"

/* ---- Cells that are refused -------------------------------------------------------------------------------------- */

/* Messages count columns from 0, as the options do. */
static dc_status fail_cell(const dc_text *t, int64_t column, dc_span cell, const char *cause)
{
    char shown[40], name[40] = "";
    const size_t n = DC_MIN(cell.n, sizeof shown - 8);
    dc_printable(shown, sizeof shown, cell.p, n);
    if (t->layout.header) dc_layout_name(&t->layout, column, name, sizeof name);
    return DC_FAIL(DC_ERR_DATA, "%s:%lld: column %lld (%s%scounted from 0): '%s%s' %s", t->lines.stream.name,
                   (long long)t->lines.line, (long long)column, name, name[0] ? ", " : "", shown,
                   n < cell.n ? "..." : "", cause);
}

static dc_status fail_missing(const dc_text *t, int64_t column, dc_span cell, int kind)
{
    char cause[256];
    const char *what = kind == 0  ? "is an empty cell, a missing value"
                       : kind < 4 ? "is not finite, a missing value"
                                  : "looks like a missing value";
    const bool at_end = kind == 0 && column == t->layout.n_columns - 1;
    snprintf(cause, sizeof cause,
             "%s; say --missing=drop, mean or value:X, or leave the column out: --drop-columns=%lld%s", what,
             (long long)column, at_end ? " (do all lines end in a separator?)" : "");
    return fail_cell(t, column, cell, cause);
}

static dc_status fail_comma(const dc_text *t, int64_t column, dc_span cell, dc_comma comma)
{
    static const char either[] = "has a decimal comma (then say --decimal=comma) or one between thousands (then remove "
                                 "the commas); the two differ by a factor of 1000";
    static const char *const causes[] = {
        [DC_COMMA_DECIMAL] = "has a decimal comma; say --decimal=comma, or write a point",
        [DC_COMMA_EITHER] = either,
        [DC_COMMA_THOUSANDS] = "has commas between thousands; remove them",
        [DC_COMMA_BOTH] = "has points between thousands and a decimal comma; remove the points and say --decimal=comma",
    };
    return fail_cell(t, column, cell, causes[comma]);
}

/* Refuses a word; names --label-column where a label is likely: at an edge, if all lines have a word there. */
static dc_status fail_word(const dc_text *t, int64_t column, dc_span cell)
{
    char cause[256];
    const dc_layout *y = &t->layout;
    const bool first = column == 0 && y->words_first, last = column == y->n_columns - 1 && y->words_last;
    if (first || last)
        snprintf(cause, sizeof cause,
                 "is not a number; if it is a label, say --label-column=%s; if it is the name of the row, "
                 "--id-column=%s",
                 first ? "first" : "last", first ? "first" : "last");
    else if (t->lines.line == 1)
        snprintf(cause, sizeof cause, "is not a number; if line 1 holds names, say --header=yes");
    else
        snprintf(cause, sizeof cause,
                 "is not a number; write NA if it is missing, or leave the column out: --drop-columns=%lld",
                 (long long)column);
    return fail_cell(t, column, cell, cause);
}

static int64_t count_words(dc_span cell)
{
    return dc_cell_count(cell, ' ');
}

static bool is_truth(dc_span cell)
{
    return (cell.n == 4 && strncasecmp(cell.p, "true", 4) == 0) ||
           (cell.n == 5 && strncasecmp(cell.p, "false", 5) == 0);
}

/* Refuses a cell that is not a number, quoting it and saying why. */
static dc_status fail_number(const dc_text *t, int64_t column, dc_span cell)
{
    dc_span inner = cell;
    double v;
    const int kind = dc_cell_missing(cell);
    const dc_comma comma = dc_cell_comma(cell);
    if (kind != DC_WORD_NONE) return fail_missing(t, column, cell, kind);
    if (!dc_cell_unquote(&inner) && cell.p[0] == '"')
        return fail_cell(t, column, cell, "has quotes inside of quotes; a quote in a quoted cell is written twice");
    if (memchr(cell.p, '\r', cell.n))
        return fail_cell(t, column, cell, "has a carriage return inside; lines must end in LF");
    if (comma != DC_COMMA_NONE && !t->layout.decimal_comma) return fail_comma(t, column, cell, comma);
    if (t->layout.decimal_comma && dc_cell_number(cell, false, &v))
        return fail_cell(t, column, cell,
                         "has a point, but --decimal=comma was given; remove the points between thousands");
    if (memchr(cell.p, ':', cell.n))
        return fail_cell(t, column, cell,
                         "looks like svmlight, but not all of the first lines are a number and index:value");
    if (is_truth(inner)) return fail_cell(t, column, cell, "is a truth value; write 1 or 0");
    if (count_words(inner) > 1 && dc_cell_number(dc_cell_at(inner, ' ', 0), false, &v))
        return fail_cell(t, column, cell,
                         "has blanks inside; if they separate cells, say --separator=blank (and --decimal=comma)");
    if (count_words(inner) > 2)
        return fail_cell(t, column, cell,
                         "looks like raw text; for rows of TF-IDF name the column of texts: --text-column");
    return fail_word(t, column, cell);
}

/* ---- One row ----------------------------------------------------------------------------------------------------- */

static dc_status parse_number(dc_text *t, int64_t column, dc_span cell, double *x)
{
    if (!dc_cell_number(cell, t->layout.decimal_comma, x)) {
        const int kind = t->action == DC_MISSING_ERROR ? DC_WORD_NONE : dc_cell_missing(cell);
        if (kind == DC_WORD_NONE) return fail_number(t, column, cell);
        t->missing[kind]++;
        *x = NAN;
        return DC_OK;
    }
    if (!isfinite((float)*x)) return fail_cell(t, column, cell, "is too large for float32");
    return DC_OK;
}

/* Writes a cell as text into out[cap]. A longer cell fills all of out, which is longer than callers accept. */
static size_t text_of(dc_span cell, char *out, size_t cap)
{
    if (cell.n <= cap) return dc_cell_text(cell, out);
    memcpy(out, cell.p, cap);
    return cap;
}

static dc_status put_label(const dc_text *t, int64_t column, dc_span cell, dc_label_sink *sink)
{
    char text[2 * DC_CONVERT_MAX_CLASS_BYTES + 4];
    if (t->layout.separator == '\0' && cell.n > 0 && cell.p[0] != '"')
        for (const char *p = cell.p; p < cell.p + cell.n; p++)
            if (strchr("\t;,", *p) && *p)
                return fail_cell(t, column, cell, "has a separator; a file of labels has one label per line");
    return dc_label_put(sink, t->lines.stream.name, text, text_of(cell, text, sizeof text));
}

static dc_status put_id(const dc_text *t, dc_span cell, dc_id_sink *sink)
{
    char text[2 * DC_CONVERT_MAX_ID_BYTES + 4];
    return dc_id_put(sink, t->lines.stream.name, text, text_of(cell, text, sizeof text));
}

/* Stores the label and the id of a row. */
static dc_status put_rest(const dc_text *t, dc_span label, dc_span id, bool dropped, dc_row_sink *sink)
{
    dc_status st = DC_OK;
    if (t->layout.label >= 0 && dropped) dc_label_skip(&sink->labels);
    if (t->layout.label >= 0 && !dropped) DC_TRY(put_label(t, t->layout.label, label, &sink->labels));
    if (t->layout.id >= 0) DC_TRY(put_id(t, dropped ? (dc_span){"", 0} : id, &sink->ids));
out:
    return st;
}

/* columns: number of columns in the line; if there are too many, how many were read. */
static dc_status fail_length(const dc_text *t, int64_t columns)
{
    const char *name = t->lines.stream.name;
    const long long line = t->lines.line, all = t->layout.n_columns;
    if (columns < all)
        return DC_FAIL(DC_ERR_DATA, "%s:%lld: the line has %lld column%s, but the first has %lld", name, line,
                       (long long)columns, columns == 1 ? "" : "s", all);
    return DC_FAIL(DC_ERR_DATA, "%s:%lld: the line has more than the %lld columns of the first", name, line, all);
}

static dc_status parse_row(dc_text *t, dc_span line, double *x, dc_row_sink *sink)
{
    const dc_layout *y = &t->layout;
    dc_span cell, label = {NULL, 0}, id = {NULL, 0};
    bool missing = false;
    int64_t column = 0;
    for (; dc_cell_next(&line, y->separator, &cell); column++) {
        if (column == y->n_columns) return fail_length(t, column);
        switch ((dc_column_role)y->role[column]) {
        case DC_COLUMN_FEATURE: {
            const dc_status st = parse_number(t, column, cell, x);
            if (st != DC_OK) return st;
            missing |= isnan(*x++);
            break;
        }
        case DC_COLUMN_LABEL:
            label = cell;
            break;
        case DC_COLUMN_ID:
            id = cell;
            break;
        case DC_COLUMN_DROPPED:
        case DC_COLUMN_TEXT: /* of documents only */
            break;
        }
    }
    if (column < y->n_columns) return fail_length(t, column);
    return put_rest(t, label, id, missing && t->action == DC_MISSING_DROP, sink);
}

dc_status dc_text_read(dc_text *t, size_t n, double *x, dc_row_sink *sink, size_t *got)
{
    dc_status st = DC_OK;
    dc_span line;
    bool found;
    for (*got = 0; *got < n; ++*got) {
        DC_TRY(dc_lines_next(&t->lines, &line, &found));
        if (!found) break;
        DC_TRY(parse_row(t, line, x + *got * (size_t)t->layout.n_features, sink));
    }
out:
    return st;
}

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

/* Opens the file again, this time to read its rows. */
static dc_status reopen(dc_text *t, const char *path, uint64_t limit)
{
    dc_status st = DC_OK;
    dc_span line;
    bool found;
    dc_lines_close(&t->lines);
    DC_TRY(dc_lines_open(&t->lines, path, t->layout.separator, limit));
    if (t->layout.header) DC_TRY(dc_lines_next(&t->lines, &line, &found));
out:
    return st;
}

dc_status dc_text_open(dc_text *t, const char *path, const dc_table_options *table, dc_missing_action action,
                       uint64_t limit)
{
    dc_status st = DC_OK;
    memset(t, 0, sizeof *t);
    t->action = action;
    DC_TRY(dc_lines_open(&t->lines, path, DC_SEPARATOR_UNKNOWN, limit));
    DC_TRY(dc_layout_decide(&t->layout, table, &t->lines));
    DC_TRY(reopen(t, path, limit));
out:
    if (st != DC_OK) dc_text_close(t);
    return st;
}

static bool is_number(dc_span cell)
{
    double v;
    return dc_cell_number(cell, false, &v);
}

/* If line 1 is a word and line 2 a number, line 1 is a header, unless the matrix has a row for every line. */
static dc_status find_label_header(dc_text *t, dc_gidx rows)
{
    dc_status st = DC_OK;
    dc_span line;
    bool found;
    int64_t lines = 1;
    DC_TRY(dc_lines_next(&t->lines, &line, &found));
    if (!found) return DC_FAIL(DC_ERR_DATA, "%s: has no rows", t->lines.stream.name);
    line = dc_span_trim(line.p, line.p + line.n, '\0');
    const bool word = !is_number(line) && dc_cell_missing(line) == DC_WORD_NONE;
    DC_TRY(dc_lines_next(&t->lines, &line, &found));
    t->layout.header = word && found && is_number(dc_span_trim(line.p, line.p + line.n, '\0'));
    for (; t->layout.header && rows >= 0 && found && lines <= rows; lines++)
        DC_TRY(dc_lines_next(&t->lines, &line, &found));
    if (t->layout.header && lines == rows && !found) t->layout.header = false;
out:
    return st;
}

dc_status dc_text_open_labels(dc_text *t, const char *path, dc_gidx rows, uint64_t limit)
{
    dc_status st = DC_OK;
    memset(t, 0, sizeof *t);
    t->layout = (dc_layout){.separator = '\0', .n_columns = 1, .id = -1, .text = -1, .unnamed_dropped = -1};
    DC_TRY(dc_mem_alloc(&t->layout.role, 1, 1, "roles of the columns"));
    t->layout.role[0] = DC_COLUMN_LABEL;
    DC_TRY(dc_lines_open(&t->lines, path, '\0', limit));
    DC_TRY(find_label_header(t, rows));
    DC_TRY(reopen(t, path, limit));
out:
    if (st != DC_OK) dc_text_close(t);
    return st;
}

void dc_text_close(dc_text *t)
{
    dc_lines_close(&t->lines);
    dc_layout_release(&t->layout);
}
