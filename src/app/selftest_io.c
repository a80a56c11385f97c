/* Self-test, files: do all ranks see the directory, and does parallel HDF5 read back the bits that it wrote?
 *
 * A small file measures the disk, so that the size of a larger one can be chosen to take a few seconds at most. Files
 * are removed right after use, even if a check fails or the job is killed. */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "dcmpi/clock.h"
#include "dcmpi/h5.h"
#include "dcmpi/mem.h"
#include "dcmpi/rng.h"
#include "selftest.h"

enum { WIDTH = DC_SELFTEST_ROW_BYTES / 4, PILOT_ROWS = 2048, ROWS_MAX = 65536 }; /* 2 MiB, 64 MiB */
static const double WRITE_S = 3, MIB = 0x1p20, GIB = 0x1p30;

/* ---- Names, and their removal ------------------------------------------------------------------------------------ */

/* On rank 0: files that a killed self-test must not leave behind. */
static char doomed[2][DC_PATH_MAX];

static void remove_and_die(int number)
{
    for (size_t i = 0; i < DC_COUNT_OF(doomed); i++)
        if (doomed[i][0]) unlink(doomed[i]);
    signal(number, SIG_DFL);
    raise(number);
}

/* The name contains the process number of rank 0, because two self-tests may run at once. */
void dc_selftest_name_file(dc_comm *comm, const char *dir, const char *suffix, char out[DC_PATH_MAX])
{
    int64_t pid = (int64_t)getpid();
    dc_comm_bcast(comm, &pid, sizeof pid, 0);
    snprintf(out, DC_PATH_MAX, "%s/dcmpi-selftest-%lld%s", dir, (long long)pid, suffix);
    if (dc_comm_rank(comm) != 0) return;
    snprintf(doomed[0], sizeof doomed[0], "%s", out);
    snprintf(doomed[1], sizeof doomed[1], "%.*s.part", DC_PATH_MAX - 6, out);
    signal(SIGINT, remove_and_die);
    signal(SIGTERM, remove_and_die);
}

void dc_selftest_remove_file(dc_comm *comm)
{
    for (size_t i = 0; i < DC_COUNT_OF(doomed); i++) {
        if (doomed[i][0]) unlink(doomed[i]);
        doomed[i][0] = '\0';
    }
    dc_comm_barrier(comm);
}

/* ---- Directory --------------------------------------------------------------------------------------------------- */

static const char *file_system_name(const char *dir)
{
    static const struct {
        long magic;
        const char *name;
    } known[] = {{0xEF53, "ext"},         {0x58465342, "xfs"},    {0x9123683E, "btrfs"},  {0x01021994, "tmpfs"},
                 {0x794C7630, "overlay"}, {0x6969, "NFS"},        {0x0BD00BD0, "Lustre"}, {0x47504653, "GPFS"},
                 {0x19830326, "BeeGFS"},  {0x00C36400, "CephFS"}, {0x2FC12FC1, "ZFS"},    {0x01021997, "9p"},
                 {0x65735546, "FUSE"},    {0x61756673, "aufs"}};
    struct statfs s;
    if (statfs(dir, &s) != 0) return "unknown";
    for (size_t i = 0; i < DC_COUNT_OF(known); i++)
        if (known[i].magic == (long)s.f_type) return known[i].name;
    return "other";
}

static dc_status write_token(const char *path, int64_t token)
{
    FILE *f = fopen(path, "wx");
    if (!f) return DC_FAIL(DC_ERR_IO, "cannot write to the directory: %s: %s", path, strerror(errno));
    const bool ok = fwrite(&token, sizeof token, 1, f) == 1;
    return fclose(f) == 0 && ok ? DC_OK : DC_FAIL(DC_ERR_IO, "cannot write %s: %s", path, strerror(errno));
}

static dc_status check_token(const char *path, int64_t token)
{
    int64_t seen = 0;
    FILE *f = fopen(path, "r");
    const bool ok = f && fread(&seen, sizeof seen, 1, f) == 1 && seen == token;
    if (f) fclose(f);
    if (ok) return DC_OK;
    return DC_FAIL(DC_ERR_IO,
                   "this rank does not see %s, which rank 0 wrote: is the directory on a shared file system?", path);
}

dc_status dc_selftest_directory(dc_comm *comm, dc_selftest *t)
{
    dc_status st = DC_OK;
    char path[DC_PATH_MAX];
    struct statvfs s = {0};
    const bool root = dc_comm_rank(comm) == 0;
    dc_selftest_name_file(comm, t->dir, ".token", path);
    int64_t token = (int64_t)(1e9 * dc_clock_now_s());
    dc_comm_bcast(comm, &token, sizeof token, 0);
    DC_TRY_ALL(comm, root ? write_token(path, token) : DC_OK);
    DC_TRY_ALL(comm, check_token(path, token));
    if (root && statvfs(t->dir, &s) != 0) st = DC_FAIL(DC_ERR_IO, "%s: %s", t->dir, strerror(errno));
    DC_TRY_ALL(comm, st);
    dc_selftest_figure(t, "%s, %s: %.1f GiB free, all ranks see the same files", t->dir, file_system_name(t->dir),
                       (double)s.f_bavail * (double)s.f_frsize / GIB);
    t->dir_works = true;
out:
    dc_selftest_remove_file(comm);
    return st;
}

/* ---- Parallel HDF5 ----------------------------------------------------------------------------------------------- */

static dc_status make_part(dc_comm *comm, dc_gidx N, dc_part *part)
{
    int V = 1;
    while (V < dc_comm_size(comm)) V *= 2;
    return dc_part_init(part, N, V, dc_comm_size(comm), dc_comm_rank(comm));
}

/* The value of every element follows from its place, so rows from the wrong rank or in the wrong order show up. */
static void fill_rows(const dc_part *part, float *x)
{
    const int64_t n = dc_part_rows(part);
    for (int64_t i = 0; i < n * WIDTH; i++) x[i] = (float)((part->row_lo * WIDTH + i) % 16777213);
}

static dc_status write_and_read(dc_comm *comm, const char *path, const dc_part *part, const float *x, float *back,
                                dc_round_trip *r)
{
    dc_status st = DC_OK;
    const dc_h5_rows rows = {.name = "/X", .type = DC_H5_F32, .width = WIDTH, .local = x};
    dc_comm_barrier(comm);
    const double start = dc_clock_now_s();
    DC_TRY(dc_h5_write_result(comm, path, part, &rows, 1, NULL, NULL));
    r->write_s = dc_selftest_max(comm, dc_clock_now_s() - start);
    const double written = dc_clock_now_s();
    DC_TRY(dc_h5_read_part(comm, path, "/X", DC_H5_F32, part, WIDTH, back));
    r->read_s = dc_selftest_max(comm, dc_clock_now_s() - written);
out:
    return st;
}

dc_status dc_selftest_round_trip(dc_comm *comm, const char *path, dc_gidx N, dc_round_trip *r)
{
    dc_status st = DC_OK;
    float *x = NULL, *back = NULL;
    dc_part part;
    DC_TRY_ALL(comm, make_part(comm, N, &part));
    const size_t n = (size_t)dc_part_rows(&part) * WIDTH;
    DC_TRY_ALL(comm, dc_mem_alloc_raw(&x, n, sizeof *x, "rows to write"));
    DC_TRY_ALL(comm, dc_mem_alloc(&back, n, sizeof *back, "rows read back"));
    fill_rows(&part, x);
    DC_TRY(write_and_read(comm, path, &part, x, back, r));
    DC_TRY_ALL(comm, memcmp(x, back, n * sizeof *x) == 0
                         ? DC_OK
                         : DC_FAIL(DC_ERR_IO, "%s: rows that were read are not those that were written", path));
out:
    dc_mem_free(&back);
    dc_mem_free(&x);
    return st;
}

/* As many rows as can be written in WRITE_S. */
static dc_gidx rows_for(const dc_round_trip *pilot)
{
    const double rows = PILOT_ROWS * WRITE_S / fmax(pilot->write_s, 1e-6);
    return (dc_gidx)fmin(fmax(rows, PILOT_ROWS), ROWS_MAX);
}

dc_status dc_selftest_hdf5(dc_comm *comm, dc_selftest *t)
{
    dc_status st = DC_OK;
    char path[DC_PATH_MAX];
    dc_round_trip r;
    if (!t->dir_works) return dc_selftest_skip(t, "the directory does not work");
    dc_selftest_name_file(comm, t->dir, ".h5", path);
    DC_TRY(dc_selftest_round_trip(comm, path, PILOT_ROWS, &r));
    const dc_gidx N = rows_for(&r);
    DC_TRY(dc_selftest_round_trip(comm, path, N, &r));
    const double mib = (double)N * DC_SELFTEST_ROW_BYTES / MIB;
    dc_selftest_figure(t, "%.0f MiB with fsync and a second look at %.0f MiB/s, read (cached) at %.0f MiB/s, same bits",
                       mib, mib / r.write_s, mib / r.read_s);
out:
    dc_selftest_remove_file(comm);
    return st;
}
