#include "convert/rawline.h"

#include <math.h>
#include <string.h>

#include "convert/number.h"
#include "dcmpi/convert.h"
#include "dcmpi/text.h"

enum { LINE_STEP_BYTES = 1 << 16 };

dc_status dc_rawline_next(dc_stream *s, int64_t *number, dc_span *line, bool *found)
{
    for (size_t searched = 0;;) {
        const char *p = (const char *)dc_stream_data(s);
        const size_t have = dc_stream_available(s);
        const char *lf = memchr(p + searched, '\n', have - searched);
        if (lf || s->end) {
            const size_t n = lf ? (size_t)(lf - p) : have;
            *found = lf || have > 0;
            *number += *found;
            *line = (dc_span){p, n > 0 && p[n - 1] == '\r' ? n - 1 : n};
            dc_stream_skip(s, n + (lf != NULL));
            return DC_OK;
        }
        if (have > DC_CONVERT_MAX_LINE_BYTES)
            return DC_FAIL(DC_ERR_DATA, "%s:%lld: line is longer than %d bytes", s->name, (long long)*number + 1,
                           DC_CONVERT_MAX_LINE_BYTES);
        searched = have;
        const dc_status st = dc_stream_fill(s, have + LINE_STEP_BYTES);
        if (st != DC_OK) return st;
    }
}

bool dc_rawline_word(dc_span *rest, dc_span *word)
{
    const char *p = rest->p, *const end = rest->p + rest->n;
    while (p < end && (*p == ' ' || *p == '\t')) p++;
    word->p = p;
    while (p < end && *p != ' ' && *p != '\t') p++;
    word->n = (size_t)(p - word->p);
    rest->n = (size_t)(end - p);
    rest->p = p;
    return word->n > 0;
}

bool dc_rawline_integer(dc_span word, int64_t *value)
{
    const bool negative = word.n > 1 && word.p[0] == '-';
    int64_t v = 0;
    if (word.n == 0) return false;
    for (size_t i = negative; i < word.n; i++) {
        if (word.p[i] < '0' || word.p[i] > '9') return false;
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, word.p[i] - '0', &v)) v = INT64_MAX;
    }
    *value = negative ? -v : v;
    return true;
}

dc_status dc_rawline_value(const char *name, int64_t line, dc_span word, double *value)
{
    char shown[40];
    if (dc_number_parse(word.p, word.n, value) && isfinite(*value)) return DC_OK;
    dc_printable(shown, sizeof shown, word.p, word.n);
    const bool infinite = dc_cell_missing(word) != DC_WORD_NONE || dc_number_parse(word.p, word.n, value);
    return DC_FAIL(DC_ERR_DATA, "%s:%lld: value '%s' is not a %snumber", name, (long long)line, shown,
                   infinite ? "finite " : "");
}
