#include "convert/excerpt.h"

#include <string.h>

#include "dcmpi/text.h"

static const char end_mark[] = {'\xE2', '\x80', '\xA6'};

static bool is_blank(uint32_t code)
{
    return code <= 0x20 || (code >= 0x7F && code <= 0xA0) || code == 0x2028 || code == 0x2029 || code == 0xFEFF;
}

size_t dc_excerpt(dc_span text, bool quoted, int most, char *out)
{
    size_t n = 0;
    int characters = 0;
    bool blank = false;
    uint32_t code = 0;
    const char *p = text.p, *end = text.p + text.n;
    if (quoted) p++, end--;
    for (size_t length; p < end; p += length) {
        length = dc_utf8_char(p, (size_t)(end - p), &code);
        if (length == 0) break;
        if (quoted && code == '"' && p + 1 < end && p[1] == '"') length = 2; /* one quote */
        if (is_blank(code)) {
            blank = characters > 0;
            continue;
        }
        if (characters + blank >= most) {
            memcpy(out + n, end_mark, sizeof end_mark);
            return n + sizeof end_mark;
        }
        if (blank) out[n++] = ' ', characters++;
        blank = false;
        n += dc_utf8_put(code, out + n);
        characters++;
    }
    return n;
}
