/* Files from elsewhere: odd but sound ones are read, unsound ones are refused, and an error that one rank sees ends
 * all. Made with the HDF5 library directly, because src/io never writes such files. ranks: 1 2 3 5 */
#include <fcntl.h>
#include <hdf5.h>
#include <stdlib.h>
#include <unistd.h>

#include "dcmpi/data.h"
#include "dcmpi/h5.h"
#include "ranks_folder.h"

enum { N = 64, D = 6, SHARDS = 16 };

static hid_t new_file(const char *name)
{
    return H5Fcreate(path_of(name), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
}

/* X[i][c] = i*D + c as `type` in the layout of `dcpl`; written if `write`. Consumes file and dcpl. */
static void finish(hid_t file, hid_t type, hid_t dcpl, bool write)
{
    float x[N * D];
    for (int i = 0; i < N * D; i++) x[i] = (float)i;
    const hid_t space = H5Screate_simple(2, (hsize_t[]){N, D}, NULL);
    const hid_t dset = H5Dcreate2(file, "X", type, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    CHECK(dset >= 0);
    if (write) CHECK(H5Dwrite(dset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, x) >= 0);
    CHECK(H5Dclose(dset) >= 0 && H5Sclose(space) >= 0 && H5Fclose(file) >= 0);
    if (dcpl != H5P_DEFAULT) H5Pclose(dcpl);
}

static hid_t chunked(hsize_t rows)
{
    const hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(dcpl, 2, (hsize_t[]){rows, D});
    return dcpl;
}

static dc_status load(const char *name)
{
    dc_dataset *d = NULL;
    const dc_status st = dc_dataset_load(comm, path_of(name), 0, SHARDS, DC_SCALE_NONE, 0, 1, &d);
    if (st == DC_OK) {
        bool ok = d->part.N == N && d->D == D;
        float row[D];
        for (int64_t i = 0; i < dc_part_rows(&d->part) && ok; i++) {
            dc_dataset_rows(d, i, 1, row);
            ok = row[0] == (float)((d->part.row_lo + i) * D) && row[D - 1] == row[0] + D - 1;
        }
        CHECK(ok);
    }
    dc_dataset_destroy(&d);
    dc_comm_barrier(comm);
    return st;
}

static void refuse(const char *name, const char *why)
{
    CHECK_STATUS(load(name), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), why);
    CHECK_TEXT_HAS(dc_error_text(), name);
    dc_error_clear();
}

/* ---- Sound ------------------------------------------------------------------------------------------------------- */

static void test_layouts(void)
{
    if (on_rank0()) {
        hid_t dcpl = chunked(7);
        finish(new_file("chunked.h5"), H5T_IEEE_F32LE, dcpl, true);
        dcpl = chunked(5);
        H5Pset_shuffle(dcpl);
        H5Pset_deflate(dcpl, 4);
        finish(new_file("gzip.h5"), H5T_IEEE_F64LE, dcpl, true);
        dcpl = chunked(10);
        H5Pset_fletcher32(dcpl);
        finish(new_file("sum.h5"), H5T_IEEE_F32LE, dcpl, true);
        dcpl = H5Pcreate(H5P_DATASET_CREATE);
        H5Pset_layout(dcpl, H5D_COMPACT);
        finish(new_file("compact.h5"), H5T_IEEE_F32LE, dcpl, true);
        const hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);
        H5Pset_libver_bounds(fapl, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
        finish(H5Fcreate(path_of("latest.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, fapl), H5T_IEEE_F32LE, chunked(3), true);
        H5Pclose(fapl);
    }
    dc_comm_barrier(comm);
    CHECK_OK(load("chunked.h5"));
    CHECK_OK(load("gzip.h5"));
    CHECK_OK(load("sum.h5"));
    CHECK_OK(load("compact.h5"));
    CHECK_OK(load("latest.h5"));
}

/* ---- Unsound ----------------------------------------------------------------------------------------------------- */

static void test_types(void)
{
    if (on_rank0()) {
        finish(new_file("be.h5"), H5T_IEEE_F32BE, H5P_DEFAULT, true);
        finish(new_file("i16.h5"), H5T_STD_I16LE, H5P_DEFAULT, true);
        const hid_t t = H5Tcopy(H5T_IEEE_F32LE);
        H5Tset_ebias(t, 120);
        finish(new_file("bias.h5"), t, H5P_DEFAULT, true);
        H5Tset_fields(t, 15, 7, 8, 0, 7);
        H5Tset_size(t, 2);
        H5Tset_ebias(t, 127);
        finish(new_file("bfloat16.h5"), t, H5P_DEFAULT, true);
        H5Tclose(t);
    }
    dc_comm_barrier(comm);
    refuse("bias.h5", "/X is float of 32 bits (8 exponent bits, 23 mantissa bits)");
    refuse("bfloat16.h5", "/X is bfloat16; it must be");
    refuse("be.h5", "little-endian");
    refuse("i16.h5", "must be uint8");
}

static void test_outside(void)
{
    if (on_rank0()) {
        hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
        H5Pset_external(dcpl, "/etc/passwd", 0, N * D * sizeof(float));
        finish(new_file("external.h5"), H5T_IEEE_F32LE, dcpl, false);

        dcpl = H5Pcreate(H5P_DATASET_CREATE);
        const hid_t space = H5Screate_simple(2, (hsize_t[]){N, D}, NULL);
        H5Pset_virtual(dcpl, space, path_of("chunked.h5"), "X", space);
        H5Sclose(space);
        finish(new_file("virtual.h5"), H5T_IEEE_F32LE, dcpl, false);

        hid_t file = new_file("soft.h5");
        H5Lcreate_soft("/Z", file, "X", H5P_DEFAULT, H5P_DEFAULT);
        H5Fclose(file);
        file = new_file("link.h5");
        H5Lcreate_external(path_of("chunked.h5"), "/X", file, "X", H5P_DEFAULT, H5P_DEFAULT);
        H5Fclose(file);
    }
    dc_comm_barrier(comm);
    refuse("external.h5", "other files");
    refuse("virtual.h5", "other files");
    refuse("soft.h5", "no dataset /X");
    refuse("link.h5", "no dataset /X");
}

static void create_only(const char *name, hid_t type, hid_t dcpl, int n_dims, const hsize_t *dims)
{
    const hid_t file = new_file(name), space = dims ? H5Screate_simple(n_dims, dims, NULL) : H5Screate(H5S_NULL);
    const hid_t dset = H5Dcreate2(file, "X", type, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    CHECK(dset >= 0);
    CHECK(H5Dclose(dset) >= 0 && H5Sclose(space) >= 0 && H5Fclose(file) >= 0);
}

static void test_claims(void)
{
    if (on_rank0()) {
        finish(new_file("empty.h5"), H5T_IEEE_F32LE, H5P_DEFAULT, false);
        finish(new_file("unwritten.h5"), H5T_IEEE_F32LE, chunked(7), false);
        create_only("huge.h5", H5T_IEEE_F32LE, H5P_DEFAULT, 2, (hsize_t[]){(hsize_t)1 << 40, 1000});
        const hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
        H5Pset_chunk(dcpl, 3, (hsize_t[]){1, 1, 1});
        H5Pset_deflate(dcpl, 1);
        create_only("wrap.h5", H5T_IEEE_F64LE, dcpl, 3,
                    (hsize_t[]){(hsize_t)1 << 31, (hsize_t)1 << 31, (hsize_t)1 << 31});
        H5Pclose(dcpl);
        create_only("null.h5", H5T_IEEE_F32LE, H5P_DEFAULT, 0, NULL);
        /* Holds no bytes, so it claims none; yet a product of its dimensions fits no integer. */
        create_only("flat.h5", H5T_IEEE_F32LE, H5P_DEFAULT, 3, (hsize_t[]){0, (hsize_t)1 << 40, (hsize_t)1 << 40});
    }
    dc_comm_barrier(comm);
    refuse("empty.h5", "claims");
    refuse("unwritten.h5", "claims");
    refuse("huge.h5", "claims");
    refuse("wrap.h5", "claims");
    refuse("null.h5", "no shape");
    refuse("flat.h5", "product of its dimensions overflows");
}

/* A filter that this build knows but readers elsewhere would not: registered, used, and removed again. */
static size_t copy_filter(unsigned flags, size_t n_values, const unsigned *values, size_t bytes, size_t *size,
                          void **buffer)
{
    (void)flags, (void)n_values, (void)values, (void)size, (void)buffer;
    return bytes;
}

static void test_missing_filter(void)
{
    const H5Z_class2_t filter = {H5Z_CLASS_T_VERS, 300, 1, 1, "private packing", NULL, NULL, copy_filter};
    if (on_rank0()) {
        CHECK(H5Zregister(&filter) >= 0);
        const hid_t dcpl = chunked(8);
        H5Pset_filter(dcpl, 300, H5Z_FLAG_MANDATORY, 0, NULL);
        finish(new_file("filter.h5"), H5T_IEEE_F32LE, dcpl, true);
        CHECK(H5Zunregister(300) >= 0);
    }
    dc_comm_barrier(comm);
    refuse("filter.h5", "private packing");
}

/* Offset in the file of the row that starts with `value`. */
static long find_row(const char *path, float value)
{
    static char bytes[1 << 16];
    FILE *f = fopen(path, "rb");
    const size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    for (size_t i = 0; i + sizeof value <= n; i++)
        if (memcmp(bytes + i, &value, sizeof value) == 0) return (long)i;
    return -1;
}

/* One byte of the last rank's rows changes: its checksum fails there and nowhere else, in every round. */
static void test_broken_checksum(void)
{
    static const size_t round[] = {(size_t)1 << 30, 2 * D * sizeof(float)};
    if (on_rank0()) {
        const long at = find_row(path_of("sum.h5"), (float)((N - 2) * D));
        const int fd = open(path_of("sum.h5"), O_WRONLY);
        CHECK(at > 0 && fd >= 0 && pwrite(fd, "!", 1, at + 1) == 1 && close(fd) == 0);
    }
    dc_comm_barrier(comm);
    for (size_t i = 0; i < DC_COUNT_OF(round); i++) {
        dc_h5_set_round_bytes(round[i]);
        refuse("sum.h5", "damaged");
    }
    dc_h5_set_round_bytes((size_t)1 << 30);
}

/* Flipped bytes anywhere in a small file: any status, the same on all ranks, no crash and no hang. */
static void test_flipped_bytes(void)
{
    enum { TRIALS = 30 };
    int64_t refused = 0;
    for (int k = 0; k < TRIALS; k++) {
        if (on_rank0()) {
            finish(new_file("flip.h5"), H5T_IEEE_F32LE, chunked(16), true);
            const int fd = open(path_of("flip.h5"), O_RDWR);
            const long bytes = lseek(fd, 0, SEEK_END), at = bytes * k / TRIALS;
            CHECK(fd >= 0 && pwrite(fd, "\xa5", 1, at) == 1 && close(fd) == 0);
        }
        dc_comm_barrier(comm);
        dc_dataset *d = NULL;
        const dc_status st = dc_dataset_load(comm, path_of("flip.h5"), 0, SHARDS, DC_SCALE_NONE, 0, 1, &d);
        int64_t extremes[2] = {st, -(int64_t)st};
        dc_comm_max_i64(comm, extremes, 2);
        if (extremes[0] != -extremes[1]) CHECK_INT(extremes[0], -extremes[1]);
        refused += st != DC_OK;
        dc_dataset_destroy(&d);
        dc_error_clear();
    }
    CHECK(refused > 0 && refused < TRIALS);
}

int main(void)
{
    if (!folder_open()) return 1;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    test_layouts();
    test_types();
    test_outside();
    test_claims();
    test_missing_filter();
    test_broken_checksum();
    test_flipped_bytes();
    return folder_close();
}
