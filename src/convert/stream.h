/* The bytes of an input file, expanded (gzip, bzip2, xz, zstd) and decoded (UTF-16) on the way if needed, with a window
 * for parsers to look into. */
#ifndef DCMPI_CONVERT_STREAM_H
#define DCMPI_CONVERT_STREAM_H

#include "convert/unpack.h"
#include "convert/utf16.h"
#include "dcmpi/file.h"

enum {
    DC_STREAM_WINDOW_BYTES = 1 << 20, /* decoded bytes that the window holds before it grows */
    DC_STREAM_PACKED_BYTES = 1 << 18  /* compressed or UTF-16 bytes held at a time */
};

/* Bytes that wait for the next stage: p[pos, len). */
typedef struct {
    uint8_t *p; /* owned, [DC_STREAM_PACKED_BYTES]; NULL if the stage is not needed */
    size_t pos, len;
} dc_stream_buffer;

typedef struct {
    int fd;
    char name[512];          /* path for messages: control characters replaced, shortened from the front */
    uint64_t file_bytes;     /* size on disk */
    dc_file_state state;     /* state of the file when it was opened */
    uint64_t limit;          /* most decoded bytes allowed; UINT64_MAX: no limit */
    bool end;                /* nothing more will come into the window */
    bool packed_end;         /* nothing more will come out of the decompressor */
    dc_unpack *unpack;       /* NULL: the file is not compressed */
    dc_stream_buffer packed; /* compressed */
    dc_utf16_order utf16;
    dc_stream_buffer wide; /* UTF-16 */
    uint8_t *window;       /* owned; decoded bytes [pos, len) wait for the parser */
    size_t pos, len, capacity;
    uint64_t offset; /* decoded bytes before window[pos] */
} dc_stream;

/* Opens a regular, non-empty file. limit: most decoded bytes to accept, 0 for no limit. Errors: DC_ERR_IO (missing,
 * unreadable), DC_ERR_DATA (directory, FIFO, device, socket or empty file; or the name says ".gz", ".bz2", ".xz" or
 * ".zst" but the content does not). After an error nothing is held. */
DC_CHECKED dc_status dc_stream_open(dc_stream *s, const char *path, uint64_t limit);
/* *nothing: whether the file is regular and empty, or whole and compressed, but of nothing; false also for what
 * dc_stream_open() refuses for its content. Errors: DC_ERR_IO, DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_stream_find_nothing(const char *path, bool *nothing);
void dc_stream_close(dc_stream *s);

/* Makes at least `want` bytes, or all that are left, visible at dc_stream_data(). The window grows if needed, but not
 * beyond what the file holds. Errors: DC_ERR_DATA (damaged or truncated, limit), DC_ERR_IO, DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_stream_fill(dc_stream *s, size_t want);
static inline const uint8_t *dc_stream_data(const dc_stream *s)
{
    return s->window + s->pos;
}
static inline size_t dc_stream_available(const dc_stream *s)
{
    return s->len - s->pos;
}
static inline void dc_stream_skip(dc_stream *s, size_t n)
{
    DC_ASSERT(n <= dc_stream_available(s));
    s->pos += n;
    s->offset += n;
}
/* Whether dc_stream_seek() works: the bytes of the file are those that the window shows. */
static inline bool dc_stream_can_seek(const dc_stream *s)
{
    return !s->unpack && s->utf16 == DC_NOT_UTF16;
}
/* Goes on at byte `offset` of a plain file. Errors: DC_ERR_IO. */
DC_CHECKED dc_status dc_stream_seek(dc_stream *s, uint64_t offset);
/* Reads exactly n bytes. If the file is too short, DC_ERR_DATA says where it ends. */
DC_CHECKED dc_status dc_stream_read(dc_stream *s, void *out, size_t n);
/* Returns DC_ERR_DATA unless the stream has ended; checks the trailer of compressed data. */
DC_CHECKED dc_status dc_stream_expect_end(dc_stream *s);
/* Checks, before anything is allocated or read, that the file can hold the size its header claims (header included).
 * The check is exact for plain files; for gzip it uses an upper bound, since gzip expands at most 1032 times; for the
 * others there is no bound. */
DC_CHECKED dc_status dc_stream_check_size(const dc_stream *s, uint64_t claimed);

#endif
