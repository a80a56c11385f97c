/* Collective row blocks and result files: every rank gets and writes its rows; errors that one rank sees end all.
 * ranks: 1 2 3 5 */
#include <fcntl.h>
#include <hdf5.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dcmpi/h5.h"
#include "ranks_folder.h"

/* As other programs write it: /X in chunks of two rows. */
static void write_chunked(const char *path, dc_gidx N, dc_gidx D, const float *x)
{
    const hsize_t size[] = {(hsize_t)N, (hsize_t)D}, limit[] = {H5S_UNLIMITED, (hsize_t)D};
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t space = H5Screate_simple(2, size, limit), dcpl = H5Pcreate(H5P_DATASET_CREATE);
    CHECK(H5Pset_chunk(dcpl, 2, (hsize_t[]){2, (hsize_t)D}) >= 0);
    const hid_t dset = H5Dcreate2(file, "X", H5T_IEEE_F32LE, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    CHECK(H5Dwrite(dset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, x) >= 0);
    H5Dclose(dset);
    H5Pclose(dcpl);
    H5Sclose(space);
    CHECK(H5Fclose(file) >= 0);
}

/* Rank 0 makes the file, others wait. */
static void make_data(const char *path, dc_gidx N, dc_gidx D, bool chunked)
{
    if (on_rank0()) {
        dc_h5 *h5 = NULL;
        float *x = NULL;
        CHECK_OK(dc_mem_alloc(&x, (size_t)(N * D), sizeof *x, "x"));
        for (dc_gidx i = 0; i < N * D; i++) x[i] = (float)i;
        if (chunked) {
            write_chunked(path, N, D, x);
        } else {
            CHECK_OK(dc_h5_open(&h5, path, DC_H5_CREATE));
            CHECK_OK(dc_h5_put(h5, "X", DC_H5_F32, 2, (dc_gidx[]){N, D}, x));
            CHECK_OK(dc_h5_close(&h5));
        }
        dc_mem_free(&x);
    }
    dc_comm_barrier(comm);
}

static dc_part part_of(dc_gidx N)
{
    dc_part part;
    CHECK_OK(dc_part_init(&part, N, 8, dc_comm_size(comm), dc_comm_rank(comm)));
    return part;
}

static void read_and_compare(const char *path, dc_gidx N, size_t D)
{
    const dc_part part = part_of(N);
    float *x = NULL;
    const size_t n = (size_t)dc_part_rows(&part);
    CHECK_OK(dc_mem_alloc(&x, n * D, sizeof *x, "x"));
    CHECK_OK(dc_h5_read_part(comm, path, "/X", DC_H5_F32, &part, D, x));
    bool ok = true;
    for (size_t i = 0; i < n * D; i++) ok = ok && x[i] == (float)((size_t)part.row_lo * D + i);
    CHECK(ok);
    dc_mem_free(&x);
}

static void test_read(void)
{
    static const dc_gidx N_list[] = {1, 2, 7, 1000};
    for (size_t i = 0; i < DC_COUNT_OF(N_list); i++) {
        make_data(path_of("x.h5"), N_list[i], 3, i % 2 == 1);
        read_and_compare(path_of("x.h5"), N_list[i], 3);
        dc_h5_set_round_bytes(100);
        read_and_compare(path_of("x.h5"), N_list[i], 3);
        read_and_compare(path_of("x.h5"), (N_list[i] + 1) / 2, 3);
        dc_h5_set_round_bytes((size_t)1 << 30);
        dc_comm_barrier(comm);
    }
}

static void fail_read(const char *name, const char *dataset, dc_h5_type type, size_t width, dc_status expected,
                      const char *why)
{
    const dc_part part = part_of(20);
    float x[20 * 3];
    CHECK_STATUS(dc_h5_read_part(comm, path_of(name), dataset, type, &part, width, x), expected);
    CHECK_TEXT_HAS(dc_error_text(), why);
    CHECK_TEXT_HAS(dc_error_text(), name);
    dc_error_clear();
}

static void test_read_errors(void)
{
    make_data(path_of("x.h5"), 19, 3, false);
    fail_read("x.h5", "X", DC_H5_F32, 3, DC_ERR_FORMAT, "19 rows");
    make_data(path_of("x.h5"), 20, 3, false);
    fail_read("x.h5", "X", DC_H5_F32, 2, DC_ERR_FORMAT, "3 elements");
    fail_read("x.h5", "X", DC_H5_F64, 3, DC_ERR_FORMAT, "float64");
    fail_read("x.h5", "Y", DC_H5_F32, 3, DC_ERR_FORMAT, "has no 'Y'");
    fail_read("none.h5", "X", DC_H5_F32, 3, DC_ERR_IO, "No such file");
    if (on_rank0()) CHECK(truncate(path_of("x.h5"), 2000) == 0);
    dc_comm_barrier(comm);
    fail_read("x.h5", "X", DC_H5_F32, 3, DC_ERR_FORMAT, "truncated");
}

/* ---- Results ----------------------------------------------------------------------------------------------------- */

static dc_status fill_small(void *ctx, dc_h5 *h5)
{
    dc_status st = DC_OK;
    DC_TRY(dc_h5_put_attr_str(h5, "/", "format", "test"));
    DC_TRY(dc_h5_put(h5, "/small/values", DC_H5_F64, 1, (dc_gidx[]){2}, ctx));
out:
    return st;
}

static dc_status write_result(const char *path, dc_gidx N, size_t L, float first)
{
    const dc_part part = part_of(N);
    const size_t n = (size_t)dc_part_rows(&part);
    int32_t *label = NULL;
    float *z = NULL;
    CHECK_OK(dc_mem_alloc(&label, n, sizeof *label, "labels"));
    CHECK_OK(dc_mem_alloc(&z, n * L, sizeof *z, "z"));
    for (size_t i = 0; i < n; i++) label[i] = (int32_t)(part.row_lo + (dc_gidx)i);
    for (size_t i = 0; i < n * L; i++) z[i] = first + (float)((size_t)part.row_lo * L + i);
    const dc_h5_rows rows[] = {
        {.name = "/labels", .type = DC_H5_I32, .width = 1, .vector = true, .local = n ? label : NULL},
        {.name = "/embedding", .type = DC_H5_F32, .width = L, .local = n ? z : NULL},
    };
    double values[2] = {1.5, -2};
    const dc_status st = dc_h5_write_result(comm, path, &part, rows, 2, fill_small, values);
    dc_mem_free(&label);
    dc_mem_free(&z);
    return st;
}

static void check_result(const char *path, dc_gidx N, dc_gidx L, float first)
{
    dc_h5 *h5 = NULL;
    dc_h5_info info;
    int64_t complete = 0;
    int32_t label = -1;
    float z[64];
    double values[2] = {0};
    CHECK_OK(dc_h5_open(&h5, path, DC_H5_READ));
    CHECK_OK(dc_h5_get_attr_i64(h5, "/", "complete", &complete, 1, NULL));
    CHECK_INT(complete, 1);
    CHECK_OK(dc_h5_dataset_info(h5, "/labels", &info));
    CHECK(info.n_dims == 1 && info.dims[0] == N && info.type == DC_H5_I32);
    CHECK_OK(dc_h5_dataset_info(h5, "/embedding", &info));
    CHECK(info.n_dims == 2 && info.dims[1] == L && info.type == DC_H5_F32);
    bool ok = true;
    for (dc_gidx i = 0; i < N && ok; i++) {
        ok = dc_h5_read_rows(h5, "/labels", DC_H5_I32, i, 1, &label) == DC_OK && label == i;
        ok = ok && dc_h5_read_rows(h5, "/embedding", DC_H5_F32, i, 1, z) == DC_OK &&
             z[L - 1] == first + (float)(i * L + L - 1);
    }
    CHECK(ok);
    CHECK_OK(dc_h5_read_rows(h5, "/small/values", DC_H5_F64, 0, 2, values));
    CHECK(values[0] == 1.5 && values[1] == -2);
    CHECK_OK(dc_h5_close(&h5));
}

static void test_result(void)
{
    CHECK_OK(write_result(path_of("r.h5"), 1000, 10, 1));
    CHECK(access(path_of("r.h5.part"), F_OK) != 0);
    check_result(path_of("r.h5"), 1000, 10, 1);
    dc_comm_barrier(comm);
    if (on_rank0()) CHECK(symlink(path_of("nowhere"), path_of("r.h5.part")) == 0);
    dc_comm_barrier(comm);
    CHECK_STATUS(write_result(path_of("r.h5"), 3, 4, 2), DC_ERR_IO);
    CHECK_TEXT_HAS(dc_error_text(), "r.h5.part is in the way");
    dc_error_clear();
    dc_comm_barrier(comm);
    if (on_rank0()) CHECK(access(path_of("nowhere"), F_OK) != 0 && unlink(path_of("r.h5.part")) == 0);
    dc_comm_barrier(comm);
    dc_h5_set_round_bytes(64);
    CHECK_OK(write_result(path_of("r.h5"), 3, 4, 2));
    dc_h5_set_round_bytes((size_t)1 << 30);
    check_result(path_of("r.h5"), 3, 4, 2);
    dc_comm_barrier(comm);
}

static dc_status fill_broken(void *ctx, dc_h5 *h5)
{
    (void)ctx;
    (void)h5;
    return DC_FAIL(DC_ERR_NUMERIC, "fill gave up");
}

static void test_result_errors(void)
{
    const dc_part part = part_of(10);
    CHECK_STATUS(write_result(path_of("no/such/dir/r.h5"), 10, 2, 0), DC_ERR_IO);
    CHECK_TEXT_HAS(dc_error_text(), "No such file or directory");
    dc_error_clear();
    if (on_rank0()) CHECK(mkdir(path_of("d.h5.part"), 0700) == 0);
    dc_comm_barrier(comm);
    CHECK_STATUS(write_result(path_of("d.h5"), 10, 2, 0), DC_ERR_IO);
    dc_error_clear();
    CHECK_STATUS(dc_h5_write_result(comm, path_of("r.h5"), &part, NULL, 0, fill_broken, NULL), DC_ERR_NUMERIC);
    CHECK(access(path_of("r.h5.part"), F_OK) != 0);
    dc_error_clear();
    check_result(path_of("r.h5"), 3, 4, 2);
    dc_comm_barrier(comm);
}

static dc_status fill_large(void *ctx, dc_h5 *h5)
{
    enum { ROWS = 8 << 20 };
    (void)ctx;
    dc_status st = DC_OK;
    char *bytes = NULL;
    DC_TRY(dc_mem_alloc(&bytes, ROWS, 1, "large"));
    st = dc_h5_put(h5, "/large", DC_H5_U8, 1, (dc_gidx[]){ROWS}, bytes);
out:
    dc_mem_free(&bytes);
    return st;
}

/* A disk of 4 MiB: the rows do not fit, then what fill writes does not, then all fits; then it turns read-only. The
 * older file survives each failure. */
static void test_full_disk(void)
{
    int64_t mounted = 0;
    if (on_rank0()) {
        CHECK(mkdir(path_of("tiny"), 0700) == 0);
        mounted = mount("tmpfs", path_of("tiny"), "tmpfs", 0, "size=4m") == 0;
    }
    dc_comm_max_i64(comm, &mounted, 1);
    if (!mounted) {
        if (on_rank0()) printf("ok %d # SKIP full disk: needs root to mount a tmpfs\n", ++check_count_);
        return;
    }
    const char *path = path_of("tiny/r.h5");
    CHECK_OK(write_result(path, 10, 2, 5));
    CHECK_STATUS(write_result(path, 100000, 40, 0), DC_ERR_IO);
    CHECK_TEXT_HAS(dc_error_text(), "tiny/r.h5");
    CHECK_TEXT_HAS(dc_error_text(), "MiB needed");
    dc_error_clear();
    const dc_part part = part_of(10);
    CHECK_STATUS(dc_h5_write_result(comm, path, &part, NULL, 0, fill_large, NULL), DC_ERR_IO);
    CHECK_TEXT_HAS(dc_error_text(), "tiny/r.h5");
    dc_error_clear();
    dc_comm_barrier(comm);
    CHECK(access(path_of("tiny/r.h5.part"), F_OK) != 0);
    check_result(path, 10, 2, 5);
    dc_comm_barrier(comm);
    CHECK_OK(write_result(path, 1000, 2, 6));
    check_result(path, 1000, 2, 6);
    dc_comm_barrier(comm);
    if (on_rank0()) CHECK(mount("tmpfs", path_of("tiny"), "tmpfs", MS_REMOUNT | MS_RDONLY, NULL) == 0);
    dc_comm_barrier(comm);
    CHECK_STATUS(write_result(path, 10, 2, 0), DC_ERR_IO);
    CHECK_TEXT_HAS(dc_error_text(), "Read-only file system");
    dc_error_clear();
    check_result(path, 1000, 2, 6);
    dc_comm_barrier(comm);
    if (on_rank0()) CHECK(umount(path_of("tiny")) == 0);
}

int main(void)
{
    if (!folder_open()) return 1;
    test_read();
    test_read_errors();
    test_result();
    test_result_errors();
    test_full_disk();
    return folder_close();
}
