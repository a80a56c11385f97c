/* Rows of HDF5 datasets in chunks, read without the library: the same bytes as through it, for all filters, shapes of
 * chunks, indexes and types, by many threads with little room; chunks that are not stored; and what damaged files do.
 * ranks: 0 */
#include <fcntl.h>
#include <hdf5.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "check.h"
#include "dcmpi/store.h"
#include "io/chunks.h"

enum { N = 1003, D = 24, BYTES_MAX = N * D * 8 };

static char folder[CHECK_PATH_MAX];
enum { PATH_BYTES = CHECK_PATH_MAX + 8 };
static char path[PATH_BYTES], names[PATH_BYTES + 8];
static char all[BYTES_MAX], part[BYTES_MAX];

/* ---- Files ------------------------------------------------------------------------------------------------------- */

/* How a dataset is stored. */
typedef struct {
    hid_t type;
    int n_dims;
    hsize_t dims[3], chunk[3];
    const char *filters; /* s: shuffle, d: deflate, f: fletcher32; in this order */
    bool newest;         /* the formats of the newest library, which have other indexes */
    bool grows;          /* without an end */
    bool plain_edges;
    int holes;    /* only every so manieth piece of ten rows is written */
    bool no_fill; /* what is not written has no value */
} plan;

static hid_t creation_of(const plan *p)
{
    const hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(dcpl, p->n_dims, p->chunk);
    if (p->plain_edges) H5Pset_chunk_opts(dcpl, H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS);
    for (const char *f = p->filters; *f; f++) {
        if (*f == 's') H5Pset_shuffle(dcpl);
        if (*f == 'd') H5Pset_deflate(dcpl, 4);
        if (*f == 'f') H5Pset_fletcher32(dcpl);
        if (*f == 'o') H5Pset_scaleoffset(dcpl, H5Z_SO_INT, 0);
    }
    H5Pset_fill_value(dcpl, H5T_NATIVE_INT, &(int){77});
    if (p->no_fill) H5Pset_fill_time(dcpl, H5D_FILL_TIME_NEVER);
    return dcpl;
}

static void write_pieces(const plan *p, hid_t dset)
{
    static int values[N * D];
    const hid_t space = H5Dget_space(dset);
    hsize_t start[3] = {0}, count[3] = {0, p->dims[1], p->dims[2]};
    for (int i = 0; i < N * D; i++) values[i] = i * 37 % 251;
    for (hsize_t row = 0; row < N; row += count[0]) {
        start[0] = row;
        count[0] = p->holes ? DC_MIN((hsize_t)10, N - row) : N;
        if (p->holes && row / 10 % (hsize_t)p->holes) continue;
        const hid_t memory = H5Screate_simple(p->n_dims, count, NULL);
        H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL);
        CHECK(H5Dwrite(dset, H5T_NATIVE_INT, memory, space, H5P_DEFAULT, values + row * D) >= 0);
        H5Sclose(memory);
    }
    H5Sclose(space);
}

static void write_file(const plan *p)
{
    const hsize_t endless[] = {H5S_UNLIMITED, p->dims[1], p->dims[2]};
    const hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);
    if (p->newest) H5Pset_libver_bounds(fapl, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, fapl), dcpl = creation_of(p);
    const hid_t space = H5Screate_simple(p->n_dims, p->dims, p->grows ? endless : NULL);
    const hid_t dset = H5Dcreate2(file, "X", p->type, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    write_pieces(p, dset);
    H5Dclose(dset);
    H5Sclose(space);
    H5Pclose(dcpl);
    CHECK(H5Fclose(file) >= 0);
    H5Pclose(fapl);
}

static dc_status find(void *ctx, dc_h5 *h5, size_t i, char name[DC_H5_NAME_MAX])
{
    (void)ctx, (void)h5, (void)i;
    snprintf(name, DC_H5_NAME_MAX, "/X");
    return DC_OK;
}

/* Rows [row, row + n) of the file can then be read. bytes: for unpacked chunks. */
static dc_status open_store(dc_gidx row, int64_t n, size_t bytes, dc_store **out)
{
    dc_status st = DC_OK;
    dc_store_piece piece = {.dataset = PATH_BYTES, .offset = -1, .rows = N};
    dc_h5 *h5 = NULL;
    dc_h5_info info;
    int64_t width;
    *out = NULL;
    DC_TRY(dc_h5_open(&h5, path, DC_H5_READ));
    DC_TRY(dc_h5_dataset_info(h5, "/X", &info));
    DC_TRY(dc_h5_row_width(path, "/X", &info, &width));
    DC_TRY(dc_h5_get_packing(h5, "/X", &piece.packing));
    piece.state = dc_h5_file_state(h5);
    snprintf(names, PATH_BYTES, "%s", path);
    snprintf(names + PATH_BYTES, 8, "/X");
    DC_TRY(dc_store_create(&piece, 1, names, sizeof names, (size_t)width * info.item_bytes, out));
    st = dc_store_list_chunks(*out, row, n, 4, bytes, find, NULL);
out:
    (void)!dc_h5_close(&h5);
    if (st != DC_OK) dc_store_destroy(out);
    return st;
}

/* ---- The same bytes ---------------------------------------------------------------------------------------------- */

/* all = the dataset, through the library. Returns the bytes of a row. */
static size_t read_library(void)
{
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), dset = H5Dopen2(file, "X", H5P_DEFAULT);
    const hid_t type = H5Dget_type(dset);
    const size_t row_bytes = H5Tget_size(type) * D;
    CHECK(H5Dread(dset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, all) >= 0);
    H5Tclose(type);
    H5Dclose(dset);
    H5Fclose(file);
    return row_bytes;
}

/* Pieces of all lengths, by several threads, in a mixed order. */
static int wrong_pieces(dc_store *store, size_t row_bytes)
{
    int wrong = 0;
#pragma omp parallel for num_threads(4) schedule(dynamic, 1) reduction(+ : wrong)
    for (int k = 0; k < 300; k++) {
        const dc_gidx row = k * 389 % N, n = DC_MIN(N - row, (dc_gidx)(k * 7 % 90));
        char x[90 * D * 8];
        wrong += dc_store_read(store, row, n, x) != DC_OK;
        wrong += memcmp(x, all + (size_t)row * row_bytes, (size_t)n * row_bytes) != 0;
    }
    return wrong;
}

static void compare(const char *what, const plan *p)
{
    dc_store *store = NULL;
    write_file(p);
    const size_t row_bytes = read_library();
    for (size_t bytes = 0; bytes <= DC_STORE_CHUNKS_BYTES; bytes += DC_STORE_CHUNKS_BYTES) {
        CHECK_OK(open_store(0, N, bytes, &store));
        if (!store) return;
        printf("# %s\n", what);
        CHECK_OK(dc_store_read(store, 0, N, part));
        CHECK(memcmp(part, all, N * row_bytes) == 0);
        dc_store_expect(store, 0, N);
        CHECK_INT(wrong_pieces(store, row_bytes), 0);
        dc_store_destroy(&store);
    }
    CHECK_OK(open_store(500, 100, 0, &store)); /* a rank has only its own rows */
    CHECK(store && dc_store_read(store, 500, 100, part) == DC_OK);
    CHECK(memcmp(part, all + 500 * row_bytes, 100 * row_bytes) == 0);
    dc_store_destroy(&store);
}

static void test_bytes(void)
{
    static const char *const filters[] = {"", "d", "s", "f", "sd", "sdf", "fsd", "dd", "dfs", "fsdf"};
    plan p = {.type = H5T_STD_I32LE, .n_dims = 2, .dims = {N, D}, .chunk = {100, D}, .filters = "sd"};
    for (size_t i = 0; i < DC_COUNT_OF(filters); i++) {
        p.filters = filters[i];
        compare(filters[i], &p);
    }
    p.filters = "sdf";
    p.chunk[0] = 17, p.chunk[1] = 7;
    compare("chunks that cut columns", &p);
    const hid_t types[] = {H5T_STD_U8LE, H5T_STD_I16LE, H5T_IEEE_F32LE, H5T_IEEE_F64LE};
    for (size_t i = 0; i < DC_COUNT_OF(types); i++) {
        p.type = types[i];
        compare("another type", &p);
    }
    p = (plan){.type = H5T_IEEE_F32LE, .n_dims = 3, .dims = {N, 4, 6}, .chunk = {33, 3, 4}, .filters = "sd"};
    compare("rows of two dimensions", &p);
    p = (plan){.type = H5T_IEEE_F32LE, .n_dims = 2, .dims = {N, D}, .chunk = {2, 3}, .filters = "d"};
    compare("small chunks", &p);
    for (int i = 0; i < 8; i++) {
        p.newest = true;
        p.grows = i & 2;
        p.chunk[0] = i % 2 == 0 ? 90 : p.grows ? 2000 : N, p.chunk[1] = D;
        p.filters = i & 4 ? "sdf" : "";
        p.plain_edges = i >= 6;
        compare("an index of new files", &p);
    }
    p = (plan){.type = H5T_IEEE_F32LE, .n_dims = 2, .dims = {N, D}, .chunk = {10, 9}, .filters = "sd", .holes = 3};
    compare("chunks that are not stored have the fill value", &p);
    p.newest = true;
    compare("the same in new files", &p);
}

/* ---- Damage ------------------------------------------------------------------------------------------------------ */

static void expect_listing(dc_status expected, const char *why)
{
    dc_store *store = NULL;
    CHECK_STATUS(open_store(0, N, 0, &store), expected);
    CHECK_TEXT_HAS(dc_error_text(), why);
    dc_error_clear();
    dc_store_destroy(&store);
}

/* The chunks are found, but reading them fails. */
static void expect_damage(const char *why)
{
    dc_store *store = NULL;
    CHECK_OK(open_store(0, N, 0, &store));
    if (!store) return;
    memset(part, 1, sizeof part);
    CHECK_STATUS(dc_store_read(store, 0, N, part), DC_ERR_DATA);
    CHECK_INT(part[0], 0);
    CHECK_STATUS(dc_store_read(store, 0, 1, part), DC_ERR_DATA);
    CHECK_STATUS(dc_store_status(store), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), path);
    CHECK_TEXT_HAS(dc_error_text(), why);
    dc_error_clear();
    dc_store_destroy(&store);
}

static dc_chunk_place place_of(int64_t chunk)
{
    dc_h5 *h5 = NULL;
    dc_chunk_layout l;
    static dc_chunk_place places[N * D];
    const int fd = open(path, O_RDONLY);
    CHECK_OK(dc_h5_image_open(&h5, path, fd, (size_t)lseek(fd, 0, SEEK_END)));
    CHECK_OK(dc_h5_chunk_layout(h5, "/X", &l));
    CHECK_OK(dc_h5_chunk_places(h5, "/X", &l, 0, l.bands, places));
    CHECK_OK(dc_h5_close(&h5));
    close(fd);
    return places[chunk];
}

static void overwrite(int64_t at, const void *bytes, size_t n)
{
    const int fd = open(path, O_WRONLY);
    CHECK(fd >= 0 && pwrite(fd, bytes, n, at) == (ssize_t)n && close(fd) == 0);
}

/* Puts another chunk, with its own length, in the place of one. */
static void replace_chunk(const void *bytes, size_t n)
{
    const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), dset = H5Dopen2(file, "X", H5P_DEFAULT);
    CHECK(H5Dwrite_chunk(dset, H5P_DEFAULT, 0, (hsize_t[]){300, 0}, n, bytes) >= 0);
    H5Dclose(dset);
    H5Fclose(file);
}

/* So many zeros, deflated. */
static void replace_by_zeros(size_t n)
{
    static Bytef packed[4096];
    uLongf bytes = sizeof packed;
    char *zeros = NULL;
    CHECK_OK(dc_mem_alloc(&zeros, n, 1, "test"));
    CHECK(compress(packed, &bytes, (const Bytef *)zeros, n) == Z_OK);
    replace_chunk(packed, bytes);
    dc_mem_free(&zeros);
}

/* Replaces the address of a chunk in the index. */
static void move_chunk(int64_t chunk, int64_t to)
{
    const dc_chunk_place p = place_of(chunk);
    static char file[1 << 20];
    const int fd = open(path, O_RDONLY);
    const ssize_t n = pread(fd, file, sizeof file, 0);
    int found = 0;
    close(fd);
    for (ssize_t i = 0; i + 8 <= n; i++)
        if (memcmp(file + i, &p.at, 8) == 0) overwrite(i, &to, 8), found++;
    CHECK(found > 0);
}

static void test_damage(void)
{
    const plan good = {.type = H5T_IEEE_F32LE, .n_dims = 2, .dims = {N, D}, .chunk = {100, D}, .filters = "d"};
    const size_t chunk_bytes = 100 * D * 4;
    plan p = good;
    write_file(&p);
    overwrite(place_of(3).at + 20, "damage", 6);
    expect_damage("is damaged: the chunk of row 300 at byte");
    write_file(&p);
    replace_by_zeros(chunk_bytes * 2);
    expect_damage("expands to more than a chunk");
    write_file(&p);
    replace_by_zeros(chunk_bytes - 4);
    expect_damage("expands to 9596 bytes, not to the 9600 of a chunk");
    write_file(&p);
    replace_chunk("short", 5);
    expect_damage("the chunk of row 300 at byte");
    write_file(&p);
    replace_chunk(all, chunk_bytes * 2);
    expect_listing(DC_ERR_FORMAT, "the chunk of row 300 is longer than a chunk can be");
    write_file(&p);
    move_chunk(3, 1 << 30);
    expect_listing(DC_ERR_FORMAT, "the chunk of row 300");

    p.filters = "sdf";
    write_file(&p);
    overwrite(place_of(3).at + 20, "damage", 6);
    expect_damage("has another checksum than when it was written");
    p = good;
    p.holes = 2, p.no_fill = true, p.chunk[0] = 10;
    write_file(&p);
    expect_listing(DC_ERR_FORMAT, "the chunk of row 10 is missing, and there is no fill value");
}

static void test_refusals(void)
{
    dc_store *store = NULL;
    plan p = {.type = H5T_STD_I32LE, .n_dims = 2, .dims = {N, D}, .chunk = {100, D}, .filters = "o"};
    write_file(&p);
    expect_listing(DC_ERR_FORMAT, "is packed by filter 6 (scaleoffset)");
    p.filters = "ddddddddd";
    write_file(&p);
    expect_listing(DC_ERR_FORMAT, "is packed by 9 filters");
    p.filters = "d";
    write_file(&p);
    CHECK_OK(open_store(0, N, 0, &store));
    CHECK(store && dc_store_read(store, 0, 10, part) == DC_OK);
    usleep(20000); /* the clock of the file system is coarse */
    overwrite(place_of(9).at, "?", 1);
    CHECK_STATUS(dc_store_read(store, 0, N, part), DC_ERR_DATA);
    CHECK_STATUS(dc_store_status(store), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "changed while it was read: somebody wrote to it");
    dc_error_clear();
    dc_store_destroy(&store);
}

int main(void)
{
    CHECK(mkdtemp(check_temporary(folder)) != NULL);
    snprintf(path, sizeof path, "%s/x.h5", folder);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const uint64_t before = dc_mem_live_count();
    test_bytes();
    test_damage();
    test_refusals();
    CHECK_INT(dc_mem_live_count(), before);
    unlink(path);
    CHECK(rmdir(folder) == 0);
    return check_done();
}
