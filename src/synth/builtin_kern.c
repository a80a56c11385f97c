/* Many rows of built-in data at a time. */
#include <omp.h>
#include <string.h>

#include "dcmpi/mem.h"
#include "embeddings.h"

/* ---- Embeddings -------------------------------------------------------------------------------------------------- */

static void store(const double *x, int64_t D, dc_dtype dtype, void *out)
{
    _Float16 *half = out;
    float *single = out;
    if (dtype == DC_F16)
        for (int64_t c = 0; c < D; c++) half[c] = (_Float16)(float)x[c];
    else
        for (int64_t c = 0; c < D; c++) single[c] = (float)x[c];
}

static void name_row(dc_gidx row, dc_gidx source, char *id, size_t bytes)
{
    char text[64];
    const int n = source == row ? snprintf(text, sizeof text, "%lld", (long long)row)
                                : snprintf(text, sizeof text, "%lld~%lld", (long long)row, (long long)source);
    memset(id, 0, bytes);
    memcpy(id, text, DC_MIN((size_t)n, bytes));
}

static size_t words_of(int64_t D)
{
    return (size_t)(D + 3) / 4 * 4;
}

static dc_embedding_scratch parts_of(void *scratch, int64_t D)
{
    double *x = scratch;
    return (dc_embedding_scratch){.x = x, .t = x + words_of(D), .word = (void *)(x + 2 * words_of(D))};
}

static void make_embedding(const dc_builtin *b, uint64_t seed, dc_gidx row, const dc_embedding_plan *plan,
                           const dc_embedding_scratch *s, void *out)
{
    dc_embedding_row(b, seed, row, plan, s);
    store(s->x, b->D, b->dtype, out);
}

/* ---- All kinds --------------------------------------------------------------------------------------------------- */

static uint64_t seed_of(const dc_builtin *b, uint64_t seed)
{
    return b->seed >= 0 ? (uint64_t)b->seed : seed;
}

static size_t row_bytes_of(const dc_builtin *b)
{
    return (size_t)b->D * dc_dtype_bytes(b->dtype);
}

size_t dc_builtin_scratch_bytes(const dc_builtin *b)
{
    return b->kind == DC_DATA_GLYPHS ? 0 : words_of(b->D) * (2 * sizeof(double) + sizeof(uint32_t));
}

void dc_builtin_rows(const dc_builtin *b, uint64_t seed, dc_gidx lo, int64_t n, void *X, void *scratch)
{
    seed = seed_of(b, seed);
    for (int64_t i = 0; i < n; i++) {
        const dc_gidx row = b->first + lo + i;
        char *out = (char *)X + (size_t)i * row_bytes_of(b);
        if (b->kind == DC_DATA_GLYPHS) {
            (void)dc_glyph_row(seed, row, (uint8_t *)out);
        } else {
            const dc_embedding_scratch s = parts_of(scratch, b->D);
            const dc_embedding_plan plan = dc_embedding_plan_of(b, seed, row);
            make_embedding(b, seed, row, &plan, &s, out);
        }
    }
}

static int32_t make_glyph(uint64_t seed, dc_gidx row, uint8_t *x)
{
    return x ? dc_glyph_row(seed, row, x) : dc_glyph_class(seed, row);
}

dc_status dc_builtin_make(const dc_builtin *b, uint64_t seed, dc_gidx lo, int64_t n, void *X, int32_t *y, char *ids,
                          size_t id_bytes)
{
    const size_t one = dc_builtin_scratch_bytes(b);
    char *memory = NULL;
    const dc_status st = dc_mem_alloc_raw((void **)&memory, (size_t)omp_get_max_threads(), one, "rows that are made");
    if (st != DC_OK) return st;
    seed = seed_of(b, seed);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++) {
        const dc_gidx row = b->first + lo + i;
        char *out = X ? (char *)X + (size_t)i * row_bytes_of(b) : NULL;
        if (b->kind == DC_DATA_GLYPHS) {
            y[i] = make_glyph(seed, row, (uint8_t *)out);
            continue;
        }
        const dc_embedding_scratch s = parts_of(memory + (size_t)omp_get_thread_num() * one, b->D);
        const dc_embedding_plan plan = dc_embedding_plan_of(b, seed, row);
        if (out) make_embedding(b, seed, row, &plan, &s, out);
        y[i] = (int32_t)plan.part;
        if (id_bytes) name_row(row, plan.source, ids + (size_t)i * id_bytes, id_bytes);
    }
    dc_mem_free(&memory);
    return DC_OK;
}
