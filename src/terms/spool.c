/* A file without a name: made with O_TMPFILE, or removed as soon as it is there. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <unistd.h>

#include "dcmpi/mem.h"
#include "dcmpi/terms.h"

enum { BUFFER_BYTES = 1 << 20 };

struct dc_spool {
    int fd;
    char folder[DC_PATH_MAX];
    int64_t bytes; /* appended so far */
    size_t used;   /* of the buffer */
    char *buffer;  /* [BUFFER_BYTES] */
};

static int open_nameless(const char *folder)
{
    char name[DC_PATH_MAX + 32];
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0) return fd;
    snprintf(name, sizeof name, "%s/.dcmpi-spool-XXXXXX", folder);
    fd = mkostemp(name, O_CLOEXEC);
    if (fd >= 0) unlink(name);
    return fd;
}

dc_status dc_spool_create(dc_spool **out, const char *beside)
{
    dc_status st = DC_OK;
    char copy[DC_PATH_MAX];
    DC_TRY(dc_mem_alloc(out, 1, sizeof **out, "spool"));
    dc_spool *s = *out;
    snprintf(copy, sizeof copy, "%s", beside);
    snprintf(s->folder, sizeof s->folder, "%s", dirname(copy));
    s->fd = open_nameless(s->folder);
    if (s->fd < 0) DC_TRY(DC_FAIL(DC_ERR_IO, "%s: cannot create a temporary file: %s", s->folder, strerror(errno)));
    DC_TRY(dc_mem_alloc_raw(&s->buffer, BUFFER_BYTES, 1, "spool"));
out:
    if (st != DC_OK) dc_spool_destroy(out);
    return st;
}

void dc_spool_destroy(dc_spool **s)
{
    if (!*s) return;
    if ((*s)->fd >= 0) close((*s)->fd);
    dc_mem_free(&(*s)->buffer);
    dc_mem_free(s);
}

static dc_status write_all(dc_spool *s, const char *p, size_t n)
{
    while (n > 0) {
        const ssize_t wrote = write(s->fd, p, n);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0)
            return DC_FAIL(DC_ERR_IO, "%s: cannot write a temporary file: %s", s->folder,
                           strerror(wrote < 0 ? errno : ENOSPC));
        p += wrote;
        n -= (size_t)wrote;
    }
    return DC_OK;
}

dc_status dc_spool_flush(dc_spool *s)
{
    const dc_status st = write_all(s, s->buffer, s->used);
    s->used = 0;
    return st;
}

dc_status dc_spool_put(dc_spool *s, const void *data, size_t bytes)
{
    dc_status st = DC_OK;
    if (s->used + bytes > BUFFER_BYTES) DC_TRY(dc_spool_flush(s));
    if (bytes > BUFFER_BYTES)
        DC_TRY(write_all(s, data, bytes));
    else {
        memcpy(s->buffer + s->used, data, bytes);
        s->used += bytes;
    }
    s->bytes += (int64_t)bytes;
out:
    return st;
}

int64_t dc_spool_bytes(const dc_spool *s)
{
    return s->bytes;
}

dc_status dc_spool_read(const dc_spool *s, int64_t at, void *data, size_t bytes)
{
    char *p = data;
    while (bytes > 0) {
        const ssize_t got = pread(s->fd, p, bytes, at);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0)
            return DC_FAIL(DC_ERR_IO, "%s: cannot read a temporary file: %s", s->folder,
                           got < 0 ? strerror(errno) : "it ends too early");
        p += got;
        at += got;
        bytes -= (size_t)got;
    }
    return DC_OK;
}
