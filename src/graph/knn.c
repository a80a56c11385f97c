/* Blocks of rows in a ring: in each round every rank sends one block of its rows once around all others. */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "dcmpi/beat.h"
#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "dcmpi/state.h"
#include "dcmpi/wish.h"
#include "graph/halo.h"
#include "graph/knn.h"

enum { BLOCK_ROWS = 4096, LEAST_ROWS = 256, BLOCK_FLOATS = 4 << 20 };
static const double STEP_FLOP = 1e12;

/* Where a search is, so that it can go on: the blocks that are done are those of this many ranks and rows per block. */
typedef struct {
    int64_t ranks, capacity, steps;
} position;
enum { POSITION_NUMBERS = 3 };

typedef struct {
    const dc_rows *rows;
    const dc_knn_config *cfg;
    dc_knn *out;
    dc_knn_image image;
    int64_t capacity;   /* rows of a block, equal on all ranks */
    float *here, *next; /* [capacity x d] */
    dc_knn_block block; /* its arrays have room for `capacity` rows */
    dc_knn_scratch *scratch;
    int threads;
    size_t *send_bytes, *get_bytes; /* [P] */
    position at;
} ring;

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

/* Rows of the rank that has most; equal on all ranks. */
static int64_t most_rows(const dc_part *part)
{
    int64_t most = 0;
    for (int owner = 0; owner < part->P; owner++) most = DC_MAX(most, dc_part_rank_rows(part, owner));
    return most;
}

/* A step takes seconds, not minutes, so that the run can be stopped and nobody thinks it hangs. */
int64_t dc_knn_block_rows(const dc_part *part, int64_t d)
{
    const int64_t width = DC_MAX(d, (int64_t)1), mine = part->N / part->P + 1;
    const int64_t quick = DC_MAX((int64_t)(STEP_FLOP / 2 / (double)width / (double)mine), (int64_t)LEAST_ROWS);
    const int64_t rows = DC_MIN(DC_MIN(BLOCK_FLOATS / width, (int64_t)BLOCK_ROWS), quick);
    return DC_MAX(DC_MIN(rows, most_rows(part)), (int64_t)1);
}

static dc_status take_scratch(ring *r)
{
    dc_status st = DC_OK;
    const size_t d = (size_t)r->rows->d;
    DC_TRY(dc_mem_alloc(&r->scratch, (size_t)r->threads, sizeof *r->scratch, "threads of the search"));
    for (int t = 0; t < r->threads; t++) {
        dc_knn_scratch *s = &r->scratch[t];
        if (!r->rows->X) DC_TRY(dc_mem_alloc(&s->x, DC_KNN_TILE * d, sizeof *s->x, "tile of rows"));
        DC_TRY(dc_mem_alloc(&s->image, DC_KNN_TILE * d, sizeof *s->image, "tile of rows"));
        DC_TRY(dc_mem_alloc(&s->product, DC_KNN_TILE * DC_KNN_PANEL, sizeof *s->product, "products of rows"));
    }
out:
    return st;
}

static dc_status take(ring *r)
{
    dc_status st = DC_OK;
    dc_knn *out = r->out;
    dc_knn_block *b = &r->block;
    const size_t n = (size_t)dc_part_rows(r->rows->part), d = (size_t)r->rows->d, rows = (size_t)r->capacity,
                 k = (size_t)out->k, P = (size_t)r->rows->part->P;
    DC_TRY(dc_mem_alloc(&out->row, dc_mul_size(n, k), sizeof *out->row, "nearest rows"));
    DC_TRY(dc_mem_alloc(&out->square, dc_mul_size(n, k), sizeof *out->square, "distances"));
    DC_TRY(dc_mem_alloc(&r->image.shift, d, sizeof *r->image.shift, "column means"));
    DC_TRY(dc_mem_alloc(&r->here, rows * d, sizeof *r->here, "block of rows"));
    if (P > 1) DC_TRY(dc_mem_alloc(&r->next, rows * d, sizeof *r->next, "block of rows"));
    DC_TRY(dc_mem_alloc(&b->image, rows * d, sizeof *b->image, "block of rows"));
    DC_TRY(dc_mem_alloc(&b->low, rows + DC_KNN_CHUNK, sizeof *b->low, "lengths of rows"));
    DC_TRY(dc_mem_alloc(&b->norm, rows, sizeof *b->norm, "lengths of rows"));
    DC_TRY(dc_mem_alloc(&r->send_bytes, P, sizeof *r->send_bytes, "rank table"));
    DC_TRY(dc_mem_alloc(&r->get_bytes, P, sizeof *r->get_bytes, "rank table"));
    DC_TRY(take_scratch(r));
out:
    return st;
}

static void release(ring *r)
{
    for (int t = 0; r->scratch && t < r->threads; t++) {
        dc_mem_free(&r->scratch[t].x);
        dc_mem_free(&r->scratch[t].image);
        dc_mem_free(&r->scratch[t].product);
    }
    dc_mem_free(&r->scratch);
    dc_mem_free(&r->image.shift);
    dc_mem_free(&r->here);
    dc_mem_free(&r->next);
    dc_mem_free(&r->block.image);
    dc_mem_free(&r->block.low);
    dc_mem_free(&r->block.norm);
    dc_mem_free(&r->send_bytes);
    dc_mem_free(&r->get_bytes);
}

double dc_knn_bytes(const dc_part *part, int64_t d, int64_t k)
{
    const double n = (double)dc_part_rows(part), rows = (double)dc_knn_block_rows(part, d), width = (double)d,
                 threads = omp_get_max_threads(), blocks = part->P > 1 ? 3 : 2;
    return n * (double)k * (sizeof(dc_gidx) + sizeof(double)) +
           rows * ((blocks * width + 1) * sizeof(float) + sizeof(double)) + dc_sum_bytes(part, (size_t)d) +
           threads * DC_KNN_TILE * (2 * width + DC_KNN_PANEL) * sizeof(float) + 2 * sizeof(size_t) * (double)part->P;
}

/* ---- Images ------------------------------------------------------------------------------------------------------ */

static dc_status set_shift(dc_comm *comm, ring *r)
{
    dc_status st = DC_OK;
    dc_sum *sum = NULL;
    double *total = NULL;
    const size_t d = (size_t)r->rows->d;
    dc_knn_measure measure = {r->rows, r->scratch};
    DC_TRY_ALL(comm, dc_sum_create(&sum, r->rows->part, d));
    DC_TRY_ALL(comm, dc_mem_alloc(&total, d, sizeof *total, "column sums"));
    dc_sum_over_blocks(comm, sum, dc_knn_block_columns, &measure, total);
    for (size_t c = 0; c < d; c++) r->image.shift[c] = (float)(total[c] / (double)r->rows->part->N);
out:
    dc_mem_free(&total);
    dc_sum_destroy(&sum);
    return st;
}

/* A mean that is not finite, too, makes `reach` infinite. */
static dc_status make_images(dc_comm *comm, ring *r)
{
    dc_status st = DC_OK;
    r->image.rows = r->rows;
    r->image.metric = r->cfg->metric;
    if (r->cfg->metric == DC_METRIC_EUCLIDEAN) DC_TRY(set_shift(comm, r));
    double reach = dc_knn_reach(&r->image, r->scratch);
    dc_comm_max_f64(comm, &reach, 1);
    if (!isfinite(reach)) st = DC_FAIL(DC_ERR_NUMERIC, "rows that are not finite have no nearest neighbours");
    DC_TRY_ALL(comm, st);
    dc_knn_settle(&r->image, reach);
out:
    return st;
}

/* ---- Ring -------------------------------------------------------------------------------------------------------- */

/* Rows of block `round` of a rank: first global row and number. */
static int64_t rows_of(const ring *r, int owner, int64_t round, dc_gidx *first)
{
    const dc_gidx end = dc_part_rank_begin(r->rows->part, owner + 1);
    *first = dc_part_rank_begin(r->rows->part, owner) + round * r->capacity;
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

static void visit(ring *r, int64_t round, int owner)
{
    r->block.X = r->here;
    r->block.n = rows_of(r, owner, round, &r->block.first);
    if (r->block.n == 0) return;
    dc_knn_project(&r->image, &r->block);
    dc_knn_visit(&r->image, &r->block, r->scratch, r->out);
}

/* Puts this rank's block into the ring. */
static void enter(ring *r, int64_t round)
{
    dc_gidx first;
    const dc_rows *rows = r->rows;
    const int64_t n = rows_of(r, rows->part->rank, round, &first);
    if (n == 0) return;
    const float *x = dc_knn_load(rows, first - rows->part->row_lo, n, r->here);
    if (x != r->here) memcpy(r->here, x, (size_t)(n * rows->d) * sizeof *x);
}

/* One step of the search; blocks that an earlier start has done are only handed on. */
static dc_status visit_next(dc_comm *comm, ring *r, int64_t round, int step)
{
    dc_status st = DC_OK;
    const dc_part *part = r->rows->part;
    const int owner = (part->rank + part->P - step) % part->P;
    const int64_t number = round * part->P + step;
    if (number >= r->at.steps) {
        visit(r, round, owner);
        r->at.steps = number + 1;
        dc_beat_at("neighbours", r->at.steps);
        DC_TRY(r->cfg->state ? dc_state_poll(comm, r->cfg->state) : dc_wish_poll_stop(comm));
    }
    if (step + 1 < part->P) pass_on(comm, r, round, owner);
out:
    return st;
}

/* Blocks of the rank that has most; equal on all ranks. */
static int64_t rounds_of(const ring *r)
{
    return (most_rows(r->rows->part) + r->capacity - 1) / r->capacity;
}

static dc_status search(dc_comm *comm, ring *r)
{
    dc_status st = DC_OK;
    const int P = r->rows->part->P;
    const int64_t rounds = rounds_of(r);
    for (int64_t round = r->at.steps / P; round < rounds; round++) {
        enter(r, round);
        for (int step = 0; step < P; step++) DC_TRY(visit_next(comm, r, round, step));
    }
out:
    return st;
}

static void begin_anew(ring *r)
{
    r->at = (position){.ranks = r->rows->part->P, .capacity = r->capacity};
    for (int64_t i = 0; i < dc_part_rows(r->rows->part) * r->out->k; i++) {
        r->out->square[i] = INFINITY;
        r->out->row[i] = INT64_MAX;
    }
}

/* Takes the lists of an unfinished search from the checkpoint. Its blocks were others if the ranks were: then it begins
 * anew. */
static dc_status keep(dc_comm *comm, ring *r)
{
    dc_status st = DC_OK;
    dc_state *s = r->cfg->state;
    const dc_part *part = r->rows->part;
    const size_t k = (size_t)r->out->k;
    begin_anew(r);
    if (!s) return DC_OK;
    DC_TRY(dc_state_keep(comm, s, "neighbours/at", DC_STATE_I64, POSITION_NUMBERS, &r->at, NULL));
    DC_TRY(dc_state_keep_rows(comm, s, "neighbours/row", DC_STATE_I64, k, part, r->out->row));
    DC_TRY(dc_state_keep_rows(comm, s, "neighbours/square", DC_STATE_F64, k, part, r->out->square));
    if (r->at.ranks != part->P || r->at.capacity != r->capacity) begin_anew(r);
    if (r->at.steps < 0 || r->at.steps > rounds_of(r) * part->P)
        st = DC_FAIL(DC_ERR_FORMAT, "the checkpoint's search for neighbours fits no state of this run");
out:
    return st;
}

static void drop(const ring *r)
{
    dc_state_drop(r->cfg->state, &r->at);
    dc_state_drop(r->cfg->state, r->out->row);
    dc_state_drop(r->cfg->state, r->out->square);
}

dc_status dc_knn_find(dc_comm *comm, const dc_rows *rows, const dc_knn_config *cfg, dc_knn *out)
{
    dc_status st = DC_OK;
    const int64_t N = rows->part->N, k = cfg->k;
    ring r = {.rows = rows,
              .cfg = cfg,
              .out = out,
              .capacity = dc_knn_block_rows(rows->part, rows->d),
              .threads = omp_get_max_threads()};
    *out = (dc_knn){.k = k};
    if (k < 1 || k >= N)
        return DC_FAIL(DC_ERR_DATA, "%lld rows have no %lld other rows each", (long long)N, (long long)k);
    DC_TRY_ALL(comm, take(&r));
    DC_TRY(make_images(comm, &r));
    DC_TRY(keep(comm, &r));
    DC_TRY(search(comm, &r));
    DC_TRY_ALL(comm, dc_knn_check(rows->part, out));
out:
    drop(&r);
    release(&r);
    if (st != DC_OK) dc_knn_release(out);
    return st;
}

dc_status dc_knn_check(const dc_part *part, const dc_knn *knn)
{
    for (int64_t i = 0; i < dc_part_rows(part) * knn->k; i++)
        if (knn->row[i] < 0 || knn->row[i] >= part->N)
            return DC_FAIL(DC_ERR_FORMAT, "the checkpoint's lists of neighbours fit no state of this run");
    return DC_OK;
}

void dc_knn_release(dc_knn *knn)
{
    dc_mem_free(&knn->row);
    dc_mem_free(&knn->square);
}
