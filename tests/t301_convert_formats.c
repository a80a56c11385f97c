/* ranks: 0. Every format to values: dtype, shape, labels, attributes; concatenation; memory that does not grow with the
 * input. */
#include <xxhash.h>

#include "convert/number.h"
#include "t3_convert.h"

static double X[4096];
static int32_t y[512];

static void check_idx(void)
{
    uint8_t image[12 + 4 + 2 * 6], label[8 + 2];
    size_t n = idx_header(image, 0x08, 3, (const uint32_t[]){2, 2, 3});
    for (int i = 0; i < 12; i++) image[n++] = (uint8_t)(20 * i);
    write_gz("a.gz", "wb", image, n);
    write_file("a", image, n);
    n = idx_header(label, 0x08, 1, (const uint32_t[]){2});
    label[n++] = 7, label[n++] = 3;
    write_file("l", label, n);
    const char *const inputs[] = {"a.gz", "a"}, *const labels[] = {"l", "l"};
    CHECK_OK(convert_with((dc_convert_config){.inputs = inputs, .n_inputs = 2, .labels = labels, .n_labels = 2}, NULL));
    CHECK_INT(result.N, 4);
    CHECK_INT(result.D, 6);
    CHECK_INT(result.dtype, DC_U8);
    CHECK_INT(result.n_classes, 2);
    CHECK_NEAR(result.max, 220, 0);
    CHECK_NEAR(result.mean, 110, 1e-12);
    CHECK(read_output(X, 24, y, 4));
    CHECK(X[0] == 0 && X[5] == 100 && X[6] == 120 && X[11] == 220 && X[12] == 0 && X[23] == 220);
    CHECK(y[0] == 7 && y[1] == 3 && y[2] == 7 && y[3] == 3);
    CHECK(strcmp(output_attr("classes"), "3\n7") == 0);
    CHECK(strcmp(output_attr("source"), "a.gz\na") == 0);
    CHECK(strcmp(output_attr("format"), "dcmpi-data") == 0);
    int64_t shape[4] = {0};
    size_t n_shape = 0;
    dc_h5 *h5 = NULL;
    CHECK_OK(dc_h5_open(&h5, "out.h5", DC_H5_READ));
    CHECK_OK(dc_h5_get_attr_i64(h5, "/", "image_shape", shape, 4, &n_shape));
    CHECK(n_shape == 2 && shape[0] == 2 && shape[1] == 3);
    CHECK_OK(dc_h5_close(&h5));
}

/* The documented checksum, computed from the values again. */
static void check_checksum(void)
{
    uint8_t bytes[24];
    char want[24];
    for (int i = 0; i < 24; i++) bytes[i] = (uint8_t)(20 * (i % 12));
    snprintf(want, sizeof want, "%016llx", (unsigned long long)XXH3_64bits(bytes, sizeof bytes));
    CHECK(strcmp(output_attr("checksum"), want) == 0);
    CHECK(result.checksum == XXH3_64bits(bytes, sizeof bytes));
}

static void check_idx_types(void)
{
    uint8_t file[64];
    const size_t n = idx_header(file, 0x0D, 2, (const uint32_t[]){1, 2});
    memcpy(file + n, (const uint8_t[]){0x3f, 0xc0, 0, 0, 0xc0, 0, 0, 0}, 8);
    write_file("f", file, n + 8);
    CHECK_OK(convert_one("f"));
    CHECK_INT(result.dtype, DC_F32);
    CHECK(read_output(X, 2, NULL, 0) && X[0] == 1.5 && X[1] == -2);
}

/* numpy's spelling of a 2 x 3 array of each type, values 0..5. */
static void check_npy(void)
{
    static const struct {
        const char *descr;
        int bytes;
        dc_dtype want;
    } table[] = {{"|u1", 1, DC_U8}, {"<f4", 4, DC_F32}, {"<f8", 8, DC_F64}, {"<i8", 8, DC_F32}, {"<u2", 2, DC_F32}};
    for (size_t t = 0; t < DC_COUNT_OF(table); t++)
        for (int major = 1; major <= 3; major++) {
            char dict[128];
            uint8_t data[48];
            double want[6];
            for (int i = 0; i < 6; i++) want[i] = i;
            if (strchr("f", table[t].descr[1])) {
                dc_element_encode(table[t].bytes == 4 ? DC_F32 : DC_F64, want, 6, data);
            } else {
                memset(data, 0, sizeof data);
                for (int i = 0; i < 6; i++) data[i * table[t].bytes] = (uint8_t)i;
            }
            snprintf(dict, sizeof dict, "{'descr': '%s', 'fortran_order': False, 'shape': (2, 3), }   \n",
                     table[t].descr);
            write_npy("a.npy", major, dict, data, 6 * (size_t)table[t].bytes);
            CHECK_OK(convert_one("a.npy"));
            CHECK_INT(result.dtype, table[t].want);
            CHECK(read_output(X, 6, NULL, 0) && memcmp(X, want, sizeof want) == 0);
        }
}

static void check_npy_half_and_shape(void)
{
    write_npy("h.npy", 1, "{'descr': '<f2', 'fortran_order': False, 'shape': (2, 2, 1), }\n",
              (const uint8_t[]){0, 0x3c, 0, 0x40, 1, 0, 0, 0x80}, 8);
    CHECK_OK(convert_one("h.npy"));
    CHECK_INT(result.dtype, DC_F16);
    dc_h5 *h5 = NULL;
    uint16_t raw[4];
    CHECK_OK(dc_h5_open(&h5, "out.h5", DC_H5_READ));
    CHECK_OK(dc_h5_read_rows(h5, "/X", DC_H5_F16, 0, 2, raw));
    CHECK(raw[0] == 0x3c00 && raw[1] == 0x4000 && raw[2] == 1 && raw[3] == 0x8000);
    CHECK_OK(dc_h5_close(&h5));
    write_npy("u.npy", 1, "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2), }\n", (const uint8_t[]){5, 255},
              2);
    const char *const inputs[] = {"h.npy", "u.npy"};
    CHECK_OK(convert_with((dc_convert_config){.inputs = inputs, .n_inputs = 2}, NULL));
    CHECK_INT(result.dtype, DC_F16);
    CHECK_NEAR(result.max, 255, 0);
}

static void check_text(void)
{
    static const struct {
        const char *text;
        const char *label;
        int N, D;
        dc_dtype dtype;
        double x0, x_last;
        int y0, y_last;
        const char *classes, *names;
    } table[] = {
        {"1,2,3\n4,5,6\n", "none", 2, 3, DC_U8, 1, 6, 0, 0, "", ""},
        {"1;2.5\r\n4;-5\r\n", "none", 2, 2, DC_F32, 1, -5, 0, 0, "", ""},
        {"1\t2\n3\t256", "none", 2, 2, DC_F32, 1, 256, 0, 0, "", ""},
        {"  1   2 \n 3 4\t\n\n\n", "none", 2, 2, DC_U8, 1, 4, 0, 0, "", ""},
        {"\xEF\xBB\xBF"
         "a,b\n1,2\n",
         "none", 1, 2, DC_U8, 1, 2, 0, 0, "", "a\nb"},
        {"# comment\n1,2\n# more\n3,4\n", "none", 2, 2, DC_U8, 1, 4, 0, 0, "", ""},
        {"6.0000 0.5\n5.0000 1\n", "0", 2, 1, DC_F32, 0.5, 1, 6, 5, "5\n6", ""},
        {"0,1,9\n1,2,8\n", "last", 2, 2, DC_U8, 0, 2, 9, 8, "8\n9", ""},
        {"0,-3,1\n1,7,2\n", "1", 2, 2, DC_U8, 0, 2, -3, 7, "-3\n7", ""},
        {"5.1,setosa\n4.9,\"virginica\"\n5,setosa\n", "last", 3, 1, DC_F32, 5.1f, 5, 0, 0, "setosa\nvirginica", ""},
        {"label,\"p 0\",p1\n3,1,2\n", "0", 1, 2, DC_U8, 1, 2, 3, 3, "3", "p 0\np1"},
        {"label,0,1\n3,8,9\n", "0", 1, 2, DC_U8, 8, 9, 3, 3, "3", "0\n1"},
        {"1,4294967296\n2,5\n", "last", 2, 1, DC_U8, 1, 2, 1, 0, "5\n4294967296", ""},
        {"1,6.0\n2,6\n3,b\n", "last", 3, 1, DC_U8, 1, 3, 1, 2, "6\n6.0\nb", ""},
    };
    for (size_t t = 0; t < DC_COUNT_OF(table); t++) {
        write_text("t.csv", table[t].text);
        printf("# %s", table[t].text);
        puts("");
        CHECK_OK(convert_with((dc_convert_config){.table.label_column = table[t].label}, "t.csv"));
        CHECK_INT(result.N, table[t].N);
        CHECK_INT(result.D, table[t].D);
        CHECK_INT(result.dtype, table[t].dtype);
        CHECK(read_output(X, 64, result.has_labels ? y : NULL, 8));
        CHECK_NEAR(X[0], table[t].x0, 0);
        CHECK_NEAR(X[table[t].N * table[t].D - 1], table[t].x_last, 0);
        CHECK(strcmp(output_attr("classes"), table[t].classes) == 0);
        CHECK(strcmp(output_attr("feature_names"), table[t].names) == 0);
        if (!result.has_labels) continue;
        CHECK_INT(y[0], table[t].y0);
        CHECK_INT(y[table[t].N - 1], table[t].y_last);
    }
}

/* Types of inputs meet; names in a label file, with a header. */
static void check_concatenation(void)
{
    const char *const inputs[] = {"1.csv", "2.npy"}, *const labels[] = {"1.txt", "2.txt"};
    write_text("1.csv", "1 2\n3 4\n");
    write_text("1.txt", "T-shirt top\nbag\n");
    write_npy("2.npy", 1, "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2)}\n", (const double[]){0.1, -3}, 16);
    write_text("2.txt", "bag\n");
    CHECK_OK(convert_with((dc_convert_config){.inputs = inputs, .n_inputs = 2, .labels = labels, .n_labels = 2}, NULL));
    CHECK_INT(result.dtype, DC_F64);
    CHECK(read_output(X, 6, y, 3) && X[3] == 4 && X[4] == 0.1 && X[5] == -3);
    CHECK(y[0] == 0 && y[1] == 1 && y[2] == 1);
    write_text("2.txt", "class\n5\n");
    write_text("1.txt", "4\n5");
    CHECK_OK(convert_with((dc_convert_config){.inputs = inputs, .n_inputs = 2, .labels = labels, .n_labels = 2}, NULL));
    CHECK(read_output(X, 6, y, 3) && y[0] == 4 && y[1] == 5 && y[2] == 5);
}

static void check_hdf5(void)
{
    write_text("t.csv", "1,2,9\n3,4,8\n");
    CHECK_OK(convert_with((dc_convert_config){.table.label_column = "last"}, "t.csv"));
    const uint64_t checksum = result.checksum;
    CHECK_INT(rename("out.h5", "in.h5"), 0);
    CHECK_OK(convert_one("in.h5"));
    CHECK(result.checksum == checksum && result.has_labels && result.dtype == DC_U8);
    CHECK(read_output(X, 4, y, 2) && X[0] == 1 && X[3] == 4 && y[0] == 9 && y[1] == 8);
    CHECK_OK(convert_with((dc_convert_config){.table.label_column = "none"}, "in.h5"));
    CHECK(!result.has_labels);
    dc_h5 *h5 = NULL;
    const dc_gidx dims[3] = {2, 2, 2};
    const int64_t big[8] = {1, 2, 3, 4, 5, 6, 7, 16777217};
    const uint16_t half[8] = {0x3c00, 0x4000, 0, 0, 0, 0, 0, 0xc000};
    CHECK_OK(dc_h5_open(&h5, "many.h5", DC_H5_CREATE));
    CHECK_OK(dc_h5_put(h5, "/set/train", DC_H5_I64, 3, dims, big));
    CHECK_OK(dc_h5_put(h5, "/set/half", DC_H5_F16, 3, dims, half));
    CHECK_OK(dc_h5_close(&h5));
    CHECK_STATUS(convert_one("many.h5"), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "--dataset");
    CHECK_OK(convert_with((dc_convert_config){.dataset = "/set/train"}, "many.h5"));
    CHECK(result.N == 2 && result.D == 4 && result.dtype == DC_F64);
    CHECK(read_output(X, 8, NULL, 0) && X[0] == 1 && X[6] == 7 && X[7] == 16777217);
    CHECK_OK(convert_with((dc_convert_config){.dataset = "/set/half"}, "many.h5"));
    CHECK(result.dtype == DC_F16 && result.max == 2 && result.min == -2);
}

/* 24 MiB through pieces: the program's memory may not follow the input. Members of gzip are joined. */
static void check_memory(void)
{
    enum { ROWS = 30000, D = 784 };
    uint8_t *file = malloc(16 + ROWS * D);
    DC_ASSERT(file);
    const size_t n = idx_header(file, 0x08, 3, (const uint32_t[]){ROWS, 28, 28});
    for (size_t i = 0; i < ROWS * D; i++) file[n + i] = (uint8_t)(i / D);
    write_gz("m.gz", "wb1", file, 1000);
    write_gz("m.gz", "ab1", file + 1000, n + ROWS * D - 1000);
    const uint64_t want = XXH3_64bits(file + n, ROWS * D);
    free(file);
    CHECK_OK(convert_one("m.gz"));
    CHECK(result.checksum == want);
    CHECK(dc_mem_peak_bytes() < (size_t)ROWS * D / 2);
}

int main(void)
{
    enter_folder();
    check_idx();
    check_checksum();
    check_idx_types();
    check_npy();
    check_npy_half_and_shape();
    check_text();
    check_concatenation();
    check_hdf5();
    check_memory();
    CHECK(!file_exists("out.h5.part"));
    leave_folder();
    return check_done();
}
