/* Sparse data files: whatever the number of writers and pieces, the bytes of the file are the same; arrays, names,
 * labels and checksums are those of the layout. Seed: none, values follow from places. ranks: 1 */
#include <xxhash.h>

#include "dcmpi/h5_sparse.h"
#include "ranks_folder.h"

enum { N = 1000, D = 30, ID_BYTES = 6, TEXT_BYTES = 9 };

static int64_t ptr[N + 1];
static int32_t col[N * D], label[N];
static float val[N * D];
static char ids[N * ID_BYTES];
static char texts[N * TEXT_BYTES];

/* Row i has i mod 7 values; rows without any are among them. */
static void make_rows(void)
{
    for (int64_t i = 0; i < N; i++) {
        int64_t e = ptr[i];
        for (int32_t k = 0; k < i % 7; k++) col[e] = (int32_t)(i % 3) + 4 * k, val[e++] = (float)(i * D) + (float)k / 8;
        ptr[i + 1] = e;
        label[i] = (int32_t)(i % 4) - 1;
        char text[32];
        snprintf(text, sizeof text, "r%lld", (long long)i);
        memcpy(ids + i * ID_BYTES, text, strlen(text));
        snprintf(texts + i * TEXT_BYTES, TEXT_BYTES, "a %lld", (long long)i);
    }
}

static dc_status fill(void *ctx, dc_h5 *h5)
{
    return dc_h5_put_attr_str(h5, "/", "source", ctx);
}

static dc_status finish(void *ctx, dc_h5 *h5)
{
    return dc_h5_put_attr_f64(h5, "/", "mean", ctx, 1);
}

static dc_status refuse(void *ctx, dc_h5 *h5)
{
    (void)ctx;
    (void)h5;
    return DC_FAIL(DC_ERR_IO, "refused");
}

static const double idf[D] = {1, 2, 3};
static char features[16 * D];

static dc_h5_sparse_spec spec_of(bool named)
{
    static const dc_h5_var_column var[] = {{"idf", DC_H5_F64, idf}};
    dc_h5_sparse_spec spec = {.N = N, .D = D, .nnz = ptr[N], .dtype = DC_F32};
    if (!named) return spec;
    spec.id_bytes = ID_BYTES;
    spec.text_bytes = TEXT_BYTES;
    spec.has_labels = true;
    spec.classes = "aa\nb\nccc";
    spec.features = features;
    spec.var = var;
    spec.n_var = 1;
    return spec;
}

/* Rows [lo, hi) in pieces of at most `step` rows; their sums are added to *all. */
static dc_status write_part(const char *path, const dc_h5_sparse_spec *spec, const dc_h5_sparse_places *places,
                            int64_t lo, int64_t hi, int64_t step, dc_h5_sparse_sums *all)
{
    dc_status st = DC_OK;
    dc_h5_sparse_writer *w = NULL;
    dc_h5_sparse_sums sums;
    DC_TRY(dc_h5_sparse_begin(&w, path, spec, places, lo, ptr[lo]));
    for (int64_t row = lo, n; row < hi; row += n) {
        n = DC_MIN(step, hi - row);
        DC_TRY(dc_h5_sparse_append(
            w, n, ptr + row, col + ptr[row], val + ptr[row], spec->has_labels ? label + row : NULL,
            spec->id_bytes > 0 ? ids + row * ID_BYTES : NULL, spec->text_bytes > 0 ? texts + row * TEXT_BYTES : NULL));
    }
    DC_TRY(dc_h5_sparse_end(&w, &sums));
    all->rows_hash += sums.rows_hash;
    all->codes_hash += sums.codes_hash;
    all->ids_hash += sums.ids_hash;
    all->texts_hash += sums.texts_hash;
    all->rows += sums.rows;
    all->entries += sums.entries;
out:
    dc_h5_sparse_drop(&w);
    return st;
}

/* The file, its last part written first. */
static dc_status write_file(const char *name, bool named, int64_t writers, int64_t step)
{
    dc_status st = DC_OK;
    const char *path = path_of(name);
    const dc_h5_sparse_spec spec = spec_of(named);
    dc_h5_sparse_places places;
    dc_h5_sparse_sums sums = {0};
    double mean = 0.25;
    DC_TRY(dc_file_replace(path, NULL, 0)); /* dc_h5_sparse_make() fills a file that exists */
    DC_TRY(dc_h5_sparse_make(path, &spec, fill, (void *)(uintptr_t) "test", &places));
    for (int64_t i = writers; i-- > 0;)
        DC_TRY(write_part(path, &spec, &places, N * i / writers, N * (i + 1) / writers, step, &sums));
    DC_TRY(dc_h5_sparse_seal(path, &spec, &sums, finish, &mean));
out:
    return st;
}

static uint64_t hash_of(const char *name)
{
    unsigned char *data = NULL;
    size_t bytes = 0;
    CHECK_OK(dc_file_read(path_of(name), 1 << 24, &data, &bytes));
    const uint64_t hash = XXH3_64bits(data, bytes);
    dc_mem_free(&data);
    return hash;
}

/* The checksum by its definition, row by row. */
static uint64_t naive_hash(void)
{
    uint64_t sum = 0;
    for (int64_t i = 0; i < N; i++) {
        char row[8 * D];
        const size_t n = (size_t)(ptr[i + 1] - ptr[i]);
        memcpy(row, col + ptr[i], 4 * n);
        memcpy(row + 4 * n, val + ptr[i], 4 * n);
        sum += XXH3_64bits_withSeed(row, 8 * n, (uint64_t)i);
    }
    return sum;
}

static void check_content(void)
{
    dc_h5 *h5 = NULL;
    int64_t ends[N + 1], shape[2];
    static int32_t indices[N * D];
    static float data[N * D];
    double mean = 0, column[D];
    uint64_t stored = 0, found = 1;
    char text[64] = "", *names = NULL;
    CHECK_OK(dc_h5_open(&h5, path_of("named.h5"), DC_H5_READ));
    CHECK_OK(dc_h5_get_attr_i64(h5, "/X", "shape", shape, 2, NULL));
    CHECK(shape[0] == N && shape[1] == D);
    CHECK_OK(dc_h5_read_rows(h5, "/X/indptr", DC_H5_I64, 0, N + 1, ends));
    CHECK(memcmp(ends, ptr, sizeof ends) == 0);
    CHECK_OK(dc_h5_read_rows(h5, "/X/indices", DC_H5_I32, 0, ptr[N], indices));
    CHECK(memcmp(indices, col, (size_t)ptr[N] * sizeof *col) == 0);
    CHECK_OK(dc_h5_read_rows(h5, "/X/data", DC_H5_F32, 0, ptr[N], data));
    CHECK(memcmp(data, val, (size_t)ptr[N] * sizeof *val) == 0);
    CHECK_OK(dc_h5_get_attr_hash(h5, "/X", "xxh3", &stored));
    CHECK(stored == naive_hash());
    CHECK_OK(dc_h5_hash_sparse_range(h5, "/X", 0, N, &found));
    CHECK(stored == found);
    CHECK(stored == dc_h5_hash_sparse(sizeof *val, 0, N, ptr, col, val));
    CHECK_OK(dc_h5_check_hash(h5, "/obs/_index"));
    CHECK_OK(dc_h5_check_hash(h5, "/obs/label/codes"));
    CHECK_OK(dc_h5_check_hash(h5, "/obs/text"));
    CHECK_OK(dc_h5_join_text(h5, "/obs/text", 3, &names));
    CHECK_TEXT(names, "a 0\na 1\na 2");
    dc_mem_free(&names);
    CHECK_OK(dc_h5_check_hash(h5, "/var/_index"));
    CHECK_OK(dc_h5_get_attr_f64(h5, "/", "mean", &mean, 1, NULL));
    CHECK_NEAR(mean, 0.25, 0);
    CHECK_OK(dc_h5_get_attr_str(h5, "/", "source", text, sizeof text));
    CHECK_TEXT(text, "test");
    CHECK_OK(dc_h5_read_rows(h5, "/var/idf", DC_H5_F64, 0, D, column));
    CHECK_ARRAY_NEAR(column, idf, D, 0);
    CHECK_OK(dc_h5_join_text(h5, "/obs/label/categories", 3, &names));
    CHECK_TEXT(names, "aa\nb\nccc");
    dc_mem_free(&names);
    CHECK_OK(dc_h5_close(&h5));
    CHECK_OK(dc_h5_open(&h5, path_of("plain.h5"), DC_H5_READ));
    CHECK(!dc_h5_has_attr(h5, "/", "id_dataset") && !dc_h5_has_attr(h5, "/", "label_dataset"));
    CHECK_OK(dc_h5_join_text(h5, "/obs/_index", 12, &names));
    CHECK_TEXT(names, "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11");
    dc_mem_free(&names);
    CHECK_OK(dc_h5_close(&h5));
}

int main(void)
{
    if (!folder_open()) return 1;
    make_rows();
    for (int c = 0; c < D; c++) snprintf(features + strlen(features), 16, "%sgene%d", c ? "\n" : "", c);
    CHECK_OK(write_file("named.h5", true, 1, N));
    CHECK_OK(write_file("plain.h5", false, 3, 300));
    check_content();
    static const int64_t writers[] = {1, 2, 5};
    for (size_t i = 0; i < DC_COUNT_OF(writers); i++) {
        CHECK_OK(write_file("parts.h5", true, writers[i], 100));
        CHECK(hash_of("parts.h5") == hash_of("named.h5"));
    }
    const dc_h5_sparse_spec spec = spec_of(true);
    dc_h5_sparse_places places;
    CHECK_OK(dc_file_replace(path_of("none.h5"), NULL, 0));
    CHECK_STATUS(dc_h5_sparse_make(path_of("none.h5"), &spec, refuse, NULL, &places), DC_ERR_IO);
    dc_error_clear();
    return folder_close();
}
