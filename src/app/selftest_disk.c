/* Self-test with a full disk: a write without room must end with the same error on all ranks and leave nothing behind.
 *
 * Rank 0 fills the file system with a file that has no name, so that the space is freed however this process ends. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "selftest.h"

enum { ROWS = 8192, LEFT_BYTES = 1 << 20 }; /* 8 MiB do not fit into 1 MiB */
static const double FILL_MAX = 0x1p30, MIB = 0x1p20;

static double free_bytes(const char *dir)
{
    struct statvfs s;
    return statvfs(dir, &s) == 0 ? (double)s.f_bfree * (double)s.f_frsize : -1;
}

dc_status dc_selftest_check_small(const char *dir)
{
    const double bytes = free_bytes(dir);
    if (bytes < 0) return DC_FAIL(DC_ERR_USAGE, "--full-disk=%s: %s", dir, strerror(errno));
    if (bytes <= FILL_MAX) return DC_OK;
    return DC_FAIL(DC_ERR_USAGE,
                   "--full-disk=%s: %.1f GiB are free, too much to fill; name a file system of at most 1 GiB, for "
                   "example one made by: mount -t tmpfs -o size=64m tmpfs %s",
                   dir, bytes / 0x1p30, dir);
}

/* Fills the disk. *fd: a file without a name that takes all free space; *bytes: its size. Closing it frees the
 * space. */
static dc_status fill(const char *dir, int *fd, int64_t *bytes)
{
    char path[DC_PATH_MAX];
    snprintf(path, sizeof path, "%s/dcmpi-selftest-XXXXXX", dir);
    *bytes = 0;
    *fd = mkostemp(path, O_CLOEXEC);
    if (*fd < 0) return DC_FAIL(DC_ERR_IO, "cannot create %s: %s", path, strerror(errno));
    unlink(path);
    for (int64_t step = INT64_C(1) << 26; step >= 4096;) {
        const int rc = posix_fallocate(*fd, *bytes, step);
        if (rc == 0)
            *bytes += step;
        else if (rc == ENOSPC || rc == EDQUOT)
            step /= 2;
        else if (rc != EINTR)
            return DC_FAIL(DC_ERR_IO, "cannot fill %s: %s", dir, strerror(rc));
    }
    return DC_OK;
}

static dc_status nothing_left(const char *path)
{
    char part[DC_PATH_MAX];
    snprintf(part, sizeof part, "%.*s.part", DC_PATH_MAX - 6, path);
    if (access(path, F_OK) != 0 && access(part, F_OK) != 0) return DC_OK;
    return DC_FAIL(DC_ERR_IO, "the failed write left %s or %s behind", path, part);
}

/* DC_OK if the write fails as it should. Collective. */
static dc_status expect_no_room(dc_comm *comm, const char *path)
{
    dc_round_trip r;
    const dc_status st = dc_selftest_round_trip(comm, path, ROWS, &r);
    if (st == DC_OK) return DC_FAIL(DC_ERR_IO, "a write to the full disk %s was reported as done", path);
    if (st != DC_ERR_IO) return st;
    dc_error_clear();
    return dc_agree(comm, dc_comm_rank(comm) == 0 ? nothing_left(path) : DC_OK);
}

/* Tries to write with no room at all, then with a little, and then with room again (this only on a single node, where
 * all ranks see the directory). Collective. */
static dc_status probe(dc_comm *comm, const char *dir, const char *path, int *fd)
{
    dc_status st = DC_OK;
    dc_round_trip r;
    int64_t bytes = 0;
    const bool root = dc_comm_rank(comm) == 0;
    DC_TRY_ALL(comm, root ? fill(dir, fd, &bytes) : DC_OK);
    DC_TRY(expect_no_room(comm, path));
    if (root && bytes > LEFT_BYTES && ftruncate(*fd, bytes - LEFT_BYTES) != 0)
        st = DC_FAIL(DC_ERR_IO, "%s: %s", dir, strerror(errno));
    DC_TRY_ALL(comm, st);
    DC_TRY(expect_no_room(comm, path));
    if (root) close(*fd);
    *fd = -1;
    dc_comm_bcast(comm, &bytes, sizeof bytes, 0);
    if (dc_comm_node_count(comm) == 1)
        DC_TRY(dc_selftest_round_trip(comm, path, DC_MIN(ROWS, bytes / 4 / DC_SELFTEST_ROW_BYTES), &r));
out:
    if (*fd >= 0) close(*fd);
    return st;
}

dc_status dc_selftest_full_disk(dc_comm *comm, dc_selftest *t)
{
    char path[DC_PATH_MAX];
    int fd = -1;
    if (!t->full_disk)
        return dc_selftest_skip(t, "--full-disk=DIR names a small file system that may be filled for a moment");
    dc_selftest_name_file(comm, t->full_disk, ".h5", path);
    dc_selftest_figure(t, "%s (%.0f MiB free): without room writes end with a clean error, nothing stays", t->full_disk,
                       free_bytes(t->full_disk) / MIB);
    const dc_status st = probe(comm, t->full_disk, path, &fd);
    dc_selftest_remove_file(comm);
    return st;
}
