/* Sparse files that must be refused: each with DC_ERR_DATA on all ranks, one text, and nothing taken for what the file
 * only claims. Named damage first, then mutations of single numbers of a small file by a generator.
 * ranks: 1 3  threads: 1 2  limit: 300 */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ranks_folder.h"
#include "t22_help.h"

enum { N = 40, D = 11, SHARDS = 16, MUTANTS = 100 };

static sparse_rows rows;
static const sparse_layout by_rows = {DC_H5_I64, DC_H5_I64, DC_H5_F64, false, false, false};
static const sparse_layout by_columns = {DC_H5_I64, DC_H5_I64, DC_H5_F64, true, false, false};

static dc_status load(const char *file)
{
    dc_dataset *d = NULL;
    const dc_status st = dc_dataset_load(comm, path_of(file), 0, SHARDS, DC_SCALE_NONE, 0, 1, &d);
    dc_dataset_destroy(&d);
    return st;
}

/* ---- Named damage ------------------------------------------------------------------------------------------------ */

static void put_i64(dc_h5 *h5, const char *name, dc_gidx at, int64_t v)
{
    CHECK_OK(dc_h5_write_rows(h5, name, DC_H5_I64, at, 1, &v));
}

static void put_f64(dc_h5 *h5, dc_gidx at, double v)
{
    CHECK_OK(dc_h5_write_rows(h5, "/X/data", DC_H5_F64, at, 1, &v));
}

static void shape(dc_h5 *h5, int64_t n, int64_t d)
{
    CHECK_OK(dc_h5_put_attr_i64(h5, "/X", "shape", (int64_t[]){n, d}, 2));
}

/* A row with at least two values. */
static int64_t row_of_two(void)
{
    int64_t i = 0;
    while (rows.ptr[i + 1] - rows.ptr[i] < 2) i++;
    return i;
}

static void falls(dc_h5 *h5)
{
    put_i64(h5, "/X/indptr", N / 2 + 1, rows.ptr[N / 2] - 1);
}
static void beyond(dc_h5 *h5)
{
    put_i64(h5, "/X/indptr", 20, rows.nnz + 1);
}
static void starts_late(dc_h5 *h5)
{
    put_i64(h5, "/X/indptr", 0, 1);
}
static void ends_early(dc_h5 *h5)
{
    put_i64(h5, "/X/indptr", N, rows.nnz - 1);
}
static void negative(dc_h5 *h5)
{
    put_i64(h5, "/X/indptr", 3, -5);
}
static void overflows(dc_h5 *h5)
{
    put_i64(h5, "/X/indptr", 3, INT64_MAX);
}
static void column_beyond(dc_h5 *h5)
{
    put_i64(h5, "/X/indices", rows.nnz - 1, D);
}
static void column_negative(dc_h5 *h5)
{
    put_i64(h5, "/X/indices", 7, -1);
}
static void column_huge(dc_h5 *h5)
{
    put_i64(h5, "/X/indices", 7, INT64_C(1) << 32);
}
static void column_twice(dc_h5 *h5)
{
    const int64_t i = row_of_two();
    put_i64(h5, "/X/indices", rows.ptr[i], rows.col[rows.ptr[i] + 1]);
}
static void not_a_number(dc_h5 *h5)
{
    put_f64(h5, rows.nnz / 2, NAN);
}
static void infinite(dc_h5 *h5)
{
    put_f64(h5, 0, INFINITY);
}
static void beyond_float(dc_h5 *h5)
{
    put_f64(h5, 5, 1e300);
}
static void many_rows(dc_h5 *h5)
{
    shape(h5, 1000000000, D);
}
static void many_places(dc_h5 *h5)
{
    shape(h5, INT64_C(1) << 40, INT64_C(1) << 30);
}
static void wide(dc_h5 *h5)
{
    shape(h5, N, INT64_C(1) << 31);
}
static void no_rows(dc_h5 *h5)
{
    shape(h5, 0, D);
}
static void negative_shape(dc_h5 *h5)
{
    shape(h5, -N, D);
}
static void no_shape(dc_h5 *h5)
{
    CHECK_OK(dc_h5_remove_attr(h5, "/X", "shape"));
}
static void text_shape(dc_h5 *h5)
{
    CHECK_OK(dc_h5_remove_attr(h5, "/X", "shape"));
    CHECK_OK(dc_h5_put_attr_str(h5, "/X", "shape", "40 x 11"));
}
static void no_format(dc_h5 *h5)
{
    CHECK_OK(dc_h5_remove_attr(h5, "/X", "encoding-type"));
}
static void other_format(dc_h5 *h5)
{
    CHECK_OK(dc_h5_put_attr_str(h5, "/X", "encoding-type", "dataframe"));
}
static void no_data(dc_h5 *h5)
{
    CHECK_OK(dc_h5_remove(h5, "/X/data"));
}
static void no_pointers(dc_h5 *h5)
{
    CHECK_OK(dc_h5_remove(h5, "/X/indptr"));
}
static void short_data(dc_h5 *h5)
{
    CHECK_OK(dc_h5_remove(h5, "/X/data"));
    CHECK_OK(dc_h5_put(h5, "/X/data", DC_H5_F64, 1, (dc_gidx[]){rows.nnz - 1}, rows.val));
}
static void flat_data(dc_h5 *h5)
{
    CHECK_OK(dc_h5_remove(h5, "/X/data"));
    CHECK_OK(dc_h5_put(h5, "/X/data", DC_H5_F64, 2, (dc_gidx[]){rows.nnz, 1}, rows.val));
}
static void real_indices(dc_h5 *h5)
{
    CHECK_OK(dc_h5_remove(h5, "/X/indices"));
    CHECK_OK(dc_h5_put(h5, "/X/indices", DC_H5_F64, 1, (dc_gidx[]){rows.nnz}, rows.val));
}
static void wrong_sum(dc_h5 *h5)
{
    CHECK_OK(dc_h5_remove(h5, "/X/indices"));
    put_numbers(h5, "/X/indices", DC_H5_I32, rows.nnz, DC_H5_I64, rows.col);
    CHECK_OK(dc_h5_put_hash(h5, "/X", 1));
}

static const struct {
    void (*damage)(dc_h5 *h5);
    bool columns; /* in a file by columns */
    const char *text;
} cases[] = {{falls, false, "it must rise"},
             {beyond, false, "it must rise"},
             {starts_late, false, "it must rise from 0"},
             {ends_early, false, "it must rise"},
             {negative, false, "it must rise"},
             {overflows, false, "it must rise"},
             {column_beyond, false, "has a value in a column that is not in 0 .. 10"},
             {column_negative, false, "has a value in a column that is not in 0 .. 10"},
             {column_huge, false, "has a value in a column that is not in 0 .. 10"},
             {column_twice, false, "twice"},
             {not_a_number, false, "1 NaN or infinite value(s), the first in row"},
             {infinite, false, "1 NaN or infinite value(s), the first in row"},
             {beyond_float, false, "beyond single precision"},
             {many_rows, false, "have one more"},
             {many_places, false, "2^63 places"},
             {wide, false, "the limit is 2^31 - 1 columns"},
             {no_rows, false, "is empty"},
             {negative_shape, false, "is not [rows, columns]"},
             {no_shape, false, "has no attribute"},
             {text_shape, false, "holds no readable numbers"},
             {no_format, false, "neither csr_matrix nor csc_matrix"},
             {other_format, false, "neither csr_matrix nor csc_matrix"},
             {no_data, false, "a group without 'data'"},
             {no_pointers, false, "a group without 'indptr'"},
             {short_data, false, "values and"},
             {flat_data, false, "it must be a vector"},
             {real_indices, false, "it must be a vector of integers"},
             {wrong_sum, false, "its checksum is"},
             {many_rows, true, "claims 1000000000 rows, but has only"},
             {column_beyond, true, "are 40 rows"},
             {column_negative, true, "are 40 rows"},
             {column_twice, true, "twice"},
             {ends_early, true, "it must rise"},
             {beyond_float, true, "beyond single precision"}};

static void test_cases(void)
{
    for (size_t i = 0; i < DC_COUNT_OF(cases); i++) {
        if (on_rank0()) {
            dc_h5 *h5 = NULL;
            sparse_file(path_of("bad.h5"), &rows, cases[i].columns ? &by_columns : &by_rows);
            CHECK_OK(dc_h5_open(&h5, path_of("bad.h5"), DC_H5_APPEND));
            if (cases[i].columns && cases[i].damage == column_beyond)
                put_i64(h5, "/X/indices", 3, N);
            else if (cases[i].columns && cases[i].damage == column_twice)
                put_i64(h5, "/X/indices", rows.nnz - 1, N - 2);
            else if (cases[i].columns && cases[i].damage == ends_early)
                put_i64(h5, "/X/indptr", D, rows.nnz - 1);
            else
                cases[i].damage(h5);
            CHECK_OK(dc_h5_close(&h5));
        }
        dc_comm_barrier(comm);
        const uint64_t live = dc_mem_live_count();
        CHECK_STATUS(load("bad.h5"), DC_ERR_DATA);
        CHECK_TEXT_HAS(dc_error_text(), cases[i].text);
        CHECK(!strchr(dc_error_text(), '\n'));
        dc_error_clear();
        CHECK(dc_mem_live_count() == live);
        dc_comm_barrier(comm);
    }
}

/* ---- Mutations --------------------------------------------------------------------------------------------------- */

static const int64_t odd[] = {
    -1,        0,        1, 2, D - 1, D, D + 1, N, 127, 255, 1000000000, INT32_MAX, INT64_C(1) << 31, INT64_C(1) << 40,
    INT64_MAX, INT64_MIN};

/* Writes an odd number over one or two places; the matrix has that many rows or columns, by which it is stored. */
static void mutate(dc_h5 *h5, int64_t lines, uint64_t seed)
{
    uint32_t w[4];
    for (uint64_t k = 0; k <= seed % 2; k++) {
        dc_rng4(17, DC_STREAM_TEST, k, seed, w);
        const int64_t v = odd[w[0] % DC_COUNT_OF(odd)];
        if (w[1] % 3 == 0)
            put_i64(h5, "/X/indptr", (dc_gidx)(w[2] % (uint64_t)(lines + 1)), v);
        else if (w[1] % 3 == 1)
            put_i64(h5, "/X/indices", (dc_gidx)(w[2] % (uint64_t)rows.nnz), v);
        else
            shape(h5, w[3] % 2 ? v : N, w[3] % 2 ? D : v);
    }
}

/* A file is either read, or refused as bad data; never anything else, and nothing is left behind. */
static void test_mutants(const sparse_layout *how)
{
    int64_t read = 0, other = 0, leaks = 0;
    for (uint64_t seed = 0; seed < MUTANTS; seed++) {
        if (on_rank0()) {
            dc_h5 *h5 = NULL;
            sparse_file(path_of("bad.h5"), &rows, how);
            if (dc_h5_open(&h5, path_of("bad.h5"), DC_H5_APPEND) == DC_OK) mutate(h5, how->by_columns ? D : N, seed);
            if (dc_h5_close(&h5) != DC_OK) other++;
        }
        dc_comm_barrier(comm);
        const uint64_t live = dc_mem_live_count();
        const dc_status st = load("bad.h5");
        read += st == DC_OK;
        other += st != DC_OK && st != DC_ERR_DATA && st != DC_ERR_MEMORY;
        if (st != DC_OK && st != DC_ERR_DATA && on_rank0()) printf("# %d: %s\n", (int)seed, dc_error_text());
        dc_error_clear();
        leaks += dc_mem_live_count() != live;
        dc_comm_barrier(comm);
    }
    CHECK_INT(other, 0);
    CHECK_INT(leaks, 0);
    CHECK(read < MUTANTS / 3);
}

int main(void)
{
    if (!folder_open()) return 1;
    sparse_rows_make(N, D, false, &rows);
    test_cases();
    test_mutants(&by_rows);
    test_mutants(&by_columns);
    sparse_rows_free(&rows);
    return folder_close();
}
