/* The row of a document: its terms are looked up, counted by sorting, and weighted in the order of scikit-learn's
 * TfidfTransformer: counts (or 1 + log), times idf, norm. */
#include <math.h>
#include <string.h>

#include "dcmpi/mem.h"
#include "dcmpi/terms.h"

enum { FIRST_ROOM = 1 << 12 };

/* `entries` are (column << 32) + count; equal columns are added up when the array is full. */
struct dc_row_maker {
    const dc_vectorizer *v;
    const dc_vocabulary *voc;
    int64_t *entries;
    size_t n, room;
    int32_t *col;
    float *val;
    double *weight;
    size_t out_room;
};

dc_status dc_row_maker_create(dc_row_maker **out, const dc_vectorizer *v, const dc_vocabulary *voc)
{
    dc_status st = DC_OK;
    DC_TRY(dc_mem_alloc(out, 1, sizeof **out, "row of a document"));
    (*out)->v = v;
    (*out)->voc = voc;
    (*out)->room = FIRST_ROOM;
    DC_TRY(dc_mem_alloc_raw(&(*out)->entries, FIRST_ROOM, sizeof *(*out)->entries, "row of a document"));
out:
    if (st != DC_OK) dc_row_maker_destroy(out);
    return st;
}

void dc_row_maker_destroy(dc_row_maker **m)
{
    if (!*m) return;
    dc_mem_free(&(*m)->entries);
    dc_mem_free(&(*m)->col);
    dc_mem_free(&(*m)->val);
    dc_mem_free(&(*m)->weight);
    dc_mem_free(m);
}

/* ---- Hashing ----------------------------------------------------------------------------------------------------- */

static uint32_t rotate(uint32_t x, int by)
{
    return x << by | x >> (32 - by);
}

static uint32_t scramble(uint32_t k)
{
    return rotate(k * UINT32_C(0xcc9e2d51), 15) * UINT32_C(0x1b873593);
}

/* MurmurHash3_x86_32 with seed 0 (A. Appleby, public domain). */
static uint32_t murmur3(const unsigned char *p, size_t n)
{
    uint32_t h = 0, k;
    const size_t blocks = n / 4;
    for (size_t i = 0; i < blocks; i++) {
        memcpy(&k, p + 4 * i, sizeof k);
        h = rotate(h ^ scramble(k), 13) * 5 + UINT32_C(0xe6546b64);
    }
    k = 0;
    for (size_t i = n & 3; i > 0; i--) k = k << 8 | p[4 * blocks + i - 1];
    h ^= scramble(k);
    h ^= (uint32_t)n;
    h = (h ^ h >> 16) * UINT32_C(0x85ebca6b);
    h = (h ^ h >> 13) * UINT32_C(0xc2b2ae35);
    return h ^ h >> 16;
}

int64_t dc_hash_column(const char *term, size_t n, int64_t columns, int *sign)
{
    const int64_t h = (int32_t)murmur3((const unsigned char *)term, n);
    *sign = h >= 0 ? 1 : -1;
    return (h >= 0 ? h : -h) % columns;
}

/* ---- Counting ---------------------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t pack(int64_t column, int32_t count)
{
    return (int64_t)((uint64_t)column << 32 | (uint32_t)count);
}

/* Sorts the entries and adds up those of one column; counts that cancel stay, as 0. */
static void compact(dc_row_maker *m)
{
    size_t used = 0;
    qsort(m->entries, m->n, sizeof *m->entries, compare);
    for (size_t i = 0; i < m->n;) {
        const int32_t column = dc_packed_column(m->entries[i]);
        int32_t count = 0;
        for (; i < m->n && dc_packed_column(m->entries[i]) == column; i++) count += (int32_t)(uint32_t)m->entries[i];
        m->entries[used++] = pack(column, count);
    }
    m->n = used;
}

static dc_status make_room(dc_row_maker *m)
{
    int64_t *bigger;
    compact(m);
    if (2 * m->n <= m->room) return DC_OK;
    const dc_status st = dc_mem_alloc_raw(&bigger, 2 * m->room, sizeof *bigger, "row of a document");
    if (st != DC_OK) return st;
    memcpy(bigger, m->entries, m->n * sizeof *bigger);
    dc_mem_free(&m->entries);
    m->entries = bigger;
    m->room *= 2;
    return DC_OK;
}

dc_status dc_row_maker_add(void *ctx, const char *term, size_t n)
{
    dc_row_maker *m = ctx;
    int sign = 1;
    const int64_t column =
        m->v->hashing ? dc_hash_column(term, n, m->v->hashing, &sign) : dc_vocabulary_find(m->voc, term, n);
    if (column < 0) return DC_OK;
    if (m->n == m->room) {
        const dc_status st = make_room(m);
        if (st != DC_OK) return st;
    }
    m->entries[m->n++] = pack(column, m->v->alternate_sign ? sign : 1);
    return DC_OK;
}

dc_status dc_row_maker_counts(dc_row_maker *m, size_t *n, const int64_t **packed)
{
    compact(m);
    *n = m->n;
    *packed = m->entries;
    return DC_OK;
}

void dc_row_maker_forget(dc_row_maker *m)
{
    m->n = 0;
}

/* ---- Weights ----------------------------------------------------------------------------------------------------- */

static dc_status make_out_room(dc_row_maker *m)
{
    dc_status st = DC_OK;
    if (m->n <= m->out_room && m->col) return DC_OK;
    m->out_room = DC_MAX(2 * m->out_room, DC_MAX(m->n, (size_t)FIRST_ROOM));
    dc_mem_free(&m->col);
    dc_mem_free(&m->val);
    dc_mem_free(&m->weight);
    DC_TRY(dc_mem_alloc_raw(&m->col, m->out_room, sizeof *m->col, "row of a document"));
    DC_TRY(dc_mem_alloc_raw(&m->val, m->out_room, sizeof *m->val, "row of a document"));
    DC_TRY(dc_mem_alloc_raw(&m->weight, m->out_room, sizeof *m->weight, "row of a document"));
out:
    return st;
}

static double norm_of(const dc_row_maker *m)
{
    double sum = 0;
    for (size_t i = 0; i < m->n; i++)
        sum += m->v->norm == DC_TEXT_NORM_L2 ? m->weight[i] * m->weight[i] : fabs(m->weight[i]);
    const double norm = m->v->norm == DC_TEXT_NORM_L2 ? sqrt(sum) : sum;
    return m->v->norm == DC_TEXT_NORM_NONE || norm == 0 ? 1 : norm;
}

dc_status dc_row_maker_take(dc_row_maker *m, size_t *n, const int32_t **col, const float **val)
{
    const dc_vectorizer *v = m->v;
    compact(m);
    const dc_status st = make_out_room(m);
    if (st != DC_OK) return st;
    for (size_t i = 0; i < m->n; i++) {
        const double count = (int32_t)(uint32_t)m->entries[i];
        m->col[i] = dc_packed_column(m->entries[i]);
        m->weight[i] = v->sublinear_tf ? log(count) + 1 : count;
        if (m->voc->idf) m->weight[i] *= m->voc->idf[m->col[i]];
    }
    const int64_t D = v->hashing ? v->hashing : m->voc->D;
    const double norm = norm_of(m), factor = v->scale_sqrt_d ? sqrt((double)D) : 1;
    for (size_t i = 0; i < m->n; i++) m->val[i] = (float)(m->weight[i] / norm * factor);
    *n = m->n;
    *col = m->col;
    *val = m->val;
    m->n = 0;
    return DC_OK;
}
