/* Finds what a job must know about its data before it starts: statistics of the stored values, NaN and Inf, constant
 * columns, a checksum.
 *
 * Results are the same for every number of ranks and threads: sums are taken over the canonical blocks (sum.h), minima
 * and counts do not depend on order (except for the sign of 0), and hashes are combined in shard order. */
#include <float.h>
#include <math.h>
#include <string.h>
#include <xxhash.h>

#include "data_priv.h"
#include "dcmpi/comm.h"
#include "dcmpi/fault.h"
#include "dcmpi/files.h"
#include "dcmpi/h5_sparse.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/sum.h"

/* ---- One pass over the rows -------------------------------------------------------------------------------------- */

/* Scratch of one thread. Minima, maxima and counts can be joined after the pass, because order does not matter to
 * them. */
typedef struct {
    double *row, *min, *max; /* [D] each; of sparse data, row counts the stored values of each column */
    int64_t bad_count, bad_first, clipped;
} scratch;

typedef struct {
    const dc_dataset *data;
    scratch *threads;
} pass;

static void note_bad(scratch *t, const pass *p, int64_t row)
{
    const int64_t D = p->data->D;
    for (int64_t c = 0; c < D; c++) {
        if (isfinite(t->row[c])) continue;
        t->bad_count++;
        t->bad_first = DC_MIN(t->bad_first, (p->data->part.row_lo + row) * D + c);
    }
}

/* Sum of squares in eight interleaved partial sums: a fixed order that still fills the vector units. */
static double sum_squares(const double *x, int64_t D)
{
    double lane[8] = {0};
    int64_t c = 0;
    for (; c + 8 <= D; c += 8)
        for (int l = 0; l < 8; l++) lane[l] += x[c + l] * x[c + l];
    for (int l = 0; c < D; c++, l++) lane[l] += x[c] * x[c];
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

/* leaf[0..D) += column sums, leaf[D] += sum of squares. */
static void block_pass(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const pass *p = ctx;
    scratch *t = &p->threads[thread];
    const int64_t D = p->data->D;
    double *restrict x = t->row, *restrict lowest = t->min, *restrict highest = t->max;
    for (int64_t i = block->lo; i < block->hi; i++) {
        int64_t bad = 0;
        dc_data_piece_f64(p->data, i, 0, D, x);
        for (int64_t c = 0; c < D; c++) bad += !(fabs(x[c]) <= DBL_MAX);
        if (bad) note_bad(t, p, i);
        t->clipped += dc_data_clip_f64(p->data, 0, D, x);
        for (int64_t c = 0; c < D; c++) {
            leaf[c] += x[c];
            lowest[c] = x[c] < lowest[c] ? x[c] : lowest[c];
            highest[c] = x[c] > highest[c] ? x[c] : highest[c];
        }
        leaf[D] += sum_squares(x, D);
    }
}

static void note_bad_value(scratch *t, const pass *p, int64_t row, int64_t column)
{
    t->bad_count++;
    t->bad_first = DC_MIN(t->bad_first, (p->data->part.row_lo + row) * p->data->D + column);
}

/* The same for sparse rows, in the same order: zeros would change neither sum. */
static void block_sparse_pass(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const pass *p = ctx;
    scratch *t = &p->threads[thread];
    const dc_csr *m = &p->data->csr;
    for (int64_t i = block->lo; i < block->hi; i++) {
        double lane[8] = {0};
        for (int64_t e = m->ptr[i]; e < m->ptr[i + 1]; e++) {
            const int64_t c = m->col[e];
            double x = (double)m->val[e];
            if (!(fabs(x) <= DBL_MAX)) note_bad_value(t, p, i, c);
            t->clipped += dc_data_clip_f64(p->data, c, 1, &x);
            leaf[c] += x;
            t->min[c] = x < t->min[c] ? x : t->min[c];
            t->max[c] = x > t->max[c] ? x : t->max[c];
            t->row[c]++;
            lane[c & 7] += x * x;
        }
        leaf[m->D] += ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
    }
}

static dc_status create_scratch(pass *p, int n_threads, double **slab)
{
    dc_status st = DC_OK;
    const size_t D = (size_t)p->data->D, n = (size_t)n_threads;
    DC_TRY(dc_mem_alloc(&p->threads, n, sizeof *p->threads, "statistics"));
    DC_TRY(dc_mem_alloc(slab, dc_mul_size(3 * n, D), sizeof **slab, "statistics"));
    for (size_t t = 0; t < n; t++) {
        double *base = *slab + 3 * t * D;
        p->threads[t] = (scratch){.row = base, .min = base + D, .max = base + 2 * D, .bad_first = INT64_MAX};
        for (size_t c = 0; c < D; c++) base[D + c] = INFINITY, base[2 * D + c] = -INFINITY;
    }
out:
    return st;
}

static void join_scratch(const pass *p, int n_threads, dc_data_stats *s)
{
    const size_t D = (size_t)p->data->D;
    for (size_t c = 0; c < D; c++) s->col_min[c] = INFINITY, s->col_max[c] = -INFINITY;
    s->bad_first = INT64_MAX;
    for (int i = 0; i < n_threads; i++) {
        const scratch *t = &p->threads[i];
        for (size_t c = 0; c < D; c++) {
            s->col_min[c] = DC_MIN(s->col_min[c], t->min[c]);
            s->col_max[c] = DC_MAX(s->col_max[c], t->max[c]);
        }
        s->bad_count += t->bad_count;
        s->n_clipped += t->clipped;
        s->bad_first = DC_MIN(s->bad_first, t->bad_first);
    }
}

static void join_counts(const pass *p, int n_threads, double *stored)
{
    for (int i = 0; i < n_threads; i++)
        for (int64_t c = 0; c < p->data->D; c++) stored[c] += p->threads[i].row[c];
}

/* What the zeros that are not stored add to the statistics: nothing, unless they are clipped. */
static void add_zeros(const dc_dataset *d, dc_data_stats *s)
{
    for (int64_t c = 0; c < d->D; c++) {
        const double zeros = (double)d->part.N - s->col_stored[c];
        double x = 0;
        if (zeros == 0) continue;
        s->n_clipped += dc_data_clip_f64(d, c, 1, &x) ? (int64_t)zeros : 0;
        s->col_min[c] = DC_MIN(s->col_min[c], x);
        s->col_max[c] = DC_MAX(s->col_max[c], x);
        s->col_sum[c] += zeros * x;
        s->col_sum[d->D] += zeros * x * x;
    }
}

static void reduce(dc_comm *comm, const dc_dataset *data, dc_data_stats *s)
{
    const size_t D = (size_t)data->D;
    if (dc_fault(DC_FAULT_DATA_NAN)) s->bad_count++, s->bad_first = data->part.row_lo * data->D;
    dc_comm_min_f64(comm, s->col_min, D);
    dc_comm_max_f64(comm, s->col_max, D);
    dc_comm_sum_i64(comm, &s->bad_count, 1);
    dc_comm_sum_i64(comm, &s->n_clipped, 1);
    dc_comm_min_i64(comm, &s->bad_first, 1);
    if (s->col_stored) {
        dc_comm_sum_f64(comm, s->col_stored, D);
        add_zeros(data, s);
    }
    s->sum_squares = s->col_sum[D];
    for (size_t c = 0; c < D; c++) {
        s->col_min[c] += 0.0; /* -0 becomes 0: which of the two equal zeros was kept depends on order */
        s->col_max[c] += 0.0;
        s->n_constant += s->col_min[c] == s->col_max[c];
    }
}

dc_status dc_data_stats_create(dc_comm *comm, const dc_dataset *data, dc_data_stats *s)
{
    dc_status st = DC_OK;
    const size_t D = (size_t)data->D;
    const int n_threads = dc_data_threads();
    dc_sum *sum = NULL;
    double *slab = NULL;
    pass p = {.data = data};
    *s = (dc_data_stats){0};
    DC_TRY_ALL(comm, create_scratch(&p, n_threads, &slab));
    DC_TRY_ALL(comm, dc_mem_alloc(&s->col_min, D, sizeof *s->col_min, "statistics"));
    DC_TRY_ALL(comm, dc_mem_alloc(&s->col_max, D, sizeof *s->col_max, "statistics"));
    DC_TRY_ALL(comm, dc_mem_alloc(&s->col_sum, D + 1, sizeof *s->col_sum, "statistics"));
    if (dc_dataset_is_sparse(data))
        DC_TRY_ALL(comm, dc_mem_alloc(&s->col_stored, D, sizeof *s->col_stored, "statistics"));
    DC_TRY_ALL(comm, dc_sum_create(&sum, &data->part, D + 1));
    dc_sum_over_blocks(comm, sum, dc_dataset_is_sparse(data) ? block_sparse_pass : block_pass, &p, s->col_sum);
    join_scratch(&p, n_threads, s);
    if (s->col_stored) join_counts(&p, n_threads, s->col_stored);
    reduce(comm, data, s);
out:
    dc_sum_destroy(&sum);
    dc_mem_free(&slab);
    dc_mem_free(&p.threads);
    return st;
}

void dc_data_stats_release(dc_data_stats *s)
{
    dc_mem_free(&s->col_min);
    dc_mem_free(&s->col_max);
    dc_mem_free(&s->col_sum);
    dc_mem_free(&s->col_stored);
}

/* ---- Judgement --------------------------------------------------------------------------------------------------- */

static dc_status check_finite(const dc_dataset *d, const dc_data_stats *s)
{
    char place[DC_FILES_ROW_MAX];
    if (s->bad_count == 0) return DC_OK;
    return DC_FAIL(DC_ERR_DATA,
                   "%s: %lld NaN or infinite value(s), the first in row %lld%s, column %lld (counted from 0); "
                   "dcmpi convert --missing leaves such rows out or replaces the values",
                   d->source, (long long)s->bad_count, (long long)(s->bad_first / d->D),
                   dc_files_row(d->files, s->bad_first / d->D, place), (long long)(s->bad_first % d->D));
}

static void summarize(dc_dataset *d, const dc_data_stats *s)
{
    double sum = 0;
    d->min = INFINITY;
    d->max = -INFINITY;
    for (int64_t c = 0; c < d->D; c++) {
        d->min = DC_MIN(d->min, s->col_min[c]);
        d->max = DC_MAX(d->max, s->col_max[c]);
        sum += s->col_sum[c];
    }
    d->mean = sum / ((double)d->part.N * (double)d->D);
    if (d->clip_lo)
        dc_log("clip      %lld of %lld values were beyond input.clip", (long long)s->n_clipped,
               (long long)d->part.N * (long long)d->D);
    if (s->n_constant > 0)
        dc_log_note("%lld of %lld columns are constant%s; they carry no information", (long long)s->n_constant,
                    (long long)d->D, d->clip_lo ? " (after input.clip)" : "");
}

/* Checksum of local rows [lo, hi) of dense data. */
static dc_status hash_dense(const dc_dataset *d, int64_t lo, int64_t hi, XXH3_state_t *state, int64_t *hash)
{
    const size_t row_bytes = (size_t)d->D * dc_dtype_bytes(d->dtype);
    bool ok = XXH3_64bits_reset(state) == XXH_OK;
    for (int64_t n; lo < hi; lo += n) {
        const void *rows;
        n = dc_data_stored(d, lo, hi - lo, &rows);
        ok = ok && XXH3_64bits_update(state, rows, (size_t)n * row_bytes) == XXH_OK;
    }
    *hash = (int64_t)XXH3_64bits_digest(state);
    return ok ? DC_OK : DC_FAIL(DC_ERR_INTERNAL, "no checksum of the rows");
}

static int64_t hash_sparse(const dc_dataset *d, int64_t lo, int64_t hi)
{
    const dc_csr *m = &d->csr;
    return (int64_t)dc_h5_hash_sparse(sizeof *m->val, d->part.row_lo + lo, hi - lo, m->ptr + lo, m->col + m->ptr[lo],
                                      m->val + m->ptr[lo]);
}

/* hash[V] of this rank's shards. */
static dc_status hash_shards(const dc_dataset *d, int64_t *hash)
{
    dc_status st = DC_OK;
    const dc_part *part = &d->part;
    XXH3_state_t *state = XXH3_createState();
    if (!state) return DC_FAIL(DC_ERR_MEMORY, "no memory for a checksum");
    int64_t lo = 0;
    for (int s = part->shard_lo; s < part->shard_hi; s++) {
        const int64_t hi = dc_part_shard_begin(part, s + 1) - part->row_lo;
        if (dc_dataset_is_sparse(d))
            hash[s] = hash_sparse(d, lo, hi);
        else
            DC_TRY(hash_dense(d, lo, hi, state, &hash[s]));
        lo = hi;
    }
out:
    XXH3_freeState(state);
    return st;
}

static dc_status compute_hash(dc_comm *comm, dc_dataset *d)
{
    dc_status st = DC_OK;
    const dc_part *part = &d->part;
    int64_t *hash = NULL;
    DC_TRY_ALL(comm, dc_mem_alloc(&hash, (size_t)part->V, sizeof *hash, "shard hashes"));
    DC_TRY_ALL(comm, hash_shards(d, hash));
    dc_comm_sum_i64(comm, hash, (size_t)part->V); /* every rank but the shard's owner adds 0 */
    d->hash = XXH3_64bits(hash, (size_t)part->V * sizeof *hash);
out:
    dc_mem_free(&hash);
    return st;
}

dc_status dc_data_audit(dc_comm *comm, dc_dataset *data, const dc_data_stats *stats)
{
    dc_status st = DC_OK;
    DC_TRY(check_finite(data, stats));
    summarize(data, stats);
    DC_TRY(compute_hash(comm, data));
out:
    return st;
}
