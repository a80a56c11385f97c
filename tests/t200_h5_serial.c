/* Serial HDF5 files: datasets, attributes, names, growing datasets, and files that must be refused. No MPI_Init. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "dcmpi/h5.h"

static char dir[CHECK_PATH_MAX];
static char path_buffer[4][256];

static const char *path_of(const char *name)
{
    static int next;
    char *p = path_buffer[next++ % 4];
    snprintf(p, sizeof path_buffer[0], "%s/%s", dir, name);
    return p;
}

static void test_round_trip(void)
{
    const float x[6] = {1, -2, 3.5f, 4, 5, 6};
    const uint16_t half[2] = {0x3c00, 0xc000}; /* 1, -2 */
    const int64_t big[1] = {INT64_C(1) << 40};
    float back[6] = {0};
    int64_t big_back = 0;
    dc_h5 *h5 = NULL;
    dc_h5_info info;

    CHECK_OK(dc_h5_open(&h5, path_of("a.h5"), DC_H5_CREATE));
    CHECK_OK(dc_h5_put(h5, "/X", DC_H5_F32, 2, (dc_gidx[]){3, 2}, x));
    CHECK_OK(dc_h5_put(h5, "deep/er/half", DC_H5_F16, 1, (dc_gidx[]){2}, half));
    CHECK_OK(dc_h5_put(h5, "big", DC_H5_I64, 0, NULL, big));
    CHECK_OK(dc_h5_put(h5, "empty", DC_H5_I32, 2, (dc_gidx[]){0, 5}, NULL));
    CHECK_OK(dc_h5_create_group(h5, "group/inner"));
    CHECK_OK(dc_h5_close(&h5));
    CHECK(h5 == NULL);

    CHECK_OK(dc_h5_open(&h5, path_of("a.h5"), DC_H5_READ));
    CHECK(dc_h5_exists(h5, "/X") && dc_h5_exists(h5, "deep/er") && dc_h5_exists(h5, "/group/inner"));
    CHECK(!dc_h5_exists(h5, "/Y") && !dc_h5_exists(h5, "X/under"));
    CHECK_OK(dc_h5_dataset_info(h5, "X", &info));
    CHECK(info.type == DC_H5_F32 && info.exact && info.floating && !info.integer);
    CHECK_INT(info.n_dims, 2);
    CHECK_INT(info.dims[0], 3);
    CHECK_INT(info.dims[1], 2);
    CHECK_OK(dc_h5_read_rows(h5, "X", DC_H5_F32, 1, 2, back));
    CHECK_ARRAY_NEAR(back, x + 2, 4, 0);
    CHECK_OK(dc_h5_read_rows(h5, "X", DC_H5_F32, 3, 0, back));
    CHECK_OK(dc_h5_dataset_info(h5, "/deep/er/half", &info));
    CHECK(info.type == DC_H5_F16 && info.exact && info.item_bytes == 2);
    CHECK_OK(dc_h5_read_rows(h5, "/deep/er/half", DC_H5_F32, 0, 2, back));
    CHECK(back[0] == 1 && back[1] == -2);
    CHECK_OK(dc_h5_read_rows(h5, "big", DC_H5_I64, 0, 1, &big_back));
    CHECK_INT(big_back, big[0]);
    CHECK_OK(dc_h5_dataset_info(h5, "empty", &info));
    CHECK_STATUS(dc_h5_read_rows(h5, "X", DC_H5_F32, 2, 2, back), DC_ERR_FORMAT);
    CHECK_TEXT_HAS(dc_error_text(), "has 3 rows");
    dc_error_clear();
    CHECK_STATUS(dc_h5_dataset_info(h5, "group", &info), DC_ERR_FORMAT);
    CHECK_TEXT_HAS(dc_error_text(), "group");
    dc_error_clear();
    CHECK_OK(dc_h5_close(&h5));
}

static void test_attributes(void)
{
    enum { LONG = 200000 };
    static char text[LONG + 1], back[LONG + 1];
    memset(text, 'x', LONG);
    const int64_t shape[3] = {28, 28, -1};
    int64_t ints[3] = {0};
    double reals[2] = {0};
    size_t n = 0;
    dc_h5 *h5 = NULL;

    CHECK_OK(dc_h5_open(&h5, path_of("a.h5"), DC_H5_APPEND));
    CHECK_OK(dc_h5_put_attr_str(h5, "/", "deck", text));
    CHECK_OK(dc_h5_put_attr_str(h5, "/", "none", ""));
    CHECK_OK(dc_h5_put_attr_str(h5, "/X", "source", "caf\xc3\xa9 %n%s"));
    CHECK_OK(dc_h5_put_attr_i64(h5, "X", "image_shape", shape, 3));
    CHECK_OK(dc_h5_put_attr_f64(h5, "/", "pi", (double[]){3.25}, 1));
    CHECK_OK(dc_h5_put_attr_i64(h5, "/", "complete", (int64_t[]){0}, 1));
    CHECK_OK(dc_h5_put_attr_i64(h5, "/", "complete", (int64_t[]){1}, 1));
    CHECK_OK(dc_h5_put_attr_str(h5, "/", "changes", "a number next"));
    CHECK_OK(dc_h5_put_attr_i64(h5, "/", "changes", (int64_t[]){7, 8}, 2));
    CHECK_OK(dc_h5_close(&h5));

    CHECK_OK(dc_h5_open(&h5, path_of("a.h5"), DC_H5_READ));
    CHECK(dc_h5_has_attr(h5, "/", "deck") && !dc_h5_has_attr(h5, "/", "deckel") && !dc_h5_has_attr(h5, "/Y", "deck"));
    CHECK_OK(dc_h5_get_attr_str(h5, "/", "deck", back, sizeof back));
    CHECK(strcmp(back, text) == 0);
    CHECK_OK(dc_h5_get_attr_str(h5, "/", "deck", back, 4));
    CHECK(strcmp(back, "xxx") == 0);
    CHECK_OK(dc_h5_get_attr_str(h5, "/", "none", back, sizeof back));
    CHECK(back[0] == '\0');
    CHECK_OK(dc_h5_get_attr_str(h5, "/X", "source", back, sizeof back));
    CHECK(strcmp(back, "caf\xc3\xa9 %n%s") == 0);
    CHECK_OK(dc_h5_get_attr_i64(h5, "X", "image_shape", ints, 2, &n));
    CHECK(n == 3 && ints[0] == 28 && ints[1] == 28 && ints[2] == 0);
    CHECK_OK(dc_h5_get_attr_i64(h5, "/", "complete", ints, 1, NULL));
    CHECK_INT(ints[0], 1);
    CHECK_OK(dc_h5_get_attr_f64(h5, "/", "changes", reals, 2, &n));
    CHECK(n == 2 && reals[0] == 7 && reals[1] == 8);
    CHECK_STATUS(dc_h5_get_attr_i64(h5, "/", "deck", ints, 1, NULL), DC_ERR_FORMAT);
    dc_error_clear();
    CHECK_STATUS(dc_h5_get_attr_str(h5, "/", "pi", back, sizeof back), DC_ERR_FORMAT);
    dc_error_clear();
    CHECK_STATUS(dc_h5_get_attr_str(h5, "/", "nothing", back, sizeof back), DC_ERR_FORMAT);
    CHECK_TEXT_HAS(dc_error_text(), "nothing");
    dc_error_clear();
    CHECK_OK(dc_h5_close(&h5));
}

static dc_status collect(void *ctx, const char *name, const dc_h5_info *info)
{
    char *list = ctx;
    snprintf(list + strlen(list), 256 - strlen(list), "%s:%d ", name, info->n_dims);
    return strcmp(name, "/stop") == 0 ? DC_ERR_USAGE : DC_OK;
}

static void test_visit(void)
{
    char list[256] = "";
    dc_h5 *h5 = NULL;
    CHECK_OK(dc_h5_open(&h5, path_of("a.h5"), DC_H5_READ));
    CHECK_OK(dc_h5_visit(h5, collect, list));
    CHECK(strcmp(list, "/X:2 /big:0 /deep/er/half:1 /empty:2 ") == 0);
    CHECK_OK(dc_h5_close(&h5));
    CHECK_OK(dc_h5_open(&h5, path_of("stop.h5"), DC_H5_CREATE));
    CHECK_OK(dc_h5_put(h5, "stop", DC_H5_U8, 1, (dc_gidx[]){1}, "x"));
    CHECK_OK(dc_h5_put(h5, "zone", DC_H5_U8, 1, (dc_gidx[]){1}, "x"));
    list[0] = '\0';
    CHECK_STATUS(dc_h5_visit(h5, collect, list), DC_ERR_USAGE);
    CHECK(strcmp(list, "/stop:1 ") == 0);
    CHECK_OK(dc_h5_close(&h5));
}

/* Opens what must not open; the text has to name the file and `why`. */
static void refuse(const char *name, dc_status expected, const char *why)
{
    dc_h5 *h5 = NULL;
    CHECK_STATUS(dc_h5_open(&h5, path_of(name), DC_H5_READ), expected);
    CHECK(h5 == NULL);
    CHECK_TEXT_HAS(dc_error_text(), name);
    CHECK_TEXT_HAS(dc_error_text(), why);
    dc_error_clear();
}

static void make_large(const char *name)
{
    enum { ROWS = 1000, WIDTH = 784 };
    static const uint8_t x[ROWS * WIDTH];
    dc_h5 *h5 = NULL;
    CHECK_OK(dc_h5_open(&h5, path_of(name), DC_H5_CREATE));
    CHECK_OK(dc_h5_put(h5, "X", DC_H5_U8, 2, (dc_gidx[]){ROWS, WIDTH}, x));
    CHECK_OK(dc_h5_close(&h5));
}

static void test_refused_files(void)
{
    dc_h5 *h5 = NULL;
    make_large("large.h5");
    const int fd = open(path_of("text"), O_CREAT | O_WRONLY, 0600);
    CHECK(fd >= 0 && write(fd, "hello", 5) == 5 && close(fd) == 0);
    CHECK(mkfifo(path_of("pipe"), 0600) == 0);
    refuse("missing.h5", DC_ERR_IO, "No such file");
    refuse("text", DC_ERR_FORMAT, "not an HDF5 file");
    refuse("pipe", DC_ERR_FORMAT, "a pipe");
    refuse("", DC_ERR_FORMAT, "a directory");
    CHECK(truncate(path_of("large.h5"), 400000) == 0);
    refuse("large.h5", DC_ERR_FORMAT, "truncated");
    CHECK(truncate(path_of("large.h5"), 0) == 0);
    refuse("large.h5", DC_ERR_FORMAT, "not an HDF5 file");
    CHECK_STATUS(dc_h5_open(&h5, path_of("no/such/dir.h5"), DC_H5_CREATE), DC_ERR_IO);
    CHECK_TEXT_HAS(dc_error_text(), "No such file or directory");
    dc_error_clear();
}

/* Equal content gives equal bytes: no time stamps. */
static void test_same_bytes(void)
{
    char bytes[2][4096];
    size_t n[2] = {0};
    for (int i = 0; i < 2; i++) {
        dc_h5 *h5 = NULL;
        CHECK_OK(dc_h5_open(&h5, path_of("same.h5"), DC_H5_CREATE));
        CHECK_OK(dc_h5_put(h5, "g/x", DC_H5_I32, 1, (dc_gidx[]){1}, &(int32_t){5}));
        CHECK_OK(dc_h5_put_attr_str(h5, "g/x", "unit", "s"));
        CHECK_OK(dc_h5_close(&h5));
        FILE *f = fopen(path_of("same.h5"), "rb");
        n[i] = fread(bytes[i], 1, sizeof bytes[i], f);
        fclose(f);
        if (i == 0) sleep(1);
    }
    CHECK(n[0] == n[1] && memcmp(bytes[0], bytes[1], n[0]) == 0);
}

int main(void)
{
    CHECK(mkdtemp(check_temporary(dir)) != NULL);
    CHECK(strlen(dc_h5_version()) >= 5);
    test_round_trip();
    test_attributes();
    test_visit();
    test_refused_files();
    test_same_bytes();
    char command[300];
    snprintf(command, sizeof command, "rm -r '%s'", dir);
    CHECK(system(command) == 0);
    return check_done();
}
