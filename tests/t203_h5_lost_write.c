/* A file system that loses data without saying so: the result is refused, not published. ranks: 1 3 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "check.h"
#include "dcmpi/h5.h"

static bool losing;
static int lost;

/* Blocks of rows; the headers that HDF5 writes serially are smaller. */
static bool lose(size_t bytes)
{
    const bool yes = losing && bytes >= 16000;
    lost += yes;
    return yes;
}

/* These two stand in for the C library's, which MPI-IO of Open MPI calls. */
ssize_t pwrite(int fd, const void *data, size_t bytes, off_t at)
{
    return lose(bytes) ? (ssize_t)bytes : syscall(SYS_pwrite64, fd, data, bytes, at);
}

ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at)
{
    size_t bytes = 0;
    for (int i = 0; i < n; i++) bytes += v[i].iov_len;
    return lose(bytes) ? (ssize_t)bytes : syscall(SYS_pwritev, fd, v, n, at, 0L);
}

static dc_comm *comm;
enum { N = 2000, WIDTH = 10 };

static dc_status write_rows(const char *path, float value)
{
    static float z[N * WIDTH];
    dc_part part;
    CHECK_OK(dc_part_init(&part, N, 8, dc_comm_size(comm), dc_comm_rank(comm)));
    for (int i = 0; i < N * WIDTH; i++) z[i] = value + (float)i;
    const dc_h5_rows rows = {.name = "/z", .type = DC_H5_F32, .width = WIDTH, .local = z};
    return dc_h5_write_result(comm, path, &part, &rows, 1, NULL, NULL);
}

static float first_value(const char *path)
{
    dc_h5 *h5 = NULL;
    float z[WIDTH] = {0};
    CHECK_OK(dc_h5_open(&h5, path, DC_H5_READ));
    CHECK_OK(dc_h5_read_rows(h5, "z", DC_H5_F32, 0, 1, z));
    CHECK_OK(dc_h5_close(&h5));
    return z[0];
}

static void test_loss(const char *path)
{
    CHECK_OK(write_rows(path, 1));
    losing = true;
    const dc_status st = write_rows(path, 2);
    losing = false;
    int64_t calls = lost;
    dc_comm_sum_i64(comm, &calls, 1);
    if (calls == 0) {
        if (dc_comm_rank(comm) == 0) printf("ok %d # SKIP this MPI-IO writes through other calls\n", ++check_count_);
        return;
    }
    CHECK_STATUS(st, DC_ERR_IO);
    CHECK_TEXT_HAS(dc_error_text(), "were not written");
    dc_error_clear();
    CHECK(first_value(path) == 1);
    dc_comm_barrier(comm);
    CHECK_OK(write_rows(path, 3));
    CHECK(first_value(path) == 3);
}

int main(void)
{
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    char dir[CHECK_PATH_MAX], path[CHECK_PATH_MAX + 8], part[CHECK_PATH_MAX + 16];
    if (dc_comm_rank(comm) == 0 && !mkdtemp(check_temporary(dir))) return 1;
    dc_comm_bcast(comm, dir, sizeof dir, 0);
    snprintf(path, sizeof path, "%s/r.h5", dir);
    snprintf(part, sizeof part, "%s.part", path);
    test_loss(path);
    CHECK(access(part, F_OK) != 0);
    dc_comm_barrier(comm);
    if (dc_comm_rank(comm) == 0) CHECK(unlink(path) == 0 && rmdir(dir) == 0);
    return check_done_all(&comm);
}
