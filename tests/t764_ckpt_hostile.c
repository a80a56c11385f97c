/* Checkpoints with a sound checksum and odd contents, as somebody might make them: never a crash, never a wrong value.
 * They are made from a sound one with the HDF5 library directly, and sealed again. */
#include <hdf5.h>
#include <inttypes.h>
#include <xxhash.h>

#include "t76_help.h"

enum { TRAILER = 64 };

/* The image of the sound checkpoint as an ordinary HDF5 file. */
static hid_t open_image(void)
{
    unsigned char *data = NULL;
    size_t bytes;
    if (write_small(path_of("a.h5"), &bytes) != DC_OK || dc_file_read(path_of("a.h5"), 1 << 24, &data, &bytes) != DC_OK)
        return -1;
    write_bytes(path_of("image.h5"), data, bytes - TRAILER);
    dc_mem_free(&data);
    return H5Fopen(path_of("image.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
}

/* Adds the XXH3-128 of the image in a line of 64 bytes after it. */
static void seal(hid_t file)
{
    unsigned char *data = NULL;
    size_t bytes;
    char line[TRAILER + 1];
    H5Fclose(file);
    CHECK_OK(dc_file_read(path_of("image.h5"), 1 << 24, &data, &bytes));
    const XXH128_hash_t h = XXH3_128bits(data, bytes);
    snprintf(line, sizeof line, "dcmpi-ckpt xxh3-128 %016" PRIx64 "%016" PRIx64 "%*s\n", h.high64, h.low64, 11, "");
    const dc_file_piece piece[] = {{data, bytes}, {line, TRAILER}};
    CHECK_INT(strlen(line), TRAILER);
    CHECK_OK(dc_file_replace(path_of("a.h5"), piece, 2));
    dc_mem_free(&data);
}

static void refuse(hid_t file, const char *why)
{
    dc_ckpt c;
    seal(file);
    CHECK_STATUS(dc_ckpt_open(path_of("a.h5"), &c), DC_ERR_FORMAT);
    CHECK_TEXT_HAS(dc_error_text(), why);
    CHECK_TEXT_HAS(dc_error_text(), "a.h5");
    CHECK(c.n == 0 && c.header.deck == NULL);
    dc_error_clear();
}

/* The file is accepted, and what was added is ignored. */
static void ignore(hid_t file)
{
    dc_ckpt c;
    seal(file);
    CHECK_OK(dc_ckpt_open(path_of("a.h5"), &c));
    CHECK_INT(c.n, SMALL_ARRAYS);
    for (int i = 0; i < c.n; i++) {
        void *data = strcmp(c.array[i].name, "net/weights") == 0 ? load_all(&c, i, WEIGHTS) : NULL;
        if (data) CHECK(memcmp(data, weights, sizeof weights) == 0);
        dc_mem_free(&data);
    }
    dc_ckpt_release(&c);
}

static hid_t put(hid_t file, const char *name, hid_t type, hid_t space, hid_t dcpl)
{
    const hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    CHECK(set >= 0);
    H5Dclose(set);
    H5Sclose(space);
    return file;
}

static hid_t vector(hsize_t n)
{
    return H5Screate_simple(1, &n, NULL);
}

static void test_types_and_shapes(void)
{
    hid_t file = open_image();
    ignore(file);
    const hid_t text = H5Tcopy(H5T_C_S1), pair = H5Tcreate(H5T_COMPOUND, 8);
    H5Tset_size(text, 5);
    H5Tinsert(pair, "a", 0, H5T_NATIVE_INT);
    H5Tinsert(pair, "b", 4, H5T_NATIVE_FLOAT);
    refuse(put(open_image(), "/state/x", text, vector(3), H5P_DEFAULT), "is not part of any checkpoint");
    refuse(put(open_image(), "/state/x", pair, vector(3), H5P_DEFAULT), "is not part of any checkpoint");
    refuse(put(open_image(), "/state/x", H5T_STD_I8LE, vector(3), H5P_DEFAULT), "is not part of any checkpoint");
    refuse(put(open_image(), "/state/x", H5T_STD_REF_OBJ, vector(3), H5P_DEFAULT), "is not part of any checkpoint");
    refuse(put(open_image(), "/state/x", H5T_IEEE_F32LE, H5Screate(H5S_SCALAR), H5P_DEFAULT), "is not part of any");
    refuse(put(open_image(), "/state/x", H5T_IEEE_F32LE, H5Screate(H5S_NULL), H5P_DEFAULT), "no shape");
    refuse(put(open_image(), "/state/x", H5T_IEEE_F32LE, H5Screate_simple(2, (hsize_t[]){2, 3}, NULL), H5P_DEFAULT),
           "is not part of any checkpoint");
    refuse(put(open_image(),
               "/state/"
               "a23456789b123456789c123456789d123456789e123456789f123456789g1234",
               H5T_IEEE_F32LE, vector(1), H5P_DEFAULT),
           "is not part of any checkpoint");
    refuse(put(open_image(), "/state/x", H5T_IEEE_F32BE, vector(3), H5P_DEFAULT), "is not part of any checkpoint");
    refuse(put(open_image(), "/state/x", H5T_IEEE_F32LE, H5Screate_simple(2, (hsize_t[]){1000, 0}, NULL), H5P_DEFAULT),
           "is not part of any checkpoint");
    refuse(
        put(open_image(), "/state/x", H5T_IEEE_F32LE, H5Screate_simple(3, (hsize_t[]){1000, 1, 1}, NULL), H5P_DEFAULT),
        "is not part of any checkpoint");
    ignore(put(open_image(), "/elsewhere", H5T_IEEE_F32LE, vector(3), H5P_DEFAULT));
    ignore(put(open_image(), "/stateful", H5T_IEEE_F32LE, vector(3), H5P_DEFAULT));
    H5Tclose(text);
    H5Tclose(pair);
}

static hid_t chunked(void)
{
    const hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(dcpl, 1, (hsize_t[]){1000});
    return dcpl;
}

/* Values that are there, but not in one piece. */
static void test_layouts(void)
{
    const hid_t early = chunked(), compact = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_alloc_time(early, H5D_ALLOC_TIME_EARLY);
    refuse(put(open_image(), "/state/x", H5T_IEEE_F32LE, vector(3000), early), "'/state/x' is not in one piece");
    H5Pset_layout(compact, H5D_COMPACT);
    refuse(put(open_image(), "/state/x", H5T_IEEE_F32LE, vector(30), compact), "'/state/x' is not in one piece");
    H5Pclose(early);
    H5Pclose(compact);
}

/* Shapes that only claim to hold something must not make us ask for memory. */
static void test_huge(void)
{
    static const hsize_t sizes[] = {(hsize_t)1 << 33, (hsize_t)1 << 50, (hsize_t)1 << 61};
    for (size_t i = 0; i < DC_COUNT_OF(sizes); i++) {
        const hid_t dcpl = chunked();
        refuse(put(open_image(), "/state/x", H5T_IEEE_F32LE, vector(sizes[i]), dcpl), "claims");
        H5Pclose(dcpl);
    }
    const hid_t never = chunked(), squeezed = chunked();
    refuse(put(open_image(), "/state/x", H5T_IEEE_F32LE, vector(1 << 20), never), "claims");
    H5Pset_deflate(squeezed, 1);
    refuse(put(open_image(), "/state/x", H5T_IEEE_F32LE, vector((hsize_t)1 << 40), squeezed), "claims");
    H5Pclose(never);
    H5Pclose(squeezed);
}

static void test_too_many(void)
{
    const hid_t file = open_image();
    char name[32];
    const hid_t early = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_alloc_time(early, H5D_ALLOC_TIME_EARLY);
    for (int i = 0; i < DC_STATE_ARRAYS_MAX; i++) {
        snprintf(name, sizeof name, "/state/x%d", i);
        put(file, name, H5T_STD_I64LE, vector(1), early);
    }
    H5Pclose(early);
    refuse(file, "is not part of any checkpoint");
}

/* Links that lead elsewhere are not followed, data kept elsewhere are not read. */
static void test_links(void)
{
    hid_t file = open_image();
    H5Lcreate_soft("/state/net/weights", file, "/state/soft", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/state", file, "/state/loop", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external("/etc/passwd", "/x", file, "/state/far", H5P_DEFAULT, H5P_DEFAULT);
    ignore(file);

    file = open_image();
    H5Ldelete(file, "/state/net/weights", H5P_DEFAULT);
    H5Lcreate_external(path_of("other.h5"), "/x", file, "/state/net/weights", H5P_DEFAULT, H5P_DEFAULT);
    dc_ckpt c;
    seal(file);
    CHECK_OK(dc_ckpt_open(path_of("a.h5"), &c));
    CHECK_INT(c.n, SMALL_ARRAYS - 1); /* as if it were not there */
    dc_ckpt_release(&c);

    const hid_t external = H5Pcreate(H5P_DATASET_CREATE);
    write_bytes(path_of("raw"), weights, sizeof weights);
    H5Pset_external(external, path_of("raw"), 0, sizeof weights);
    refuse(put(open_image(), "/state/x", H5T_IEEE_F32LE, vector(WEIGHTS), external), "x'");
    H5Pclose(external);

    const hid_t virtual = H5Pcreate(H5P_DATASET_CREATE), whole = vector(10);
    H5Pset_virtual(virtual, whole, path_of("other.h5"), "/x", whole);
    refuse(put(open_image(), "/state/x", H5T_IEEE_F32LE, vector(10), virtual), "x'");
    H5Pclose(virtual);
    H5Sclose(whole);
}

static hid_t without(const char *attribute)
{
    const hid_t file = open_image();
    CHECK(H5Adelete(file, attribute) >= 0);
    return file;
}

static hid_t with_number(const char *attribute, int64_t value)
{
    const hid_t file = without(attribute), space = H5Screate(H5S_SCALAR);
    const hid_t a = H5Acreate2(file, attribute, H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT);
    CHECK(H5Awrite(a, H5T_NATIVE_INT64, &value) >= 0);
    H5Aclose(a);
    H5Sclose(space);
    return file;
}

static hid_t with_text(const char *attribute, const char *value)
{
    const hid_t file = without(attribute), space = H5Screate(H5S_SCALAR), type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, strlen(value));
    const hid_t a = H5Acreate2(file, attribute, type, space, H5P_DEFAULT, H5P_DEFAULT);
    CHECK(H5Awrite(a, type, value) >= 0);
    H5Aclose(a);
    H5Sclose(space);
    H5Tclose(type);
    return file;
}

static void test_header(void)
{
    static const char *const all[] = {"format", "format_version", "deck",      "created",       "verb",
                                      "phase",  "version",        "git",       "arch",          "step",
                                      "ranks",  "threads",        "data_hash", "rows",          "columns",
                                      "part",   "wall_seconds",   "log_bytes", "metrics_bytes", "libraries"};
    for (size_t i = 0; i < DC_COUNT_OF(all); i++) refuse(without(all[i]), all[i]);
    refuse(with_text("format", "dcmpi-result"), "is not a checkpoint: its format is 'dcmpi-result'");
    refuse(with_number("format_version", DC_CKPT_VERSION + 1), "use the newer dcmpi");
    refuse(with_number("format_version", DC_CKPT_OLDEST - 1), "let the dcmpi that wrote it finish the run");
    ignore(with_number("format_version", DC_CKPT_OLDEST));
    refuse(with_number("deck", 5), "deck");
    refuse(with_text("step", "five"), "step");
    char text[3000];
    memset(text, 'v', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    ignore(with_text("version", text)); /* cut */
}

static void test_values(void)
{
    const float bad[] = {NAN, INFINITY};
    for (int i = 0; i < 2; i++) {
        const hid_t file = open_image(), set = H5Dopen2(file, "/state/net/weights", H5P_DEFAULT);
        weights[WEIGHTS - 1] = bad[i];
        CHECK(H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, weights) >= 0);
        H5Dclose(set);
        refuse(file, "'/state/net/weights' holds a value that is not finite");
    }
    const hid_t file = open_image();
    H5Ldelete(file, "/state", H5P_DEFAULT);
    refuse(file, "holds no state");
}

int main(void)
{
    make_folder();
    test_types_and_shapes();
    test_layouts();
    test_huge();
    test_too_many();
    test_links();
    test_header();
    test_values();
    remove_files(folder);
    rmdir(folder);
    return check_done();
}
