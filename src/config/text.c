/* Words in messages: showing foreign text with what does not print, and guessing what a mistyped name was meant to be.
 * The distance is the edit distance with swaps of neighbours (optimal string alignment; Damerau 1964). */
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

enum { WORD_MAX = 48 };

static int min3(int a, int b, int c)
{
    return DC_MIN(a, DC_MIN(b, c));
}

/* Edits (insert, delete, replace, swap neighbours) from a to b; both at most WORD_MAX long. */
static int edit_distance(const char *a, const char *b)
{
    int d[WORD_MAX + 1][WORD_MAX + 1];
    const int n = (int)strlen(a), m = (int)strlen(b);
    for (int i = 0; i <= n; i++) d[i][0] = i;
    for (int j = 0; j <= m; j++) d[0][j] = j;
    for (int i = 1; i <= n; i++)
        for (int j = 1; j <= m; j++) {
            d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = DC_MIN(d[i][j], d[i - 2][j - 2] + 1);
        }
    return d[n][m];
}

int dc_nearest_name(const char *word, const char *const *names, int n)
{
    if (strlen(word) > WORD_MAX) return -1;
    /* A third of the letters may be wrong; more is no typing error any more. */
    int best = -1, least = DC_MAX(1, (int)strlen(word) / 3) + 1;
    for (int i = 0; i < n; i++) {
        if (strlen(names[i]) > WORD_MAX) continue;
        const int distance = edit_distance(word, names[i]);
        if (distance < least) best = i, least = distance;
    }
    return best;
}
