/* Applies the rules of layout.h. Each line is reduced to a few facts about its features; the facts of line 1, of line 2
 * and of the lines after them decide. */
#include "convert/layout.h"

#include <math.h>
#include <string.h>

#include "convert/column_option.h"
#include "convert/number.h"
#include "dcmpi/mem.h"
#include "dcmpi/text.h"

enum { LOOKED_AT_LINES = 64, MIN_COUNTED_ROWS = 10, MIN_EQUAL_STEPS = 8 };

/* ---- Facts of one line ------------------------------------------------------------------------------------------- */

/* Counts and checks of the features of a line; other columns are ignored. */
typedef struct {
    int64_t numbers, words, missing, quoted; /* counts of cells; quoted: how many numbers are in quotes */
    int64_t lead, trail;                     /* other cells before the first number and after the last one */
    bool gap;                                /* other cells lie between numbers */
    bool equal_steps, grows;                 /* the numbers grow in equal steps; they grow */
    bool integers, any_integer;
    double from, step, last, sum;
} facts;

static void add_number(facts *f, double v, bool quoted)
{
    const bool integer = dc_is_integer(v, -0x1p53, 0x1p53);
    f->gap |= f->numbers > 0 && f->trail > 0;
    f->trail = 0;
    if (f->numbers == 0) f->from = v;
    if (f->numbers == 1) f->step = v - f->from;
    if (f->numbers > 0) f->equal_steps &= v > f->last && fabs(v - f->last - f->step) <= 1e-6 * f->step;
    if (f->numbers > 0) f->grows &= v > f->last;
    f->integers &= integer;
    f->any_integer |= integer;
    f->last = v;
    f->sum += v;
    f->quoted += quoted;
    f->numbers++;
}

/* first_column: the column of the line's first cell. It is 1 for a short header, which has no cell for column 0, else
 * 0. */
static facts facts_of(const dc_layout *y, dc_span line, int64_t first_column)
{
    facts f = {.equal_steps = true, .grows = true, .integers = true};
    dc_span cell;
    double v;
    for (int64_t c = first_column; dc_cell_next(&line, y->separator, &cell) && c < y->n_columns; c++) {
        if (y->role[c] != DC_COLUMN_FEATURE) continue;
        if (dc_cell_number(cell, y->decimal_comma, &v)) {
            add_number(&f, v, cell.p[0] == '"');
            continue;
        }
        if (dc_cell_comma(cell) != DC_COMMA_NONE)
            f.numbers++, f.gap = true; /* its commas show that it is a number, but not which one */
        else if (dc_cell_missing(cell) == DC_WORD_NONE)
            f.words++;
        else
            f.missing++;
        if (f.numbers == 0)
            f.lead++;
        else
            f.trail++;
    }
    return f;
}

/* Whether the numbers are 0, 1, 2, ... or 1, 2, 3, ... */
static bool counts_up(const facts *f)
{
    return f->numbers >= 2 && !f->gap && f->equal_steps && f->step == 1 && (f->from == 0 || f->from == 1);
}

/* ---- Facts of the lines after line 1 ----------------------------------------------------------------------------- */

typedef struct {
    int64_t lines;
    bool no_numbers; /* no line has a number among its features, and each has a word */
    bool equal_steps, grows, any_integer, integers;
    bool same_sum; /* all lines have the same sum as line 1: they may be rankings */
    bool words_first, words_last;
    bool counts; /* column 0 is 0, 1, 2, ... or 1, 2, 3, ... so far */
    double count_from;
} behind;

static bool is_word_cell(const dc_layout *y, dc_span cell)
{
    double v;
    return !dc_cell_number(cell, y->decimal_comma, &v) && dc_cell_comma(cell) == DC_COMMA_NONE &&
           dc_cell_missing(cell) == DC_WORD_NONE;
}

static void count_on(const dc_layout *y, dc_span line, behind *b)
{
    double v = -1;
    if (!b->counts) return;
    b->counts = dc_cell_number(dc_cell_at(line, y->separator, 0), y->decimal_comma, &v);
    if (b->lines == 0) b->count_from = v;
    b->counts &= (b->count_from == 0 || b->count_from == 1) && v == b->count_from + (double)b->lines;
}

static void add_line(const dc_layout *y, const facts *first, dc_span line, behind *b)
{
    const facts f = facts_of(y, line, 0);
    dc_span cell = {NULL, 0};
    count_on(y, line, b);
    b->no_numbers &= f.numbers == 0 && f.words > 0;
    b->equal_steps |= f.equal_steps && f.numbers > 1;
    b->grows |= f.grows && f.numbers > 1;
    b->integers &= f.integers;
    b->any_integer |= f.any_integer;
    b->same_sum &= f.sum == first->sum;
    for (dc_span rest = line; dc_cell_next(&rest, y->separator, &cell);) continue;
    b->words_first &= is_word_cell(y, dc_cell_at(line, y->separator, 0));
    b->words_last &= is_word_cell(y, cell);
    b->lines++;
}

/* Collects the facts of line 2, of which y has a copy, and of the lines after it: at most LOOKED_AT_LINES lines in all.
 */
static dc_status look_behind(const dc_layout *y, dc_lines *l, const facts *first, behind *b)
{
    dc_status st = DC_OK;
    dc_span line;
    bool found = y->next_line.p;
    *b = (behind){.no_numbers = found, .integers = true, .same_sum = found, .counts = found};
    b->words_first = b->words_last = found;
    if (found) add_line(y, first, y->next_line, b);
    while (found && b->lines < LOOKED_AT_LINES) {
        DC_TRY(dc_lines_next(l, &line, &found));
        if (found) add_line(y, first, line, b);
    }
out:
    return st;
}

/* Finds out whether column 0 counts up to the last line: a column that counts only at first is data and must not be
 * lost. */
static dc_status counts_to_end(const dc_layout *y, dc_lines *l, behind *b)
{
    dc_status st = DC_OK;
    dc_span line;
    for (bool found = b->lines == LOOKED_AT_LINES; found && b->counts;) {
        DC_TRY(dc_lines_next(l, &line, &found));
        if (!found) break;
        count_on(y, line, b);
        b->lines++;
    }
out:
    return st;
}

/* ---- Line 1 ------------------------------------------------------------------------------------------------------ */

/* Whether the label, or a cell before the numbers, is a word or empty in line 1 but a number in line 2. */
static bool has_other_edge(const dc_layout *y, const facts *first, const facts *next)
{
    double v;
    if (first->lead > next->lead) return true;
    return y->label >= 0 && is_word_cell(y, dc_cell_at(y->first_line, y->separator, y->label)) &&
           dc_cell_number(dc_cell_at(y->next_line, y->separator, y->label), y->decimal_comma, &v);
}

static bool numbers_are_names(const dc_layout *y, const facts *first, const facts *next, const behind *b)
{
    if (first->gap || b->lines == 0) return false;
    if (first->quoted == first->numbers && next->numbers > 0 && next->quoted == 0) return true;
    if (first->numbers >= MIN_EQUAL_STEPS && first->equal_steps && !counts_up(first)) return !b->equal_steps;
    if (!counts_up(first)) return false;
    if (has_other_edge(y, first, next)) return true;
    if (first->numbers > 2 && b->equal_steps) return false;
    return !b->integers ? first->numbers > 2 || !b->any_integer : first->numbers > 2 && !b->same_sum;
}

static void decide_header(dc_layout *y, const facts *first, const facts *next, const behind *b)
{
    const int64_t features = first->numbers + first->words + first->missing;
    y->header_by_rule = true;
    y->header = first->numbers == 0 ? first->words > 0 : numbers_are_names(y, first, next, b);
    if (y->header || first->numbers < features || b->lines == 0) return;
    if (features == 1)
        y->header_in_doubt = first->integers && !b->any_integer; /* pandas names a series 0 if it has no name */
    else
        y->header_in_doubt = !b->grows && first->grows && (counts_up(first) || first->numbers >= MIN_EQUAL_STEPS);
}

/* ---- Column 0 ---------------------------------------------------------------------------------------------------- */

static bool is_unnamed(const dc_layout *y)
{
    char name[16];
    dc_layout_name(y, 0, name, sizeof name);
    return name[0] == '\0' || strcmp(name, "Unnamed: 0") == 0;
}

static dc_status decide_id(dc_layout *y, const dc_table_options *o, dc_lines *l, behind *b)
{
    dc_status st = DC_OK;
    const bool free_column = y->role[0] == DC_COLUMN_FEATURE && y->n_columns > 1;
    const bool none = o->id_column && strcmp(o->id_column, "none") == 0;
    const bool names = o->transposed && b->words_first;
    if (!free_column || none || !(y->header || names)) return DC_OK;
    bool is_id = names || is_unnamed(y);
    if (!is_id && y->id < 0 && b->counts && b->lines >= MIN_COUNTED_ROWS) {
        DC_TRY(counts_to_end(y, l, b));
        is_id = b->counts;
    }
    y->sample_in_doubt = !is_id && o->transposed && y->id < 0;
    if (!is_id) return DC_OK;
    y->role[0] = y->id < 0 ? DC_COLUMN_ID : DC_COLUMN_DROPPED;
    y->id_by_rule = true;
    if (y->id < 0)
        y->id = 0;
    else
        y->unnamed_dropped = 0;
out:
    return st;
}

/* ---- Not a table of numbers -------------------------------------------------------------------------------------- */

/* Refuses binary data of no known format: the message names the first byte that cannot be text. */
static dc_status check_is_text(const dc_lines *l, dc_span line)
{
    for (size_t i = 0; i < line.n; i++) {
        const unsigned char c = (unsigned char)line.p[i];
        if (c < 0x20 && c != '\t' && c != '\r' && c != '\n')
            return DC_FAIL(DC_ERR_DATA,
                           "%s:%lld: byte %zu of the line is 0x%02x: the file is neither text nor IDX, NPY or HDF5",
                           l->stream.name, (long long)l->line, i, c);
    }
    return DC_OK;
}

/* Whether a cell looks like "3:0.5", as svmlight writes features. */
static bool is_sparse_cell(dc_span cell)
{
    double v;
    const char *colon = cell.n > 0 ? memchr(cell.p, ':', cell.n) : NULL;
    if (!colon || colon == cell.p) return false;
    for (const char *p = cell.p; p < colon; p++)
        if (*p < '0' || *p > '9') return false;
    return dc_number_parse(colon + 1, (size_t)(cell.p + cell.n - colon - 1), &v);
}

/* Refuses a line of svmlight, which has a label and then only sparse cells. */
static dc_status check_dense(const dc_lines *l, dc_span line)
{
    dc_span cell = {NULL, 0};
    int64_t sparse = 0, cells = 0;
    for (; dc_cell_next(&line, ' ', &cell); cells++) sparse += is_sparse_cell(cell);
    if (sparse == 0 || sparse + 1 < cells) return DC_OK;
    return DC_FAIL(DC_ERR_DATA,
                   "%s:%lld: looks like svmlight, but not all of its first lines are a number and index:value, or the "
                   "first input is another kind of file",
                   l->stream.name, (long long)l->line);
}

static dc_status check_has_numbers(const dc_lines *l, const facts *first, const behind *b)
{
    if (b->lines == 0 || !b->no_numbers || first->numbers > 0) return DC_OK;
    return DC_FAIL(DC_ERR_DATA,
                   "%s: no line has a number among its features: it looks like raw text or categories; for rows of "
                   "TF-IDF from documents name their column: --text-column=last; for categories make vectors first "
                   "(pandas.get_dummies)",
                   l->stream.name);
}

/* ---- All of it --------------------------------------------------------------------------------------------------- */

static dc_status copy_line(dc_span line, char **copy, dc_span *out)
{
    const dc_status st = dc_mem_alloc_raw(copy, line.n + 1, 1, "first lines of a table");
    if (st != DC_OK) return st;
    memcpy(*copy, line.p, line.n);
    *out = (dc_span){*copy, line.n};
    return DC_OK;
}

static dc_status read_first(dc_layout *y, const dc_table_options *o, dc_lines *l)
{
    dc_status st = DC_OK;
    dc_span line;
    bool found;
    DC_TRY(dc_lines_next(l, &line, &found));
    if (!found) return DC_FAIL(DC_ERR_DATA, "%s: has no rows", l->stream.name);
    DC_TRY(check_is_text(l, line));
    y->separator = o->separator ? o->separator : l->declared ? l->declared : dc_cell_separator(line, o->decimal_comma);
    if (y->separator != ':') DC_TRY(check_dense(l, line));
    l->separator = y->separator;
    DC_TRY(copy_line(line, &y->first, &y->first_line));
    DC_TRY(dc_lines_next(l, &line, &found));
    if (found) DC_TRY(copy_line(line, &y->next, &y->next_line));
    if (!found && memchr(y->first_line.p, '\r', y->first_line.n))
        st = DC_FAIL(
            DC_ERR_DATA,
            "%s: lines end in CR alone, as on old Macs, so that all are one; run: tr '\\r' '\\n' <'%s' >new.csv",
            l->stream.name, l->stream.name);
out:
    return st;
}

/* Decides whether line 1 names all columns but the first, as in files that R writes. */
static dc_status decide_short(dc_layout *y, const dc_table_options *o, const dc_lines *l)
{
    if (!y->next_line.p || dc_cell_count(y->next_line, y->separator) != y->n_columns + 1) return DC_OK;
    const facts first = facts_of(y, y->first_line, 0), next = facts_of(y, y->next_line, 0);
    const bool counts = counts_up(&first) && first.numbers > 2 && !next.equal_steps;
    const bool names = first.words > 0 ? first.numbers == 0 : first.quoted == first.numbers || counts;
    if (o->header == DC_HEADER_NO || !(o->header == DC_HEADER_YES || names)) return DC_OK;
    if (dc_cell_at(y->next_line, y->separator, y->n_columns).n == 0)
        return DC_FAIL(DC_ERR_DATA,
                       "%s:%lld: the line has one cell more than line 1, and it is empty; remove the separators at the "
                       "ends of the lines",
                       l->stream.name, (long long)l->line);
    y->short_header = y->header = y->header_by_rule = true;
    y->n_columns++;
    return DC_OK;
}

static dc_status allocate_roles(dc_layout *y)
{
    dc_mem_free(&y->role);
    return dc_mem_alloc(&y->role, (size_t)y->n_columns, 1, "roles of the columns");
}

static dc_status check_columns(dc_layout *y, const dc_lines *l)
{
    y->n_features = 0;
    for (int64_t c = 0; c < y->n_columns; c++) y->n_features += y->role[c] == DC_COLUMN_FEATURE;
    if (y->n_features > DC_CONVERT_MAX_COLUMNS)
        return DC_FAIL(DC_ERR_DATA, "%s: %lld values per row, the limit is %d", l->stream.name,
                       (long long)y->n_features, DC_CONVERT_MAX_COLUMNS);
    if (y->n_features == 0)
        return DC_FAIL(DC_ERR_DATA, "%s: has no column of features besides labels, ids and what is left out",
                       l->stream.name);
    return DC_OK;
}

static dc_status decide(dc_layout *y, const dc_table_options *o, dc_lines *l)
{
    dc_status st = DC_OK;
    behind b;
    DC_TRY(read_first(y, o, l));
    y->n_columns = dc_cell_count(y->first_line, y->separator);
    DC_TRY(allocate_roles(y));
    DC_TRY(decide_short(y, o, l));
    DC_TRY(allocate_roles(y));
    DC_TRY(dc_columns_assign(y, o, l->stream.name));
    DC_TRY(check_columns(y, l));
    const facts first = facts_of(y, y->first_line, y->short_header), next = facts_of(y, y->next_line, 0);
    DC_TRY(look_behind(y, l, &first, &b));
    y->words_first = b.words_first && (y->header || b.lines > 0);
    y->words_last = b.words_last;
    if (o->header != DC_HEADER_AUTO || dc_columns_need_names(o))
        y->header = o->header != DC_HEADER_NO;
    else if (!y->short_header)
        decide_header(y, &first, &next, &b);
    DC_TRY(check_has_numbers(l, &first, &b));
    DC_TRY(decide_id(y, o, l, &b));
    DC_TRY(check_columns(y, l));
out:
    return st;
}

dc_status dc_layout_decide(dc_layout *y, const dc_table_options *o, dc_lines *l)
{
    memset(y, 0, sizeof *y);
    y->label = y->id = y->text = y->unnamed_dropped = -1;
    y->decimal_comma = o->decimal_comma;
    if (o->header == DC_HEADER_NO && dc_columns_need_names(o))
        return DC_FAIL(DC_ERR_USAGE, "--header=no leaves columns without names; give numbers, counted from 0");
    const dc_status st = decide(y, o, l);
    if (st != DC_OK) dc_layout_release(y);
    return st;
}

void dc_layout_release(dc_layout *y)
{
    dc_mem_free(&y->role);
    dc_mem_free(&y->first);
    dc_mem_free(&y->next);
}
