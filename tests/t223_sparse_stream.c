/* Sparse rows in pieces, and their checksums: pieces of any size give the rows and the labels of the file; a value, a
 * column or a file that changes is found, by a load and by a stream. ranks: 1 3  ranks_long: 2 5  threads: 1 2 */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dcmpi/h5_sparse.h"
#include "ranks_folder.h"
#include "t22_help.h"

enum { N = 150, D = 17, SHARDS = 16 };

static sparse_rows rows;
static int32_t *col32;

/* Our own layout with a checksum; type: of the values. */
static void make(dc_h5_type type)
{
    const sparse_layout how = {DC_H5_I64, DC_H5_I32, type, false, false, false};
    float *narrow = NULL;
    if (on_rank0()) {
        dc_h5 *h5 = NULL;
        CHECK_OK(dc_mem_alloc(&narrow, (size_t)rows.nnz, sizeof *narrow, "test"));
        for (int64_t e = 0; e < rows.nnz; e++) narrow[e] = (float)rows.val[e];
        const bool wide = type == DC_H5_F64;
        const uint64_t hash = dc_h5_hash_sparse(wide ? sizeof(double) : sizeof(float), 0, N, rows.ptr, col32,
                                                wide ? (void *)rows.val : (void *)narrow);
        sparse_file(path_of("x.h5"), &rows, &how);
        CHECK_OK(dc_h5_open(&h5, path_of("x.h5"), DC_H5_APPEND));
        CHECK_OK(dc_h5_put_hash(h5, "/X", hash));
        CHECK_OK(dc_h5_close(&h5));
        dc_mem_free(&narrow);
    }
    dc_comm_barrier(comm);
}

static void put(const char *name, dc_h5_type type, dc_gidx at, const void *v)
{
    if (on_rank0()) {
        dc_h5 *h5 = NULL;
        CHECK_OK(dc_h5_open(&h5, path_of("x.h5"), DC_H5_APPEND));
        CHECK_OK(dc_h5_write_rows(h5, name, type, at, 1, v));
        CHECK_OK(dc_h5_close(&h5));
    }
    dc_comm_barrier(comm);
}

static bool same_piece(const dc_row_stream *s, dc_gidx first)
{
    const dc_csr *m = &s->csr;
    bool same = m->n == s->n && m->ptr[0] == 0 && m->ptr[m->n] == rows.ptr[first + m->n] - rows.ptr[first];
    for (int64_t i = 0; same && i < m->n; i++)
        for (int64_t e = m->ptr[i]; e < m->ptr[i + 1]; e++)
            same = same && m->col[e] == rows.col[rows.ptr[first] + e] && m->val[e] == rows.val[rows.ptr[first] + e];
    return same;
}

/* change, if any, is called after the first piece. */
static dc_status stream(int64_t capacity, void (*change)(void), bool *same)
{
    dc_row_stream s;
    dc_part part;
    dc_status st = DC_OK;
    *same = true;
    DC_TRY(dc_row_stream_open(comm, &(dc_data_request){.path = path_of("x.h5")}, &s));
    DC_TRY(dc_part_init(&part, N, SHARDS, dc_comm_size(comm), dc_comm_rank(comm)));
    DC_TRY(dc_row_stream_start(comm, &s, &part, capacity));
    int64_t rounds = (dc_part_rows(&part) + capacity - 1) / capacity;
    dc_comm_max_i64(comm, &rounds, 1);
    for (int64_t r = 0; r < rounds; r++) {
        const dc_gidx row = part.row_lo + s.next;
        DC_TRY(dc_row_stream_read(comm, &s, DC_MIN(capacity, part.row_hi - row)));
        *same = *same && same_piece(&s, row);
        if (r == 0 && change) change();
    }
    DC_TRY(dc_row_stream_end(comm, &s));
    *same = *same && s.checksum == DC_CHECKSUM_AGREES;
out:
    dc_row_stream_close(&s);
    return st;
}

static dc_status load(dc_checksum *checksum)
{
    dc_dataset *d = NULL;
    const dc_status st = dc_dataset_load(comm, path_of("x.h5"), 0, SHARDS, DC_SCALE_NONE, 0, 1, &d);
    if (st == DC_OK) *checksum = d->checksum;
    dc_dataset_destroy(&d);
    return st;
}

static void test_pieces(void)
{
    static const int64_t capacity[] = {1, 7, 64, 1000};
    static const dc_h5_type type[] = {DC_H5_F32, DC_H5_F64};
    dc_checksum checksum = DC_CHECKSUM_NONE;
    for (size_t t = 0; t < DC_COUNT_OF(type); t++) {
        make(type[t]);
        for (size_t i = 0; i < DC_COUNT_OF(capacity); i++) {
            bool same;
            CHECK_OK(stream(capacity[i], NULL, &same));
            CHECK(same);
        }
        CHECK_OK(load(&checksum));
        CHECK(checksum == DC_CHECKSUM_AGREES);
        dc_comm_barrier(comm);
    }
}

static void test_damage(void)
{
    const double value = 77;
    const int32_t column = D - 2;
    bool same;
    dc_checksum checksum;
    make(DC_H5_F64);
    put("/X/data", DC_H5_F64, rows.nnz / 2, &value);
    CHECK_STATUS(load(&checksum), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "/X is damaged: its checksum is");
    CHECK_STATUS(stream(10, NULL, &same), DC_ERR_DATA);
    dc_error_clear();
    dc_comm_barrier(comm);
    make(DC_H5_F32);
    int64_t row = 0; /* one whose last column but one is free */
    while (rows.ptr[row + 1] - rows.ptr[row] < 2 || rows.col[rows.ptr[row + 1] - 2] == column) row++;
    put("/X/indices", DC_H5_I32, rows.ptr[row + 1] - 2, &column);
    CHECK_STATUS(load(&checksum), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "/X is damaged: its checksum is");
    dc_error_clear();
    dc_comm_barrier(comm);
}

static void touch(void)
{
    dc_comm_barrier(comm);
    if (on_rank0()) CHECK(truncate(path_of("x.h5"), 4096) == 0);
    dc_comm_barrier(comm);
}

static void test_change(void)
{
    bool same;
    make(DC_H5_F64);
    CHECK_STATUS(stream(2, touch, &same), DC_ERR_DATA);
    CHECK_TEXT_HAS(dc_error_text(), "changed");
    dc_error_clear();
}

int main(void)
{
    if (!folder_open()) return 1;
    sparse_rows_make(N, D, false, &rows);
    CHECK_OK(dc_mem_alloc(&col32, (size_t)rows.nnz, sizeof *col32, "test"));
    for (int64_t e = 0; e < rows.nnz; e++) col32[e] = (int32_t)rows.col[e];
    test_pieces();
    test_damage();
    test_change();
    dc_mem_free(&col32);
    sparse_rows_free(&rows);
    return folder_close();
}
