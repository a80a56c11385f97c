/* The rows nearest to the centre of their cluster, and those furthest from it. */
#include <math.h>
#include <omp.h>

#include "dcmpi/beat.h"
#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "dcmpi/sum.h"
#include "dcmpi/wish.h"
#include "topics_impl.h"

typedef struct {
    const dc_rows *rows;
    const int32_t *label;
    int64_t K;
    float *tile;         /* [threads x DC_TOPIC_TILE x d] */
    float *mean;         /* [K x d], unless there are centres */
    const float *center; /* [K x d] */
    double *norm;        /* [K] */
    double *square;      /* [n] */
} work;

static void release(work *w)
{
    dc_mem_free(&w->tile);
    dc_mem_free(&w->mean);
    dc_mem_free(&w->norm);
    dc_mem_free(&w->square);
}

static dc_status make(work *w, dc_topics *out, int64_t m)
{
    dc_status st = DC_OK;
    const dc_rows *r = w->rows;
    const size_t tile = (size_t)r->d * DC_TOPIC_TILE, n = dc_mul_size((size_t)w->K, (size_t)m);
    if (!r->X && !r->csr) DC_TRY(dc_mem_alloc(&w->tile, (size_t)omp_get_max_threads(), tile * sizeof *w->tile, "tile"));
    if (!w->center)
        DC_TRY(dc_mem_alloc(&w->mean, dc_mul_size((size_t)w->K, (size_t)r->d), sizeof *w->mean, "means of clusters"));
    DC_TRY(dc_mem_alloc(&w->norm, (size_t)w->K, sizeof *w->norm, "squares of centres"));
    DC_TRY(dc_mem_alloc(&w->square, (size_t)dc_part_rows(r->part), sizeof *w->square, "distances"));
    DC_TRY(dc_mem_alloc(&out->nearest, n, sizeof(int64_t), "nearest rows"));
    DC_TRY(dc_mem_alloc(&out->furthest, n, sizeof(int64_t), "furthest rows"));
    DC_TRY(dc_mem_alloc(&out->nearest_distance, n, sizeof(double), "distances"));
    DC_TRY(dc_mem_alloc(&out->furthest_distance, n, sizeof(double), "distances"));
out:
    return st;
}

/* ---- Means ------------------------------------------------------------------------------------------------------- */

static void add_row(const work *w, int64_t i, const float *x, double *leaf)
{
    const int64_t d = w->rows->d, k = w->label[i];
    const dc_csr *csr = w->rows->csr;
    leaf[w->K * d + k] += 1;
    for (int64_t e = csr ? csr->ptr[i] : 0; csr && e < csr->ptr[i + 1]; e++)
        leaf[k * d + csr->col[e]] += (double)dc_csr_value(csr, i, e);
    for (int64_t c = 0; !csr && c < d; c++) leaf[k * d + c] += (double)x[c];
}

static void add_block(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const work *w = ctx;
    const dc_rows *r = w->rows;
    const bool copied = !r->X && !r->csr;
    float *tile = w->tile + (int64_t)thread * DC_TOPIC_TILE * r->d;
    for (int64_t lo = block->lo; lo < block->hi; lo += DC_TOPIC_TILE) {
        const int64_t hi = DC_MIN(lo + DC_TOPIC_TILE, block->hi);
        if (copied) r->rows(r->ctx, lo, hi - lo, tile);
        for (int64_t i = lo; i < hi; i++)
            add_row(w, i, copied ? tile + (i - lo) * r->d : r->X ? r->X + i * r->d : NULL, leaf);
    }
}

static dc_status find_means(dc_comm *comm, work *w)
{
    dc_status st = DC_OK;
    dc_sum *sum = NULL;
    double *total = NULL;
    const int64_t d = w->rows->d;
    const size_t m = (size_t)(w->K * d + w->K);
    DC_TRY_ALL(comm, dc_sum_create(&sum, w->rows->part, m));
    DC_TRY_ALL(comm, dc_mem_alloc(&total, m, sizeof *total, "sums of clusters"));
    dc_sum_over_blocks(comm, sum, add_block, w, total);
    for (int64_t i = 0; i < w->K * d; i++) w->mean[i] = (float)(total[i] / fmax(total[w->K * d + i / d], 1));
    w->center = w->mean;
out:
    dc_sum_destroy(&sum);
    dc_mem_free(&total);
    return st;
}

/* ---- Lists ------------------------------------------------------------------------------------------------------- */

/* A distance that is not a number, of an embedding that is not finite, counts as infinite. */
static double nearest_first(const void *square, int64_t i)
{
    const double v = ((const double *)square)[i];
    return isnan(v) ? INFINITY : v;
}

static double furthest_first(const void *square, int64_t i)
{
    return -nearest_first(square, i);
}

static void find_norms(const work *w)
{
    for (int64_t k = 0; k < w->K; k++)
        for (int64_t c = 0; c < w->rows->d; c++) {
            const double v = (double)w->center[k * w->rows->d + c];
            w->norm[k] += v * v;
        }
}

dc_status dc_topics_documents(dc_comm *comm, const dc_rows *rows, const int32_t *label, int64_t K, const float *centers,
                              int64_t m, dc_topics *out)
{
    dc_status st = DC_OK;
    work w = {.rows = rows, .label = label, .K = K, .center = centers};
    out->K = K;
    out->documents = m;
    dc_beat_at("topics", 0);
    DC_TRY_ALL(comm, make(&w, out, m));
    if (!centers) DC_TRY(find_means(comm, &w));
    find_norms(&w);
    dc_topic_distances(rows, label, w.center, w.norm, w.tile, w.square);
    DC_TRY(dc_lowest_rows(comm, rows->part, label, K, m, nearest_first, w.square, out->nearest, out->nearest_distance));
    DC_TRY(
        dc_lowest_rows(comm, rows->part, label, K, m, furthest_first, w.square, out->furthest, out->furthest_distance));
    for (int64_t i = 0; i < K * m; i++) {
        out->nearest_distance[i] = sqrt(out->nearest_distance[i]);
        out->furthest_distance[i] = sqrt(fabs(out->furthest_distance[i]));
    }
    DC_TRY(dc_wish_poll_stop(comm));
out:
    release(&w);
    return st;
}

double dc_topics_documents_bytes(const dc_part *part, int64_t K, int64_t d, int64_t m, int threads, bool means)
{
    const double k = (double)K, cells = k * (double)d, tile = sizeof(float) * DC_TOPIC_TILE * (double)d * threads;
    const double sums = means ? dc_sum_bytes(part, (size_t)(K * d + K)) + 8 * (cells + k) : 0;
    return tile + (means ? sizeof(float) * cells : 0) + 8 * k + 8 * (double)dc_part_rows(part) +
           fmax(sums, dc_lowest_rows_bytes(part->P, K, m)) + 32 * k * (double)m;
}
