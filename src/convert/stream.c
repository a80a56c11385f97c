/* Input bytes with a sliding window. A plain file is read straight into the window; a gzip file (RFC 1952) goes through
 * zlib's inflate, member by member, so that truncation, damage and bytes behind the last member are found: gzread()
 * would pass over some of them. Does not know any format. */
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

static const char *file_type(mode_t mode)
{
    if (S_ISDIR(mode)) return "a directory";
    if (S_ISFIFO(mode)) return "a FIFO";
    if (S_ISSOCK(mode)) return "a socket";
    if (S_ISCHR(mode)) return "a character device";
    if (S_ISBLK(mode)) return "a block device";
    return "no regular file";
}

/* The type is looked at before open(), which would wait for the other end of a FIFO, and again after it. */
static dc_status open_regular(dc_stream *s, const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0) return DC_FAIL(DC_ERR_IO, "%s: cannot open input: %s", s->name, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return DC_FAIL(DC_ERR_DATA, "%s: is %s; give a regular file", s->name, file_type(info.st_mode));
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

static dc_status refill_packed(dc_stream *s)
{
    size_t got = 0;
    const dc_status st = read_some(s, s->packed, DC_STREAM_PACKED_BYTES, &got);
    s->zlib.next_in = s->packed;
    s->zlib.avail_in = (uInt)got;
    return st;
}

/* Called at the end of a member: starts the next one or ends the stream. */
static dc_status next_member(dc_stream *s)
{
    dc_status st = DC_OK;
    if (s->zlib.avail_in == 0) DC_TRY(refill_packed(s));
    s->end = s->zlib.avail_in == 0;
    if (!s->end && inflateReset(&s->zlib) != Z_OK) st = DC_FAIL(DC_ERR_INTERNAL, "%s: inflateReset failed", s->name);
out:
    return st;
}

static dc_status inflate_some(dc_stream *s, void *out, size_t n, size_t *got)
{
    dc_status st = DC_OK;
    *got = 0;
    while (*got == 0 && !s->end) {
        if (s->zlib.avail_in == 0) DC_TRY(refill_packed(s));
        if (s->zlib.avail_in == 0)
            return DC_FAIL(DC_ERR_DATA, "%s: gzip data end too early, after %llu expanded bytes; copy the file again",
                           s->name, (unsigned long long)(s->offset + dc_stream_available(s)));
        s->zlib.next_out = out;
        s->zlib.avail_out = (uInt)n;
        const int rc = inflate(&s->zlib, Z_NO_FLUSH);
        if (rc == Z_MEM_ERROR) return DC_FAIL(DC_ERR_MEMORY, "%s: not enough memory to expand gzip data", s->name);
        if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
            return DC_FAIL(DC_ERR_DATA, "%s: gzip data damaged (%s) after %llu expanded bytes; copy the file again",
                           s->name, s->zlib.msg ? s->zlib.msg : "unknown cause",
                           (unsigned long long)(s->offset + dc_stream_available(s)));
        *got = n - s->zlib.avail_out;
        if (rc == Z_STREAM_END) DC_TRY(next_member(s));
    }
out:
    return st;
}

/* Appends decoded bytes to the window, which has room. */
static dc_status append(dc_stream *s)
{
    dc_status st = DC_OK;
    size_t got = 0;
    uint8_t *to = s->window + s->len;
    const size_t room = s->capacity - s->len;
    if (s->gz) {
        DC_TRY(inflate_some(s, to, room, &got));
    } else {
        DC_TRY(read_some(s, to, room, &got));
        s->end = got == 0;
    }
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
        if (s->len == s->capacity && s->pos > 0) {
            memmove(s->window, s->window + s->pos, dc_stream_available(s));
            s->len -= s->pos;
            s->pos = 0;
        }
        if (s->len == s->capacity) DC_TRY(grow(s));
        DC_TRY(append(s));
    }
out:
    return st;
}

/* gzip is recognised by its magic number and then replaces what is in the window. */
static dc_status start_gzip(dc_stream *s)
{
    static const uint8_t magic[2] = {0x1f, 0x8b};
    dc_status st = DC_OK;
    const size_t name_len = strlen(s->name);
    const bool named_gz = name_len > 3 && strcmp(s->name + name_len - 3, ".gz") == 0;
    s->gz = dc_stream_available(s) >= 2 && memcmp(dc_stream_data(s), magic, 2) == 0;
    if (!s->gz && named_gz)
        return DC_FAIL(DC_ERR_DATA, "%s: byte 0: named .gz but is not gzip data; rename it or copy it again", s->name);
    if (!s->gz) return DC_OK;
    DC_TRY(dc_mem_alloc_raw(&s->packed, DC_STREAM_PACKED_BYTES, 1, "gzip input"));
    /* The window of a fresh stream holds at most what fits into it; start the file again rather than copy. */
    if (lseek(s->fd, 0, SEEK_SET) != 0) return DC_FAIL(DC_ERR_IO, "%s: seek failed: %s", s->name, strerror(errno));
    s->len = 0;
    s->end = false;
    if (inflateInit2(&s->zlib, 15 + 16) != Z_OK) return DC_FAIL(DC_ERR_MEMORY, "%s: zlib does not start", s->name);
    s->zlib_live = true;
    DC_TRY(dc_stream_fill(s, 1));
    if (dc_stream_available(s) == 0) st = DC_FAIL(DC_ERR_DATA, "%s: is empty (gzip data of 0 bytes)", s->name);
out:
    return st;
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
    DC_TRY(dc_stream_fill(s, 2));
    if (limit != 0) s->limit = limit;
    DC_TRY(start_gzip(s));
    DC_TRY(dc_stream_fill(s, 16));
out:
    if (st != DC_OK) dc_stream_close(s);
    return st;
}

void dc_stream_close(dc_stream *s)
{
    if (s->zlib_live) inflateEnd(&s->zlib);
    if (s->fd >= 0) close(s->fd);
    dc_mem_free(&s->packed);
    dc_mem_free(&s->window);
    s->zlib_live = false;
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

dc_status dc_stream_expect_end(dc_stream *s)
{
    const dc_status st = dc_stream_fill(s, 1);
    if (st != DC_OK || dc_stream_available(s) == 0) return st;
    return DC_FAIL(DC_ERR_DATA, "%s: byte %llu: data go on behind the end that the header gives", s->name,
                   (unsigned long long)s->offset);
}

dc_status dc_stream_check_size(const dc_stream *s, uint64_t claimed)
{
    enum { GZIP_MAX_RATIO = 1032 }; /* deflate codes at most 258 bytes with 2 bits */
    if (claimed > s->limit)
        return DC_FAIL(DC_ERR_DATA,
                       "%s: header asks for %llu bytes, more than the limit of %llu; raise --max-input if that "
                       "is right",
                       s->name, (unsigned long long)claimed, (unsigned long long)s->limit);
    if (!s->gz && claimed != s->file_bytes)
        return DC_FAIL(DC_ERR_DATA, "%s: header asks for %llu bytes, but the file has %llu", s->name,
                       (unsigned long long)claimed, (unsigned long long)s->file_bytes);
    if (s->gz && claimed / GZIP_MAX_RATIO > s->file_bytes)
        return DC_FAIL(DC_ERR_DATA, "%s: header asks for %llu bytes, which %llu bytes of gzip data cannot hold",
                       s->name, (unsigned long long)claimed, (unsigned long long)s->file_bytes);
    return DC_OK;
}
