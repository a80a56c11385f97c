/* Ranks of rows within their clusters, and quantiles of the distances.
 *
 * Each rank sorts its own rows by cluster and distance, then the sorted rows of all ranks go by, a piece at a time, and
 * each rank counts how many of them come before each of its own. So a rank holds little besides the order of its rows,
 * however the clusters lie over the ranks; the price is that 24 bytes of every row pass by every rank. */
#include "dcmpi/standing.h"

#include <math.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"

enum { TILE_ROWS = 256 };
const double dc_standing_quantile[DC_STANDING_QUANTILES] = {0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1};

double dc_standing_tile_bytes(const dc_rows *rows)
{
    return rows->X ? 0 : TILE_ROWS * (double)rows->d * sizeof(float);
}

dc_status dc_standing_of(const dc_rows *rows, const float *centers, const int32_t *label, double *distance,
                         double *cosine)
{
    dc_status st = DC_OK;
    float *tile = NULL;
    const int64_t n = dc_part_rows(rows->part), d = rows->d;
    if (!rows->X) DC_TRY(dc_mem_alloc(&tile, TILE_ROWS, (size_t)d * sizeof *tile, "tile of rows"));
    for (int64_t lo = 0; lo < n; lo += TILE_ROWS) {
        const int64_t m = DC_MIN(n - lo, (int64_t)TILE_ROWS);
        const float *x = rows->X ? rows->X + lo * d : tile;
        if (!rows->X) rows->rows(rows->ctx, lo, m, tile);
        dc_standing_local(x, centers, m, d, label + lo, distance ? distance + lo : NULL, cosine ? cosine + lo : NULL);
    }
out:
    dc_mem_free(&tile);
    return st;
}

int64_t dc_standing_place(int64_t count, double q)
{
    return DC_MIN(DC_MAX((int64_t)ceil(q * (double)count - 1e-9), (int64_t)1), count) - 1;
}

typedef struct {
    const dc_part *part;
    int64_t K, n;
    const int32_t *label;
    const double *distance;
    int64_t *order; /* [n] local rows by cluster, distance, row */
    int64_t *begin; /* [K + 1] where the clusters begin in it */
    int64_t *rank;  /* [n] of local rows */
} sorter;

/* A row on its way past the other ranks. */
typedef struct {
    int64_t cluster;
    double distance;
    dc_gidx row;
} passing;
enum { PIECE_ROWS = 1 << 16 };

static int nearer(const void *a, const void *b, void *ctx)
{
    const double *distance = ctx;
    const int64_t i = *(const int64_t *)a, j = *(const int64_t *)b;
    if (distance[i] != distance[j]) return distance[i] < distance[j] ? -1 : 1;
    return (i > j) - (i < j);
}

static void sort_rows(sorter *s)
{
    for (int64_t i = 0; i < s->n; i++) s->begin[s->label[i] + 1]++;
    for (int64_t k = 0; k < s->K; k++) s->begin[k + 1] += s->begin[k];
    for (int64_t i = 0; i < s->n; i++) s->order[s->begin[s->label[i]]++] = i;
    for (int64_t k = s->K; k > 0; k--) s->begin[k] = s->begin[k - 1]; /* which the line above moved on */
    s->begin[0] = 0;
    for (int64_t k = 0; k < s->K; k++) {
        const int64_t lo = s->begin[k], count = s->begin[k + 1] - lo;
        if (count > 1) qsort_r(s->order + lo, (size_t)count, sizeof *s->order, nearer, (void *)(uintptr_t)s->distance);
        for (int64_t p = lo; p < lo + count; p++) s->rank[s->order[p]] = p - lo;
    }
}

static passing passing_of(const sorter *s, int64_t p)
{
    const int64_t i = s->order[p];
    return (passing){s->label[i], s->distance[i], s->part->row_lo + i};
}

static bool comes_before(const passing *a, const passing *b)
{
    if (a->cluster != b->cluster) return a->cluster < b->cluster;
    if (a->distance != b->distance) return a->distance < b->distance;
    return a->row < b->row;
}

/* Counts rows of another rank, which go by in their order. */
typedef struct {
    int64_t cluster, passed; /* rows of this cluster that have gone by */
    int64_t next;            /* place of the first own row that comes after them */
} counter;

/* Adds what has gone by to the own rows of the cluster that come before x; with x NULL, to all that are left of it. */
static void count_up_to(sorter *s, counter *c, const passing *x)
{
    for (; c->next < s->begin[c->cluster + 1]; c->next++) {
        const passing own = passing_of(s, c->next);
        if (x && !comes_before(&own, x)) return;
        s->rank[s->order[c->next]] += c->passed;
    }
}

static void count_piece(sorter *s, counter *c, const passing *piece, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        if (piece[i].cluster != c->cluster) {
            count_up_to(s, c, NULL);
            *c = (counter){.cluster = piece[i].cluster, .next = s->begin[piece[i].cluster]};
        }
        count_up_to(s, c, &piece[i]);
        c->passed++;
    }
}

static void count_all(dc_comm *comm, sorter *s, passing *piece)
{
    const dc_part *part = s->part;
    for (int r = 0; r < part->P; r++) {
        const int64_t rows = dc_part_rank_rows(part, r);
        counter c = {0};
        for (int64_t lo = 0; lo < rows; lo += PIECE_ROWS) {
            const int64_t n = DC_MIN(rows - lo, (int64_t)PIECE_ROWS);
            for (int64_t i = 0; r == part->rank && i < n; i++) piece[i] = passing_of(s, lo + i);
            dc_comm_bcast(comm, piece, (size_t)n * sizeof *piece, r);
            if (r != part->rank) count_piece(s, &c, piece, n);
        }
        if (r != part->rank) count_up_to(s, &c, NULL);
    }
}

/* The own row of cluster k with this rank in it; -1: another rank has it. Ranks ascend in the order of the rows. */
static int64_t find_rank(const sorter *s, int64_t k, int64_t rank)
{
    int64_t lo = s->begin[k], hi = s->begin[k + 1];
    while (lo < hi) {
        const int64_t middle = lo + (hi - lo) / 2;
        if (s->rank[s->order[middle]] < rank)
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo < s->begin[k + 1] && s->rank[s->order[lo]] == rank ? s->order[lo] : -1;
}

static void find_quantiles(dc_comm *comm, const sorter *s, const int64_t *size, double *quantile)
{
    const size_t cells = (size_t)s->K * DC_STANDING_QUANTILES;
    for (size_t c = 0; c < cells; c++) {
        const int64_t k = (int64_t)c / DC_STANDING_QUANTILES;
        const double q = dc_standing_quantile[c % DC_STANDING_QUANTILES];
        const int64_t row = size[k] > 0 ? find_rank(s, k, dc_standing_place(size[k], q)) : -1;
        quantile[c] = row < 0 ? -1 : s->distance[row];
    }
    dc_comm_max_f64(comm, quantile, cells);
    for (size_t c = 0; c < cells; c++)
        if (quantile[c] < 0) quantile[c] = NAN;
}

dc_status dc_standing_rank(dc_comm *comm, const dc_part *part, int64_t K, const int64_t *size, const int32_t *label,
                           const double *distance, int64_t *rank, double *quantile)
{
    dc_status st = DC_OK;
    int64_t *own_rank = NULL;
    passing *piece = NULL;
    sorter s = {.part = part, .K = K, .n = dc_part_rows(part), .label = label, .distance = distance};
    if (!rank) DC_TRY_ALL(comm, dc_mem_alloc(&own_rank, (size_t)s.n, sizeof *own_rank, "ranks of rows"));
    s.rank = rank ? rank : own_rank;
    DC_TRY_ALL(comm, dc_mem_alloc(&s.order, (size_t)s.n, sizeof *s.order, "order of rows"));
    DC_TRY_ALL(comm, dc_mem_alloc(&s.begin, (size_t)K + 1, sizeof *s.begin, "clusters"));
    DC_TRY_ALL(comm, dc_mem_alloc(&piece, PIECE_ROWS, sizeof *piece, "rows of other ranks"));
    sort_rows(&s);
    if (part->P > 1) count_all(comm, &s, piece);
    if (quantile) find_quantiles(comm, &s, size, quantile);
out:
    dc_mem_free(&own_rank);
    dc_mem_free(&s.order);
    dc_mem_free(&s.begin);
    dc_mem_free(&piece);
    return st;
}

/* The order, and what glibc's qsort_r takes to sort the largest cluster; ranks, if they are not wanted. */
double dc_standing_rank_bytes(const dc_part *part, int64_t K, bool ranks)
{
    return (ranks ? 2.0 : 3.0) * sizeof(int64_t) * (double)dc_part_rows(part) + (double)(K + 1) * sizeof(int64_t) +
           PIECE_ROWS * sizeof(passing);
}
