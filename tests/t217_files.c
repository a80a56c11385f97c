/* Many files as one data set: the same rows, labels and ids as one file has, in memory and in pieces; names and globs;
 * the table that spares opening files again; what is refused.
 * ranks: 1 3
 * ranks_long: 2 5
 * threads: 1 2 */
#include <fcntl.h>
#include <hdf5.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dcmpi/files.h"
#include "ranks_folder.h"

enum { N = 203, D = 5, SHARDS = 8, IDS = 6, TEXT = 4096 };
static const dc_gidx cuts[] = {0, 60, 61, 150, N};

static _Float16 X[N * D];
static int32_t y[N];
static char ids[N * IDS];

/* ---- Files ------------------------------------------------------------------------------------------------------- */

static void make_values(void)
{
    for (int i = 0; i < N * D; i++) X[i] = (_Float16)((i * 37 % 101) / 8.0);
    for (int i = 0; i < N; i++) {
        char id[16] = {0};
        snprintf(id, sizeof id, "r%d", i);
        memcpy(ids + i * IDS, id, IDS);
        y[i] = i % 7 == 0 ? -1 : i % 3;
    }
}

static void put_chunked(const char *path, dc_gidx lo, dc_gidx hi)
{
    const hsize_t size[] = {(hsize_t)(hi - lo), D}, chunk[] = {7, D};
    const hid_t half = H5Tcopy(H5T_IEEE_F32LE);
    H5Tset_fields(half, 15, 10, 5, 0, 10);
    H5Tset_size(half, 2);
    H5Tset_ebias(half, 15);
    const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), space = H5Screate_simple(2, size, NULL);
    const hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(dcpl, 2, chunk);
    H5Pset_deflate(dcpl, 1);
    const hid_t dset = H5Dcreate2(file, "X", half, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    CHECK(H5Dwrite(dset, half, H5S_ALL, H5S_ALL, H5P_DEFAULT, X + lo * D) >= 0);
    H5Dclose(dset);
    H5Pclose(dcpl);
    H5Sclose(space);
    H5Tclose(half);
    CHECK(H5Fclose(file) >= 0);
}

/* Rows [lo, hi) with their labels, minus `shift`, and ids; names of the classes, and of the columns if not NULL. */
static void write_h5(const char *path, dc_gidx lo, dc_gidx hi, int shift, const char *classes, bool chunked)
{
    dc_h5 *h5 = NULL;
    uint64_t hash;
    int32_t shifted[N];
    bool stored;
    for (dc_gidx i = lo; i < hi; i++) shifted[i - lo] = y[i] < 0 ? -1 : y[i] - shift;
    CHECK_OK(dc_h5_open(&h5, path, DC_H5_CREATE));
    if (!chunked) CHECK_OK(dc_h5_put(h5, "/X", DC_H5_F16, 2, (dc_gidx[]){hi - lo, D}, X + lo * D));
    CHECK_OK(dc_h5_put(h5, "/y", DC_H5_I32, 1, (dc_gidx[]){hi - lo}, shifted));
    CHECK_OK(dc_h5_create_text(h5, "/ids", IDS, hi - lo));
    CHECK_OK(dc_h5_write_rows(h5, "/ids", DC_H5_TEXT, 0, hi - lo, ids + lo * IDS));
    CHECK_OK(dc_h5_put_names(h5, "classes", classes, &stored));
    CHECK_OK(dc_h5_put_names(h5, "feature_names", "a\nb\nc\nd\ne", &stored));
    if (!chunked) {
        CHECK_OK(dc_h5_hash_dataset(h5, "/X", &hash));
        CHECK_OK(dc_h5_put_hash(h5, "/X", hash));
    }
    CHECK_OK(dc_h5_close(&h5));
    if (chunked) put_chunked(path, lo, hi);
}

static void write_bytes(const char *path, const void *head, size_t head_bytes, const void *rows, size_t bytes)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && write(fd, head, head_bytes) == (ssize_t)head_bytes && write(fd, rows, bytes) == (ssize_t)bytes);
    close(fd);
}

/* An NPY file with this dictionary. */
static void write_npy_as(const char *path, const char *dictionary, const void *rows, size_t bytes)
{
    char head[256] = "\x93NUMPY\1";
    const size_t length = strlen(dictionary);
    head[8] = (char)length;
    memcpy(head + 10, dictionary, length);
    write_bytes(path, head, 10 + length, rows, bytes);
}

static void write_npy(const char *path, dc_gidx lo, dc_gidx hi)
{
    char dictionary[128];
    snprintf(dictionary, sizeof dictionary, "{'descr': '<f2', 'fortran_order': False, 'shape': (%lld, %d), }\n",
             (long long)(hi - lo), D);
    write_npy_as(path, dictionary, X + lo * D, (size_t)((hi - lo) * D) * sizeof *X);
}

static void write_all(void)
{
    static const char *const names[] = {"ant\nbee\ncat", "bee\ncat"};
    if (!on_rank0()) return;
    write_h5(path_of("whole.h5"), 0, N, 0, names[0], false);
    for (int i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "s%d.npy", i);
        write_npy(path_of(name), cuts[i], cuts[i + 1]);
    }
    /* rows 150 to 152 are labelled 0, 1, 2 */
    write_h5(path_of("a.h5"), 0, 60, 0, names[0], false);
    write_h5(path_of("b.h5"), 60, 150, 0, names[0], true);
    for (dc_gidx i = 150; i < N; i++)
        if (y[i] == 0) y[i] = 1;
    write_h5(path_of("c.h5"), 150, N, 1, names[1], false);
    write_h5(path_of("whole.h5"), 0, N, 0, names[0], false);
}

/* ---- Data sets --------------------------------------------------------------------------------------------------- */

/* Names of files in the folder, one per line. */
static const char *names_of(const char *const *name, int n)
{
    static char text[TEXT];
    size_t used = 0;
    for (int i = 0; i < n; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? "\n" : "", path_of(name[i]));
    return text;
}

static dc_files *open_files(const char *names)
{
    dc_files *files = NULL;
    CHECK_OK(dc_agree(comm, on_rank0() ? dc_files_find(names, "", "", NULL, &files) : DC_OK));
    CHECK_OK(dc_agree(comm, on_rank0() ? dc_files_look(files, NULL) : DC_OK));
    CHECK_OK(dc_files_share(comm, &files));
    return files;
}

static dc_dataset *load(const dc_files *files, const char *path, dc_gidx rows)
{
    dc_dataset *d = NULL;
    const dc_data_request r = {.path = path, .files = files, .rows = rows, .scale = DC_SCALE_STANDARD};
    CHECK_OK(dc_dataset_open(comm, &r, SHARDS, 1, 2, &d));
    return d;
}

/* Loads the files and the whole file, and compares all that both have. */
static void compare(const char *names, dc_gidx rows, bool labelled, dc_checksum checksum)
{
    dc_files *files = open_files(names);
    dc_dataset *d = load(files, NULL, rows), *whole = load(NULL, path_of("whole.h5"), rows);
    const size_t n = (size_t)dc_part_rows(&d->part);
    CHECK(d->hash == whole->hash);
    CHECK(memcmp(d->X, whole->X, n * D * sizeof *X) == 0);
    CHECK(memcmp(d->shift, whole->shift, D * sizeof *d->shift) == 0);
    CHECK_INT(d->checksum, checksum);
    CHECK_INT(d->C, labelled ? 3 : 0);
    CHECK_INT(d->id_bytes > 0, labelled);
    if (labelled) {
        CHECK_INT(d->unlabelled, whole->unlabelled);
        CHECK(memcmp(d->y, whole->y, n * sizeof *d->y) == 0);
        CHECK_INT(d->id_bytes, whole->id_bytes);
        CHECK(memcmp(d->ids, whole->ids, n * d->id_bytes) == 0);
        if (on_rank0()) CHECK_TEXT(d->classes, whole->classes);
        if (on_rank0()) CHECK_TEXT(d->feature_names, "a\nb\nc\nd\ne");
    }
    dc_dataset_destroy(&d);
    dc_dataset_destroy(&whole);
    dc_files_destroy(&files);
}

/* All rows in pieces of `capacity`. */
static void check_stream(const char *names, int64_t capacity)
{
    dc_files *files = open_files(names);
    dc_row_stream s;
    dc_part part;
    CHECK_OK(dc_row_stream_open(comm, &(dc_data_request){.files = files}, &s));
    CHECK_INT(s.head.N, N);
    CHECK_OK(dc_part_init(&part, N, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    CHECK_OK(dc_row_stream_start(comm, &s, &part, capacity));
    int64_t done = 0, rounds = (dc_part_rows(&part) + capacity - 1) / capacity;
    dc_comm_max_i64(comm, &rounds, 1);
    bool same = true;
    for (int64_t r = 0; r < rounds; r++) {
        const int64_t n = DC_MIN(capacity, dc_part_rows(&part) - done);
        CHECK_OK(dc_row_stream_read(comm, &s, n));
        same = same && memcmp(s.X, X + (part.row_lo + done) * D, (size_t)(n * D) * sizeof *X) == 0;
        for (int64_t i = 0; s.y && i < n; i++) same = same && s.y[i] == y[part.row_lo + done + i];
        done += n;
    }
    CHECK(same);
    CHECK_OK(dc_row_stream_end(comm, &s));
    dc_row_stream_close(&s);
    dc_files_destroy(&files);
}

static void test_rows(void)
{
    static const char *const npy[] = {"s0.npy", "s1.npy", "s2.npy", "s3.npy"}, *const h5[] = {"a.h5", "b.h5", "c.h5"},
                             *const mixed[] = {"a.h5", "s1.npy", "s2.npy", "c.h5"};
    compare(names_of(npy, 4), 0, false, DC_CHECKSUM_NONE);
    compare(names_of(h5, 3), 0, true, DC_CHECKSUM_PARTLY);
    compare(names_of(mixed, 4), 0, false, DC_CHECKSUM_PARTLY);
    compare(names_of(mixed, 4), 61, false, DC_CHECKSUM_PARTLY);
    compare(names_of(mixed, 4), 59, false, DC_CHECKSUM_UNUSED);
    compare(path_of("s?.npy"), 0, false, DC_CHECKSUM_NONE);
    check_stream(names_of(npy, 4), 13);
    check_stream(names_of(h5, 3), 50);
}

/* A file whose values are not those of its checksum. */
static void test_checksum(void)
{
    static const char *const h5[] = {"a.h5", "c.h5"};
    int64_t place = 0;
    dc_h5 *file = NULL;
    dc_dataset *d = NULL;
    if (on_rank0()) {
        write_h5(path_of("c.h5"), 150, N, 1, "bee\ncat", false);
        CHECK_OK(dc_h5_open(&file, path_of("c.h5"), DC_H5_READ));
        CHECK_OK(dc_h5_place(file, "/X", &place));
        CHECK_OK(dc_h5_close(&file));
        const int fd = open(path_of("c.h5"), O_WRONLY);
        CHECK(pwrite(fd, "\x12", 1, place + 20 * D * (off_t)sizeof *X) == 1);
        close(fd);
    }
    dc_files *files = open_files(names_of(h5, 2));
    CHECK_STATUS(dc_dataset_open(comm, &(dc_data_request){.files = files}, SHARDS, 1, 2, &d), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "c.h5: /X is damaged");
    dc_error_clear();
    dc_files_destroy(&files);
    if (on_rank0()) write_h5(path_of("c.h5"), 150, N, 1, "bee\ncat", false);
    dc_comm_barrier(comm);
}

/* A file that is replaced between the look at its header and the read. */
static void test_replaced(void)
{
    static const char *const npy[] = {"s0.npy", "s1.npy", "s2.npy", "s3.npy"};
    dc_dataset *d = NULL;
    dc_files *files = open_files(names_of(npy, 4));
    dc_comm_barrier(comm);
    if (on_rank0()) write_npy(path_of("s2.npy"), 60, 150);
    dc_comm_barrier(comm);
    CHECK_STATUS(dc_dataset_open(comm, &(dc_data_request){.files = files}, SHARDS, 1, 2, &d), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "s2.npy changed while it was read");
    dc_error_clear();
    dc_files_destroy(&files);
    dc_comm_barrier(comm);
    if (on_rank0()) write_npy(path_of("s2.npy"), cuts[2], cuts[3]);
    dc_comm_barrier(comm);
}

/* ---- Names and tables: rank 0 ------------------------------------------------------------------------------------ */

static void test_names(void)
{
    static const char *const more[] = {"c.h5:X", "s?.npy", "a.h5"}, *const odd[] = {"odd[1].npy", "x:y.npy"};
    dc_files *files = NULL;
    CHECK_OK(dc_files_find(names_of(more, 3), "", "", NULL, &files));
    CHECK_INT(files->n, 6);
    CHECK_TEXT(dc_files_path(files, 0), path_of("c.h5"));
    CHECK_TEXT(dc_files_dataset(files, 0), "X");
    CHECK_TEXT(dc_files_path(files, 2), path_of("s1.npy"));
    CHECK_TEXT_HAS(files->title, "c.h5:X, ... (6 files)");
    CHECK(dc_files_pending(files) && !files->plain);
    dc_files_destroy(&files);

    for (int i = 0; i < 2; i++) write_npy(path_of(odd[i]), 0, 3); /* a name that is a file is no glob, no dataset */
    CHECK_OK(dc_files_find(names_of(odd, 2), "", "", NULL, &files));
    CHECK_INT(files->n, 2);
    CHECK(!dc_files_pending(files));
    dc_files_destroy(&files);
    for (int i = 0; i < 2; i++) unlink(path_of(odd[i]));

    CHECK_OK(dc_files_find(path_of("a.h?"), "", "", NULL, &files)); /* one HDF5 file is read as ever */
    CHECK(files->plain && !dc_files_pending(files));
    dc_files_destroy(&files);
    CHECK_OK(dc_files_find("no/such.h5", "", "", NULL, &files));
    CHECK(files->plain);
    dc_files_destroy(&files);
}

static dc_files *find_with(const char *names, const char *labels, const char *table)
{
    dc_files *files = NULL;
    CHECK_OK(dc_files_find(names, "", labels, table, &files));
    return files;
}

static void test_table(void)
{
    static const char *const list[] = {"a.h5", "s1.npy", "b.h5"}, *const other[] = {"a.h5", "b.h5"};
    char names[TEXT], what[DC_FILES_ROW_MAX], table[TEXT];
    snprintf(table, sizeof table, "%s", path_of("files.tsv"));
    snprintf(names, sizeof names, "%s", names_of(list, 3));
    dc_files *files = find_with(names, "", table), *again; /* there is no table yet */
    CHECK_OK(dc_files_look(files, NULL));
    CHECK_OK(dc_files_put_table(files, table));
    again = find_with(names, "", table);
    CHECK(!dc_files_pending(again));
    CHECK_OK(dc_files_look(again, NULL));
    CHECK_INT(again->N, files->N);
    for (size_t i = 0; i < 3; i++) CHECK(memcmp(&again->file[i], &files->file[i], sizeof files->file[i]) == 0);
    CHECK_TEXT(again->label_dataset, files->label_dataset);
    CHECK(dc_files_compare_table(again, table, what, sizeof what));
    CHECK_TEXT(what, "");
    dc_files_destroy(&again);

    again = find_with(names, "obs/kind", table); /* other labels are asked for */
    CHECK(dc_files_pending(again));
    dc_files_destroy(&again);
    again = find_with(names_of(other, 2), "", table);
    CHECK_OK(dc_files_look(again, NULL));
    CHECK(dc_files_compare_table(again, table, what, sizeof what));
    CHECK_TEXT_HAS(what, "s1.npy is missing");
    dc_files_destroy(&again);

    write_npy(path_of("s1.npy"), 0, 9); /* has other rows now */
    again = find_with(names, "", table);
    CHECK_OK(dc_files_look(again, NULL));
    CHECK(dc_files_compare_table(again, table, what, sizeof what));
    CHECK_TEXT_HAS(what, "s1.npy has 9 rows, before 1");
    dc_files_destroy(&again);
    write_npy(path_of("s1.npy"), cuts[1], cuts[2]); /* the same rows, at another time */
    again = find_with(names, "", table);
    CHECK_OK(dc_files_look(again, NULL));
    CHECK(dc_files_compare_table(again, table, what, sizeof what));
    CHECK_TEXT(what, "");
    dc_files_blame(again, table, what, sizeof what);
    CHECK_TEXT_HAS(what, "s1.npy: somebody wrote to it");
    CHECK_TEXT_HAS(dc_files_row(again, 60, what), " (row 0 of ");
    CHECK_TEXT_HAS(dc_files_row(again, 62, what), "b.h5)");
    CHECK_TEXT(dc_files_row(again, 1000, what), "");
    dc_files_destroy(&again);

    const int fd = open(table, O_WRONLY); /* a damaged table counts for nothing */
    CHECK(pwrite(fd, "7", 1, 200) == 1);
    close(fd);
    again = find_with(names, "", table);
    CHECK(dc_files_pending(again));
    CHECK(!dc_files_compare_table(again, table, what, sizeof what));
    CHECK_TEXT(dc_error_text(), "");
    dc_files_destroy(&again);
    dc_files_destroy(&files);
    unlink(table);
}

/* ---- What is refused --------------------------------------------------------------------------------------------- */

static void refused(const char *names, dc_status expected, const char *why)
{
    dc_files *files = NULL;
    dc_status st = dc_files_find(names, "", "", NULL, &files);
    if (st == DC_OK) st = dc_files_look(files, NULL);
    CHECK_INT(st, expected);
    CHECK_TEXT_HAS(dc_error_text(), why);
    dc_error_clear();
    dc_files_destroy(&files);
}

/* After s0.npy, a file x.npy with this dictionary and so many bytes. */
static void refused_npy(const char *dictionary, size_t bytes, const char *why)
{
    static const char *const list[] = {"s0.npy", "x.npy"};
    static const char zeros[1024];
    write_npy_as(path_of("x.npy"), dictionary, zeros, bytes);
    refused(names_of(list, 2), DC_ERR_DATA, why);
}

#define NPY(descr, order, shape) "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape ", }\n"

static void test_refused_npy(void)
{
    refused_npy(NPY("'<f2'", "False", "(4, 5)"), 39, "x.npy is truncated: ");
    refused_npy(NPY("'<f2'", "False", "(4, 5)"), 41, "x.npy is longer than it should be");
    refused_npy(NPY("'<f2'", "False", "(4, 6)"), 48, "x.npy has 6 columns, and ");
    refused_npy(NPY("'<f4'", "False", "(4, 5)"), 80, "x.npy holds float32, and ");
    refused_npy(NPY("'<i8'", "False", "(4, 5)"), 160, "x.npy holds int64; it must be");
    refused_npy(NPY("'>f2'", "False", "(4, 5)"), 40, "x.npy holds big-endian float16");
    refused_npy(NPY("'|b1'", "False", "(4, 5)"), 20, "x.npy holds bool");
    refused_npy(NPY("'<U2'", "False", "(4, 5)"), 160, "x.npy holds text");
    refused_npy(NPY("'<f2'", "True", "(4, 5)"), 40, "x.npy is stored by columns");
    refused_npy(NPY("'<f2'", "False", "(20,)"), 40, "x.npy has 1 dimension");
    refused_npy(NPY("'<f2'", "False", "(0, 5)"), 0, "x.npy is empty");
    refused_npy(NPY("'<f2'", "False", "(4, 0)"), 0, "x.npy is empty");
    refused_npy(NPY("'<f2'", "False", "(9223372036854775807, 5)"), 0, "more columns or rows");
    refused_npy(NPY("'<f2'", "False", "(4, 4294967296, 4294967296)"), 0, "more columns or rows");
    refused_npy(NPY("'O'", "False", "(4, 5)"), 40, "object arrays");
    refused_npy("{'descr': '<f2'", 0, "NPY header");
    write_bytes(path_of("x.npy"), "\x93NUMPY\7\0\0\0\0\0", 12, "", 0);
    refused(path_of("x.np?"), DC_ERR_DATA, "NPY version 7.0");
    write_bytes(path_of("x.npy"), "\x93NUMPY\1\0\xf0\0{", 11, "", 0);
    refused(path_of("x.np?"), DC_ERR_DATA, "ends within its header");
    unlink(path_of("x.npy"));
}

static void test_refused(void)
{
    static const char *const twice[] = {"s0.npy", "s?.npy"}, *const text[] = {"s0.npy", "x.txt"},
                             *const missing[] = {"s0.npy", "none.npy"}, *const none[] = {"s0.npy", "none*.npy"},
                             *const folder[] = {"s0.npy", "folder"}, *const no_matrix[] = {"s0.npy", "a.h5:emb"},
                             *const of_npy[] = {"s0.npy", "s1.npy:X"}, *const names[] = {"a.h5", "x.h5"};
    dc_h5 *h5 = NULL;
    bool stored;
    refused(names_of(twice, 2), DC_ERR_USAGE, "s0.npy is named twice, as file 1 and as file 2 of 5");
    write_bytes(path_of("x.txt"), "1,2\n", 4, "", 0);
    refused(names_of(text, 2), DC_ERR_DATA, "x.txt is neither HDF5 nor NPY");
    refused(names_of(missing, 2), DC_ERR_IO, "none.npy: No such file");
    refused(names_of(none, 2), DC_ERR_IO, "no file matches ");
    CHECK(mkdir(path_of("folder"), 0700) == 0);
    refused(names_of(folder, 2), DC_ERR_DATA, "is a directory; name its files");
    CHECK(rmdir(path_of("folder")) == 0);
    refused(names_of(no_matrix, 2), DC_ERR_DATA, "a.h5 has no matrix 'emb'");
    refused(names_of(of_npy, 2), DC_ERR_DATA, "an NPY file has no datasets");
    write_h5(path_of("x.h5"), 0, 60, 0, "ant\nbee\ncat", false);
    CHECK_OK(dc_h5_open(&h5, path_of("x.h5"), DC_H5_APPEND));
    CHECK_OK(dc_h5_put_names(h5, "feature_names", "a\nb\nc\ne\nd", &stored));
    CHECK_OK(dc_h5_close(&h5));
    refused(names_of(names, 2), DC_ERR_DATA, "x.h5: column 3 (counted from 0) is 'e', in ");
    CHECK(truncate(path_of("x.h5"), 3000) == 0);
    refused(names_of(names, 2), DC_ERR_DATA, "x.h5");
    unlink(path_of("x.h5"));
}

int main(void)
{
    if (!folder_open()) return 1;
    const uint64_t before = dc_mem_live_count();
    make_values();
    write_all();
    dc_comm_bcast(comm, y, sizeof y, 0);
    test_rows();
    test_checksum();
    test_replaced();
    if (on_rank0()) {
        test_names();
        test_table();
        test_refused_npy();
        test_refused();
    }
    CHECK_INT(dc_mem_live_count(), before);
    return folder_close();
}
