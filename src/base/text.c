/* Reads and writes UTF-8 (RFC 3629: shortest form, no surrogates), and tells which characters may be printed. Terminals
 * also obey the control characters U+0080 to U+009F, both in UTF-8 and as single bytes. */
#include "dcmpi/text.h"

#include <string.h>
#include <strings.h>

size_t dc_utf8_char(const char *s, size_t n, uint32_t *code)
{
    const unsigned char *b = (const unsigned char *)s;
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (n == 0) return 0;
    const size_t len = b[0] < 0x80 ? 1 : b[0] >> 5 == 6 ? 2 : b[0] >> 4 == 14 ? 3 : b[0] >> 3 == 30 ? 4 : 0;
    if (len == 0 || len > n) return 0;
    uint32_t c = len == 1 ? b[0] : b[0] & (0x7FU >> len);
    for (size_t i = 1; i < len; i++) {
        if (b[i] >> 6 != 2) return 0;
        c = c << 6 | (b[i] & 0x3FU);
    }
    if (c < smallest[len] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) return 0;
    *code = c;
    return len;
}

size_t dc_utf8_put(uint32_t c, char *out)
{
    if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) c = '?';
    const size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = len; i-- > 1; c >>= 6) out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)(lead[len] | c);
    return len;
}

bool dc_char_is_printable(uint32_t c)
{
    if (c < 0x20 || (c >= 0x7F && c < 0xA0)) return false;
    return c != 0x2028 && c != 0x2029 && c != 0xFEFF && (c & 0xFFFE) != 0xFFFE;
}

/* Bytes of the printable character at s[0..n), or 0. */
static size_t printable_char(const char *s, size_t n)
{
    uint32_t code = 0;
    const size_t len = dc_utf8_char(s, n, &code);
    return len > 0 && dc_char_is_printable(code) ? len : 0;
}

bool dc_text_is_clean(const char *text)
{
    const char *end = text + strlen(text);
    while (text < end) {
        const size_t len = printable_char(text, (size_t)(end - text));
        if (len == 0) return false;
        text += len;
    }
    return true;
}

void dc_text_clean(char *text, const char *keep)
{
    char *const end = text + strlen(text);
    while (text < end) {
        const size_t len = printable_char(text, (size_t)(end - text));
        if (len == 0 && !strchr(keep, *text)) *text = '?';
        text += len > 0 ? len : 1;
    }
}

void dc_printable(char *out, size_t cap, const char *text, size_t n)
{
    size_t used = 0;
    if (n >= cap) {
        text += n - (cap - 4);
        n = cap - 4;
        for (; n > 0 && ((unsigned char)*text & 0xC0) == 0x80; n--) text++; /* skips the rest of a cut character */
        memcpy(out, "...", 3);
        used = 3;
    }
    for (size_t i = 0; i < n; i++) out[used + i] = text[i] ? text[i] : '?';
    out[used + n] = '\0';
    dc_text_clean(out, "");
}

bool dc_label_is_missing(const char *text, size_t n)
{
    static const char *const exact[] = {"", "-1", "?", "NA", "N/A", "#N/A", "<NA>", "None"};
    static const char *const any_case[] = {"nan", "null"};
    for (size_t i = 0; i < DC_COUNT_OF(exact); i++)
        if (strlen(exact[i]) == n && memcmp(exact[i], text, n) == 0) return true;
    for (size_t i = 0; i < DC_COUNT_OF(any_case); i++)
        if (strlen(any_case[i]) == n && strncasecmp(any_case[i], text, n) == 0) return true;
    return false;
}
