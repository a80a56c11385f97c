/* A vocabulary: sorted terms and a hash table of their columns; and the weights of terms. */
#include <math.h>
#include <string.h>
#include <xxhash.h>

#include "dcmpi/mem.h"
#include "dcmpi/terms.h"

/* A slot holds the column + 1 in its low half and the high half of the hash in its own; 0 is free. */
static uint64_t tag_of(uint64_t hash)
{
    return hash & UINT64_C(0xFFFFFFFF00000000);
}

static void put(dc_vocabulary *voc, int64_t column, const char *term, size_t n)
{
    const uint64_t hash = XXH3_64bits(term, n);
    size_t slot = (size_t)hash & voc->mask;
    while (voc->slots[slot]) slot = (slot + 1) & voc->mask;
    voc->slots[slot] = tag_of(hash) | (uint64_t)(column + 1);
}

int64_t dc_vocabulary_find(const dc_vocabulary *voc, const char *term, size_t n)
{
    const uint64_t hash = XXH3_64bits(term, n);
    for (size_t slot = (size_t)hash & voc->mask; voc->slots[slot]; slot = (slot + 1) & voc->mask) {
        const uint64_t s = voc->slots[slot];
        if (tag_of(s) != tag_of(hash)) continue;
        const int64_t column = (int64_t)(s & UINT32_MAX) - 1;
        const size_t at = voc->at[column], length = voc->at[column + 1] - at - 1;
        if (length == n && memcmp(voc->text + at, term, n) == 0) return column;
    }
    return -1;
}

static bool ascends(const dc_vocabulary *voc, int64_t i)
{
    const size_t m = voc->at[i] - voc->at[i - 1] - 1, n = voc->at[i + 1] - voc->at[i] - 1;
    const int order = memcmp(voc->text + voc->at[i - 1], voc->text + voc->at[i], DC_MIN(m, n));
    return order < 0 || (order == 0 && m < n);
}

static dc_status cut_lines(dc_vocabulary *voc)
{
    int64_t i = 0;
    size_t at = 0;
    for (; i < voc->D && at <= voc->bytes; i++) {
        const char *end = memchr(voc->text + at, '\n', voc->bytes - at);
        voc->at[i] = at;
        at = end ? (size_t)(end - voc->text) + 1 : voc->bytes + 1;
        voc->at[i + 1] = at;
        if (i > 0 && !ascends(voc, i)) break;
    }
    if (i == voc->D && at == voc->bytes + 1) return DC_OK;
    return DC_FAIL(DC_ERR_FORMAT, "the vocabulary is not a sorted list of %lld different terms", (long long)voc->D);
}

dc_status dc_vocabulary_make(dc_vocabulary *voc, int64_t D, char *text, int64_t *df, double *idf)
{
    dc_status st = DC_OK;
    size_t slots = 64;
    *voc = (dc_vocabulary){.D = D, .text = text, .bytes = strlen(text), .df = df, .idf = idf};
    while (slots < 2 * (size_t)D) slots *= 2;
    voc->mask = slots - 1;
    DC_TRY(dc_mem_alloc_raw(&voc->at, (size_t)D + 1, sizeof *voc->at, "vocabulary"));
    DC_TRY(dc_mem_alloc(&voc->slots, slots, sizeof *voc->slots, "vocabulary"));
    DC_TRY(cut_lines(voc));
    for (int64_t i = 0; i < D; i++) put(voc, i, text + voc->at[i], voc->at[i + 1] - voc->at[i] - 1);
out:
    if (st != DC_OK) dc_vocabulary_release(voc);
    return st;
}

void dc_vocabulary_release(dc_vocabulary *voc)
{
    dc_mem_free(&voc->text);
    dc_mem_free(&voc->at);
    dc_mem_free(&voc->df);
    dc_mem_free(&voc->idf);
    dc_mem_free(&voc->slots);
    *voc = (dc_vocabulary){0};
}

void dc_idf(const int64_t *df, int64_t D, int64_t N, bool smooth, double *idf)
{
    const double more = smooth ? 1 : 0;
    for (int64_t i = 0; i < D; i++) idf[i] = log(((double)N + more) / ((double)df[i] + more)) + 1;
}
