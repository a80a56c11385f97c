/* Finds and repairs what is not UTF-8, as Python's decoder does. */
#include <string.h>

#include "dcmpi/terms.h"
#include "dcmpi/text.h"

size_t dc_utf8_valid(const char *text, size_t n)
{
    uint32_t c;
    size_t i = 0;
    while (i < n) {
        uint64_t eight;
        if (i + sizeof eight <= n) {
            memcpy(&eight, text + i, sizeof eight);
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                i += sizeof eight;
                continue;
            }
        }
        const size_t length = dc_utf8_char(text + i, n - i, &c);
        if (length == 0) return i;
        i += length;
    }
    return n;
}

/* Bytes of the longest beginning of a character at p[n], at least 1 (Unicode, chapter 3, "maximal subpart"). */
static size_t bad_bytes(const unsigned char *p, size_t n)
{
    const unsigned char b = p[0];
    const size_t length = b >= 0xF0 && b <= 0xF4 ? 4 : b >= 0xE0 && b <= 0xEF ? 3 : b >= 0xC2 && b <= 0xDF ? 2 : 1;
    unsigned char low = b == 0xE0 ? 0xA0 : b == 0xF0 ? 0x90 : 0x80, high = b == 0xED ? 0x9F : b == 0xF4 ? 0x8F : 0xBF;
    size_t i = 1;
    for (; i < DC_MIN(length, n) && p[i] >= low && p[i] <= high; i++) low = 0x80, high = 0xBF;
    return i;
}

size_t dc_utf8_repair(const char *text, size_t n, bool replace, char *out, int64_t *bad)
{
    size_t used = 0;
    *bad = 0;
    for (size_t i = 0; i < n;) {
        const size_t good = dc_utf8_valid(text + i, n - i);
        if (out) memcpy(out + used, text + i, good);
        used += good;
        i += good;
        if (i == n) break;
        i += bad_bytes((const unsigned char *)text + i, n - i);
        char mark[4];
        const size_t length = replace ? dc_utf8_put(0xFFFD, mark) : 0;
        if (out) memcpy(out + used, mark, length);
        used += length;
        ++*bad;
    }
    return used;
}
