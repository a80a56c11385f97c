/* Finds words in lists, and makes text from elsewhere safe to print in messages. */
#include "key.h"

#include <string.h>

bool dc_has_word(const char *list, const char *word)
{
    const size_t len = strlen(word);
    for (const char *at = list; at && len > 0 && (at = strstr(at, word)); at += len)
        if ((at == list || at[-1] == ' ') && (at[len] == ' ' || at[len] == 0)) return true;
    return false;
}

const char *dc_quote(char out[DC_QUOTE_MAX], const char *text)
{
    const char *end = text + strlen(text);
    size_t at = 0;
    while (text < end) {
        uint32_t code = 0;
        const size_t len = dc_utf8_char(text, (size_t)(end - text), &code);
        const bool safe = len > 0 && dc_char_is_printable(code);
        if (at + 4 + sizeof "..." > DC_QUOTE_MAX) {
            strcpy(out + at, "...");
            return out;
        }
        if (safe)
            memcpy(out + at, text, len), at += len;
        else
            at += (size_t)sprintf(out + at, "\\x%02X", (unsigned char)*text);
        text += safe ? len : 1;
    }
    out[at] = 0;
    return out;
}
