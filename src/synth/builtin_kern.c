/* Many rows of built-in data at a time. */
#include <omp.h>
#include <string.h>

#include "dcmpi/mem.h"
#include "embeddings.h"

/* ---- Glyphs ------------------------------------------------------------------------------------------------------ */

static void make_glyphs(uint64_t seed, dc_gidx first, int64_t n, uint8_t *X, int32_t *y)
{
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++) y[i] = dc_glyph_row(seed, first + i, X + i * DC_GLYPH_PIXELS);
}

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

static dc_embedding_scratch part_of(char *memory, int64_t D)
{
    const size_t words = (size_t)(D + 3) / 4 * 4;
    double *x = (void *)memory;
    return (dc_embedding_scratch){.x = x, .t = x + words, .word = (void *)(x + 2 * words)};
}

static dc_status make_embeddings(const dc_builtin *b, uint64_t seed, dc_gidx first, int64_t n, char *X, int32_t *y,
                                 char *ids, size_t id_bytes)
{
    const size_t one = (size_t)(b->D + 3) / 4 * 4 * (2 * sizeof(double) + sizeof(uint32_t)),
                 row_bytes = (size_t)b->D * dc_dtype_bytes(b->dtype);
    char *memory = NULL;
    const dc_status st = dc_mem_alloc_raw((void **)&memory, (size_t)omp_get_max_threads(), one, "rows that are made");
    if (st != DC_OK) return st;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++) {
        const dc_embedding_scratch s = part_of(memory + (size_t)omp_get_thread_num() * one, b->D);
        const dc_embedding_plan plan = dc_embedding_plan_of(b, seed, first + i);
        dc_embedding_row(b, seed, first + i, &plan, &s);
        store(s.x, b->D, b->dtype, X + (size_t)i * row_bytes);
        y[i] = (int32_t)plan.part;
        if (id_bytes) name_row(first + i, plan.source, ids + (size_t)i * id_bytes, id_bytes);
    }
    dc_mem_free(&memory);
    return DC_OK;
}

dc_status dc_builtin_make(const dc_builtin *b, uint64_t seed, dc_gidx lo, int64_t n, void *X, int32_t *y, char *ids,
                          size_t id_bytes)
{
    if (b->seed >= 0) seed = (uint64_t)b->seed;
    if (b->kind == DC_DATA_EMBEDDINGS) return make_embeddings(b, seed, b->first + lo, n, X, y, ids, id_bytes);
    make_glyphs(seed, b->first + lo, n, X, y);
    return DC_OK;
}
