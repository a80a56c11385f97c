/* Documents of a file. Each is one line (with the lines that its quoted cells run into), read in the stream's window,
 * so that memory is that of the longest line. */
#include "convert/documents.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "convert/array.h"
#include "convert/column_option.h"
#include "convert/foreign.h"
#include "dcmpi/heartbeat.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/text.h"

enum { WHY_BYTES = 512, COUNT_BYTES = 1 << 16 };

/* ---- Errors ------------------------------------------------------------------------------------------------------ */

/* Line feeds in the first `bytes` bytes of the file, for messages about a part of it; 0 if it cannot be read. */
static int64_t lines_before(const dc_docs *d)
{
    char piece[COUNT_BYTES];
    int64_t n = 0;
    const int fd = d->by_range && d->lo > 0 ? open(d->path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return 0;
    for (uint64_t at = 0; at < d->lo;) {
        const ssize_t got = pread(fd, piece, DC_MIN(sizeof piece, d->lo - at), (off_t)at);
        if (got <= 0) break;
        dc_heartbeat();
        for (const char *p = piece, *end = piece + got; (p = memchr(p, '\n', (size_t)(end - p))); p++) n++;
        at += (uint64_t)got;
    }
    close(fd);
    return n;
}

/* Records an error at the line that was read last: "FILE:LINE: why". Returns DC_ERR_DATA. */
static dc_status fail_at(const dc_docs *d, const char *why)
{
    if (d->kind == DC_DOCS_FILES) return DC_FAIL(DC_ERR_DATA, "%s: %s", d->lines.stream.name, why);
    return DC_FAIL(DC_ERR_DATA, "%s:%lld: %s", d->lines.stream.name, (long long)(lines_before(d) + d->lines.line), why);
}

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

static bool is_wanted(const char *column)
{
    return column && strcmp(column, "none") != 0;
}

static dc_status refuse_option(const dc_docs *d, const char *option, const char *what)
{
    return DC_FAIL(DC_ERR_USAGE, "%s: %s is for tables, but %s", d->lines.stream.name, option, what);
}

/* A copy of a key, without quotes around it. */
static dc_status copy_key(const char *column, char **key)
{
    if (!is_wanted(column)) return DC_OK;
    const size_t n = strlen(column);
    const dc_status st = dc_mem_alloc(key, n + 1, 1, "key");
    if (st == DC_OK && n > 0) (*key)[dc_cell_text((dc_span){column, n}, *key)] = '\0';
    return st;
}

static dc_status open_json(dc_docs *d)
{
    dc_status st = DC_OK;
    const dc_table_options *o = d->options->table;
    const char *const what = "these are JSON lines; columns are keys";
    d->kind = DC_DOCS_JSON;
    if (o->separator) return refuse_option(d, "--separator", what);
    if (o->header != DC_HEADER_AUTO) return refuse_option(d, "--header", what);
    DC_TRY(copy_key(o->text_column, &d->text_key));
    DC_TRY(copy_key(o->label_column, &d->label_key));
    DC_TRY(copy_key(o->id_column, &d->id_key));
out:
    return st;
}

static dc_status open_lines(dc_docs *d)
{
    const dc_table_options *o = d->options->table;
    d->kind = DC_DOCS_LINES;
    if (!is_wanted(o->label_column) && !is_wanted(o->id_column)) return DC_OK;
    return DC_FAIL(DC_ERR_USAGE,
                   "%s: with --text-column=line a line is a document, it has no column for %s; for a column that is "
                   "named line say --text-column='\"line\"'",
                   d->lines.stream.name, is_wanted(o->label_column) ? "--label-column" : "--id-column");
}

/* Label of a file: the name of its folder, as scikit-learn's load_files() has it. */
static dc_status name_folder(dc_docs *d)
{
    const char *slash = strrchr(d->path, '/');
    const char *from = slash;
    while (from && from > d->path && from[-1] != '/') from--;
    const size_t n = slash ? (size_t)(slash - from) : 0;
    if (n == 0 || n >= sizeof d->folder)
        return DC_FAIL(DC_ERR_USAGE, "%s: --label-column=folder: the name of the file has no folder before it",
                       d->lines.stream.name);
    memcpy(d->folder, from, n);
    return DC_OK;
}

static dc_status open_whole(dc_docs *d)
{
    const dc_table_options *o = d->options->table;
    d->kind = DC_DOCS_FILES;
    if (is_wanted(o->id_column) && strcmp(o->id_column, "name") != 0)
        return DC_FAIL(DC_ERR_USAGE,
                       "--id-column=%s: with --text-column=file the id can only be name, that of the file",
                       o->id_column);
    if (!is_wanted(o->label_column)) return DC_OK;
    if (strcmp(o->label_column, "folder") == 0) return name_folder(d);
    return DC_FAIL(DC_ERR_USAGE,
                   "--label-column=%s: with --text-column=file the label can only be folder, the one with the file",
                   o->label_column);
}

/* The separator of a table of documents, from its first line; blanks between words do not separate cells unless the
 * user says so. */
static char separator_of(const dc_docs *d)
{
    const dc_stream *s = &d->lines.stream;
    const char *p = (const char *)dc_stream_data(s);
    const size_t n = dc_stream_available(s);
    const char *end = n > 0 ? memchr(p, '\n', n) : NULL;
    const dc_span line = {p, end ? (size_t)(end - p) : n};
    if (d->options->table->separator) return d->options->table->separator;
    const char found = dc_cell_separator(line, false);
    if (found != ' ') return found;
    return memchr(p, '\t', line.n) ? '\t' : '\0'; /* a tab behind a quote that is not closed */
}

static bool has_open_quotes(const dc_docs *d)
{
    return d->kind == DC_DOCS_TABLE && d->layout.separator != '\t' && d->layout.separator != '\0';
}

/* In a table with tabs: whether the quote that begins the cell is closed where the cell ends. */
static bool is_quoted_tab_cell(dc_span rest)
{
    const char *p = rest.p + 1, *end = rest.p + rest.n;
    while ((p = memchr(p, '"', (size_t)(end - p))) && p + 1 < end && p[1] == '"') p += 2;
    if (!p) return false;
    for (p++; p < end && *p == ' '; p++) continue;
    return p == end || *p == '\t';
}

static bool next_cell(const dc_docs *d, dc_span *rest, dc_span *cell)
{
    if (d->layout.separator == '\0') {
        *cell = *rest;
        const bool more = rest->p != NULL;
        *rest = (dc_span){NULL, 0};
        return more;
    }
    if (!rest->p || d->layout.separator != '\t' || rest->n == 0) return dc_cell_next(rest, d->layout.separator, cell);
    const dc_span ahead = dc_span_trim(rest->p, rest->p + rest->n, '\t');
    if (ahead.n == 0 || ahead.p[0] != '"' || is_quoted_tab_cell(ahead)) return dc_cell_next(rest, '\t', cell);
    const char *end = rest->p + rest->n, *tab = memchr(rest->p, '\t', rest->n);
    *cell = (dc_span){rest->p, (size_t)((tab ? tab : end) - rest->p)};
    *rest = tab ? (dc_span){tab + 1, (size_t)(end - tab - 1)} : (dc_span){NULL, 0};
    return true;
}

static dc_status open_table(dc_docs *d)
{
    dc_status st = DC_OK;
    dc_span line;
    bool found;
    dc_layout *y = &d->layout;
    const dc_table_options *o = d->options->table;
    d->kind = DC_DOCS_TABLE;
    y->label = y->id = y->text = -1;
    if (o->header == DC_HEADER_NO && dc_columns_need_names(o))
        return DC_FAIL(DC_ERR_USAGE, "--header=no leaves columns without names; give numbers, counted from 0");
    y->separator = d->lines.separator = separator_of(d);
    DC_TRY(dc_lines_any(&d->lines, has_open_quotes(d), &line, &found));
    if (!found) line = (dc_span){"", 0};
    DC_TRY(dc_mem_alloc(&y->first, line.n + 1, 1, "line 1"));
    memcpy(y->first, line.p, line.n);
    y->first_line = (dc_span){y->first, line.n};
    for (dc_span rest = y->first_line, cell; next_cell(d, &rest, &cell);) y->n_columns++;
    y->header = o->header == DC_HEADER_YES || dc_columns_need_names(o);
    DC_TRY(dc_mem_alloc(&y->role, (size_t)y->n_columns, 1, "roles of the columns"));
    DC_TRY(dc_columns_assign(y, o, d->lines.stream.name));
    if (y->text < 0) DC_TRY(DC_FAIL(DC_ERR_USAGE, "--text-column: name the column of documents"));
    if (y->header) return DC_OK;
    dc_lines_close(&d->lines); /* line 1 is a document: start again */
    DC_TRY(dc_lines_open(&d->lines, d->path, y->separator, d->options->limit));
    d->lines.longest = DC_DOC_MAX_BYTES;
out:
    return st;
}

/* The first character that is not blank; '\0' if there is none in the window. */
static char first_char(const dc_docs *d)
{
    const char *p = (const char *)dc_stream_data(&d->lines.stream);
    size_t n = dc_stream_available(&d->lines.stream);
    if (n >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0) p += 3, n -= 3;
    for (; n > 0 && strchr(" \t\r\n", *p) && *p; n--) p++;
    return n > 0 ? *p : '\0';
}

/* Files of numbers, which convert reads without --text-column. */
static dc_status refuse_numbers(const dc_stream *s)
{
    const bool h5 = dc_stream_available(s) >= 4 && memcmp(dc_stream_data(s), "\x89HDF", 4) == 0;
    const char *what = h5 ? "HDF5" : dc_array_is_npy(s) ? "NPY" : dc_idx_recognise(s) ? "IDX" : NULL;
    if (!what) return DC_OK;
    return DC_FAIL(DC_ERR_USAGE, "%s: is %s, but --text-column is for documents; leave it out", s->name, what);
}

dc_status dc_docs_open(dc_docs *d, const dc_docs_options *o, const char *path)
{
    dc_status st = DC_OK;
    *d = (dc_docs){.options = o, .path = path, .hi = UINT64_MAX};
    DC_TRY(dc_lines_open(&d->lines, path, '\0', o->limit));
    d->lines.longest = DC_DOC_MAX_BYTES;
    DC_TRY(dc_foreign_refuse_binary(&d->lines.stream));
    DC_TRY(refuse_numbers(&d->lines.stream));
    const char *column = o->table->text_column;
    const char first = first_char(d);
    if (strcmp(column, "line") == 0)
        DC_TRY(open_lines(d));
    else if (strcmp(column, "file") == 0)
        DC_TRY(open_whole(d));
    else if (first == '{')
        DC_TRY(open_json(d));
    else if (first == '[')
        DC_TRY(DC_FAIL(DC_ERR_DATA,
                       "%s: begins with '[': if it is one list in JSON, make lines of it: jq -c '.[]' '%s' "
                       ">new.jsonl; if '[' belongs to a text, say --text-column=line",
                       d->lines.stream.name, d->lines.stream.name));
    else {
        d->lines.separator = DC_SEPARATOR_UNKNOWN;
        DC_TRY(open_table(d));
    }
out:
    if (st != DC_OK) dc_docs_close(d);
    return st;
}

dc_status dc_docs_open_empty(dc_docs *d, const dc_docs_options *o, const char *path)
{
    *d = (dc_docs){.options = o, .path = path, .lines.stream.fd = -1};
    dc_printable(d->lines.stream.name, sizeof d->lines.stream.name, path, strlen(path));
    d->lines.stream.end = true;
    return open_whole(d);
}

void dc_docs_close(dc_docs *d)
{
    dc_lines_close(&d->lines);
    dc_layout_release(&d->layout);
    dc_json_line_release(&d->json);
    dc_mem_free(&d->text_key);
    dc_mem_free(&d->label_key);
    dc_mem_free(&d->id_key);
    dc_mem_free(&d->repaired);
    dc_mem_free(&d->mended);
}

/* ---- Parts of a file --------------------------------------------------------------------------------------------- */

bool dc_docs_can_cut(const dc_docs *d)
{
    return d->kind != DC_DOCS_FILES && dc_stream_can_seek(&d->lines.stream) && !has_open_quotes(d);
}

dc_status dc_docs_range(dc_docs *d, uint64_t lo, uint64_t hi)
{
    dc_status st = DC_OK;
    dc_span line;
    bool found;
    d->lo = lo;
    d->hi = hi;
    d->by_range = true;
    if (lo == 0) return DC_OK;
    DC_TRY(dc_stream_seek(&d->lines.stream, lo - 1));
    DC_TRY(dc_lines_any(&d->lines, false, &line, &found));
    d->lo = d->lines.stream.offset;
    d->lines.line = d->lines.last = 0;
out:
    return st;
}

int64_t dc_docs_position(const dc_docs *d)
{
    const off_t at = lseek(d->lines.stream.fd, 0, SEEK_CUR);
    return at < 0 ? 0 : (int64_t)at;
}

/* ---- UTF-8 ------------------------------------------------------------------------------------------------------- */

static dc_status fail_utf8(const dc_docs *d, dc_span line, size_t at)
{
    char why[WHY_BYTES];
    snprintf(why, sizeof why,
             "byte %zu of the line (0x%02X) is not UTF-8; convert the file (iconv -f latin1 -t utf8), or say "
             "--decode-error=replace or ignore",
             at + 1, (unsigned)(unsigned char)line.p[at]);
    return fail_at(d, why);
}

static dc_status make_room(char **text, size_t *room, size_t n)
{
    if (*text && n <= *room) return DC_OK;
    dc_mem_free(text);
    *room = n + 1;
    return dc_mem_alloc_raw(text, *room, 1, "repaired text");
}

/* Replaces halves of surrogates in a line of JSON, in a copy. */
static dc_status mend_surrogates(dc_docs *d, dc_span *line)
{
    if (d->options->decode == DC_DECODE_STRICT || !memchr(line->p, '\\', line->n)) return DC_OK;
    if (line->p != d->repaired) {
        const dc_status st = make_room(&d->repaired, &d->repaired_room, line->n);
        if (st != DC_OK) return st;
        memcpy(d->repaired, line->p, line->n);
        line->p = d->repaired;
    }
    const int64_t lone = dc_json_lone_surrogates(d->repaired, line->n, true);
    d->counts.bad_bytes += lone;
    d->counts.bad_docs += lone > 0;
    return DC_OK;
}

/* Makes the line UTF-8, in a copy if need be. */
static dc_status repair(dc_docs *d, dc_span *line)
{
    int64_t bad;
    const size_t good = dc_utf8_valid(line->p, line->n);
    if (good == line->n) return DC_OK;
    if (d->options->decode == DC_DECODE_STRICT) return fail_utf8(d, *line, good);
    const bool replace = d->options->decode == DC_DECODE_REPLACE;
    const size_t n = dc_utf8_repair(line->p, line->n, replace, NULL, &bad);
    const dc_status st = make_room(&d->repaired, &d->repaired_room, n);
    if (st != DC_OK) return st;
    line->n = dc_utf8_repair(line->p, line->n, replace, d->repaired, &bad);
    line->p = d->repaired;
    d->counts.bad_bytes += bad;
    d->counts.bad_docs++;
    return DC_OK;
}

/* ---- Documents --------------------------------------------------------------------------------------------------- */

static dc_status fail_key(dc_docs *d, const char *key, const char *option)
{
    char why[WHY_BYTES], keys[256], shown[64];
    dc_json_line_keys(&d->json, keys, sizeof keys);
    dc_printable(shown, sizeof shown, key, strlen(key));
    snprintf(why, sizeof why, "the object has no key '%s' (%s); its keys: %s", shown, option, keys);
    return fail_at(d, why);
}

/* Parses the line, if need be a mended copy. */
static dc_status parse_json(dc_docs *d, dc_span line)
{
    dc_status st = DC_OK;
    char why[WHY_BYTES], of_copy[WHY_BYTES];
    if (dc_json_line_parse(&d->json, line, why, sizeof why)) return DC_OK;
    DC_TRY(make_room(&d->mended, &d->mended_room, DC_JSON_MENDED_BYTES(line.n)));
    const dc_span copy = {d->mended, dc_json_mend(line, d->mended)};
    const bool same = copy.n == line.n && memcmp(copy.p, line.p, line.n) == 0;
    if (same || !dc_json_line_parse(&d->json, copy, of_copy, sizeof of_copy)) st = fail_at(d, why);
out:
    return st;
}

static dc_status take_json(dc_docs *d, dc_span line, dc_doc *doc)
{
    char why[WHY_BYTES];
    bool has;
    const dc_status parsed = parse_json(d, line);
    if (parsed != DC_OK) return parsed;
    if (!dc_json_line_get(&d->json, d->text_key, DC_JSON_TEXT, &doc->text, &has, why, sizeof why))
        return fail_at(d, why);
    if (!has) return fail_key(d, d->text_key, "--text-column");
    d->counts.nulls += doc->text.p == NULL;
    if (d->label_key) {
        if (!dc_json_line_get(&d->json, d->label_key, DC_JSON_LABEL, &doc->label, &doc->has_label, why, sizeof why))
            return fail_at(d, why);
        if (doc->label.p == d->json.digits) { /* the id may be a number, too */
            memcpy(d->label, doc->label.p, doc->label.n);
            doc->label.p = d->label;
        }
    }
    if (!d->id_key) return DC_OK;
    if (!dc_json_line_get(&d->json, d->id_key, DC_JSON_LABEL, &doc->id, &has, why, sizeof why)) return fail_at(d, why);
    return has ? DC_OK : fail_key(d, d->id_key, "--id-column");
}

/* Text of a cell without quotes, in out[cap]; a longer cell fills all of it, which is longer than callers accept. (The
 * text of a document may keep its quotes: they are no word characters.) */
static dc_span unquote(dc_span cell, char *out, size_t cap)
{
    if (cell.n > 0 && cell.n <= cap) return (dc_span){out, dc_cell_text(cell, out)};
    return (dc_span){cell.p, DC_MIN(cell.n, cap)};
}

static dc_status take_row(dc_docs *d, dc_span line, dc_doc *doc)
{
    char why[WHY_BYTES];
    const dc_layout *y = &d->layout;
    dc_span cell;
    int64_t column = 0;
    doc->has_label = y->label >= 0;
    for (dc_span rest = line; next_cell(d, &rest, &cell); column++) {
        if (column == y->text) doc->text = cell;
        if (column == y->label) doc->label = unquote(cell, d->label, sizeof d->label);
        if (column == y->id) doc->id = unquote(cell, d->id, sizeof d->id);
    }
    doc->quoted = doc->text.n > 1 && doc->text.p[0] == '"' && doc->text.p[doc->text.n - 1] == '"';
    if (column == y->n_columns) return DC_OK;
    snprintf(why, sizeof why,
             "the line has %lld column%s, but the first has %lld; a text that holds the separator must be in quotes%s",
             (long long)column, column == 1 ? "" : "s", (long long)y->n_columns,
             "; if each line is one document, say --text-column=line");
    return fail_at(d, why);
}

/* The file as one document. */
static dc_status take_file(dc_docs *d, dc_doc *doc, bool *found)
{
    dc_status st = DC_OK;
    dc_stream *s = &d->lines.stream;
    const dc_table_options *o = d->options->table;
    *found = !d->done;
    d->done = true;
    if (!*found) return DC_OK;
    DC_TRY(dc_stream_fill(s, (size_t)DC_DOC_MAX_BYTES + 1));
    doc->text = (dc_span){(const char *)dc_stream_data(s), dc_stream_available(s)};
    if (doc->text.n > DC_DOC_MAX_BYTES)
        DC_TRY(DC_FAIL(DC_ERR_DATA, "%s: the document has more than %d bytes", s->name, DC_DOC_MAX_BYTES));
    dc_stream_skip(s, doc->text.n);
    DC_TRY(repair(d, &doc->text));
    doc->has_label = is_wanted(o->label_column);
    if (doc->has_label) doc->label = (dc_span){d->folder, strlen(d->folder)};
    if (!o->id_column || is_wanted(o->id_column)) doc->id = (dc_span){d->path, strlen(d->path)};
out:
    return st;
}

static bool is_blank(dc_span line)
{
    return dc_span_trim(line.p, line.p + line.n, '\0').n == 0;
}

/* Lines that hold no document: empty ones, unless an empty line is an empty document. */
static bool is_skipped(const dc_docs *d, dc_span line)
{
    if (d->kind == DC_DOCS_JSON) return is_blank(line);
    return d->kind == DC_DOCS_TABLE && d->layout.n_columns > 1 && line.n == 0;
}

dc_status dc_docs_next(dc_docs *d, dc_doc *doc, bool *found)
{
    dc_status st = DC_OK;
    dc_span line;
    *doc = (dc_doc){0};
    if (d->kind == DC_DOCS_FILES) return take_file(d, doc, found);
    for (;;) {
        *found = d->lines.stream.offset < d->hi;
        if (*found) DC_TRY(dc_lines_any(&d->lines, has_open_quotes(d), &line, found));
        if (!*found) return DC_OK;
        if (!is_skipped(d, line)) break;
        d->counts.blank_lines++;
    }
    DC_TRY(repair(d, &line));
    if (d->kind == DC_DOCS_JSON) DC_TRY(mend_surrogates(d, &line));
    if (d->kind == DC_DOCS_JSON)
        DC_TRY(take_json(d, line, doc));
    else if (d->kind == DC_DOCS_TABLE)
        DC_TRY(take_row(d, line, doc));
    else
        doc->text = line;
    d->counts.labels += doc->has_label;
out:
    return st;
}

/* ---- The NOTE ---------------------------------------------------------------------------------------------------- */

static void show_column(const dc_layout *y, int64_t column, const char *what, char *out, size_t cap)
{
    char name[48] = "";
    if (y->header) dc_layout_name(y, column, name, sizeof name);
    if (column >= 0)
        snprintf(out, cap, ", column %lld%s%s%s holds %s", (long long)column, name[0] ? " (" : "", name,
                 name[0] ? ")" : "", what);
}

void dc_docs_note(const dc_docs *d)
{
    static const char *const kinds[] = {"JSON lines", "a table", "one document per line", "one document"};
    char text[160] = "", label[160] = "", id[160] = "";
    const dc_layout *y = &d->layout;
    if (d->kind != DC_DOCS_TABLE) {
        dc_log_note("%s: read as %s", d->lines.stream.name, kinds[d->kind]);
        return;
    }
    show_column(y, y->text, "the texts", text, sizeof text);
    show_column(y, y->label, "labels", label, sizeof label);
    show_column(y, y->id, "ids", id, sizeof id);
    dc_log_note("%s: read as a table of %lld column%s%s%s%s (columns count from 0); line 1 %s", d->lines.stream.name,
                (long long)y->n_columns, y->n_columns == 1 ? "" : "s", text, label, id,
                y->header ? "holds names" : "is a document; if it holds names, say --header=yes");
}
