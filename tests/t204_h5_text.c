/* Strings in HDF5 files: our own, as rows of all ranks; foreign ones of any length and padding; lists of names.
 * ranks: 1 3 */
#include <hdf5.h>

#include "dcmpi/h5.h"
#include "dcmpi/text.h"
#include "ranks_folder.h"

enum { N = 11, BYTES = 6 };

static void expected_id(dc_gidx row, char out[BYTES])
{
    memset(out, 0, BYTES);
    snprintf(out, BYTES, "r%lld\xC3\xA4", (long long)row);
}

/* A result with an array of strings: written and read back by all ranks. */
static void test_rows(void)
{
    dc_part part;
    char mine[N][BYTES], back[N][BYTES];
    CHECK_OK(dc_part_init(&part, N, 8, dc_comm_size(comm), dc_comm_rank(comm)));
    const size_t n = (size_t)dc_part_rows(&part);
    for (size_t i = 0; i < n; i++) expected_id(part.row_lo + (dc_gidx)i, mine[i]);
    const dc_h5_rows rows[] = {{.name = "/ids", .type = DC_H5_TEXT, .width = BYTES, .vector = true, .local = mine}};
    CHECK_OK(dc_h5_write_result(comm, path_of("r.h5"), &part, rows, 1, NULL, NULL));
    CHECK_OK(dc_h5_read_part(comm, path_of("r.h5"), "/ids", DC_H5_TEXT, &part, BYTES, back));
    CHECK(memcmp(mine, back, n * BYTES) == 0);
    CHECK_STATUS(dc_h5_read_part(comm, path_of("r.h5"), "/ids", DC_H5_TEXT, &part, BYTES + 1, back), DC_ERR_FORMAT);
    CHECK_TEXT_HAS(dc_error_text(), "6 elements");
    dc_error_clear();
    CHECK_STATUS(dc_h5_read_part(comm, path_of("r.h5"), "/ids", DC_H5_I32, &part, 1, back), DC_ERR_FORMAT);
    dc_error_clear();
}

typedef struct {
    char text[256];
} seen;

static dc_status keep(void *ctx, const char *text, size_t length)
{
    seen *s = ctx;
    const size_t used = strlen(s->text);
    snprintf(s->text + used, sizeof s->text - used, "[%.*s]", (int)length, text);
    return DC_OK;
}

static void write_strings(const char *name, hid_t type, int n_dims, const hsize_t *dims, const void *data)
{
    const hid_t file = H5Fcreate(path_of("s.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t space = H5Screate_simple(n_dims, dims, NULL);
    const hid_t dset = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    CHECK(H5Dwrite(dset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    H5Dclose(dset);
    H5Sclose(space);
    H5Tclose(type);
    CHECK(H5Fclose(file) >= 0);
}

static void check_read(dc_gidx row, dc_gidx n, const char *expected)
{
    dc_h5 *h5 = NULL;
    dc_h5_info info;
    seen s = {""};
    CHECK_OK(dc_h5_open(&h5, path_of("s.h5"), DC_H5_READ));
    CHECK_OK(dc_h5_dataset_info(h5, "/s", &info));
    CHECK(info.text);
    CHECK_OK(dc_h5_read_text(h5, "/s", row, n, keep, &s));
    CHECK_TEXT_HAS(s.text, expected);
    CHECK_INT(strlen(s.text), strlen(expected));
    CHECK_OK(dc_h5_close(&h5));
}

static hid_t fixed(size_t bytes, H5T_str_t padding)
{
    const hid_t t = H5Tcopy(H5T_C_S1);
    H5Tset_size(t, bytes);
    H5Tset_strpad(t, padding);
    return t;
}

static void test_foreign(void)
{
    const char *list[] = {"T cell", "", "NK\xC3\xA4", "B"};
    write_strings("s", fixed(H5T_VARIABLE, H5T_STR_NULLTERM), 1, (hsize_t[]){4}, list);
    check_read(0, 4, "[T cell][][NK\xC3\xA4][B]");
    check_read(2, 1, "[NK\xC3\xA4]");
    check_read(4, 0, "");
    write_strings("s", fixed(3, H5T_STR_SPACEPAD), 1, (hsize_t[]){3}, "ab c  def");
    check_read(0, 3, "[ab][c][def]");
    write_strings("s", fixed(3, H5T_STR_NULLPAD), 2, (hsize_t[]){2, 1}, "ab\0cde");
    check_read(0, 2, "[ab][cde]");
    write_strings("s", fixed(3, H5T_STR_NULLPAD), 2, (hsize_t[]){1, 2}, "ab\0cde");
    dc_h5 *h5 = NULL;
    seen s = {""};
    CHECK_OK(dc_h5_open(&h5, path_of("s.h5"), DC_H5_READ));
    CHECK_STATUS(dc_h5_read_text(h5, "/s", 0, 1, keep, &s), DC_ERR_FORMAT);
    CHECK_TEXT_HAS(dc_error_text(), "rows of 2 texts");
    dc_error_clear();
    CHECK_OK(dc_h5_close(&h5));
}

/* Strings of variable length that would need more than the limit of a piece: an error, not memory. */
static void test_limit(void)
{
    enum { COUNT = 4096, LENGTH = 20000 };
    static char text[LENGTH + 1];
    static const char *list[COUNT];
    dc_h5 *h5 = NULL;
    seen s = {""};
    memset(text, 'x', LENGTH);
    for (int i = 0; i < COUNT; i++) list[i] = text;
    write_strings("s", fixed(H5T_VARIABLE, H5T_STR_NULLTERM), 1, (hsize_t[]){COUNT}, list);
    CHECK_OK(dc_h5_open(&h5, path_of("s.h5"), DC_H5_READ));
    CHECK_STATUS(dc_h5_read_text(h5, "/s", 0, COUNT, keep, &s), DC_ERR_FORMAT);
    dc_error_clear();
    CHECK_OK(dc_h5_read_text(h5, "/s", 0, 2, keep, &s));
    CHECK_OK(dc_h5_close(&h5));
}

/* n names of `length` bytes: as an attribute or, if they are many, as a dataset. */
static void check_names(int64_t n, size_t length, bool attribute)
{
    dc_h5 *h5 = NULL;
    char *text = NULL, *back = NULL;
    bool stored = false;
    const size_t bytes = (size_t)n * (length + 1);
    CHECK_OK(dc_mem_alloc(&text, bytes, 1, "names"));
    for (size_t i = 0; i + 1 < bytes; i++) text[i] = (i + 1) % (length + 1) ? (char)('a' + i % 23) : '\n';
    CHECK_OK(dc_h5_open(&h5, path_of("n.h5"), DC_H5_CREATE));
    CHECK_OK(dc_h5_put_names(h5, "feature_names", text, &stored));
    CHECK(stored);
    CHECK_OK(dc_h5_close(&h5));
    CHECK_OK(dc_h5_open(&h5, path_of("n.h5"), DC_H5_READ));
    CHECK(dc_h5_has_attr(h5, "/", "feature_names") == attribute);
    CHECK_OK(dc_h5_get_names(h5, "feature_names", n, &back));
    CHECK(back && strcmp(text, back) == 0);
    dc_mem_free(&back);
    CHECK_OK(dc_h5_get_names(h5, "feature_names", n + 1, &back));
    CHECK(back == NULL);
    CHECK_OK(dc_h5_get_names(h5, "classes", n, &back));
    CHECK(back == NULL);
    if (!attribute) CHECK_OK(dc_h5_check_hash(h5, "/feature_names"));
    CHECK_OK(dc_h5_close(&h5));
    dc_mem_free(&text);
}

static void test_missing_labels(void)
{
    static const char *const none[] = {"", "-1", "?", "NA", "None", "nan", "NaN", "NULL"};
    static const char *const some[] = {"0", "-2", "1", "none", "T cell", "NAN1", "-"};
    for (size_t i = 0; i < DC_COUNT_OF(none); i++) CHECK(dc_label_is_missing(none[i], strlen(none[i])));
    for (size_t i = 0; i < DC_COUNT_OF(some); i++) CHECK(!dc_label_is_missing(some[i], strlen(some[i])));
}

int main(void)
{
    if (!folder_open()) return 1;
    test_rows();
    dc_comm_barrier(comm);
    if (on_rank0()) {
        test_foreign();
        test_limit();
        check_names(1, 3, true);
        check_names(1000, 7, true);
        check_names(200000, 7, false);
        test_missing_labels();
    }
    dc_comm_barrier(comm);
    return folder_close();
}
