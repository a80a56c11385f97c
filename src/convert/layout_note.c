/* Names of a table's columns, and the NOTE that tells how a table was interpreted. */
#include <string.h>

#include "convert/layout.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/text.h"

enum { SHOWN_NAMES = 4, SHOWN_BYTES = 32, PART_BYTES = 320 };

static dc_span name_cell(const dc_layout *y, int64_t column)
{
    return dc_cell_at(y->first_line, y->separator, column - y->short_header);
}

/* A cell's text for a message, shortened. */
static void show_cell(dc_span cell, char out[SHOWN_BYTES])
{
    char text[256] = "";
    if (cell.n <= sizeof text) cell = (dc_span){text, cell.n > 0 ? dc_cell_text(cell, text) : 0};
    const size_t n = DC_MIN(cell.n, (size_t)SHOWN_BYTES - 8);
    dc_printable(out, SHOWN_BYTES, cell.p, n);
    if (n < cell.n) strcat(out, "...");
}

void dc_layout_name(const dc_layout *y, int64_t column, char *out, size_t cap)
{
    dc_span cell = name_cell(y, column);
    (void)dc_cell_unquote(&cell);
    dc_printable(out, cap, cell.p ? cell.p : "", cell.n);
}

dc_status dc_layout_names(const dc_layout *y, dc_column_role role, char **names)
{
    dc_span line = y->first_line, cell;
    size_t used = 0;
    *names = NULL;
    if (!y->header) return DC_OK;
    const dc_status st = dc_mem_alloc(names, line.n + 2, 1, "names of the columns");
    if (st != DC_OK) return st;
    bool any = false;
    for (int64_t c = y->short_header; c < y->n_columns && dc_cell_next(&line, y->separator, &cell); c++) {
        if (y->role[c] != role) continue;
        if (any) (*names)[used++] = '\n';
        any = true;
        const size_t n = dc_cell_text(cell, *names + used);
        for (size_t i = 0; i < n; i++)
            if (strchr("\n\r", (*names)[used + i])) (*names)[used + i] = ' '; /* strchr finds zero bytes, too */
        used += n;
    }
    return DC_OK;
}

/* ---- The NOTE ---------------------------------------------------------------------------------------------------- */

/* "a, b, c, d, ..." of the features. */
static void show_names(const dc_layout *y, char out[PART_BYTES])
{
    dc_span line = y->first_line, cell;
    char shown[SHOWN_BYTES];
    size_t used = 0;
    int n = 0;
    out[0] = '\0';
    for (int64_t c = y->short_header; dc_cell_next(&line, y->separator, &cell) && c < y->n_columns; c++) {
        if (y->role[c] != DC_COLUMN_FEATURE) continue;
        show_cell(cell, shown);
        used += (size_t)snprintf(out + used, PART_BYTES - used, "%s%s", n ? ", " : "", n < SHOWN_NAMES ? shown : "...");
        if (n++ == SHOWN_NAMES) return;
    }
}

/* "; column 0 (barcode) holds ids: CELL_1, ..." */
static void show_column(const dc_layout *y, int64_t column, const char *what, char out[PART_BYTES])
{
    char name[SHOWN_BYTES] = "", value[SHOWN_BYTES];
    out[0] = '\0';
    if (column < 0) return;
    const dc_span row = y->header ? y->next_line : y->first_line;
    show_cell(dc_cell_at(row, y->separator, column), value);
    if (y->header) show_cell(name_cell(y, column), name);
    snprintf(out, PART_BYTES, "; column %lld%s%s%s %s: %s, ...", (long long)column, name[0] ? " (" : "", name,
             name[0]     ? ")"
             : y->header ? " (no name)"
                         : "",
             what, value);
}

/* "; columns left out (3): 1 day, 4 night, ..." */
static void show_dropped(const dc_layout *y, char out[PART_BYTES])
{
    char shown[SHOWN_BYTES] = "", list[PART_BYTES - 64] = "";
    size_t used = 0;
    int64_t n = 0;
    out[0] = '\0';
    for (int64_t c = 0; c < y->n_columns; c++) {
        if (y->role[c] != DC_COLUMN_DROPPED || c == y->unnamed_dropped || n++ > SHOWN_NAMES) continue;
        if (y->header) show_cell(name_cell(y, c), shown);
        if (n > SHOWN_NAMES)
            used += (size_t)snprintf(list + used, sizeof list - used, ", ...");
        else
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%lld%s%s", n > 1 ? ", " : "", (long long)c,
                                     shown[0] ? " " : "", shown);
    }
    if (n > 0) snprintf(out, PART_BYTES, "; columns left out (%lld): %s", (long long)n, list);
}

void dc_layout_note(const dc_layout *y, const char *name)
{
    char names[PART_BYTES], ids[PART_BYTES], labels[PART_BYTES], dropped[PART_BYTES], numbers[PART_BYTES] = "";
    show_names(y, names);
    if (y->header_in_doubt)
        dc_log_note("%s: line 1 (%s) is taken as a row; if it holds names, say --header=yes", name, names);
    if (y->sample_in_doubt) {
        show_column(y, 0, "is taken as a sample", ids);
        dc_log_note("%s: %s (columns count from 0); if it holds names of features, say --id-column=first", name,
                    ids + strlen("; "));
    }
    show_column(y, y->id, "holds ids", ids);
    show_column(y, y->label, "holds labels", labels);
    show_dropped(y, dropped);
    if (y->unnamed_dropped >= 0) show_column(y, y->unnamed_dropped, "of row numbers is left out", numbers);
    const bool columns = ids[0] || labels[0] || dropped[0] || numbers[0];
    if (!y->header && !columns) return;
    const bool header = y->header && y->header_by_rule && !y->short_header, id = y->id_by_rule && y->id == 0;
    dc_log_note("%s: line 1 %s%s%s%s%s%s%s%s%s%s%s", name, y->header ? "holds names: " : "is a row",
                y->header ? names : "", ids, labels, dropped, numbers, columns ? " (columns count from 0)" : "",
                header || id ? "; otherwise say " : "", header ? "--header=no" : "", header && id ? ", " : "",
                id ? "--id-column=none" : "");
}
