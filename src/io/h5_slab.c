/* Writes rows of a result into the file without the HDF5 library.
 *
 * Rank 0 has laid out every array in one piece (h5_stream.c), so that the rows of a rank are one range of bytes; HDF5
 * tells where the array begins. Parallel HDF5 is not used: version 1.10 writes its metadata again when it closes a
 * file, and if that fails on one rank, the others wait inside the library forever. After a failed write of data, it
 * crashes in MPI_Finalize. Here, a failed write is an ordinary error of one rank. Collective buffering would gain
 * nothing: each rank writes one large range. */
#include "h5_slab.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dcmpi/fault.h"

dc_status dc_h5_slab_open(const char *path, int64_t bytes, int *fd)
{
    struct stat s;
    *fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (*fd < 0 || fstat(*fd, &s) != 0 || dc_fault(DC_FAULT_RESULT_OPEN))
        return DC_FAIL(DC_ERR_IO, "cannot open %s: %s; use a file system that all nodes share", path, strerror(errno));
    if ((int64_t)s.st_size != bytes)
        return DC_FAIL(DC_ERR_IO, "%s has %lld bytes here, but %lld for rank 0; use a file system that all nodes share",
                       path, (long long)s.st_size, (long long)bytes);
    return DC_OK;
}

dc_status dc_h5_slab_write(int fd, const char *path, int64_t at, const void *data, size_t bytes)
{
    const char *p = data;
    while (bytes > 0) {
        const ssize_t n = dc_fault(DC_FAULT_RESULT_WRITE) ? -1 : pwrite(fd, p, bytes, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0)
            return DC_FAIL(DC_ERR_IO, "cannot write %s: %s; check the disk", path, strerror(n == 0 ? ENOSPC : errno));
        p += n;
        at += n;
        bytes -= (size_t)n;
    }
    return DC_OK;
}

dc_status dc_h5_slab_close(const char *path, int *fd)
{
    if (*fd < 0) return DC_OK;
    bool ok = fsync(*fd) == 0 && !dc_fault(DC_FAULT_RESULT_FSYNC);
    int cause = errno;
    (void)posix_fadvise(*fd, 0, 0, POSIX_FADV_DONTNEED); /* reading back must ask the disk */
    if (close(*fd) != 0 && ok) ok = false, cause = errno;
    *fd = -1;
    return ok ? DC_OK : DC_FAIL(DC_ERR_IO, "cannot write %s to disk: %s", path, strerror(cause));
}
