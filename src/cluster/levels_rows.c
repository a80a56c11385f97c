/* Brings the rows of clusters to the ranks that split them.
 *
 * Every rank knows which rows of a cluster it has; where they stand among all rows of the cluster it learns from the
 * rank that gets them, because that rank is told by all how many they have. As ranks hold consecutive rows, what
 * arrives in the order of ranks is in the order of rows. */
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "levels_impl.h"

enum { ROUND_BYTES = 8 << 20 };

dc_status dc_lv_rows_init(dc_lv_rows *r, const dc_rows *rows, int64_t K)
{
    dc_status st = DC_OK;
    *r = (dc_lv_rows){.rows = rows};
    DC_TRY(dc_mem_alloc(&r->start, (size_t)K + 1, sizeof *r->start, "clusters"));
    DC_TRY(dc_mem_alloc(&r->order, (size_t)dc_part_rows(rows->part), sizeof *r->order, "rows by cluster"));
out:
    return st;
}

void dc_lv_rows_release(dc_lv_rows *r)
{
    dc_mem_free(&r->start);
    dc_mem_free(&r->order);
}

void dc_lv_rows_sort(dc_lv_rows *r, const int32_t *label, int64_t K)
{
    const int64_t n = dc_part_rows(r->rows->part);
    r->K = K;
    memset(r->start, 0, (size_t)(K + 1) * sizeof *r->start);
    for (int64_t i = 0; i < n; i++) r->start[label[i] + 1]++;
    for (int64_t k = 0; k < K; k++) r->start[k + 1] += r->start[k];
    for (int64_t i = 0; i < n; i++) r->order[r->start[label[i]]++] = i;
    memmove(r->start + 1, r->start, (size_t)K * sizeof *r->start);
    r->start[0] = 0;
}

void dc_lv_rows_read(const void *ctx, int64_t lo, int64_t n, float *out)
{
    const dc_lv_rows *r = ctx;
    const dc_rows *rows = r->rows;
    const int64_t d = rows->d;
    for (int64_t i = 0; i < n; i++) {
        const int64_t row = r->order[lo + i];
        if (rows->X)
            memcpy(out + i * d, rows->X + row * d, (size_t)d * sizeof *out);
        else
            rows->rows(rows->ctx, row, 1, out + i * d);
    }
}

/* ---- Between ranks ----------------------------------------------------------------------------------------------- */

typedef struct {
    const dc_lv_rows *rows;
    const dc_lv_share *share;
    int P, rank;
    int64_t window;     /* rows that a rank gets in a round */
    int64_t *have, *at; /* [P] how many rows this rank has of the cluster that rank r gets, and where they start */
    int64_t *theirs;    /* [P + 1] where the rows of each rank start in the cluster that this rank gets */
    float *sent;        /* [P * window, at most n, x d] */
    size_t *send, *get; /* [P] bytes */
} bringing;

static int64_t window_rows(const dc_part *part, int64_t d)
{
    const int64_t row = DC_MAX(d, (int64_t)1) * (int64_t)sizeof(float);
    return DC_MAX(ROUND_BYTES / (row * part->P), (int64_t)1);
}

/* Most rows that this rank sends in a round. */
static int64_t most_sent(const dc_part *part, int64_t window)
{
    return DC_MIN(window * part->P, dc_part_rows(part));
}

double dc_lv_rows_bring_bytes(const dc_part *part, int64_t d)
{
    const double rows = (double)most_sent(part, window_rows(part, d));
    return rows * (double)d * sizeof(float) + (double)(part->P + 1) * 5 * sizeof(int64_t);
}

static dc_status take(bringing *b)
{
    dc_status st = DC_OK;
    const dc_rows *rows = b->rows->rows;
    const size_t P = (size_t)b->P;
    DC_TRY(dc_mem_alloc(&b->have, P, sizeof *b->have, "rank table"));
    DC_TRY(dc_mem_alloc(&b->at, P, sizeof *b->at, "rank table"));
    DC_TRY(dc_mem_alloc(&b->theirs, P + 1, sizeof *b->theirs, "rank table"));
    DC_TRY(dc_mem_alloc(&b->send, P, sizeof *b->send, "rank table"));
    DC_TRY(dc_mem_alloc(&b->get, P, sizeof *b->get, "rank table"));
    DC_TRY(dc_mem_alloc(&b->sent, (size_t)most_sent(rows->part, b->window),
                        dc_mul_size((size_t)rows->d, sizeof *b->sent), "rows on their way"));
out:
    return st;
}

static void release(bringing *b)
{
    dc_mem_free(&b->have);
    dc_mem_free(&b->at);
    dc_mem_free(&b->theirs);
    dc_mem_free(&b->send);
    dc_mem_free(&b->get);
    dc_mem_free(&b->sent);
}

static void find_places(dc_comm *comm, bringing *b)
{
    for (int r = 0; r < b->P; r++) {
        const int64_t c = b->share[r].cluster;
        b->have[r] = c >= 0 ? b->rows->start[c + 1] - b->rows->start[c] : 0;
        b->send[r] = sizeof *b->have;
    }
    dc_comm_alltoallv(comm, b->have, b->send, b->theirs + 1, b->send);
    for (int r = 0; r < b->P; r++) b->theirs[r + 1] += b->theirs[r];
    dc_comm_alltoallv(comm, b->theirs, b->send, b->at, b->send);
}

static int64_t overlap(int64_t lo, int64_t hi, int64_t begin, int64_t end)
{
    return DC_MAX(DC_MIN(hi, end) - DC_MAX(lo, begin), (int64_t)0);
}

/* The part of a share that round t brings. */
static dc_lv_share part_of(const bringing *b, int r, int64_t t)
{
    dc_lv_share s = b->share[r];
    s.begin += t * b->window;
    s.end = DC_MIN(s.end, s.begin + b->window);
    return s;
}

static void bring_part(dc_comm *comm, bringing *b, int64_t t, float *out)
{
    const int64_t d = b->rows->rows->d;
    const size_t row_bytes = (size_t)d * sizeof *out;
    float *next = b->sent;
    const dc_lv_share mine = part_of(b, b->rank, t);
    for (int r = 0; r < b->P; r++) {
        const dc_lv_share s = part_of(b, r, t);
        const int64_t n = s.cluster >= 0 ? overlap(b->at[r], b->at[r] + b->have[r], s.begin, s.end) : 0;
        if (n > 0) {
            const int64_t skipped = DC_MAX(s.begin - b->at[r], (int64_t)0);
            dc_lv_rows_read(b->rows, b->rows->start[s.cluster] + skipped, n, next);
        }
        next += n * d;
        b->send[r] = (size_t)n * row_bytes;
        b->get[r] = (size_t)overlap(b->theirs[r], b->theirs[r + 1], mine.begin, mine.end) * row_bytes;
    }
    dc_comm_alltoallv(comm, b->sent, b->send, out + t * b->window * d, b->get);
}

dc_status dc_lv_rows_bring(dc_comm *comm, const dc_lv_rows *r, const dc_lv_share *share, float *out)
{
    dc_status st = DC_OK;
    const dc_part *part = r->rows->part;
    bringing b = {.rows = r, .share = share, .P = part->P, .rank = part->rank};
    int64_t most = 0;
    b.window = window_rows(part, r->rows->d);
    DC_TRY_ALL(comm, take(&b));
    find_places(comm, &b);
    for (int p = 0; p < b.P; p++)
        if (share[p].cluster >= 0) most = DC_MAX(most, share[p].end - share[p].begin);
    for (int64_t t = 0; t * b.window < most; t++) bring_part(comm, &b, t, out);
out:
    release(&b);
    return st;
}
