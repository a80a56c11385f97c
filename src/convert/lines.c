/* Lines end in LF or CR LF; the last one may end without either. A line that begins with '#' is a comment, unless its
 * first cell is a word for a missing value such as #N/A. Empty lines may only come last. A byte order mark is skipped,
 * and so is a first line in which Excel names the separator. */
#include "convert/lines.h"

#include <string.h>

#include "dcmpi/convert.h"

enum { LINE_STEP_BYTES = 1 << 16 };

dc_status dc_lines_open(dc_lines *l, const char *path, char separator, uint64_t limit)
{
    memset(l, 0, sizeof *l);
    l->separator = separator;
    l->longest = DC_CONVERT_MAX_LINE_BYTES;
    return dc_stream_open(&l->stream, path, limit);
}

void dc_lines_close(dc_lines *l)
{
    dc_stream_close(&l->stream);
}

/* Finds the stream's bytes before the first LF at offset `skip` or later, or before the end of the file. *found is
 * false if the stream is at its end. Nothing is taken from the stream. */
static dc_status find_end(dc_lines *l, size_t skip, dc_span *line, bool *found, bool *last)
{
    dc_stream *s = &l->stream;
    for (size_t searched = skip;;) {
        const char *p = (const char *)dc_stream_data(s);
        const size_t have = dc_stream_available(s);
        const char *lf = have > searched ? memchr(p + searched, '\n', have - searched) : NULL;
        if (lf || (s->end && have <= searched)) {
            *line = (dc_span){p, lf ? (size_t)(lf - p) : have};
            *found = lf || have > 0;
            *last = !lf;
            return DC_OK;
        }
        if (have > l->longest)
            return DC_FAIL(DC_ERR_DATA, "%s:%lld: line is longer than %zu bytes%s", s->name, (long long)l->last + 1,
                           l->longest, skip > 0 ? " (a quote that is never closed?)" : "");
        searched = DC_MAX(have, skip);
        const dc_status st = dc_stream_fill(s, have + LINE_STEP_BYTES);
        if (st != DC_OK) return st;
    }
}

static bool is_comment(dc_span line)
{
    return line.n > 0 && line.p[0] == '#';
}

/* "sep=;" */
static bool declares_separator(dc_span line)
{
    const bool said = line.n == 5 && memcmp(line.p, "sep=", 4) == 0;
    return said && (line.p[4] == ';' || line.p[4] == ',' || line.p[4] == '|' || line.p[4] == '\t');
}

static char separator_of(const dc_lines *l, dc_span line)
{
    return l->separator == DC_SEPARATOR_UNKNOWN ? dc_cell_separator(line, false) : l->separator;
}

/* "#N/A,1,2" is data. */
static bool is_missing_word(const dc_lines *l, dc_span line)
{
    dc_span cell;
    return dc_cell_next(&line, separator_of(l, line), &cell) && dc_cell_missing(cell) != DC_WORD_NONE;
}

/* Takes a line from the stream; with `quotes`, together with the following lines that its quoted cells run into. */
static dc_status take_line(dc_lines *l, bool quotes, dc_span *line, bool *found)
{
    dc_status st = DC_OK;
    bool last;
    DC_TRY(find_end(l, 0, line, found, &last));
    if (!*found) return DC_OK;
    l->line = ++l->last;
    const char separator = quotes && memchr(line->p, '"', line->n) ? separator_of(l, *line) : ' ';
    bool open = quotes && !is_comment(*line) && dc_cell_is_open(*line, separator);
    while (open && !last) {
        const size_t before = line->n + 1;
        DC_TRY(find_end(l, before, line, found, &last));
        if (line->n <= before) continue;
        open = dc_cell_stays_open((dc_span){line->p + before, line->n - before}, separator);
        l->last++;
    }
    if (open)
        return DC_FAIL(DC_ERR_DATA, "%s:%lld: a quote opens a cell in this line and is never closed", l->stream.name,
                       (long long)l->line);
    dc_stream_skip(&l->stream, line->n + !last);
out:
    return st;
}

dc_status dc_lines_any(dc_lines *l, bool quotes, dc_span *line, bool *found)
{
    const dc_status st = take_line(l, quotes, line, found);
    if (st != DC_OK || !*found) return st;
    if (line->n > 0 && line->p[line->n - 1] == '\r') line->n--;
    if (l->line == 1 && line->n >= 3 && memcmp(line->p, "\xEF\xBB\xBF", 3) == 0) line->p += 3, line->n -= 3;
    return DC_OK;
}

dc_status dc_lines_next(dc_lines *l, dc_span *line, bool *found)
{
    for (;;) {
        const dc_status st = dc_lines_any(l, true, line, found);
        if (st != DC_OK || !*found) return st;
        if (l->line == 1 && declares_separator(*line)) {
            l->declared = line->p[4];
            continue;
        }
        if (is_comment(*line) && !is_missing_word(l, *line)) {
            l->comments++;
            continue;
        }
        if (dc_span_trim(line->p, line->p + line->n, '\0').n > 0) break;
        if (l->blank_line == 0) l->blank_line = l->line;
    }
    if (l->blank_line != 0)
        return DC_FAIL(DC_ERR_DATA, "%s:%lld: line is empty, but data follow it", l->stream.name,
                       (long long)l->blank_line);
    return DC_OK;
}
