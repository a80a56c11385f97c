/* Input bytes with a sliding window. A plain file is read straight into the window; a compressed file goes through
 * unpack.c, UTF-16 text through utf16.c. This file knows no data format. */
#include "convert/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dcmpi/heartbeat.h"
#include "dcmpi/mem.h"
#include "dcmpi/signals.h"
#include "dcmpi/text.h"

/* Number of leading bytes that tell what a file is: as stored, and expanded. */
enum { MAGIC_BYTES = 10, PACKED_NOTHING_BYTES = 1024, PEEKED_BYTES = 512 };

/* The least room in the window with which every stage can go on: one UTF-8 character. */
enum { MIN_ROOM = 4 };

static const char *file_type(mode_t mode)
{
    if (S_ISDIR(mode)) return "a directory";
    if (S_ISFIFO(mode)) return "a FIFO";
    if (S_ISSOCK(mode)) return "a socket";
    if (S_ISCHR(mode)) return "a character device";
    if (S_ISBLK(mode)) return "a block device";
    return "no regular file";
}

/* Checks the file's type before open(), which would wait for the other end of a FIFO, and again after open(). */
static dc_status open_regular(dc_stream *s, const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0) return DC_FAIL(DC_ERR_IO, "%s: cannot open input: %s", s->name, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return DC_FAIL(DC_ERR_DATA, "%s: is %s; give a regular file%s", s->name, file_type(info.st_mode),
                       S_ISDIR(info.st_mode) ? " (of a folder of documents its files, with --text-column=file)" : "");
    s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (s->fd < 0 || fstat(s->fd, &info) != 0)
        return DC_FAIL(DC_ERR_IO, "%s: cannot open input: %s", s->name, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return DC_FAIL(DC_ERR_DATA, "%s: is %s; give a regular file", s->name, file_type(info.st_mode));
    if (info.st_size == 0) return DC_FAIL(DC_ERR_DATA, "%s: is empty (0 bytes)", s->name);
    s->file_bytes = (uint64_t)info.st_size;
    return dc_file_state_of(s->fd, s->name, &s->state);
}

/* One read() that survives signals; *got = 0 at the end of the file. */
static dc_status read_some(dc_stream *s, void *out, size_t n, size_t *got)
{
    ssize_t r;
    do r = read(s->fd, out, n);
    while (r < 0 && errno == EINTR);
    if (r < 0) return DC_FAIL(DC_ERR_IO, "%s: read failed: %s", s->name, strerror(errno));
    *got = (size_t)r;
    return DC_OK;
}

/* Number of decoded bytes so far, for messages. */
static unsigned long long expanded(const dc_stream *s)
{
    const uint64_t all = s->offset + dc_stream_available(s);
    return all;
}

static dc_status refill_packed(dc_stream *s)
{
    s->packed.pos = 0;
    return read_some(s, s->packed.p, DC_STREAM_PACKED_BYTES, &s->packed.len);
}

/* Called at the end of a member: starts the next one or ends the data. */
static dc_status next_member(dc_stream *s)
{
    dc_status st = DC_OK;
    if (s->packed.pos == s->packed.len) DC_TRY(refill_packed(s));
    s->packed_end = s->packed.pos == s->packed.len;
    if (!s->packed_end) DC_TRY(dc_unpack_again(s->unpack));
out:
    return st;
}

/* Writes up to n expanded bytes to out; *got = 0 only at the end. */
static dc_status unpack_some(dc_stream *s, uint8_t *out, size_t n, size_t *got)
{
    dc_status st = DC_OK;
    for (*got = 0; *got == 0 && !s->packed_end;) {
        dc_unpack_state state;
        if (s->packed.pos == s->packed.len) DC_TRY(refill_packed(s));
        const bool dry = s->packed.pos == s->packed.len;
        size_t used = s->packed.len - s->packed.pos;
        *got = n;
        DC_TRY(dc_unpack_step(s->unpack, s->packed.p + s->packed.pos, &used, out, got, &state));
        s->packed.pos += used;
        if (state == DC_UNPACK_END)
            DC_TRY(next_member(s));
        else if (dry && *got == 0)
            return DC_FAIL(DC_ERR_DATA, "%s: %s data end too early, after %llu expanded bytes; copy the file again",
                           s->name, dc_unpack_kind(s->unpack), expanded(s));
    }
out:
    return st;
}

/* Writes up to n of the file's bytes, without compression, to out; *got = 0 at the end. */
static dc_status plain_some(dc_stream *s, uint8_t *out, size_t n, size_t *got)
{
    return s->unpack ? unpack_some(s, out, n, got) : read_some(s, out, n, got);
}

/* Writes the same bytes, decoded to UTF-8, to out. Bytes that stay in the buffer are an incomplete character. */
static dc_status decode_some(dc_stream *s, uint8_t *out, size_t n, size_t *got)
{
    dc_status st = DC_OK;
    dc_stream_buffer *w = &s->wide;
    for (*got = 0; *got == 0;) {
        size_t more, used;
        memmove(w->p, w->p + w->pos, w->len - w->pos);
        w->len -= w->pos;
        w->pos = 0;
        DC_TRY(plain_some(s, w->p + w->len, DC_STREAM_PACKED_BYTES - w->len, &more));
        w->len += more;
        used = w->len, *got = n;
        if (!dc_utf16_decode(s->utf16, w->p, &used, out, got) || (more == 0 && used < w->len && *got == 0))
            return DC_FAIL(DC_ERR_DATA, "%s: UTF-16 text is damaged after %llu decoded bytes; copy the file again",
                           s->name, expanded(s) + *got);
        w->pos = used;
        if (more == 0 && *got == 0) break;
    }
out:
    return st;
}

/* Appends decoded bytes to the window, which must have room. */
static dc_status append(dc_stream *s)
{
    dc_status st = DC_OK;
    size_t got = 0;
    uint8_t *to = s->window + s->len;
    const size_t room = s->capacity - s->len;
    DC_TRY(s->utf16 != DC_NOT_UTF16 ? decode_some(s, to, room, &got) : plain_some(s, to, room, &got));
    s->end = got == 0;
    s->len += got;
    if (s->offset + dc_stream_available(s) > s->limit)
        st =
            DC_FAIL(DC_ERR_DATA, "%s: expands to more than the limit of %llu bytes; raise --max-input if that is right",
                    s->name, (unsigned long long)s->limit);
out:
    return st;
}

static dc_status grow(dc_stream *s)
{
    uint8_t *bigger;
    const size_t capacity = s->capacity * 2;
    const dc_status st = dc_mem_alloc_raw(&bigger, capacity, 1, "input window");
    if (st != DC_OK) return st;
    memcpy(bigger, s->window + s->pos, dc_stream_available(s));
    s->len -= s->pos;
    s->pos = 0;
    dc_mem_free(&s->window);
    s->window = bigger;
    s->capacity = capacity;
    return DC_OK;
}

dc_status dc_stream_fill(dc_stream *s, size_t want)
{
    dc_status st = DC_OK;
    while (dc_stream_available(s) < want && !s->end) {
        if (dc_signals_stops() > 0) return DC_STOPPED;
        dc_heartbeat();
        if (s->capacity - s->len < MIN_ROOM && s->pos > 0) {
            memmove(s->window, s->window + s->pos, dc_stream_available(s));
            s->len -= s->pos;
            s->pos = 0;
        }
        if (s->capacity - s->len < MIN_ROOM) DC_TRY(grow(s));
        DC_TRY(append(s));
    }
out:
    return st;
}

/* A file named .gz, .bz2, .xz or .zst must be compressed in that way. */
static dc_status check_suffix(const dc_stream *s, const char *kind)
{
    static const struct {
        const char *suffix, *kind;
    } suffixes[] = {{".gz", "gzip"}, {".bz2", "bzip2"}, {".xz", "xz"}, {".zst", "zstd"}};
    const size_t length = strlen(s->name);
    for (size_t i = 0; i < DC_COUNT_OF(suffixes); i++) {
        const size_t n = strlen(suffixes[i].suffix);
        if (kind || length <= n || strcmp(s->name + length - n, suffixes[i].suffix) != 0) continue;
        return DC_FAIL(DC_ERR_DATA, "%s: byte 0: named %s but is not %s data; rename it or copy it again", s->name,
                       suffixes[i].suffix, suffixes[i].kind);
    }
    return DC_OK;
}

/* Starts again at the file's first byte, with another stage in between. */
static dc_status restart(dc_stream *s, dc_stream_buffer *stage)
{
    dc_status st = DC_OK;
    DC_TRY(dc_mem_alloc_raw(&stage->p, DC_STREAM_PACKED_BYTES, 1, "packed input"));
    if (lseek(s->fd, 0, SEEK_SET) != 0) return DC_FAIL(DC_ERR_IO, "%s: seek failed: %s", s->name, strerror(errno));
    s->len = 0;
    s->end = s->packed_end = false;
out:
    return st;
}

/* Recognises compression by its magic number; the expanded bytes then replace the bytes in the window. */
static dc_status start_unpacking(dc_stream *s)
{
    dc_status st = DC_OK;
    const char *kind = dc_unpack_recognise(dc_stream_data(s), dc_stream_available(s));
    DC_TRY(check_suffix(s, kind));
    if (!kind) return DC_OK;
    DC_TRY(restart(s, &s->packed));
    DC_TRY(dc_unpack_open(&s->unpack, kind, s->name));
    DC_TRY(dc_stream_fill(s, 1));
    if (dc_stream_available(s) == 0) st = DC_FAIL(DC_ERR_DATA, "%s: is empty (%s data of 0 bytes)", s->name, kind);
out:
    return st;
}

/* Recognises UTF-16 in the expanded bytes; the decoded bytes then replace the bytes in the window. */
static dc_status start_decoding(dc_stream *s)
{
    dc_status st = DC_OK;
    const dc_utf16_order order = dc_utf16_recognise(dc_stream_data(s), dc_stream_available(s));
    if (order == DC_NOT_UTF16) return DC_OK;
    const char *kind = s->unpack ? dc_unpack_kind(s->unpack) : NULL;
    DC_TRY(restart(s, &s->wide));
    if (kind) {
        dc_unpack_close(&s->unpack);
        s->packed.pos = s->packed.len = 0;
        DC_TRY(dc_unpack_open(&s->unpack, kind, s->name));
    }
    s->utf16 = order;
out:
    return st;
}

/* Errors: DC_ERR_IO, DC_ERR_MEMORY, and those of content. */
static dc_status unpack_start(dc_stream *s, const char *path)
{
    dc_status st = DC_OK;
    DC_TRY(open_regular(s, path));
    if (s->file_bytes > PACKED_NOTHING_BYTES) return DC_OK;
    DC_TRY(dc_mem_alloc_raw(&s->window, DC_STREAM_WINDOW_BYTES, 1, "input window"));
    s->capacity = DC_STREAM_WINDOW_BYTES;
    DC_TRY(dc_stream_fill(s, MAGIC_BYTES));
    st = start_unpacking(s);
out:
    return st;
}

dc_status dc_stream_find_nothing(const char *path, bool *nothing)
{
    dc_stream s = {.fd = -1, .limit = UINT64_MAX};
    struct stat info;
    *nothing = stat(path, &info) == 0 && S_ISREG(info.st_mode) && info.st_size == 0;
    if (*nothing) return DC_OK;
    dc_printable(s.name, sizeof s.name, path, strlen(path));
    const dc_status st = unpack_start(&s, path);
    *nothing = st == DC_ERR_DATA && s.unpack && s.end && dc_stream_available(&s) == 0;
    dc_stream_close(&s);
    if (st == DC_ERR_IO || st == DC_ERR_MEMORY) return st;
    dc_error_clear();
    return DC_OK;
}

dc_status dc_stream_open(dc_stream *s, const char *path, uint64_t limit)
{
    dc_status st = DC_OK;
    memset(s, 0, sizeof *s);
    s->fd = -1;
    s->limit = UINT64_MAX;
    dc_printable(s->name, sizeof s->name, path, strlen(path));
    DC_TRY(open_regular(s, path));
    DC_TRY(dc_mem_alloc_raw(&s->window, DC_STREAM_WINDOW_BYTES, 1, "input window"));
    s->capacity = DC_STREAM_WINDOW_BYTES;
    DC_TRY(dc_stream_fill(s, MAGIC_BYTES));
    if (limit != 0) s->limit = limit;
    DC_TRY(start_unpacking(s));
    DC_TRY(dc_stream_fill(s, PEEKED_BYTES));
    DC_TRY(start_decoding(s));
    DC_TRY(dc_stream_fill(s, PEEKED_BYTES));
out:
    if (st != DC_OK) dc_stream_close(s);
    return st;
}

void dc_stream_close(dc_stream *s)
{
    dc_unpack_close(&s->unpack);
    if (s->fd >= 0) close(s->fd);
    dc_mem_free(&s->packed.p);
    dc_mem_free(&s->wide.p);
    dc_mem_free(&s->window);
    s->fd = -1;
}

dc_status dc_stream_read(dc_stream *s, void *out, size_t n)
{
    uint8_t *to = out;
    while (n > 0) {
        const dc_status st = dc_stream_fill(s, 1);
        if (st != DC_OK) return st;
        const size_t take = DC_MIN(n, dc_stream_available(s));
        if (take == 0)
            return DC_FAIL(DC_ERR_DATA, "%s: byte %llu: file ends, %zu more bytes were expected", s->name,
                           (unsigned long long)s->offset, n);
        memcpy(to, dc_stream_data(s), take);
        dc_stream_skip(s, take);
        to += take;
        n -= take;
    }
    return DC_OK;
}

dc_status dc_stream_seek(dc_stream *s, uint64_t offset)
{
    if (lseek(s->fd, (off_t)offset, SEEK_SET) < 0)
        return DC_FAIL(DC_ERR_IO, "%s: seek failed: %s", s->name, strerror(errno));
    s->pos = s->len = 0;
    s->offset = offset;
    s->end = false;
    return DC_OK;
}

dc_status dc_stream_expect_end(dc_stream *s)
{
    const dc_status st = dc_stream_fill(s, 1);
    if (st != DC_OK || dc_stream_available(s) == 0) return st;
    return DC_FAIL(DC_ERR_DATA, "%s: byte %llu: data go on after the end that the header gives", s->name,
                   (unsigned long long)s->offset);
}

dc_status dc_stream_check_size(const dc_stream *s, uint64_t claimed)
{
    const uint64_t ratio = s->unpack ? dc_unpack_max_ratio(s->unpack) : 1;
    if (claimed > s->limit)
        return DC_FAIL(DC_ERR_DATA,
                       "%s: header asks for %llu bytes, more than the limit of %llu; raise --max-input if that "
                       "is right",
                       s->name, (unsigned long long)claimed, (unsigned long long)s->limit);
    if (!s->unpack && claimed != s->file_bytes)
        return DC_FAIL(DC_ERR_DATA, "%s: header asks for %llu bytes, but the file has %llu", s->name,
                       (unsigned long long)claimed, (unsigned long long)s->file_bytes);
    if (ratio > 1 && claimed / ratio > s->file_bytes)
        return DC_FAIL(DC_ERR_DATA, "%s: header asks for %llu bytes, which %llu bytes of %s data cannot hold", s->name,
                       (unsigned long long)claimed, (unsigned long long)s->file_bytes, dc_unpack_kind(s->unpack));
    return DC_OK;
}
