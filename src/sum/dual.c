/* Principal components by pairs of rows: see dual.h. */
#include "dual.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "dcmpi/wish.h"
#include "dual_kern.h"

enum { TILE = DC_DUAL_TILE };

/* Columns of a panel: whole tiles of about 64 MiB. */
static int64_t panel_width(int64_t N, int64_t d)
{
    enum { PANEL_VALUES = 1 << 23 };
    return DC_MIN(d, DC_MAX(PANEL_VALUES / N / TILE, (int64_t)1) * TILE);
}

static int64_t tiles_of(int64_t n)
{
    return (n + TILE - 1) / TILE;
}

static int64_t pairs_of(int64_t N)
{
    return tiles_of(N) * (tiles_of(N) + 1) / 2;
}

/* Tiles [first_of(rank), first_of(rank + 1)) of `count` are this rank's. */
static int64_t first_of(int64_t count, int rank, int ranks)
{
    return count * rank / ranks;
}

static void take_share(const dc_comm *comm, dc_dual_panel *p, int64_t count)
{
    const int rank = dc_comm_rank(comm), ranks = dc_comm_size(comm);
    p->lo = first_of(count, rank, ranks);
    p->hi = first_of(count, rank + 1, ranks);
}

/* A panel, and a pass's tiles of all ranks on rank 0. */
typedef struct {
    dc_dual_panel p;
    double *all;    /* rank 0: [count] tiles */
    size_t *counts; /* [ranks] bytes */
} pass;

/* Tiles of `values` doubles each, at most `count` of all ranks. */
static dc_status take_memory(const dc_comm *comm, pass *s, int64_t count, int64_t values)
{
    dc_status st = DC_OK;
    dc_dual_panel *p = &s->p;
    const size_t N = (size_t)p->rows->part->N, d = (size_t)p->rows->d, threads = (size_t)omp_get_max_threads();
    const size_t width = (size_t)panel_width((int64_t)N, (int64_t)d), ranks = (size_t)dc_comm_size(comm);
    const size_t most = ((size_t)count + ranks - 1) / ranks, tile = (size_t)values * sizeof(double);
    const size_t all = dc_comm_rank(comm) == 0 ? (size_t)count : 0;
    DC_TRY(dc_mem_alloc_raw(&p->panel, N, dc_mul_size(width, sizeof *p->panel), "principal components"));
    DC_TRY(dc_mem_alloc_raw(&p->row, p->rows->X ? 0 : threads * DC_DUAL_READ, dc_mul_size(d, sizeof *p->row),
                            "principal components"));
    DC_TRY(dc_mem_alloc(&p->product, threads, TILE * TILE * sizeof *p->product, "principal components"));
    DC_TRY(dc_mem_alloc(&p->out, most, tile, "principal components"));
    DC_TRY(dc_mem_alloc_raw(&s->all, all, tile, "principal components"));
    DC_TRY(dc_mem_alloc(&s->counts, ranks, sizeof *s->counts, "principal components"));
out:
    return st;
}

static void release(pass *s)
{
    dc_mem_free(&s->p.panel);
    dc_mem_free(&s->p.row);
    dc_mem_free(&s->p.product);
    dc_mem_free(&s->p.out);
    dc_mem_free(&s->all);
    dc_mem_free(&s->counts);
}

/* The columns from `first` on of all rows, on all ranks. */
static dc_status fill_panel(dc_comm *comm, pass *s, int64_t first)
{
    dc_dual_panel *p = &s->p;
    const dc_part *part = p->rows->part;
    p->first = first;
    p->width = DC_MIN(panel_width(part->N, p->rows->d), p->rows->d - first);
    for (int r = 0; r < dc_comm_size(comm); r++)
        s->counts[r] = (size_t)(dc_part_rank_rows(part, r) * p->width) * sizeof *p->panel;
    dc_dual_read(p);
    dc_comm_allgatherv(comm, p->panel + part->row_lo * p->width, p->panel, s->counts);
    return dc_wish_poll_stop(comm);
}

/* Gathers the tiles of all ranks, of `values` doubles each. */
static void gather_tiles(dc_comm *comm, pass *s, int64_t count, int64_t values)
{
    const int ranks = dc_comm_size(comm);
    for (int r = 0; r < ranks; r++)
        s->counts[r] = (size_t)((first_of(count, r + 1, ranks) - first_of(count, r, ranks)) * values) * sizeof *s->all;
    dc_comm_gatherv(comm, s->p.out, s->all, s->counts, 0);
}

/* ---- Products ---------------------------------------------------------------------------------------------------- */

static void place_pairs(const double *tiles, int64_t N, double *A)
{
    for (int64_t t = 0; t < pairs_of(N); t++) {
        int64_t i, j;
        dc_dual_place(t, &i, &j);
        const double *tile = tiles + t * TILE * TILE;
        for (int64_t a = i * TILE; a < DC_MIN((i + 1) * TILE, N); a++)
            for (int64_t b = j * TILE; b < DC_MIN((j + 1) * TILE, N); b++)
                A[a * N + b] = tile[(a - i * TILE) * TILE + b - j * TILE] / (double)(N - 1);
    }
}

dc_status dc_dual_products(dc_comm *comm, const dc_rows *rows, const double *mean, double *A)
{
    dc_status st = DC_OK;
    const int64_t N = rows->part->N, count = pairs_of(N);
    pass s = {.p = {.rows = rows, .mean = mean}};
    DC_TRY_ALL(comm, take_memory(comm, &s, count, TILE * TILE));
    take_share(comm, &s.p, count);
    for (int64_t c = 0; c < rows->d; c += s.p.width) {
        DC_TRY(fill_panel(comm, &s, c));
        dc_dual_add(&s.p);
    }
    gather_tiles(comm, &s, count, TILE * TILE);
    if (dc_comm_rank(comm) == 0) place_pairs(s.all, N, A);
out:
    release(&s);
    return st;
}

/* ---- Directions -------------------------------------------------------------------------------------------------- */

/* U[N x k] on all ranks from V[k x N] of rank 0. */
static void spread(dc_comm *comm, int64_t N, int64_t k, const double *V, double *U)
{
    for (int64_t j = 0; dc_comm_rank(comm) == 0 && j < k; j++)
        for (int64_t i = 0; i < N; i++) U[i * k + j] = V[j * N + i];
    dc_comm_bcast(comm, U, (size_t)(N * k) * sizeof *U, 0);
}

/* length[k]: scratch. */
static void normalize(int64_t d, int64_t k, double *W, double *length)
{
    memset(length, 0, (size_t)k * sizeof *length);
    for (int64_t c = 0; c < d; c++)
        for (int64_t j = 0; j < k; j++) length[j] += W[c * k + j] * W[c * k + j];
    for (int64_t j = 0; j < k; j++) length[j] = length[j] > 0 ? 1 / sqrt(length[j]) : 0;
    for (int64_t c = 0; c < d; c++)
        for (int64_t j = 0; j < k; j++) W[c * k + j] *= length[j];
}

dc_status dc_dual_directions(dc_comm *comm, const dc_rows *rows, const double *mean, int64_t k, const double *V,
                             double *W)
{
    dc_status st = DC_OK;
    const int64_t N = rows->part->N;
    pass s = {.p = {.rows = rows, .mean = mean, .k = k}};
    double *U = NULL;
    DC_TRY_ALL(comm, take_memory(comm, &s, tiles_of(panel_width(N, rows->d)), TILE * k));
    DC_TRY_ALL(comm, dc_mem_alloc_raw(&U, (size_t)N, dc_mul_size((size_t)k, sizeof *U), "principal components"));
    spread(comm, N, k, V, U);
    s.p.U = U;
    for (int64_t c = 0; c < rows->d; c += s.p.width) {
        DC_TRY(fill_panel(comm, &s, c));
        take_share(comm, &s.p, tiles_of(s.p.width));
        dc_dual_turn(&s.p);
        gather_tiles(comm, &s, tiles_of(s.p.width), TILE * k);
        if (dc_comm_rank(comm) == 0) memcpy(W + c * k, s.all, (size_t)(s.p.width * k) * sizeof *W);
    }
    if (dc_comm_rank(comm) == 0) normalize(rows->d, k, W, U);
out:
    dc_mem_free(&U);
    release(&s);
    return st;
}

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

double dc_dual_bytes(const dc_part *part, int64_t d, int64_t k)
{
    const int64_t N = part->N, width = panel_width(N, d);
    const double threads = omp_get_max_threads();
    const double pairs = (double)((pairs_of(N) + part->P - 1) / part->P) * TILE * TILE;
    const double columns = (double)((tiles_of(width) + part->P - 1) / part->P) * TILE * (double)k;
    const double scratch = threads * (sizeof(float) * DC_DUAL_READ * (double)d + sizeof(double) * TILE * TILE);
    return scratch + sizeof(double) * ((double)N * (double)width + fmax(pairs, columns + (double)N * (double)k));
}

double dc_dual_root_bytes(const dc_part *part, int64_t d, int64_t k)
{
    const double pairs = (double)pairs_of(part->N) * TILE * TILE;
    const double columns = (double)tiles_of(panel_width(part->N, d)) * TILE * (double)k;
    return sizeof(double) * fmax(pairs, columns);
}
