/* Undoes the filters of HDF5 that everybody has: fletcher32, deflate and shuffle, as the HDF5 File Format Specification
 * and the library define them. Chunks come from files of unknown origin: no input makes this write beyond its buffers.
 */
#include <string.h>
#include <zlib.h>

#include "chunks.h"
#include "dcmpi/mem.h"

enum { SUM_BYTES = 4, WHY_MAX = 128, ZLIB_BYTES = 48 << 10 };

struct dc_chunk_work {
    size_t room;
    char *buffer[2]; /* [room] */
    z_stream zlib;
    bool zlib_ready;
    char why[WHY_MAX];
};

/* Each filter adds some bytes to what it cannot make smaller. */
size_t dc_chunk_room(const dc_chunk_layout *l)
{
    return l->chunk_bytes + l->chunk_bytes / 64 + 1024;
}

double dc_chunk_work_bytes(size_t room)
{
    return 2 * (double)room + ZLIB_BYTES;
}

dc_status dc_chunk_work_create(size_t room, dc_chunk_work **out)
{
    dc_status st = DC_OK;
    dc_chunk_work *w = NULL;
    DC_TRY(dc_mem_alloc(&w, 1, sizeof *w, "buffers of chunks"));
    w->room = room;
    DC_TRY(dc_mem_alloc_raw(&w->buffer[0], room, 1, "buffers of chunks"));
    DC_TRY(dc_mem_alloc_raw(&w->buffer[1], room, 1, "buffers of chunks"));
    w->zlib_ready = inflateInit(&w->zlib) == Z_OK;
    if (!w->zlib_ready) st = DC_FAIL(DC_ERR_MEMORY, "no memory to expand deflated chunks");
out:
    if (st != DC_OK) dc_chunk_work_destroy(&w);
    *out = w;
    return st;
}

void dc_chunk_work_destroy(dc_chunk_work **work)
{
    dc_chunk_work *w = *work;
    if (!w) return;
    if (w->zlib_ready) inflateEnd(&w->zlib);
    dc_mem_free(&w->buffer[0]);
    dc_mem_free(&w->buffer[1]);
    dc_mem_free(work);
}

char *dc_chunk_work_input(dc_chunk_work *work)
{
    return work->buffer[0];
}

void dc_chunk_fill(const dc_chunk_layout *l, char *out)
{
    for (size_t i = 0; i < l->chunk_bytes; i += l->item_bytes) memcpy(out + i, l->fill, l->item_bytes);
}

/* ---- Fletcher's checksum ----------------------------------------------------------------------------------------- */

static uint32_t fold(uint32_t sum)
{
    return (sum & 0xffff) + (sum >> 16);
}

/* Of big-endian words of 16 bits; an odd last byte is the upper one of a word. */
static uint32_t fletcher32(const unsigned char *x, size_t n)
{
    enum { WORDS = 360 }; /* so many sums do not overflow */
    uint32_t a = 0, b = 0;
    for (size_t words = n / 2; words > 0;) {
        const size_t some = DC_MIN(words, (size_t)WORDS);
        for (size_t i = 0; i < some; i++, x += 2) {
            a += (uint32_t)x[0] << 8 | x[1];
            b += a;
        }
        a = fold(a);
        b = fold(b);
        words -= some;
    }
    if (n % 2) {
        a = fold(a + ((uint32_t)x[0] << 8));
        b = fold(b + a);
    }
    return fold(b) << 16 | fold(a);
}

/* Before release 1.6.3 the library wrote the bytes of each half in the other order. */
static uint32_t other_order(uint32_t sum)
{
    return (sum & 0x00ff00ff) << 8 | (sum >> 8 & 0x00ff00ff);
}

static const char *check_sum(const char *x, size_t *bytes)
{
    unsigned char stored[SUM_BYTES];
    if (*bytes < SUM_BYTES) return "is shorter than its checksum";
    *bytes -= SUM_BYTES;
    memcpy(stored, x + *bytes, SUM_BYTES);
    const uint32_t sum = fletcher32((const unsigned char *)x, *bytes);
    const uint32_t was =
        (uint32_t)stored[0] | (uint32_t)stored[1] << 8 | (uint32_t)stored[2] << 16 | (uint32_t)stored[3] << 24;
    return sum == was || other_order(sum) == was ? NULL : "has another checksum than when it was written";
}

/* ---- Deflate ----------------------------------------------------------------------------------------------------- */

static const char *expand(dc_chunk_work *w, const char *in, size_t *bytes, char *out, size_t room)
{
    z_stream *z = &w->zlib;
    if (*bytes > UINT32_MAX || room > UINT32_MAX || inflateReset(z) != Z_OK) return "is too large";
    z->next_in = (Bytef *)(uintptr_t)in;
    z->avail_in = (uInt)*bytes;
    z->next_out = (Bytef *)out;
    z->avail_out = (uInt)room;
    const int rc = inflate(z, Z_FINISH);
    *bytes = room - z->avail_out;
    if (rc == Z_STREAM_END) return NULL;
    if (rc == Z_BUF_ERROR && z->avail_out == 0) return "expands to more than a chunk";
    if (rc == Z_BUF_ERROR || rc == Z_OK) return "ends too early";
    snprintf(w->why, sizeof w->why, "does not expand (%s)", z->msg ? z->msg : zError(rc));
    return w->why;
}

/* ---- Shuffle ----------------------------------------------------------------------------------------------------- */

/* Puts together items whose bytes were stored apart: all first bytes, all second bytes, and so on. What is left of the
 * length follows as it is. */
static void unshuffle(const char *restrict in, size_t bytes, size_t item, char *restrict out)
{
    const size_t n = bytes / item;
    switch (item) {
    case 2:
        for (size_t i = 0; i < n; i++) out[2 * i] = in[i], out[2 * i + 1] = in[n + i];
        break;
    case 4:
        for (size_t i = 0; i < n; i++)
            for (size_t b = 0; b < 4; b++) out[4 * i + b] = in[b * n + i];
        break;
    default:
        for (size_t b = 0; b < item; b++)
            for (size_t i = 0; i < n; i++) out[i * item + b] = in[b * n + i];
    }
    memcpy(out + n * item, in + n * item, bytes - n * item);
}

/* ---- All of them, the last one first ----------------------------------------------------------------------------- */

const char *dc_chunk_unpack(dc_chunk_work *w, const dc_chunk_layout *l, size_t bytes, uint32_t skipped, char *out)
{
    const char *x = w->buffer[0], *wrong = NULL;
    DC_ASSERT(bytes <= w->room);
    for (int f = l->n_filters - 1; f >= 0 && !wrong; f--) {
        char *to = f == 0 ? out : x == w->buffer[0] ? w->buffer[1] : w->buffer[0];
        const size_t room = f == 0 ? l->chunk_bytes : w->room;
        if (skipped >> f & 1) continue;
        switch (l->filter[f]) {
        case DC_CHUNK_FLETCHER32:
            wrong = check_sum(x, &bytes);
            continue;
        case DC_CHUNK_DEFLATE:
            wrong = expand(w, x, &bytes, to, room);
            break;
        case DC_CHUNK_SHUFFLE:
            if (bytes > room) return "expands to more than a chunk";
            unshuffle(x, bytes, l->item_bytes, to);
            break;
        }
        x = to;
    }
    if (wrong) return wrong;
    if (bytes != l->chunk_bytes) {
        snprintf(w->why, sizeof w->why, "expands to %zu bytes, not to the %zu of a chunk", bytes, l->chunk_bytes);
        return w->why;
    }
    if (x != out) memcpy(out, x, bytes);
    return NULL;
}
