/* Samples of rows. Which rows are drawn depends on the seed and the number of rows alone. */
#include "sample.h"

#include <stdlib.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "dcmpi/rng.h"

int64_t dc_sweep_sample_rows(const dc_sweep_config *cfg, int64_t N)
{
    return DC_MIN(cfg->sample, N);
}

int64_t dc_sweep_subsample_rows(const dc_sweep_config *cfg, int64_t N)
{
    return (int64_t)(cfg->share * (double)dc_sweep_sample_rows(cfg, N));
}

static int ascending(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

void dc_sample_pick(int64_t m, int64_t n, uint64_t seed, int64_t draw, int64_t *pick)
{
    dc_perm perm;
    dc_perm_init(&perm, seed, DC_STREAM_SWEEP, (uint64_t)draw, 0, (uint64_t)m);
    for (int64_t i = 0; i < n; i++) pick[i] = (int64_t)dc_perm_at(&perm, (uint64_t)i);
    qsort(pick, (size_t)n, sizeof *pick, ascending);
}

/* Number of rows of the sample before global row `row`. */
static int64_t place_of(const dc_sample *s, dc_gidx row)
{
    int64_t lo = 0, hi = s->m;
    while (lo < hi) {
        const int64_t mid = lo + (hi - lo) / 2;
        if (s->row[mid] < row)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void count(const dc_sample *s, const dc_part *part, size_t bytes)
{
    for (int r = 0; r < part->P; r++) {
        const dc_gidx lo = dc_part_rank_begin(part, r), hi = dc_part_rank_begin(part, r + 1);
        s->counts[r] = (size_t)(place_of(s, hi) - place_of(s, lo)) * bytes;
    }
}

static dc_status make(const dc_rows *rows, int64_t m, dc_sample *s)
{
    dc_status st = DC_OK;
    *s = (dc_sample){.m = m, .d = rows->d};
    DC_TRY(dc_mem_alloc(&s->row, (size_t)m, sizeof *s->row, "rows of the sample"));
    DC_TRY(dc_mem_alloc(&s->X, dc_mul_size((size_t)m, (size_t)rows->d), sizeof *s->X, "rows of the sample"));
    DC_TRY(dc_mem_alloc(&s->counts, (size_t)rows->part->P, sizeof *s->counts, "rank table"));
out:
    return st;
}

dc_status dc_sample_draw(dc_comm *comm, const dc_rows *rows, int64_t m, uint64_t seed, dc_sample *s)
{
    dc_status st = DC_OK;
    const dc_part *part = rows->part;
    const size_t bytes = (size_t)rows->d * sizeof *s->X;
    DC_TRY_ALL(comm, make(rows, m, s));
    dc_sample_pick(part->N, m, seed, 0, s->row);
    s->first = place_of(s, part->row_lo);
    s->n = place_of(s, part->row_hi) - s->first;
    float *own = s->X + s->first * s->d;
    for (int64_t i = 0; i < s->n; i++) {
        const int64_t row = s->row[s->first + i] - part->row_lo;
        if (rows->X)
            memcpy(own + i * s->d, rows->X + row * s->d, bytes);
        else
            rows->rows(rows->ctx, row, 1, own + i * s->d);
    }
    count(s, part, bytes);
    dc_comm_allgatherv(comm, own, s->X, s->counts);
out:
    return st;
}

void dc_sample_release(dc_sample *s)
{
    dc_mem_free(&s->row);
    dc_mem_free(&s->X);
    dc_mem_free(&s->counts);
}

void dc_sample_labels(dc_comm *comm, const dc_sample *s, const dc_part *part, const int32_t *label, int32_t *own,
                      int64_t *to, int64_t stride)
{
    count(s, part, sizeof *own);
    for (int64_t i = s->first; i < s->first + s->n; i++) own[i] = label[s->row[i] - part->row_lo];
    dc_comm_allgatherv(comm, own + s->first, own, s->counts);
    for (int64_t i = 0; i < s->m; i++) to[i * stride] = own[i];
}
