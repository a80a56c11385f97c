/* Sparse rows of many files as one data set: the same rows, statistics and hash as one file has, whatever the files'
 * types, in memory and in pieces; estimates of the header; a file that is replaced after it was inspected. ranks: 1 3
 * ranks_long: 2 5
 * threads: 1 2 */
#include <unistd.h>

#include "dcmpi/files.h"
#include "ranks_folder.h"
#include "t22_help.h"

enum { N = 203, D = 31, SHARDS = 16, FILES = 5, TEXT = 4096 };
static const dc_gidx cuts[FILES + 1] = {0, 60, 61, 62, 150, N};
static const sparse_layout layouts[FILES] = {{DC_H5_I64, DC_H5_I32, DC_H5_F32, false, false, false},
                                             {DC_H5_I32, DC_H5_I64, DC_H5_F64, false, false, true},
                                             {DC_H5_I64, DC_H5_I32, DC_H5_F64, false, true, false},
                                             {DC_H5_I64, DC_H5_I32, DC_H5_F32, false, false, true},
                                             {DC_H5_I32, DC_H5_I64, DC_H5_F32, false, true, false}};
static sparse_rows all;

/* Writes rows [lo, hi). */
static void write_some(const char *name, dc_gidx lo, dc_gidx hi, const sparse_layout *how)
{
    int64_t ptr[N + 1];
    const int64_t first = all.ptr[lo];
    for (dc_gidx i = lo; i <= hi; i++) ptr[i - lo] = all.ptr[i] - first;
    const sparse_rows some = {.N = hi - lo,
                              .D = D,
                              .nnz = ptr[hi - lo],
                              .ptr = ptr,
                              .col = all.col + first,
                              .val = all.val + first,
                              .X = all.X + lo * D};
    sparse_file(path_of(name), &some, how);
}

static dc_files *open_files(void)
{
    dc_files *files = NULL;
    CHECK_OK(dc_agree(comm, on_rank0() ? dc_files_find(path_of("s?.h5"), "", "", NULL, &files) : DC_OK));
    CHECK_OK(dc_agree(comm, on_rank0() ? dc_files_look(files, NULL) : DC_OK));
    CHECK_OK(dc_files_share(comm, &files));
    return files;
}

static dc_dataset *load(const dc_files *files, dc_gidx rows)
{
    dc_dataset *d = NULL;
    const dc_data_request r = {
        .path = files ? NULL : path_of("whole.h5"), .files = files, .rows = rows, .scale = DC_SCALE_DEC};
    CHECK_OK(dc_dataset_open(comm, &r, SHARDS, 1, 2, &d));
    return d;
}

static void test_rows(dc_gidx rows)
{
    dc_files *files = open_files();
    CHECK(files->n == FILES && files->N == N && files->file[3].is_sparse);
    dc_dataset *d = load(files, rows), *whole = load(NULL, rows);
    const dc_csr *a = &d->csr, *b = &whole->csr;
    CHECK(d->hash == whole->hash && dc_dataset_is_sparse(d));
    CHECK(a->n == b->n && a->D == b->D);
    CHECK(memcmp(a->ptr, b->ptr, (size_t)(a->n + 1) * sizeof *a->ptr) == 0);
    CHECK(memcmp(a->col, b->col, (size_t)a->ptr[a->n] * sizeof *a->col) == 0);
    CHECK(memcmp(a->val, b->val, (size_t)a->ptr[a->n] * sizeof *a->val) == 0);
    CHECK(d->mean == whole->mean && memcmp(d->scale, whole->scale, D * sizeof *d->scale) == 0);
    dc_dataset_destroy(&d);
    dc_dataset_destroy(&whole);
    dc_files_destroy(&files);
}

/* All rows in pieces, which cross the borders of files. */
static void test_stream(int64_t capacity)
{
    dc_files *files = open_files();
    dc_row_stream s;
    dc_part part;
    CHECK_OK(dc_row_stream_open(comm, &(dc_data_request){.files = files}, &s));
    CHECK_OK(dc_part_init(&part, N, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    CHECK_OK(dc_row_stream_start(comm, &s, &part, capacity));
    int64_t rounds = (dc_part_rows(&part) + capacity - 1) / capacity;
    dc_comm_max_i64(comm, &rounds, 1);
    bool same = true;
    for (int64_t r = 0, done = 0; r < rounds; r++) {
        const int64_t n = DC_MIN(capacity, dc_part_rows(&part) - done);
        CHECK_OK(dc_row_stream_read(comm, &s, n));
        for (int64_t i = 0; i < n; i++) {
            float x[D] = {0};
            for (int64_t e = s.csr.ptr[i]; e < s.csr.ptr[i + 1]; e++) x[s.csr.col[e]] = s.csr.val[e];
            same = same && memcmp(x, all.X + (part.row_lo + done + i) * D, sizeof x) == 0;
        }
        done += n;
    }
    CHECK(same);
    CHECK_OK(dc_row_stream_end(comm, &s));
    dc_row_stream_close(&s);
    dc_files_destroy(&files);
}

/* What memory is planned by: the numbers of values up to marks are those of one file. */
static void test_header(dc_gidx rows)
{
    dc_data_header head, whole;
    dc_files *files = open_files();
    if (on_rank0()) {
        CHECK_OK(dc_dataset_inspect(&(dc_data_request){.files = files, .rows = rows}, &head));
        CHECK_OK(dc_dataset_inspect(&(dc_data_request){.path = path_of("whole.h5"), .rows = rows}, &whole));
        CHECK_INT(head.nnz, whole.nnz);
        CHECK(memcmp(head.nnz_before, whole.nnz_before, sizeof head.nnz_before) == 0);
    }
    dc_files_destroy(&files);
}

static void test_replaced(void)
{
    dc_dataset *d = NULL;
    dc_files *files = open_files();
    dc_comm_barrier(comm);
    if (on_rank0()) write_some("s3.h5", 61, 149, &layouts[3]);
    dc_comm_barrier(comm);
    CHECK_STATUS(dc_dataset_open(comm, &(dc_data_request){.files = files}, SHARDS, 1, 2, &d), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "s3.h5 changed while it was read");
    dc_error_clear();
    dc_files_destroy(&files);
}

/* Columns out of range, and no order of pointers: the file, and the row in it. */
static void test_hostile(void)
{
    dc_dataset *d = NULL;
    if (on_rank0()) {
        all.col[all.ptr[148]] = 77;
        write_some("s3.h5", 62, 150, &layouts[3]);
    }
    dc_comm_barrier(comm);
    dc_files *files = open_files();
    CHECK_STATUS(dc_dataset_open(comm, &(dc_data_request){.files = files}, SHARDS, 1, 2, &d), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "s3.h5: row 86 (counted from 0) has a value in a column that is not in 0 .. 30");
    dc_error_clear();
    dc_files_destroy(&files);
}

int main(void)
{
    static const sparse_layout plain = {DC_H5_I64, DC_H5_I32, DC_H5_F32, false, false, false};
    if (!folder_open()) return 1;
    const uint64_t before = dc_mem_live_count();
    sparse_rows_make(N, D, false, &all);
    if (on_rank0()) {
        sparse_file(path_of("whole.h5"), &all, &plain);
        for (int i = 0; i < FILES; i++) {
            char name[16];
            snprintf(name, sizeof name, "s%d.h5", i);
            write_some(name, cuts[i], cuts[i + 1], &layouts[i]);
        }
    }
    dc_comm_barrier(comm);
    test_rows(0);
    test_rows(101);
    test_rows(61);
    test_stream(13);
    test_stream(N);
    test_header(0);
    test_header(62);
    test_replaced();
    test_hostile();
    sparse_rows_free(&all);
    CHECK_INT(dc_mem_live_count(), before);
    return folder_close();
}
