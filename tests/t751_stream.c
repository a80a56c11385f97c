/* Results written in pieces: any pieces on any number of ranks give the same file and checksums; nothing is left of a
 * file that was given up. Reading in pieces returns what is in a file. Seed: none, the values are their positions.
 * ranks: 1 2 3 5 */
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

#include "dcmpi/data.h"
#include "dcmpi/h5.h"
#include "ranks_folder.h"

enum { N = 1000, WIDTH = 3, SHARDS = 8 };

static dc_part my_part(void)
{
    dc_part part;
    if (dc_part_init(&part, N, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)) != DC_OK) abort();
    return part;
}

static float value_at(dc_gidx row, int column)
{
    return (float)(row * WIDTH + column);
}

static dc_status fill(void *ctx, dc_h5 *h5)
{
    dc_status st = DC_OK;
    DC_TRY(dc_h5_put_attr_f64(h5, "/", "score", &(double){NAN}, 1));
    DC_TRY(dc_h5_put(h5, "/small", DC_H5_I64, 1, (dc_gidx[]){2}, ctx));
out:
    return st;
}

static dc_status finish(void *ctx, dc_h5 *h5)
{
    dc_status st = DC_OK;
    DC_TRY(dc_h5_put_attr_f64(h5, "/", "score", &(double){0.5}, 1));
    DC_TRY(dc_h5_write_rows(h5, "/small", DC_H5_I64, 0, 2, ctx));
out:
    return st;
}

static const dc_h5_rows arrays[] = {{.name = "/labels", .type = DC_H5_I32, .width = 1, .vector = true},
                                    {.name = "/embedding", .type = DC_H5_F32, .width = WIDTH}};

/* This rank's rows in `pieces` pieces, the longer ones first. */
static void append_all(dc_h5_stream *s, const dc_part *part, int64_t pieces)
{
    static int32_t label[N];
    static float z[N * WIDTH];
    dc_gidx row = part->row_lo;
    for (int64_t i = 0; i < pieces; i++) {
        const int64_t left = part->row_hi - row, n = i + 1 == pieces ? left : left / 2;
        for (int64_t k = 0; k < n; k++, row++) {
            label[k] = (int32_t)row;
            for (int c = 0; c < WIDTH; c++) z[k * WIDTH + c] = value_at(row, c);
        }
        CHECK_OK(dc_h5_stream_append(comm, s, 0, n, label));
        CHECK_OK(dc_h5_stream_append(comm, s, 1, n, z));
    }
}

static void write_stream(const char *path, int64_t pieces)
{
    int64_t small[2] = {0, 0};
    dc_h5_stream *s = NULL;
    const dc_part part = my_part();
    CHECK_OK(dc_h5_stream_create(comm, &s, path, &part, arrays, 2, fill, small));
    append_all(s, &part, pieces);
    small[0] = 7, small[1] = -8;
    CHECK_OK(dc_h5_stream_commit(comm, &s, finish, small));
    CHECK(s == NULL);
}

/* The documented rule, row by row. */
static void check_file(const char *path)
{
    dc_h5 *h5 = NULL;
    uint64_t expected[2] = {0, 0}, found;
    int64_t small[2] = {0, 0}, complete = 0;
    double score = 0;
    for (int64_t i = 0; i < N; i++) {
        const int32_t label = (int32_t)i;
        const float z[WIDTH] = {value_at(i, 0), value_at(i, 1), value_at(i, 2)};
        expected[0] += XXH3_64bits_withSeed(&label, sizeof label, (uint64_t)i);
        expected[1] += XXH3_64bits_withSeed(z, sizeof z, (uint64_t)i);
    }
    CHECK_OK(dc_h5_open(&h5, path, DC_H5_READ));
    for (int i = 0; i < 2; i++) {
        CHECK_OK(dc_h5_hash_dataset(h5, arrays[i].name, &found));
        CHECK(found == expected[i]);
        CHECK_OK(dc_h5_check_hash(h5, arrays[i].name));
    }
    CHECK_OK(dc_h5_check_hash(h5, "/small"));
    CHECK_OK(dc_h5_read_rows(h5, "/small", DC_H5_I64, 0, 2, small));
    CHECK(small[0] == 7 && small[1] == -8);
    CHECK_OK(dc_h5_get_attr_f64(h5, "/", "score", &score, 1, NULL));
    CHECK_OK(dc_h5_get_attr_i64(h5, "/", "complete", &complete, 1, NULL));
    CHECK(score == 0.5 && complete == 1);
    CHECK_OK(dc_h5_close(&h5));
    dc_comm_barrier(comm);
}

static void test_pieces(void)
{
    for (int64_t pieces = 1; pieces <= 20; pieces += 6) {
        write_stream(path_of("r.h5"), pieces);
        check_file(path_of("r.h5"));
    }
}

static void test_damage(void)
{
    dc_h5 *h5 = NULL;
    if (!on_rank0()) return;
    CHECK_OK(dc_h5_open(&h5, path_of("r.h5"), DC_H5_APPEND));
    CHECK_OK(dc_h5_write_rows(h5, "/labels", DC_H5_I32, 500, 2, (int32_t[]){501, 500})); /* two rows exchanged */
    CHECK_STATUS(dc_h5_check_hash(h5, "/labels"), DC_ERR_FORMAT);
    CHECK_TEXT_HAS(dc_error_text(), "'/labels' is damaged");
    dc_error_clear();
    CHECK_OK(dc_h5_close(&h5));
}

static void test_abort(void)
{
    int64_t small[2] = {7, -8};
    dc_h5_stream *s = NULL;
    const dc_part part = my_part();
    write_stream(path_of("r.h5"), 2);
    CHECK_OK(dc_h5_stream_create(comm, &s, path_of("r.h5"), &part, arrays, 2, fill, small));
    append_all(s, &part, 1);
    dc_h5_stream_abort(comm, &s);
    CHECK(s == NULL);
    CHECK(access(path_of("r.h5.part"), F_OK) != 0);
    check_file(path_of("r.h5"));
    dc_h5_stream_abort(comm, &s);
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

static void make_data(const char *path)
{
    static float X[N * WIDTH];
    static int32_t y[N];
    dc_h5 *h5 = NULL;
    for (int64_t i = 0; i < N; i++) y[i] = (int32_t)(i % 5) * 10 - 20;
    for (int64_t i = 0; i < N * WIDTH; i++) X[i] = (float)i;
    CHECK_OK(dc_h5_open(&h5, path, DC_H5_CREATE));
    CHECK_OK(dc_h5_put(h5, "/X", DC_H5_F32, 2, (dc_gidx[]){N, WIDTH}, X));
    CHECK_OK(dc_h5_put(h5, "/y", DC_H5_I32, 1, (dc_gidx[]){N}, y));
    CHECK_OK(dc_h5_close(&h5));
}

static void test_rows(int64_t capacity)
{
    dc_row_stream s;
    const dc_part part = my_part();
    int64_t wrong = 0, rounds = (dc_part_rows(&part) + capacity - 1) / capacity;
    CHECK_OK(dc_row_stream_open(comm, &(dc_data_request){.path = path_of("x.h5")}, &s));
    CHECK(s.head.N == N && s.head.D == WIDTH && s.head.has_labels);
    CHECK_OK(dc_row_stream_start(comm, &s, &part, capacity));
    CHECK_INT(s.C, 5);
    dc_comm_max_i64(comm, &rounds, 1);
    dc_gidx row = part.row_lo;
    for (int64_t r = 0; r < rounds; r++) {
        CHECK_OK(dc_row_stream_read(comm, &s, DC_MIN(capacity, part.row_hi - row)));
        for (int64_t i = 0; i < s.n; i++, row++) {
            wrong += s.y[i] != row % 5;
            for (int c = 0; c < WIDTH; c++) wrong += ((float *)s.X)[i * WIDTH + c] != value_at(row, c);
        }
    }
    CHECK_INT(row, part.row_hi);
    CHECK_INT(wrong, 0);
    dc_row_stream_close(&s);
}

int main(void)
{
    if (!folder_open()) return 1;
    test_pieces();
    test_damage();
    dc_comm_barrier(comm);
    test_abort();
    if (on_rank0()) make_data(path_of("x.h5"));
    dc_comm_barrier(comm);
    test_rows(1000);
    test_rows(77);
    return folder_close();
}
