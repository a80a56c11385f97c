/* Private to src/io: unpacked chunks of many datasets, for the threads of a rank. No communication here. */
#ifndef DCMPI_IO_CHUNK_CACHE_H
#define DCMPI_IO_CHUNK_CACHE_H

#include "chunks.h"

typedef struct dc_chunk_cache dc_chunk_cache;

/* Some bands of the dataset of piece i, one after the other. */
typedef struct {
    dc_chunk_layout layout;
    int64_t band, bands;   /* the first of these, and how many */
    dc_chunk_place *place; /* [bands x per_band]; owned, as is: */
    int32_t *slot;         /* [bands x per_band] where a chunk is in the cache, -1: nowhere; the cache sets it */
} dc_chunk_table;
void dc_chunk_table_release(dc_chunk_table *table);

typedef struct {
    /* out[bytes] = bytes of piece i at `at`; false after a failure, which it keeps. */
    bool (*read)(void *ctx, size_t i, int64_t at, size_t bytes, char *out);
    /* Is told that the chunk of `row` of piece i, at byte `at`, is damaged, and how. */
    void (*damaged)(void *ctx, size_t i, int64_t row, int64_t at, const char *how);
    void *ctx;
} dc_chunk_source;
/* table[n]: one for each piece, those without chunks all zeros; borrowed. threads: so many may read at once. bytes:
 * so much is kept if the datasets have more, and some bands in any case. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_chunk_cache_create(dc_chunk_table *table, size_t n, int threads, size_t bytes,
                                           dc_chunk_source source, dc_chunk_cache **out);
/* Accepts NULL. */
void dc_chunk_cache_destroy(dc_chunk_cache **cache);
/* Memory that it takes at most, for datasets of which `most` is the largest. */
double dc_chunk_cache_bytes(const dc_h5_packing *most, int threads, size_t bytes);

/* out[n x row bytes] = rows [row, row + n) of piece i, which its table has. Threads may call it; false after a failure.
 */
bool dc_chunk_cache_read(dc_chunk_cache *c, size_t i, int64_t row, int64_t n, char *out);
/* Calls expect for the stored bytes of those of these rows' chunks that are not in the cache. Rows that the table lacks
 * are left out. */
void dc_chunk_cache_expect(dc_chunk_cache *c, size_t i, int64_t row, int64_t n,
                           void (*expect)(void *ctx, int64_t at, int64_t bytes), void *ctx);

#endif
