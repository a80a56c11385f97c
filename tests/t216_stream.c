/* Rows that stay in their file (input.residency = stream) are, to the bit, those in memory: statistics, scalings,
 * clipping, norms, reductions, single rows and passes of threads; so are built-in rows that are made again. A file that
 * cannot be read or changes is an error on all ranks before anything else is agreed on; rows that cannot stay in their
 * file are refused. ranks: 1 3  ranks_long: 2 5  threads: 1 2 */
#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include "dcmpi/data.h"
#include "dcmpi/rng.h"
#include "ranks_folder.h"

enum { N = 5003, D = 37, SHARDS = 16, K = 2 };

static const dc_dtype types[] = {DC_U8, DC_F16, DC_F32, DC_F64};
static const char *const names[] = {"u8", "f16", "f32", "f64"};
static const dc_h5_type stored[] = {DC_H5_U8, DC_H5_F16, DC_H5_F32, DC_H5_F64};

/* Column c holds values up to c, but for a few that are far outside, which the search for such values has to find. */
static double value_of(int64_t i, int64_t c)
{
    uint32_t w[4];
    dc_rng4(3, DC_STREAM_TEST, 0, (uint64_t)(i * D + c), w);
    if (c == 5 && (i == 17 || i == N - 3)) return 255;
    return (double)(w[0] % (uint32_t)(c + 1)) / 2;
}

static void make_file(int t)
{
    void *x = NULL;
    char name[32];
    CHECK_OK(dc_mem_alloc(&x, N * D, dc_dtype_bytes(types[t]), "test"));
    for (int64_t k = 0; k < N * D; k++) {
        const double v = value_of(k / D, k % D);
        if (types[t] == DC_U8) ((uint8_t *)x)[k] = (uint8_t)v;
        if (types[t] == DC_F16) ((_Float16 *)x)[k] = (_Float16)v;
        if (types[t] == DC_F32) ((float *)x)[k] = (float)v;
        if (types[t] == DC_F64) ((double *)x)[k] = v;
    }
    snprintf(name, sizeof name, "%s.h5", names[t]);
    write_rows(path_of(name), stored[t], N, D, x);
    dc_mem_free(&x);
}

static dc_data_request request_of(int t)
{
    char name[32];
    snprintf(name, sizeof name, "%s.h5", names[t]);
    return (dc_data_request){.path = path_of(name), .scale = DC_SCALE_NONE, .pca = {{3, 0}, false}};
}

/* ---- The same bits ----------------------------------------------------------------------------------------------- */

/* Every row as it enters the network, read in several ways. */
static uint64_t digest_of_rows(const dc_dataset *d)
{
    const int64_t n = dc_part_rows(&d->part), width = dc_dataset_width(d);
    const size_t floats = (size_t)(n * width);
    float *x = NULL;
    int64_t *rows = NULL, row, column;
    uint64_t digest[4] = {0};
    CHECK_OK(dc_mem_alloc(&x, floats, sizeof *x, "test"));
    CHECK_OK(dc_mem_alloc(&rows, (size_t)n, sizeof *rows, "test"));
    dc_dataset_rows(d, 0, n, x);
    digest[0] = XXH3_64bits(x, floats * sizeof *x);
    for (int64_t lo = 0; lo < n; lo += 7) dc_dataset_rows(d, lo, DC_MIN(n - lo, (int64_t)7), x + lo * width);
    digest[1] = XXH3_64bits(x, floats * sizeof *x);
    dc_perm perm;
    dc_perm_init(&perm, 1, DC_STREAM_TEST, 0, 0, (uint64_t)DC_MAX(n, (int64_t)1));
    for (int64_t i = 0; i < n; i++) rows[i] = (int64_t)dc_perm_at(&perm, (uint64_t)i);
    dc_dataset_gather(d, rows, n, x);
    digest[2] = XXH3_64bits(x, floats * sizeof *x);
    digest[3] = (uint64_t)dc_dataset_outside(d, n, 0, 1, &row, &column) + (uint64_t)(row * width + column);
    CHECK(n == 0 || digest[0] == digest[1]);
    dc_mem_free(&x);
    dc_mem_free(&rows);
    return XXH3_64bits(digest, sizeof digest);
}

static uint64_t digest_of(const dc_dataset *d)
{
    static char fetched[3 * DC_GLYPH_PIXELS * sizeof(double)];
    const double numbers[] = {d->min, d->max, d->mean, d->scaled_min, d->scaled_max};
    const size_t columns = (size_t)d->D, bounds = d->clip_lo ? columns * sizeof *d->clip_lo : 0;
    CHECK_OK(dc_dataset_fetch(comm, d, (dc_gidx[]){d->part.N - 1, 0, d->part.N / 2}, 3, fetched));
    const uint64_t parts[] = {d->hash,
                              XXH3_64bits(d->outlying, strlen(d->outlying)),
                              XXH3_64bits(numbers, sizeof numbers),
                              XXH3_64bits(d->shift, columns * sizeof *d->shift),
                              XXH3_64bits(d->scale, columns * sizeof *d->scale),
                              XXH3_64bits(d->clip_lo, bounds),
                              XXH3_64bits(d->clip_hi, bounds),
                              XXH3_64bits(fetched, sizeof fetched),
                              digest_of_rows(d)};
    return XXH3_64bits(parts, sizeof parts);
}

static void compare(const char *what, dc_data_request r)
{
    uint64_t digest[2] = {0, 1};
    for (int k = 0; k < 2; k++) {
        dc_dataset *d = NULL;
        r.stream = k == 1;
        CHECK_OK(dc_dataset_open(comm, &r, SHARDS, 7, K, &d));
        if (!d) return;
        CHECK(k == 1 ? d->stream && !d->X && d->streams : d->X && !d->stream && !d->streams);
        digest[k] = digest_of(d);
        CHECK_OK(dc_dataset_check_files(comm, d));
        dc_dataset_destroy(&d);
    }
    if (on_rank0()) printf("# %s\n", what);
    CHECK(digest[0] == digest[1]);
}

static void test_bits(void)
{
    for (int t = 0; t < (int)DC_COUNT_OF(types); t++) compare(names[t], request_of(t));
    for (dc_scale_kind k = DC_SCALE_UNIT; k <= DC_SCALE_SAMPLE; k++) {
        dc_data_request r = request_of(1 + k % 2);
        r.scale = k;
        compare("a scaling", r);
        r.clip = (dc_clip){DC_CLIP_QUANTILES, 0.05, 0};
        r.norm = DC_ROW_NORM_L2;
        compare("a scaling, clipped, with norms", r);
    }
    for (dc_reduce_kind k = DC_REDUCE_SVD; k <= DC_REDUCE_RANDOM; k++) {
        dc_data_request r = request_of(1);
        r.reduce = k;
        compare("a reduction", r);
    }
}

/* Built-in data are made again whenever rows are needed. */
static void test_made(void)
{
    static const char *const made[] = {"builtin:embeddings,width=37,clusters=5,duplicates=0.2,first=3",
                                       "builtin:embeddings,width=36,type=float32,seed=4", DC_BUILTIN_GLYPHS};
    for (size_t i = 0; i < DC_COUNT_OF(made); i++) {
        dc_data_request r = {.path = made[i], .rows = i == 2 ? 300 : N, .scale = DC_SCALE_STANDARD};
        compare(made[i], r);
        r.clip = (dc_clip){DC_CLIP_QUANTILES, 0.05, 0};
        r.norm = DC_ROW_NORM_L2;
        if (i == 0) compare("the same, clipped, with norms", r);
    }
}

/* ---- Errors ------------------------------------------------------------------------------------------------------ */

/* Opens the data, lets rank 0 do `harm` to the file, reads all rows, and returns what the ranks agree on then: at once,
 * or when they look at the file again. */
static dc_status after_harm(void (*harm)(const char *path), const char *name, bool at_once)
{
    const dc_data_request r = {.path = path_of(name), .scale = DC_SCALE_NONE, .stream = true};
    dc_dataset *d = NULL;
    float row[D];
    CHECK_OK(dc_dataset_open(comm, &r, SHARDS, 7, K, &d));
    if (!d) return DC_OK;
    if (on_rank0()) harm(r.path);
    dc_comm_barrier(comm);
    for (int64_t i = 0; i < dc_part_rows(&d->part); i++) dc_dataset_rows(d, i, 1, row);
    dc_status st = dc_agree(comm, DC_OK);
    CHECK(st != DC_OK || !at_once);
    if (st == DC_OK) st = dc_dataset_check_files(comm, d);
    CHECK(strstr(dc_error_text(), r.path) != NULL);
    dc_dataset_destroy(&d);
    CHECK(st == dc_error_code());
    if (on_rank0()) printf("# %s\n", dc_error_text());
    dc_error_clear();
    CHECK_OK(dc_agree(comm, DC_OK)); /* nothing is watched any more */
    return st;
}

static void shorten(const char *path)
{
    CHECK(truncate(path, 4096) == 0);
}

static void overwrite(const char *path)
{
    const int fd = open(path, O_WRONLY);
    usleep(20000); /* the clock of the file system is coarse */
    CHECK(fd >= 0 && pwrite(fd, "x", 1, 5000) == 1 && close(fd) == 0);
}

static void replace(const char *path)
{
    char command[700];
    snprintf(command, sizeof command, "cp '%s' '%s.new' && mv '%s.new' '%s'", path, path, path, path);
    CHECK(system(command) == 0);
}

static void test_errors(void)
{
    CHECK_INT(after_harm(shorten, "f16.h5", true), DC_ERR_DATA);
    CHECK_INT(after_harm(overwrite, "f32.h5", false), DC_ERR_DATA);
    CHECK_INT(after_harm(replace, "f64.h5", false), DC_ERR_DATA);
}

static void test_refusals(void)
{
    dc_data_header head;
    dc_data_request r = {.path = DC_BUILTIN_GLYPHS, .stream = true, .counts = {.log1p = true}};
    CHECK_STATUS(dc_dataset_inspect(&r, &head), DC_ERR_DATA);
    dc_error_clear();
    r = request_of(0);
    r.stream = true;
    r.counts.log1p = true;
    CHECK_STATUS(dc_dataset_inspect(&r, &head), DC_ERR_DATA);
    dc_error_clear();
    r.stream = false;
    CHECK_OK(dc_dataset_inspect(&r, &head));
    CHECK(!head.in_place && !head.stream);
    r.counts.log1p = false;
    CHECK_OK(dc_dataset_inspect(&r, &head));
    CHECK(head.in_place && !head.stream);
}

int main(void)
{
    if (!folder_open()) return 1;
    for (int t = 0; t < (int)DC_COUNT_OF(types); t++) make_file(t);
    test_bits();
    test_made();
    if (on_rank0()) test_refusals();
    test_errors();
    return folder_close();
}
