/* ranks: 0. NPY in Fortran order gives the same array as in C order, texts become labels, HDF5 may follow a user block;
 * 1,500 mutated files of each (seed 307) end with success or a message. */
#include <hdf5.h>

#include "t3_convert.h"

enum { MAX_VALUES = 4096 };
static double X[MAX_VALUES], want[MAX_VALUES];
static int32_t y[64];

/* dims[n] as Python writes a tuple. */
static void write_shape(char *out, size_t cap, const int *dims, int n)
{
    size_t used = (size_t)snprintf(out, cap, "(");
    for (int i = 0; i < n; i++) used += (size_t)snprintf(out + used, cap - used, "%d, ", dims[i]);
    snprintf(out + used, cap - used, ")");
}

/* The array whose value is its index in C order, in either order of memory. */
static void write_counting(const char *path, const int *dims, int n, bool fortran)
{
    char shape[64], dict[256];
    int32_t values[MAX_VALUES];
    int total = 1;
    for (int i = 0; i < n; i++) total *= dims[i];
    for (int c = 0; c < total; c++) {
        int rest = c, at = 0, stride = total;
        for (int i = n - 1; i >= 0; i--) {
            stride /= dims[i];
            at += rest % dims[i] * stride;
            rest /= dims[i];
        }
        values[fortran ? at : c] = c;
    }
    write_shape(shape, sizeof shape, dims, n);
    snprintf(dict, sizeof dict, "{'descr': '<i4', 'fortran_order': %s, 'shape': %s}\n", fortran ? "True" : "False",
             shape);
    write_npy(path, 1, dict, values, (size_t)total * sizeof *values);
}

static void check_order(const int *dims, int n)
{
    int total = 1;
    for (int i = 0; i < n; i++) total *= dims[i];
    write_counting("f.npy", dims, n, true);
    CHECK_OK(convert_one("f.npy"));
    CHECK_INT(result.N, dims[0]);
    CHECK_INT(result.D, total / dims[0]);
    CHECK(read_output(X, MAX_VALUES, NULL, 0));
    for (int i = 0; i < total; i++) want[i] = i;
    CHECK_ARRAY_NEAR(X, want, total, 0);
}

static void check_fortran(void)
{
    static const int shapes[][4] = {{7, 3}, {1, 5}, {5, 1}, {64, 60}, {6, 2, 3}, {4, 3, 1, 5}, {3, 1, 1, 2}};
    static const int dims[] = {2, 2, 2, 2, 3, 4, 4};
    for (size_t i = 0; i < DC_COUNT_OF(shapes); i++) check_order(shapes[i], dims[i]);
    int64_t shape[4] = {0};
    size_t n = 0;
    dc_h5 *h5 = NULL;
    check_order(shapes[4], 3);
    CHECK_OK(dc_h5_open(&h5, "out.h5", DC_H5_READ));
    CHECK_OK(dc_h5_get_attr_i64(h5, "/", "image_shape", shape, 4, &n));
    CHECK(n == 2 && shape[0] == 2 && shape[1] == 3);
    CHECK_OK(dc_h5_close(&h5));
}

/* --transpose with either order, also compressed. */
static void check_transpose(void)
{
    char bytes[4096];
    for (int fortran = 0; fortran < 2; fortran++) {
        write_counting("t.npy", (const int[]){4, 9}, 2, fortran);
        FILE *f = fopen("t.npy", "rb");
        const size_t n = fread(bytes, 1, sizeof bytes, f);
        fclose(f);
        write_gz("t.npy.gz", "wb", bytes, n);
        for (int packed = 0; packed < 2; packed++) {
            CHECK_OK(convert_with((dc_convert_config){.transpose = DC_TRANSPOSE_YES}, packed ? "t.npy.gz" : "t.npy"));
            CHECK_INT(result.N, 9);
            CHECK_INT(result.D, 4);
            CHECK(read_output(X, MAX_VALUES, NULL, 0));
            for (int i = 0; i < 36; i++) want[i] = i % 4 * 9 + i / 4;
            CHECK_ARRAY_NEAR(X, want, 36, 0);
        }
    }
    write_counting("t.npy", (const int[]){4, 3, 3}, 3, false);
    CHECK_STATUS(convert_with((dc_convert_config){.transpose = DC_TRANSPOSE_YES}, "t.npy"), DC_ERR_USAGE);
    CHECK_TEXT_HAS(dc_error_text(), "has 3 dimensions");
    dc_error_clear();
}

static dc_status convert_labels(const char *dict, const void *bytes, size_t n)
{
    const char *const labels[] = {"l.npy"};
    write_counting("x.npy", (const int[]){4, 2}, 2, false);
    write_npy("l.npy", 1, dict, bytes, n);
    return convert_with((dc_convert_config){.labels = labels, .n_labels = 1}, "x.npy");
}

static void check_labels(void)
{
    const uint32_t wide[12] = {'b', 0, 0, 0xE4, 'x', 0, 'b', 0, 0, 0, 0, 0}; /* b, ae x, b, none */
    CHECK_OK(convert_labels("{'descr': '<U3', 'fortran_order': False, 'shape': (4,)}\n", wide, sizeof wide));
    CHECK_INT(result.n_classes, 2);
    CHECK_INT(result.unlabelled, 1);
    CHECK(read_output(X, MAX_VALUES, y, 4));
    CHECK(y[0] == 0 && y[1] == 1 && y[2] == 0 && y[3] == -1);
    CHECK(strcmp(output_attr("classes"), "b\n\xC3\xA4x") == 0);
    CHECK_OK(convert_labels("{'descr': '|S2', 'fortran_order': False, 'shape': (4,)}\n", "b\0NAc\0b\0", 8));
    CHECK(read_output(X, MAX_VALUES, y, 4));
    CHECK(y[0] == 0 && y[1] == -1 && y[2] == 1 && y[3] == 0);
    CHECK_OK(convert_labels("{'descr': '<f8', 'fortran_order': True, 'shape': (4, 1)}\n",
                            (const double[]){3, NAN, -1, 7}, 32));
    CHECK(read_output(X, MAX_VALUES, y, 4));
    CHECK(y[0] == 3 && y[1] == -1 && y[2] == -1 && y[3] == 7);
    CHECK_STATUS(convert_labels("{'descr': '|S2', 'fortran_order': False, 'shape': (3,)}\n", "a\0b\0c\0", 6),
                 DC_ERR_DATA);
    CHECK_STATUS(convert_labels("{'descr': '<U9999', 'fortran_order': False, 'shape': (4,)}\n", "", 0), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "1 to 255 characters");
    CHECK_STATUS(convert_labels("{'descr': '|S2', 'fortran_order': False, 'shape': (2, 2)}\n", "a\0b\0c\0d", 8),
                 DC_ERR_DATA);
    CHECK_STATUS(convert_one("l.npy"), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "holds texts");
    dc_error_clear();
}

/* A file of HDF5 with a user block. */
static void write_block(const char *path, hsize_t block)
{
    const hid_t fcpl = H5Pcreate(H5P_FILE_CREATE);
    CHECK(H5Pset_userblock(fcpl, block) >= 0);
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, fcpl, H5P_DEFAULT);
    const hid_t space = H5Screate_simple(2, (const hsize_t[]){3, 2}, NULL);
    const hid_t dset = H5Dcreate2(file, "X", H5T_STD_U8LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    CHECK(H5Dwrite(dset, H5T_NATIVE_UCHAR, H5S_ALL, H5S_ALL, H5P_DEFAULT, "abcdef") >= 0);
    H5Dclose(dset);
    H5Sclose(space);
    H5Fclose(file);
    H5Pclose(fcpl);
}

static void check_user_blocks(void)
{
    for (hsize_t block = 512; block <= 1 << 16; block *= 2) {
        write_block("u.h5", block);
        CHECK_OK(convert_one("u.h5"));
        CHECK(result.N == 3 && result.D == 2 && read_output(X, MAX_VALUES, NULL, 0) && X[5] == 'f');
    }
    /* What a tar archive of one such file looks like. */
    FILE *f = fopen("u.h5", "r+b");
    CHECK(f && fseek(f, 257, SEEK_SET) == 0 && fwrite("ustar", 1, 5, f) == 5 && fclose(f) == 0);
    CHECK_STATUS(convert_one("u.h5"), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "tar archive");
    dc_error_clear();
}

/* ---- Mutations --------------------------------------------------------------------------------------------------- */

static size_t load(const char *path, uint8_t *bytes, size_t cap)
{
    FILE *f = fopen(path, "rb");
    DC_ASSERT(f);
    const size_t n = fread(bytes, 1, cap, f);
    fclose(f);
    return n;
}

static void mutate(uint8_t *bytes, size_t n, size_t reach)
{
    static const uint8_t special[] = {0, 1, 0x7f, 0x80, 0xff, '9', ',', 'U', 'S', '\'', '(', 'T'};
    for (long i = lrand48() % 3; i >= 0; i--) {
        const size_t at = (size_t)lrand48() % DC_MIN(n, reach);
        bytes[at] = lrand48() % 2 ? special[(size_t)lrand48() % sizeof special] : (uint8_t)lrand48();
    }
}

/* As a matrix and as labels of a matrix of four rows. */
static void check_mutations(const char *path)
{
    enum { COUNT = 250, REACH = 128 };
    static uint8_t bytes[1 << 12], copy[sizeof bytes];
    const char *const labels[] = {"m"};
    int other = 0, leftovers = 0, refused = 0;
    const size_t n = load(path, bytes, sizeof bytes);
    for (int i = 0; i < 2 * COUNT; i++) {
        memcpy(copy, bytes, n);
        mutate(copy, n, REACH);
        write_file("m", copy, n);
        const dc_status st =
            i % 2 ? convert_one("m") : convert_with((dc_convert_config){.labels = labels, .n_labels = 1}, "x.npy");
        refused += st == DC_ERR_DATA || st == DC_ERR_USAGE;
        if (st != DC_OK && st != DC_ERR_DATA && st != DC_ERR_USAGE && other++ < 5)
            printf("# %s/%d: %s: %s\n", path, i, dc_status_name(st), dc_error_text());
        leftovers += file_exists("out.h5.part") || dc_mem_live_count() > 0;
    }
    CHECK_INT(other, 0);
    CHECK_INT(leftovers, 0);
    CHECK(refused > COUNT / 4);
}

int main(void)
{
    enter_folder();
    srand48(307);
    check_fortran();
    check_transpose();
    check_labels();
    check_user_blocks();
    write_counting("x.npy", (const int[]){4, 2}, 2, false);
    write_counting("a.npy", (const int[]){4, 2, 3}, 3, true);
    write_npy("b.npy", 1, "{'descr': '<U2', 'fortran_order': False, 'shape': (4,)}\n",
              (const uint32_t[8]){'a', 'b', 'c', 0, 'a', 'b'}, 32);
    check_mutations("a.npy");
    check_mutations("b.npy");
    leave_folder();
    return check_done();
}
