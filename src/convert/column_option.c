/* Finds the columns that --label-column, --id-column and --drop-columns mean in one table. */
#include "convert/column_option.h"

#include <string.h>

#include "dcmpi/mem.h"
#include "dcmpi/text.h"

enum { SHOWN_MAX = 64, NAMES_SHOWN = 8 };

static bool is_word(dc_span spec, const char *word)
{
    return spec.n == strlen(word) && memcmp(spec.p, word, spec.n) == 0;
}

static bool is_number(dc_span spec)
{
    for (size_t i = 0; i < spec.n; i++)
        if (spec.p[i] < '0' || spec.p[i] > '9') return false;
    return spec.n > 0;
}

static bool is_name(dc_span spec)
{
    return !is_number(spec) && !is_word(spec, "first") && !is_word(spec, "last") && !is_word(spec, "none");
}

static dc_span span_of(const char *text)
{
    return text ? (dc_span){text, strlen(text)} : (dc_span){"none", 4};
}

bool dc_columns_need_names(const dc_table_options *o)
{
    dc_span list = span_of(o->drop_columns), spec;
    bool need = is_name(span_of(o->label_column)) || is_name(span_of(o->id_column)) || is_name(span_of(o->text_column));
    while (dc_cell_next(&list, ',', &spec)) need |= is_name(spec);
    return need;
}

/* Writes ", did you mean 'x' or 'y'" with up to three similar names, or the first names of the table if none is
 * similar. */
static void suggest(const dc_layout *y, const char *wanted, char *out, size_t cap)
{
    char name[SHOWN_MAX], first[NAMES_SHOWN * SHOWN_MAX] = "";
    dc_span rest = y->first_line, cell;
    size_t used = 0, shown = 0;
    int found = 0, named = 0;
    while (dc_cell_next(&rest, y->separator, &cell) && found < 3) {
        (void)dc_cell_unquote(&cell);
        if (cell.n == 0 || cell.n >= sizeof name / 2) continue;
        dc_printable(name, sizeof name, cell.p, cell.n);
        const char *const names[] = {name};
        if (dc_nearest_name(wanted, names, 1) == 0)
            used += (size_t)snprintf(out + used, cap - used, "%s'%s'", found++ ? " or " : ", did you mean ", name);
        if (named++ < NAMES_SHOWN)
            shown += (size_t)snprintf(first + shown, sizeof first - shown, "%s'%s'", shown ? ", " : "", name);
    }
    if (found == 0)
        snprintf(out, cap, shown > 0 ? "; line 1 has %s%s" : "; line 1 holds no names", first,
                 named > NAMES_SHOWN ? ", ..." : "");
}

/* Finds the column that spec names; names are compared as text, without quotes. */
static dc_status find_name(const dc_layout *y, const char *name, const char *option, dc_span spec, int64_t *column)
{
    dc_status st = DC_OK;
    dc_span rest = y->first_line, cell;
    char *wanted = NULL, *text = NULL, shown[SHOWN_MAX], hint[NAMES_SHOWN * SHOWN_MAX + 64];
    int found = 0;
    DC_TRY(dc_mem_alloc(&wanted, spec.n + 1, 1, "name of a column"));
    DC_TRY(dc_mem_alloc(&text, y->first_line.n + 1, 1, "names of the columns"));
    const size_t n = dc_cell_text(spec, wanted);
    for (int64_t c = y->short_header; dc_cell_next(&rest, y->separator, &cell); c++)
        if (dc_cell_text(cell, text) == n && memcmp(text, wanted, n) == 0 && found++ == 0) *column = c;
    if (found == 1) goto out;
    dc_printable(shown, sizeof shown, wanted, n);
    suggest(y, shown, hint, sizeof hint);
    if (found == 0)
        st = DC_FAIL(DC_ERR_USAGE, "%s: %s=%s: no column of line 1 has this name%s", name, option, shown, hint);
    else
        st = DC_FAIL(DC_ERR_USAGE, "%s: %s=%s: %d columns have this name; give a number, counted from 0", name, option,
                     shown, found);
out:
    dc_mem_free(&wanted);
    dc_mem_free(&text);
    return st;
}

/* Finds the column that spec means by name, number, "first" or "last"; *column = -1 for "none". */
static dc_status find_column(const dc_layout *y, const char *name, const char *option, dc_span spec, int64_t *column)
{
    int64_t number = 0;
    *column = -1;
    if (is_word(spec, "none")) return DC_OK;
    if (is_name(spec)) return find_name(y, name, option, spec, column);
    if (is_word(spec, "last")) number = y->n_columns - 1;
    for (size_t i = 0; is_number(spec) && i < spec.n && number < y->n_columns; i++)
        number = 10 * number + (spec.p[i] - '0');
    if (number >= y->n_columns)
        return DC_FAIL(DC_ERR_USAGE, "%s: %s=%.*s: no such column: the line has %lld columns, 0 to %lld", name, option,
                       (int)DC_MIN(spec.n, (size_t)SHOWN_MAX), spec.p, (long long)y->n_columns,
                       (long long)y->n_columns - 1);
    *column = number;
    return DC_OK;
}

static dc_status assign(dc_layout *y, const char *name, const char *option, dc_span spec, dc_column_role role,
                        int64_t *column)
{
    static const char *const roles[] = {"", "--label-column", "--id-column", "--drop-columns", "--text-column"};
    const dc_status st = find_column(y, name, option, spec, column);
    if (st != DC_OK || *column < 0) return st;
    if (y->role[*column] != DC_COLUMN_FEATURE)
        return DC_FAIL(DC_ERR_USAGE, "%s: %s=%.*s: column %lld (counted from 0) is also named by %s", name, option,
                       (int)DC_MIN(spec.n, (size_t)SHOWN_MAX), spec.p, (long long)*column, roles[y->role[*column]]);
    y->role[*column] = (uint8_t)role;
    return DC_OK;
}

dc_status dc_columns_assign(dc_layout *y, const dc_table_options *o, const char *name)
{
    dc_status st = DC_OK;
    dc_span list = span_of(o->drop_columns), spec;
    int64_t dropped;
    DC_TRY(assign(y, name, "--text-column", span_of(o->text_column), DC_COLUMN_TEXT, &y->text));
    DC_TRY(assign(y, name, "--label-column", span_of(o->label_column), DC_COLUMN_LABEL, &y->label));
    DC_TRY(assign(y, name, "--id-column", span_of(o->id_column), DC_COLUMN_ID, &y->id));
    while (dc_cell_next(&list, ',', &spec))
        DC_TRY(assign(y, name, "--drop-columns", spec, DC_COLUMN_DROPPED, &dropped));
out:
    return st;
}
