/* Private to src/io: datasets in chunks, read without the HDF5 library, which does not allow two threads at once.
 *
 * The library says, once, how the dataset is cut and filtered and where each chunk lies (h5_chunks.c). Any thread can
 * then read the bytes of a chunk and undo its filters (chunk_filters.c). Unpacked chunks are kept for a while
 * (chunk_cache.c). Chunks of the same rows are a band; a chunk may be as wide as the rows or cut columns. */
#ifndef DCMPI_IO_CHUNKS_H
#define DCMPI_IO_CHUNKS_H

#include "dcmpi/h5.h"

enum { DC_CHUNK_FILTERS_MAX = 8, DC_CHUNK_ITEM_MAX = 8 };

typedef enum { DC_CHUNK_DEFLATE, DC_CHUNK_SHUFFLE, DC_CHUNK_FLETCHER32 } dc_chunk_filter;

typedef struct {
    int n_dims;                     /* >= 1 */
    int64_t dims[DC_H5_MAX_DIMS];   /* of the dataset */
    int64_t chunk[DC_H5_MAX_DIMS];  /* of a chunk, each >= 1 */
    int64_t bands, per_band;        /* bands of the dataset, chunks of a band */
    size_t item_bytes, chunk_bytes; /* chunk_bytes: unpacked */
    int n_filters;                  /* in the order in which they were applied */
    dc_chunk_filter filter[DC_CHUNK_FILTERS_MAX];
    bool plain_edges; /* chunks that reach over the end of the dataset have no filters */
    bool has_fill;    /* chunks that are not stored consist of: */
    unsigned char fill[DC_CHUNK_ITEM_MAX];
} dc_chunk_layout;

/* Where a chunk is stored. */
typedef struct {
    int64_t at;       /* byte in the file; -1: not stored */
    uint32_t bytes;   /* packed */
    uint32_t skipped; /* bit i: filter i was not applied */
} dc_chunk_place;

/* Bytes that a packed chunk, or one that is half unpacked, takes at most: what grows by more is not data of filters. */
size_t dc_chunk_room(const dc_chunk_layout *l);

/* The layout of a dataset in chunks of items of 1 to 8 bytes. Errors: DC_ERR_FORMAT (no such dataset, not in chunks, a
 * filter that is not one of dc_chunk_filter: names it and says what to do). */
DC_CHECKED dc_status dc_h5_chunk_layout(dc_h5 *h5, const char *name, dc_chunk_layout *out);
/* out[bands x per_band] = places of the chunks of bands [band, band + bands), in row order. h5: of dc_h5_image_open().
 * Errors: DC_ERR_FORMAT (outside the file, of an impossible size, missing without a fill value). */
DC_CHECKED dc_status dc_h5_chunk_places(dc_h5 *h5, const char *name, const dc_chunk_layout *l, int64_t band,
                                        int64_t bands, dc_chunk_place *out);

/* What one thread needs to unpack a chunk. */
typedef struct dc_chunk_work dc_chunk_work;
/* room: dc_chunk_room() of the largest. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_chunk_work_create(size_t room, dc_chunk_work **out);
void dc_chunk_work_destroy(dc_chunk_work **work);
double dc_chunk_work_bytes(size_t room);
/* Where the caller puts the packed bytes. */
char *dc_chunk_work_input(dc_chunk_work *work);
/* out[chunk_bytes] = the unpacked chunk, of which work has the packed bytes. skipped: see dc_chunk_place; filters that
 * an edge lacks included. Returns NULL, or what is wrong, with the memory of `work`. No error text is set. */
const char *dc_chunk_unpack(dc_chunk_work *work, const dc_chunk_layout *l, size_t bytes, uint32_t skipped, char *out);
/* out[chunk_bytes] = the fill value. */
void dc_chunk_fill(const dc_chunk_layout *l, char *out);

#endif
