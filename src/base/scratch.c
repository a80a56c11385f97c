#include "dcmpi/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <unistd.h>

void dc_scratch_init(dc_scratch *s, const char *output, const char *purpose)
{
    char copy[DC_PATH_MAX];
    snprintf(copy, sizeof copy, "%s", output);
    snprintf(s->folder, sizeof s->folder, "%s", dirname(copy));
    s->purpose = purpose;
    s->fd = -1;
}

void dc_scratch_close(dc_scratch *s)
{
    if (s->fd >= 0) close(s->fd);
    s->fd = -1;
}

static dc_status fail_disk(const dc_scratch *s, const char *what)
{
    return DC_FAIL(DC_ERR_IO, "%s: cannot %s %s here: %s", s->folder, what, s->purpose, strerror(errno));
}

/* Opens a file without a name or, where the file system does not offer that, one that is unlinked at once. */
static dc_status make(dc_scratch *s)
{
    char name[DC_PATH_MAX];
    s->fd = open(s->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (s->fd >= 0) return DC_OK;
    if ((size_t)snprintf(name, sizeof name, "%s/.dcmpi-scratch-XXXXXX", s->folder) >= sizeof name)
        return DC_FAIL(DC_ERR_USAGE, "%s: the name of the output's directory is too long", s->folder);
    s->fd = mkostemp(name, O_CLOEXEC);
    if (s->fd < 0) return fail_disk(s, "make");
    unlink(name);
    return DC_OK;
}

dc_status dc_scratch_write(dc_scratch *s, const void *data, size_t n, int64_t at)
{
    const char *from = data;
    if (s->fd < 0) {
        const dc_status st = make(s);
        if (st != DC_OK) return st;
    }
    while (n > 0) {
        const ssize_t done = pwrite(s->fd, from, n, (off_t)at);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return fail_disk(s, "write");
        from += done, at += done, n -= (size_t)done;
    }
    return DC_OK;
}

dc_status dc_scratch_read(const dc_scratch *s, void *data, size_t n, int64_t at)
{
    char *to = data;
    while (n > 0) {
        const ssize_t done = pread(s->fd, to, n, (off_t)at);
        if (done < 0 && errno == EINTR) continue;
        if (done == 0) errno = EIO;
        if (done <= 0) return fail_disk(s, "read");
        to += done, at += done, n -= (size_t)done;
    }
    return DC_OK;
}
