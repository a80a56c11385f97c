/* Cells of one line, and what a cell may be taken for. */
#include "convert/cell.h"

#include <string.h>
#include <strings.h>

#include "convert/number.h"

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

char dc_cell_separator(dc_span line)
{
    static const char candidates[] = {'\t', ';', ','};
    for (size_t i = 0; i < sizeof candidates; i++)
        if (memchr(line.p, candidates[i], line.n)) return candidates[i];
    return ' ';
}

bool dc_cell_next(dc_span *rest, char separator, dc_span *cell)
{
    if (!rest->p) return false;
    const char *p = rest->p, *end = p + rest->n;
    if (separator == ' ')
        while (p < end && is_blank(*p)) p++;
    const char *stop = p;
    if (separator == ' ')
        while (stop < end && !is_blank(*stop)) stop++;
    else if (separator == '\0' || !(stop = memchr(p, separator, (size_t)(end - p))))
        stop = end;
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

bool dc_cell_unquote(dc_span *cell)
{
    if (cell->n == 0 || !memchr(cell->p, '"', cell->n)) return true;
    if (cell->n < 2 || cell->p[0] != '"' || cell->p[cell->n - 1] != '"') return false;
    *cell = (dc_span){cell->p + 1, cell->n - 2};
    return cell->n == 0 || !memchr(cell->p, '"', cell->n);
}

static bool is_word(dc_span cell, const char *word)
{
    if (cell.n > 0 && (cell.p[0] == '-' || cell.p[0] == '+')) cell = (dc_span){cell.p + 1, cell.n - 1};
    return cell.n == strlen(word) && strncasecmp(cell.p, word, cell.n) == 0;
}

bool dc_cell_is_nan_or_inf(dc_span cell)
{
    return is_word(cell, "nan") || is_word(cell, "inf") || is_word(cell, "infinity");
}

bool dc_cell_is_number(dc_span cell)
{
    double v;
    return dc_cell_unquote(&cell) && (dc_cell_is_nan_or_inf(cell) || dc_number_parse(cell.p, cell.n, &v));
}

bool dc_cell_has_decimal_comma(dc_span cell)
{
    char copy[64];
    double v;
    char *comma;
    if (cell.n >= sizeof copy) return false;
    memcpy(copy, cell.p, cell.n);
    copy[cell.n] = '\0';
    if (!(comma = strchr(copy, ','))) return false;
    *comma = '.';
    return dc_number_parse(copy, cell.n, &v);
}
