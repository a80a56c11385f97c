/* Blocks of rows in a ring: in each round every rank sends one block of its rows once around all others. */
#include "graph/knn.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "dcmpi/wish.h"

enum { BLOCK_ROWS = 512, BLOCK_FLOATS = 1 << 21 };

typedef struct {
    const dc_rows *rows;
    int64_t capacity;               /* rows of a block, equal on all ranks */
    float *here, *next;             /* [capacity x d] */
    double *norm;                   /* [capacity] */
    float *tile, *product;          /* scratch of the kernel */
    size_t *send_bytes, *get_bytes; /* [P] */
} ring;

static int64_t block_rows(int64_t d)
{
    return DC_MAX(DC_MIN(BLOCK_FLOATS / DC_MAX(d, (int64_t)1), (int64_t)BLOCK_ROWS), (int64_t)1);
}

static dc_status take(ring *r, int64_t k, dc_knn *out)
{
    dc_status st = DC_OK;
    const size_t n = (size_t)dc_part_rows(r->rows->part), d = (size_t)r->rows->d, rows = (size_t)r->capacity,
                 threads = (size_t)omp_get_max_threads(), P = (size_t)r->rows->part->P;
    DC_TRY(dc_mem_alloc(&out->row, dc_mul_size(n, (size_t)k), sizeof *out->row, "nearest rows"));
    DC_TRY(dc_mem_alloc(&out->square, dc_mul_size(n, (size_t)k), sizeof *out->square, "distances"));
    DC_TRY(dc_mem_alloc(&r->here, rows * d, sizeof *r->here, "block of rows"));
    DC_TRY(dc_mem_alloc(&r->next, rows * d, sizeof *r->next, "block of rows"));
    DC_TRY(dc_mem_alloc(&r->norm, rows, sizeof *r->norm, "lengths of rows"));
    DC_TRY(dc_mem_alloc(&r->tile, threads * DC_KNN_TILE * d, sizeof *r->tile, "tile of rows"));
    DC_TRY(dc_mem_alloc(&r->product, threads * DC_KNN_TILE * rows, sizeof *r->product, "products of rows"));
    DC_TRY(dc_mem_alloc(&r->send_bytes, P, sizeof *r->send_bytes, "rank table"));
    DC_TRY(dc_mem_alloc(&r->get_bytes, P, sizeof *r->get_bytes, "rank table"));
out:
    return st;
}

static void release(ring *r)
{
    dc_mem_free(&r->here);
    dc_mem_free(&r->next);
    dc_mem_free(&r->norm);
    dc_mem_free(&r->tile);
    dc_mem_free(&r->product);
    dc_mem_free(&r->send_bytes);
    dc_mem_free(&r->get_bytes);
}

/* First global row of rank `owner`. */
static dc_gidx begin_of(const dc_part *part, int owner)
{
    return dc_part_shard_begin(part, dc_part_rank_shard(part, owner));
}

/* Rows of block `round` of a rank: first global row and number. */
static int64_t rows_of(const ring *r, int owner, int64_t round, dc_gidx *first)
{
    const dc_gidx end = begin_of(r->rows->part, owner + 1);
    *first = begin_of(r->rows->part, owner) + round * r->capacity;
    return DC_MAX(DC_MIN(end - *first, r->capacity), (int64_t)0);
}

/* Hands the block of rank `owner` on to the next rank and takes that of the rank before; collective. */
static void pass_on(dc_comm *comm, ring *r, int64_t round, int owner)
{
    const dc_part *part = r->rows->part;
    const size_t row_bytes = (size_t)r->rows->d * sizeof *r->here;
    const int P = part->P, before = (owner + P - 1) % P;
    dc_gidx first;
    memset(r->send_bytes, 0, (size_t)P * sizeof *r->send_bytes);
    memset(r->get_bytes, 0, (size_t)P * sizeof *r->get_bytes);
    r->send_bytes[(part->rank + 1) % P] = (size_t)rows_of(r, owner, round, &first) * row_bytes;
    r->get_bytes[(part->rank + P - 1) % P] = (size_t)rows_of(r, before, round, &first) * row_bytes;
    dc_comm_alltoallv(comm, r->here, r->send_bytes, r->next, r->get_bytes);
    float *t = r->here;
    r->here = r->next;
    r->next = t;
}

static void visit(ring *r, int64_t round, int owner, dc_knn *out)
{
    dc_knn_block block = {.X = r->here, .norm = r->norm};
    block.n = rows_of(r, owner, round, &block.first);
    if (block.n == 0) return;
    for (int64_t j = 0; j < block.n; j++) r->norm[j] = dc_knn_norm(r->here + j * r->rows->d, r->rows->d);
    dc_knn_visit(r->rows, &block, r->tile, r->product, r->capacity, out);
}

static dc_status search(dc_comm *comm, ring *r, dc_knn *out)
{
    dc_status st = DC_OK;
    const dc_part *part = r->rows->part;
    int64_t rounds = (dc_part_rows(part) + r->capacity - 1) / r->capacity;
    dc_comm_max_i64(comm, &rounds, 1);
    for (int64_t round = 0; round < rounds; round++) {
        dc_gidx first;
        const int64_t n = rows_of(r, part->rank, round, &first);
        if (n > 0) r->rows->rows(r->rows->ctx, first - part->row_lo, n, r->here);
        for (int step = 0; step < part->P; step++) {
            const int owner = (part->rank + part->P - step) % part->P;
            visit(r, round, owner, out);
            if (step + 1 < part->P) pass_on(comm, r, round, owner);
        }
        DC_TRY(dc_wish_poll_stop(comm));
    }
out:
    return st;
}

dc_status dc_knn_find(dc_comm *comm, const dc_rows *rows, const dc_knn_config *cfg, dc_knn *out)
{
    dc_status st = DC_OK;
    const int64_t k = cfg->k;
    ring r = {.rows = rows, .capacity = block_rows(rows->d)};
    *out = (dc_knn){.k = k};
    if (k < 1 || k >= rows->part->N)
        return DC_FAIL(DC_ERR_DATA, "%lld rows have no %lld other rows each", (long long)rows->part->N, (long long)k);
    DC_TRY_ALL(comm, take(&r, k, out));
    for (int64_t i = 0; i < dc_part_rows(rows->part) * k; i++) {
        out->square[i] = INFINITY;
        out->row[i] = INT64_MAX;
    }
    DC_TRY(search(comm, &r, out));
out:
    release(&r);
    if (st != DC_OK) dc_knn_release(out);
    return st;
}

void dc_knn_release(dc_knn *knn)
{
    dc_mem_free(&knn->row);
    dc_mem_free(&knn->square);
}

double dc_knn_bytes(const dc_part *part, int64_t d, int64_t k)
{
    const double n = (double)dc_part_rows(part), rows = (double)block_rows(d), threads = omp_get_max_threads();
    return n * (double)k * (sizeof(dc_gidx) + sizeof(double)) +
           rows * (2 * (double)d * sizeof(float) + sizeof(double)) +
           threads * DC_KNN_TILE * ((double)d + rows) * sizeof(float) + 2 * sizeof(size_t) * (double)part->P;
}
