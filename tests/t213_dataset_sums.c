/* Checksums of data files: every load compares the rows that it read with what the file says, on any number of ranks
 * and in any pieces; what cannot be compared is reported; a file that changes while it is read is an error.
 * ranks: 1 2 3 5  threads: 1 2 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "dcmpi/data.h"
#include "dcmpi/h5.h"
#include "ranks_folder.h"

enum { N = 500, D = 6, SHARDS = 16 };

static uint8_t X[N][D];
static int64_t y[N];

/* The documented rule. */
static uint64_t sum_ref(size_t row_bytes, const void *rows)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < N; i++) sum += XXH3_64bits_withSeed((const char *)rows + i * row_bytes, row_bytes, i);
    return sum;
}

typedef enum { WITH_SUMS, WITHOUT, OF_BYTES, BAD_TEXT } kind;

static void put_sums(dc_h5 *h5, kind k)
{
    char text[24];
    snprintf(text, sizeof text, "%016llx", (unsigned long long)XXH3_64bits(X, sizeof X));
    if (k == WITH_SUMS) CHECK_OK(dc_h5_put_hash(h5, "X", sum_ref(sizeof X[0], X)));
    if (k == WITH_SUMS) CHECK_OK(dc_h5_put_hash(h5, "y", sum_ref(sizeof y[0], y)));
    if (k == OF_BYTES) CHECK_OK(dc_h5_put_attr_str(h5, "/", "checksum", text));
    if (k == BAD_TEXT) CHECK_OK(dc_h5_put_attr_str(h5, "/X", "xxh3", "no checksum"));
}

static const char *make(kind k)
{
    const char *path = path_of("x.h5");
    if (on_rank0()) {
        dc_h5 *h5 = NULL;
        CHECK_OK(dc_h5_open(&h5, path, DC_H5_CREATE));
        CHECK_OK(dc_h5_put(h5, "X", DC_H5_U8, 2, (dc_gidx[]){N, D}, X));
        CHECK_OK(dc_h5_put(h5, "y", DC_H5_I64, 1, (dc_gidx[]){N}, y));
        put_sums(h5, k);
        CHECK_OK(dc_h5_close(&h5));
    }
    dc_comm_barrier(comm);
    return path;
}

static void put_rows(const char *path, const char *name, dc_h5_type type, dc_gidx row, dc_gidx n, const void *rows)
{
    if (on_rank0()) {
        dc_h5 *h5 = NULL;
        CHECK_OK(dc_h5_open(&h5, path, DC_H5_APPEND));
        CHECK_OK(dc_h5_write_rows(h5, name, type, row, n, rows));
        CHECK_OK(dc_h5_close(&h5));
    }
    dc_comm_barrier(comm);
}

static dc_status load(const char *path, dc_gidx rows, dc_checksum *checksum, uint64_t *hash)
{
    dc_dataset *d = NULL;
    const dc_status st = dc_dataset_load(comm, path, rows, SHARDS, DC_SCALE_UNIT, 1, 2, &d);
    if (st == DC_OK) *checksum = d->checksum, *hash = d->hash;
    dc_dataset_destroy(&d);
    return st;
}

/* change(path), if any, is called after the first half of the rows. */
static dc_status stream(const char *path, dc_checksum *checksum, void (*change)(const char *path))
{
    dc_row_stream s;
    dc_part part;
    dc_status st = DC_OK;
    DC_TRY(dc_row_stream_open(comm, &(dc_data_request){.path = path}, &s));
    CHECK_OK(dc_part_init(&part, N, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    DC_TRY(dc_row_stream_start(comm, &s, &part, N));
    const int64_t n = dc_part_rows(&part);
    DC_TRY(dc_row_stream_read(comm, &s, n / 2));
    dc_comm_barrier(comm);
    if (change && on_rank0()) change(path);
    dc_comm_barrier(comm);
    DC_TRY(dc_row_stream_read(comm, &s, n / 3));
    DC_TRY(dc_row_stream_read(comm, &s, n - n / 2 - n / 3));
    DC_TRY(dc_row_stream_end(comm, &s));
    *checksum = s.checksum;
out:
    dc_row_stream_close(&s);
    return st;
}

/* ---- What is compared -------------------------------------------------------------------------------------------- */

static void expect(const char *path, dc_gidx rows, dc_checksum expected)
{
    dc_checksum found = DC_CHECKSUM_NO_FILE;
    uint64_t hash;
    CHECK_OK(load(path, rows, &found, &hash));
    CHECK_INT(found, expected);
    if (rows != 0 && rows != N) return;
    CHECK_OK(stream(path, &found, NULL));
    CHECK_INT(found, expected);
}

static void refuse(const char *path, const char *part)
{
    dc_checksum found;
    uint64_t hash;
    CHECK_STATUS(load(path, 0, &found, &hash), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), part);
    dc_error_clear();
    CHECK_STATUS(stream(path, &found, NULL), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), part);
    dc_error_clear();
}

static void check_whole_files(void)
{
    uint64_t with, without;
    dc_checksum c;
    expect(make(WITH_SUMS), 0, DC_CHECKSUM_AGREES);
    expect(path_of("x.h5"), N, DC_CHECKSUM_AGREES);
    expect(path_of("x.h5"), N - 1, DC_CHECKSUM_UNUSED);
    CHECK_OK(load(path_of("x.h5"), 0, &c, &with));
    expect(make(WITHOUT), 0, DC_CHECKSUM_NONE);
    CHECK_OK(load(path_of("x.h5"), 0, &c, &without));
    CHECK(with == without);
    expect(make(OF_BYTES), 0, dc_comm_size(comm) == 1 ? DC_CHECKSUM_AGREES : DC_CHECKSUM_UNUSED);
    CHECK_OK(load("builtin:glyphs", 100, &c, &with));
    CHECK_INT(c, DC_CHECKSUM_NO_FILE);
}

static void check_damaged_files(void)
{
    char sums[64];
    uint8_t row[D], two[2][D];
    for (int c = 0; c < D; c++) row[c] = X[N - 1][c] ^ (c == D - 1);
    for (int c = 0; c < D; c++) two[0][c] = X[1][c], two[1][c] = X[0][c];

    put_rows(make(WITH_SUMS), "/X", DC_H5_U8, N - 1, 1, row);
    refuse(path_of("x.h5"), "/X is damaged: its checksum is ");
    snprintf(sums, sizeof sums, "stored is %016llx; ", (unsigned long long)sum_ref(sizeof X[0], X));
    refuse(path_of("x.h5"), sums);
    put_rows(make(WITH_SUMS), "/X", DC_H5_U8, 0, 2, two);
    refuse(path_of("x.h5"), "/X is damaged");
    put_rows(make(WITH_SUMS), "/y", DC_H5_I64, 7, 1, &(int64_t){y[8] == y[7] ? y[7] + 1 : y[8]});
    refuse(path_of("x.h5"), "/y is damaged");
    refuse(make(BAD_TEXT), "is not a checksum of 16 hex digits: no checksum");
    put_rows(make(OF_BYTES), "/X", DC_H5_U8, N - 1, 1, row);
    if (dc_comm_size(comm) == 1)
        refuse(path_of("x.h5"), "/X is damaged");
    else
        expect(path_of("x.h5"), 0, DC_CHECKSUM_UNUSED);
}

/* ---- Changes while reading --------------------------------------------------------------------------------------- */

static void shrink(const char *path)
{
    struct stat s;
    CHECK(stat(path, &s) == 0 && truncate(path, s.st_size / 2) == 0);
}

static void write_to(const char *path)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1000000000, .tv_nsec = 5}};
    CHECK(utimensat(AT_FDCWD, path, times, 0) == 0);
}

static void replace(const char *path)
{
    char part[DC_PATH_MAX + 8], command[2 * DC_PATH_MAX + 64];
    snprintf(part, sizeof part, "%s.new", path);
    snprintf(command, sizeof command, "cp -p '%s' '%s'", path, part);
    CHECK(system(command) == 0 && rename(part, path) == 0);
}

static void lose(const char *path)
{
    CHECK(unlink(path) == 0);
}

static void check_changes(void)
{
    void (*const changes[])(const char *path) = {shrink, write_to, replace};
    dc_checksum c;
    for (size_t i = 0; i < DC_COUNT_OF(changes); i++) {
        CHECK_STATUS(stream(make(WITHOUT), &c, changes[i]), DC_ERR_DATA);
        /* In the first case the library itself may report the missing rows. */
        if (i > 0) CHECK_TEXT_HAS(dc_error_text(), "x.h5 changed while it was read");
        dc_error_clear();
    }
}

static void check_serial(void)
{
    void (*const changes[])(const char *path) = {shrink, write_to};
    dc_h5 *h5 = NULL;
    for (size_t i = 0; i < DC_COUNT_OF(changes); i++) {
        const char *path = make(WITHOUT);
        if (!on_rank0()) continue;
        CHECK_OK(dc_h5_open(&h5, path, DC_H5_READ));
        CHECK_OK(dc_h5_check_unchanged(h5));
        changes[i](path);
        CHECK_STATUS(dc_h5_check_unchanged(h5), DC_ERR_FORMAT);
        CHECK_TEXT_HAS(dc_error_text(), "changed while it was read");
        dc_error_clear();
        CHECK_OK(dc_h5_close(&h5));
    }
    /* Whoever has a file open reads it to its end, whatever becomes of its name. */
    const char *path = make(WITHOUT);
    if (!on_rank0()) return;
    CHECK_OK(dc_h5_open(&h5, path, DC_H5_READ));
    replace(path);
    CHECK_OK(dc_h5_check_unchanged(h5));
    lose(path);
    CHECK_OK(dc_h5_check_unchanged(h5));
    CHECK_OK(dc_h5_close(&h5));
}

int main(void)
{
    if (!folder_open()) return 1;
    for (int i = 0; i < N; i++) {
        for (int c = 0; c < D; c++) X[i][c] = (uint8_t)(i * 7 + c * 31 + i * c);
        y[i] = i % 3 - 1;
    }
    check_whole_files();
    check_damaged_files();
    check_changes();
    check_serial();
    return folder_close();
}
