/* Cuts a line into cells and tells what a cell may mean. */
#include "convert/cell.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "convert/number.h"

/* ---- Cutting ----------------------------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

dc_span dc_span_trim(const char *p, const char *end, char separator)
{
    while (p < end && is_blank(*p) && *p != separator) p++;
    while (end > p && is_blank(end[-1]) && end[-1] != separator) end--;
    return (dc_span){p, (size_t)(end - p)};
}

/* The place after the quote that closes the cell at p, or NULL if there is none. */
static const char *closing_quote(const char *p, const char *end)
{
    for (p++; p < end && (p = memchr(p, '"', (size_t)(end - p))); p += 2)
        if (p + 1 == end || p[1] != '"') return p + 1;
    return NULL;
}

/* The end of the cell at p, which does not begin with a blank. */
static const char *cell_end(const char *p, const char *end, char separator)
{
    const char *from = p;
    if (p < end && *p == '"') {
        from = closing_quote(p, end);
        if (!from) return end;
    }
    if (separator == '\0') return end;
    if (separator != ' ') {
        const char *stop = memchr(from, separator, (size_t)(end - from));
        return stop ? stop : end;
    }
    while (from < end && !is_blank(*from)) from++;
    return from;
}

bool dc_cell_next(dc_span *rest, char separator, dc_span *cell)
{
    if (!rest->p) return false;
    const char *p = rest->p, *end = p + rest->n;
    while (p < end && is_blank(*p) && *p != separator) p++;
    if (separator == ' ')
        while (p < end && is_blank(*p)) p++;
    const char *stop = cell_end(p, end, separator);
    *cell = dc_span_trim(p, stop, separator);
    const bool more = separator == ' ' ? dc_span_trim(stop, end, '\0').n > 0 : stop < end;
    *rest = more ? (dc_span){stop + 1, (size_t)(end - stop - 1)} : (dc_span){NULL, 0};
    return true;
}

int64_t dc_cell_count(dc_span line, char separator)
{
    dc_span cell;
    int64_t n = 0;
    while (dc_cell_next(&line, separator, &cell)) n++;
    return n;
}

dc_span dc_cell_at(dc_span line, char separator, int64_t column)
{
    dc_span cell = {NULL, 0};
    for (int64_t i = 0; i <= column; i++)
        if (!dc_cell_next(&line, separator, &cell)) return (dc_span){NULL, 0};
    return cell;
}

bool dc_cell_is_open(dc_span line, char separator)
{
    dc_span cell = {NULL, 0};
    if (!memchr(line.p, '"', line.n)) return false;
    while (dc_cell_next(&line, separator, &cell)) continue;
    return cell.n > 0 && cell.p[0] == '"' && !closing_quote(cell.p, cell.p + cell.n);
}

bool dc_cell_stays_open(dc_span line, char separator)
{
    const char *end = line.p + line.n, *behind = closing_quote(line.p - 1, end);
    if (!behind) return true;
    const char *stop = cell_end(behind, end, separator);
    return stop < end && dc_cell_is_open((dc_span){stop + 1, (size_t)(end - stop - 1)}, separator);
}

/* Whether the line has the character c outside of quoted cells. A quote opens a cell at the start of the line and after
 * anything that may separate cells. */
static bool has_outside(dc_span line, char c)
{
    bool start = true;
    for (const char *p = line.p, *end = p + line.n; p < end; p++) {
        if (start && *p == '"') {
            const char *behind = closing_quote(p, end);
            if (!behind) return false;
            if (behind == end) return false;
            p = behind;
        }
        if (*p == c) return true;
        start = is_blank(*p) || strchr(";,|", *p);
    }
    return false;
}

char dc_cell_separator(dc_span line, bool decimal_comma)
{
    static const char candidates[] = {'\t', ';', ',', '|'};
    for (size_t i = 0; i < sizeof candidates; i++)
        if (has_outside(line, candidates[i]) && !(decimal_comma && candidates[i] == ',')) return candidates[i];
    return decimal_comma && memchr(line.p, '"', line.n) && has_outside(line, ',') ? ',' : ' ';
}

/* ---- Quotes ------------------------------------------------------------------------------------------------------ */

bool dc_cell_unquote(dc_span *cell)
{
    if (cell->n == 0 || !memchr(cell->p, '"', cell->n)) return true;
    if (cell->n < 2 || cell->p[0] != '"' || cell->p[cell->n - 1] != '"') return false;
    *cell = (dc_span){cell->p + 1, cell->n - 2};
    return cell->n == 0 || !memchr(cell->p, '"', cell->n);
}

size_t dc_cell_text(dc_span cell, char *out)
{
    size_t used = 0;
    const bool quoted = cell.n >= 2 && cell.p[0] == '"' && closing_quote(cell.p, cell.p + cell.n) == cell.p + cell.n;
    if (!quoted) {
        memcpy(out, cell.p, cell.n);
        return cell.n;
    }
    for (size_t i = 1; i + 1 < cell.n; i++) {
        out[used++] = cell.p[i];
        if (cell.p[i] == '"') i++;
    }
    return used;
}

/* ---- Numbers ----------------------------------------------------------------------------------------------------- */

/* Copies the cell to out with `from` replaced by `to`; false if the cell is too long for a number. */
static bool replaced(dc_span cell, char from, char to, char out[64])
{
    if (cell.n >= 64) return false;
    for (size_t i = 0; i < cell.n; i++) out[i] = cell.p[i] == from ? to : cell.p[i];
    return true;
}

static bool parse_number(dc_span cell, bool decimal_comma, double *value)
{
    char copy[64];
    if (!decimal_comma || !memchr(cell.p, ',', cell.n))
        return (!decimal_comma || !memchr(cell.p, '.', cell.n)) && dc_number_parse(cell.p, cell.n, value);
    if (memchr(cell.p, '.', cell.n) || !replaced(cell, ',', '.', copy)) return false;
    return dc_number_parse(copy, cell.n, value);
}

bool dc_cell_number(dc_span cell, bool decimal_comma, double *value)
{
    if (cell.n == 0) return false;
    if (cell.p[0] == '"' && !dc_cell_unquote(&cell)) return false;
    return cell.n > 0 && parse_number(cell, decimal_comma, value);
}

dc_comma dc_cell_comma(dc_span cell)
{
    char copy[64];
    size_t commas = 0, groups = 0, plain = 0;
    double v;
    if (!dc_cell_unquote(&cell) || cell.n == 0 || cell.n >= sizeof copy) return DC_COMMA_NONE;
    for (size_t i = 0; i < cell.n; i++) {
        if (cell.p[i] != ',') {
            copy[plain++] = cell.p[i];
            continue;
        }
        commas++;
        size_t digits = 0;
        while (i + digits + 1 < cell.n && cell.p[i + digits + 1] >= '0' && cell.p[i + digits + 1] <= '9') digits++;
        groups += digits == 3;
    }
    if (commas == 0) return DC_COMMA_NONE;
    const char *point = memchr(cell.p, '.', cell.n), *comma = memchr(cell.p, ',', cell.n);
    if (point && point < comma && commas == 1) return DC_COMMA_BOTH;
    if (!dc_number_parse(copy, plain, &v)) return DC_COMMA_NONE;
    if (commas == groups && (commas > 1 || point)) return DC_COMMA_THOUSANDS;
    if (commas > 1 || point) return DC_COMMA_NONE;
    return groups == 1 ? DC_COMMA_EITHER : DC_COMMA_DECIMAL;
}

/* ---- Missing values ---------------------------------------------------------------------------------------------- */

/* What Excel, R, pandas, SQL and people write for a missing value, in upper or lower case. */
static const char *const missing_words[DC_WORD_COUNT] = {
    "",     "nan", "inf", "-inf", "NA", "N/A",     "#N/A",    "#NA",   "<NA>",  "NaT",    "null",   "(null)",  "nil",
    "none", "?",   "-",   "--",   ".",  "missing", "#DIV/0!", "#REF!", "#NUM!", "#NAME?", "#NULL!", "#VALUE!", "\\N",
};

/* Other spellings of these words. */
static const struct {
    const char *word;
    int kind;
} spellings[] = {{"+nan", 1},      {"-nan", 1},    {"infinity", 2}, {"-infinity", 3}, {"+inf", 2},
                 {"+infinity", 2}, {"1.#IND", 1},  {"-1.#IND", 1},  {"1.#QNAN", 1},   {"-1.#QNAN", 1},
                 {"1.#INF", 2},    {"-1.#INF", 3}, {"#N/A N/A", 6}};

static bool is_word(dc_span cell, const char *word)
{
    return cell.n == strlen(word) && strncasecmp(cell.p, word, cell.n) == 0;
}

int dc_cell_missing(dc_span cell)
{
    if (!dc_cell_unquote(&cell)) return DC_WORD_NONE;
    cell = dc_span_trim(cell.p, cell.p + cell.n, '\0');
    for (int i = 0; i < DC_WORD_COUNT; i++)
        if (is_word(cell, missing_words[i])) return i;
    for (size_t i = 0; i < DC_COUNT_OF(spellings); i++)
        if (is_word(cell, spellings[i].word)) return spellings[i].kind;
    return DC_WORD_NONE;
}

const char *dc_missing_word(int kind)
{
    return kind == 0 ? "empty" : missing_words[kind];
}

int dc_missing_kind(double value)
{
    return isnan(value) ? 1 : value > 0 ? 2 : 3;
}
