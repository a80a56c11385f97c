/* Guesses which name a mistyped word was meant to be. The distance is the edit distance with swaps of neighbouring
 * letters (optimal string alignment; Damerau 1964). */
#include <string.h>

#include "dcmpi/text.h"

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
    /* A third of the letters may be wrong; more is no longer a misspelling. */
    int best = -1, least = DC_MAX(1, (int)strlen(word) / 3) + 1;
    for (int i = 0; i < n; i++) {
        if (strlen(names[i]) > WORD_MAX) continue;
        const int distance = edit_distance(word, names[i]);
        if (distance < least) best = i, least = distance;
    }
    return best;
}
