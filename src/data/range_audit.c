/* Searches the rows of all ranks for values far outside their columns: every rank gets a sample of rows, in blocks of
 * columns, and describes its share of the columns; then every rank looks for suspects in its own rows. */
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "range.h"

enum { ROUND_BYTES = 8 << 20 };

/* ---- Sample ------------------------------------------------------------------------------------------------------ */

typedef struct {
    int64_t rows, width; /* rows of the sample; columns of a block */
    int64_t lo, hi;      /* this rank's rows of the sample */
    double *block;       /* [rows x width] */
    int64_t *begin;      /* [P + 1] each rank's first row in the sample */
    size_t *bytes;       /* [P] */
} sample;

/* Number of sampled rows that come before a row of the data. */
static int64_t rows_before(const dc_dataset *d, int64_t rows, dc_gidx row)
{
    int64_t lo = 0, hi = rows;
    while (lo < hi) {
        const int64_t mid = lo + (hi - lo) / 2;
        if (dc_range_sample_row(d->part.N, rows, mid) < row)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void sample_release(sample *s)
{
    dc_mem_free(&s->block);
    dc_mem_free(&s->begin);
    dc_mem_free(&s->bytes);
}

static dc_status sample_create(const dc_dataset *d, sample *s)
{
    dc_status st = DC_OK;
    const size_t P = (size_t)d->part.P;
    s->rows = dc_range_sample_rows(d->part.N, d->D);
    s->width = dc_range_block(d->D, s->rows);
    s->lo = rows_before(d, s->rows, d->part.row_lo);
    s->hi = rows_before(d, s->rows, d->part.row_hi);
    DC_TRY(dc_mem_alloc(&s->block, (size_t)(s->rows * s->width), sizeof *s->block, "sample of rows"));
    DC_TRY(dc_mem_alloc(&s->begin, P + 1, sizeof *s->begin, "sample of rows"));
    DC_TRY(dc_mem_alloc(&s->bytes, P, sizeof *s->bytes, "sample of rows"));
    for (int r = 0; r <= d->part.P; r++) s->begin[r] = rows_before(d, s->rows, dc_part_rank_begin(&d->part, r));
out:
    return st;
}

/* Brings columns [c, c + width) of the sample to every rank. */
static void gather(dc_comm *comm, const dc_dataset *d, sample *s, int64_t c, int64_t width)
{
    double *mine = s->block + s->lo * width;
    for (int64_t k = s->lo; k < s->hi; k++) {
        double *row = s->block + k * width;
        dc_data_piece_f64(d, dc_range_sample_row(d->part.N, s->rows, k) - d->part.row_lo, c, width, row);
        dc_data_clip_f64(d, c, width, row);
    }
    for (int r = 0; r < d->part.P; r++) s->bytes[r] = (size_t)((s->begin[r + 1] - s->begin[r]) * width) * sizeof *mine;
    dc_comm_allgatherv(comm, mine, s->block, s->bytes);
}

static dc_status sketch(dc_comm *comm, const dc_dataset *d, dc_range_sketch *sk)
{
    dc_status st = DC_OK;
    sample s = {0};
    const size_t ends = (size_t)d->D * DC_RANGE_ENDS;
    DC_TRY_ALL(comm, sample_create(d, &s));
    for (int64_t c = 0; c < d->D; c += s.width) {
        const int64_t width = DC_MIN(s.width, d->D - c);
        gather(comm, d, &s, c, width);
        dc_range_describe(sk, s.block, s.rows, c, width, d->part.rank, d->part.P);
    }
    /* Each column was described by one rank; the others have zeros. */
    dc_comm_sum_f64(comm, sk->median, ends);
    dc_comm_sum_f64(comm, sk->spread, ends);
    dc_comm_sum_i64(comm, sk->traits, ends);
    dc_comm_sum_i64(comm, sk->magnitude, DC_RANGE_MAGNITUDES);
out:
    sample_release(&s);
    return st;
}

/* ---- Suspects ---------------------------------------------------------------------------------------------------- */

static void join(const dc_range_suspect *suspect, int n, int P, const dc_range_tail *all, dc_range_tail *out)
{
    for (int k = 0; k < n; k++) {
        out[k].n = 0;
        for (int r = 0; r < P; r++)
            for (int64_t i = 0; i < all[r * n + k].n; i++)
                dc_range_tail_add(&out[k], (int)(suspect[k].end % DC_RANGE_ENDS), all[r * n + k].x[i]);
    }
}

static int suspects_of_a_round(int P)
{
    const size_t fit = ROUND_BYTES / ((size_t)P * sizeof(dc_range_tail));
    return (int)DC_MAX((size_t)1, DC_MIN(fit, (size_t)DC_RANGE_SUSPECTS_MAX));
}

/* tail[k]: the tail of suspect k over all rows, the same on every rank. */
static dc_status find_tails(dc_comm *comm, const dc_dataset *d, const dc_range_suspect *suspect, int n,
                            dc_range_tail *tail)
{
    dc_status st = DC_OK;
    const int P = d->part.P, most = DC_MIN(suspects_of_a_round(P), n);
    dc_range_tail *all = NULL;
    size_t *bytes = NULL;
    DC_TRY_ALL(comm, dc_mem_alloc(&all, (size_t)P * (size_t)most, sizeof *all, "outermost values"));
    DC_TRY_ALL(comm, dc_mem_alloc(&bytes, (size_t)P, sizeof *bytes, "outermost values"));
    for (int k = 0; k < n; k += most) {
        const int m = DC_MIN(most, n - k);
        dc_range_tails(d, suspect + k, m, tail + k);
        for (int r = 0; r < P; r++) bytes[r] = (size_t)m * sizeof *all;
        dc_comm_allgatherv(comm, tail + k, all, bytes);
        join(suspect + k, m, P, all, tail + k);
    }
out:
    dc_mem_free(&all);
    dc_mem_free(&bytes);
    return st;
}

/* ---- All of it --------------------------------------------------------------------------------------------------- */

static void tell(dc_dataset *d, const dc_data_stats *stats, const dc_range_sketch *sk, const dc_range_finding *list,
                 int n)
{
    const dc_range_context with = {.source = d->source,
                                   .names = d->feature_names,
                                   .files = d->files,
                                   .scale = (int)d->scale_kind,
                                   .dtype = d->dtype,
                                   .sum_squares = stats->sum_squares};
    if (n > 0) dc_range_tell(sk, &with, list, n, d->outlying, sizeof d->outlying);
}

/* Constant columns matter only to scalings that use the same factor for all columns. */
static int find_coded_columns(const dc_dataset *d, const dc_range_sketch *sk, dc_range_finding *list, int n)
{
    const dc_scale_kind k = d->scale_kind;
    const bool by_range = k == DC_SCALE_UNIT || k == DC_SCALE_SYMMETRIC;
    const bool common = k == DC_SCALE_NONE || k == DC_SCALE_DEC || (by_range && d->dtype != DC_U8);
    return n + (common ? dc_range_coded_columns(sk, list + n, DC_RANGE_FINDINGS_MAX - n) : 0);
}

dc_status dc_data_check_range(dc_comm *comm, dc_dataset *d, const dc_data_stats *stats)
{
    dc_status st = DC_OK;
    dc_range_sketch sk = {0};
    dc_range_suspect *suspect = NULL;
    dc_range_tail *tail = NULL;
    dc_range_finding *list = NULL;
    int n = 0, found = 0;
    DC_TRY_ALL(comm,
               dc_range_sketch_create(d->part.N, d->D, dc_dataset_is_sparse(d), stats->col_min, stats->col_max, &sk));
    DC_TRY_ALL(comm, dc_mem_alloc(&suspect, DC_RANGE_SUSPECTS_MAX, sizeof *suspect, "outermost values"));
    DC_TRY(sketch(comm, d, &sk));
    n = dc_range_suspects(&sk, suspect);
    DC_TRY_ALL(comm, dc_mem_alloc(&tail, (size_t)n, sizeof *tail, "outermost values"));
    DC_TRY_ALL(comm, dc_mem_alloc(&list, DC_RANGE_FINDINGS_MAX, sizeof *list, "outermost values"));
    if (n > 0) DC_TRY(find_tails(comm, d, suspect, n, tail));
    for (int k = 0; k < n; k++) found += dc_range_judge(&sk, &suspect[k], &tail[k], &list[found]);
    found = find_coded_columns(d, &sk, list, found);
    tell(d, stats, &sk, list, found);
out:
    dc_range_sketch_release(&sk);
    dc_mem_free(&suspect);
    dc_mem_free(&tail);
    dc_mem_free(&list);
    return st;
}

double dc_data_range_bytes(dc_gidx N, int64_t D, int ranks)
{
    const int64_t rows = dc_range_sample_rows(N, D);
    const double ends = (double)D * DC_RANGE_ENDS * (2 * sizeof(double) + sizeof(int64_t));
    const double lists = DC_RANGE_SUSPECTS_MAX * (double)(sizeof(dc_range_suspect) + sizeof(dc_range_finding));
    const double block = (double)(rows * dc_range_block(D, rows)) * sizeof(double);
    return ends + lists + block + 16.0 * (ranks + 1);
}
