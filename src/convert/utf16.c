/* UTF-16 (RFC 2781) to UTF-8 (RFC 3629). */
#include "convert/utf16.h"

enum { LOOKED_AT_BYTES = 64, MAX_UTF8_BYTES = 4 };

static bool is_text_char(uint8_t c)
{
    return (c >= 0x20 && c < 0x7f) || c == '\t' || c == '\n' || c == '\r';
}

dc_utf16_order dc_utf16_recognise(const uint8_t *p, size_t n)
{
    if (n >= 2 && p[0] == 0xff && p[1] == 0xfe) return n >= 4 && !p[2] && !p[3] ? DC_NOT_UTF16 : DC_UTF16_LITTLE;
    if (n >= 2 && p[0] == 0xfe && p[1] == 0xff) return DC_UTF16_BIG;
    const size_t looked_at = DC_MIN(n & ~(size_t)1, (size_t)LOOKED_AT_BYTES);
    size_t little = 0, big = 0, none = 0;
    for (size_t i = 0; i < looked_at; i += 2) {
        little += is_text_char(p[i]) && p[i + 1] == 0;
        big += is_text_char(p[i + 1]) && p[i] == 0;
        none += p[i] == 0 && p[i + 1] == 0;
    }
    const size_t wanted = looked_at / 2 - looked_at / 8; /* the rest may be letters beyond ASCII */
    if (looked_at < 4 || none > 0) return DC_NOT_UTF16;
    return little >= wanted ? DC_UTF16_LITTLE : big >= wanted ? DC_UTF16_BIG : DC_NOT_UTF16;
}

static uint32_t unit(dc_utf16_order order, const uint8_t *p)
{
    return order == DC_UTF16_LITTLE ? (uint32_t)p[1] << 8 | p[0] : (uint32_t)p[0] << 8 | p[1];
}

static size_t put_utf8(uint8_t *out, uint32_t c)
{
    const int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const uint8_t first[] = {0, 0xc0, 0xe0, 0xf0};
    out[0] = (uint8_t)(first[more] | c >> (6 * more));
    for (int i = 1; i <= more; i++) out[i] = (uint8_t)(0x80 | (c >> (6 * (more - i)) & 0x3f));
    return (size_t)more + 1;
}

bool dc_utf16_decode(dc_utf16_order order, const uint8_t *in, size_t *n_in, uint8_t *out, size_t *n_out)
{
    size_t from = 0, to = 0;
    bool ok = true;
    while (from + 2 <= *n_in && to + MAX_UTF8_BYTES <= *n_out) {
        uint32_t c = unit(order, in + from);
        size_t used = 2;
        if (c >= 0xd800 && c < 0xe000) {
            if (c < 0xdc00 && from + 4 > *n_in) break; /* the second half of the pair is not here yet */
            const uint32_t low = c < 0xdc00 ? unit(order, in + from + 2) : 0;
            ok = low >= 0xdc00 && low < 0xe000;
            if (!ok) break;
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            used = 4;
        }
        from += used;
        if (c != 0xfeff) to += put_utf8(out + to, c);
    }
    *n_in = from;
    *n_out = to;
    return ok;
}
