/* Mean silhouettes: each rank computes those of its share of the rows, a tree over the shards adds them up. */
#include "silhouette_kern.h"

#include <omp.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "dcmpi/sum.h"
#include "dcmpi/sweep.h"
#include "dcmpi/wish.h"

/* Distances that a rank computes between two polls, times columns. */
static const double PIECE_WORK = 3e8;

typedef struct {
    dc_silhouette_work work;
    dc_part part;
    int64_t *first, *size; /* owned, as is all that follows */
    int32_t *place;
    double *sums, *value; /* value: [own rows x n] */
    dc_sum *sum;
} silhouettes;

static void release(silhouettes *s)
{
    dc_mem_free(&s->first);
    dc_mem_free(&s->size);
    dc_mem_free(&s->place);
    dc_mem_free(&s->sums);
    dc_mem_free(&s->value);
    dc_sum_destroy(&s->sum);
}

static dc_status make(silhouettes *s, const int64_t *K, int n)
{
    dc_status st = DC_OK;
    const size_t m = (size_t)s->work.m, own = (size_t)dc_part_rows(&s->part);
    DC_TRY(dc_mem_alloc(&s->first, (size_t)n + 1, sizeof *s->first, "silhouettes"));
    for (int t = 0; t < n; t++) s->first[t + 1] = s->first[t] + K[t];
    const size_t clusters = (size_t)s->first[n];
    DC_TRY(dc_mem_alloc(&s->size, clusters, sizeof *s->size, "silhouettes"));
    DC_TRY(dc_mem_alloc(&s->place, dc_mul_size(m, (size_t)n), sizeof *s->place, "silhouettes"));
    DC_TRY(
        dc_mem_alloc(&s->sums, dc_mul_size((size_t)omp_get_max_threads(), clusters), sizeof *s->sums, "silhouettes"));
    DC_TRY(dc_mem_alloc(&s->value, dc_mul_size(own, (size_t)n), sizeof *s->value, "silhouettes"));
    DC_TRY(dc_sum_create(&s->sum, &s->part, (size_t)n));
out:
    return st;
}

static void place_rows(silhouettes *s, const int32_t *label)
{
    dc_silhouette_work *w = &s->work;
    for (int64_t i = 0; i < w->m; i++)
        for (int t = 0; t < w->n; t++) {
            const int64_t place = s->first[t] + label[i * w->n + t];
            DC_ASSERT(place >= s->first[t] && place < s->first[t + 1]);
            s->place[i * w->n + t] = (int32_t)place;
            s->size[place]++;
        }
    w->first = s->first;
    w->size = s->size;
    w->place = s->place;
    w->sums = s->sums;
}

static void add_block(void *ctx, const dc_block *block, int thread, double *leaf)
{
    (void)thread;
    const silhouettes *s = ctx;
    const int n = s->work.n;
    for (int64_t i = block->lo; i < block->hi; i++)
        for (int t = 0; t < n; t++) leaf[t] += s->value[i * n + t];
}

/* Computes the silhouettes of this rank's rows, in as many pieces as the other ranks. */
static dc_status compute(dc_comm *comm, silhouettes *s)
{
    dc_status st = DC_OK;
    const dc_silhouette_work *w = &s->work;
    const int64_t n = dc_part_rows(&s->part);
    int64_t most = n;
    dc_comm_max_i64(comm, &most, 1);
    const double per_row = (double)w->m * (double)(w->d + w->n);
    const int64_t rows = DC_MAX((int64_t)1, (int64_t)(PIECE_WORK / DC_MAX(per_row, 1.0)));
    for (int64_t lo = 0; lo < most; lo += rows) {
        const int64_t from = DC_MIN(lo, n), to = DC_MIN(lo + rows, n), at = s->part.row_lo;
        dc_silhouette_rows(w, at + from, at + to, s->value + from * w->n);
        DC_TRY(dc_wish_poll_stop(comm));
    }
out:
    return st;
}

dc_status dc_silhouettes(dc_comm *comm, const float *X, int64_t m, int64_t d, const int32_t *label, const int64_t *K,
                         int n, int V, double *out)
{
    dc_status st = DC_OK;
    silhouettes s = {.work = {.X = X, .m = m, .d = d, .n = n}};
    DC_TRY_ALL(comm, dc_part_init(&s.part, m, V, dc_comm_size(comm), dc_comm_rank(comm)));
    DC_TRY_ALL(comm, make(&s, K, n));
    place_rows(&s, label);
    DC_TRY(compute(comm, &s));
    dc_sum_over_blocks(comm, s.sum, add_block, &s, out);
    for (int t = 0; t < n; t++) out[t] /= (double)DC_MAX(m, (int64_t)1);
out:
    release(&s);
    return st;
}
