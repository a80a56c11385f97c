/* Inputs lie one after the other on a line, each with its bytes and a little for opening it; rank r of P has the r-th
 * of P equal parts. A whole file belongs to the rank that has its middle. */
#include "convert/shares.h"

enum { OPENING_BYTES = 64 };

static int64_t weight(const dc_input_share *s)
{
    return s->bytes + OPENING_BYTES;
}

/* First place of rank r. */
static int64_t start_of(int64_t all, int r, int P)
{
    return (int64_t)(((__int128)all * r + P - 1) / P);
}

int64_t dc_shares_bytes(const dc_input_share *share, const dc_piece *piece)
{
    return piece->by_range ? (int64_t)(piece->hi - piece->lo) : weight(&share[piece->file]);
}

bool dc_shares_next(const dc_input_share *share, int n, int rank, int P, int *next, dc_piece *piece)
{
    int64_t all = 0, at = 0;
    for (int i = 0; i < n; i++) all += weight(&share[i]);
    for (int i = 0; i < *next; i++) at += weight(&share[i]);
    const int64_t lo = start_of(all, rank, P), hi = start_of(all, rank + 1, P);
    for (; *next < n; at += weight(&share[(*next)++])) {
        const dc_input_share *s = &share[*next];
        const int64_t middle = at + weight(s) / 2, from = DC_MAX(lo - at, 0), to = DC_MIN(hi - at, s->bytes);
        *piece = (dc_piece){.file = *next, .by_range = !s->whole, .lo = (uint64_t)from, .hi = (uint64_t)DC_MAX(to, 0)};
        if (s->whole ? middle >= lo && middle < hi : from < to) {
            ++*next;
            return true;
        }
    }
    return false;
}
