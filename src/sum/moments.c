/* Mean and covariance. A panel of the covariance is a sum over blocks of rows (sum.h) of products of a tile's columns.
 * Only the lower triangle is computed: of panel [c, c + w) the rows from c on. */
#include "dcmpi/moments.h"

#include <omp.h>
#include <string.h>

#include "dcmpi/comm.h"
#include "dcmpi/mem.h"
#include "dcmpi/sum.h"
#include "dcmpi/wish.h"
#include "moments_kern.h"

typedef struct {
    const dc_rows *rows;
    const double *mean; /* NULL: sum the rows themselves */
    float *row;         /* [threads x tile x d] */
    double *x;          /* [threads x tile x d] */
    int64_t c, width;   /* columns of the panel */
} pass;

/* Narrow enough that a leaf stays in a core's cache, wide enough for the kernel. */
static int64_t panel_width(int64_t d)
{
    enum { LEAF_VALUES = 1 << 18, NARROW = 32, WIDE = 128 };
    return DC_MIN(d, DC_MAX(NARROW, DC_MIN(WIDE, LEAF_VALUES / d)));
}

static const float *read_tile(const pass *p, int64_t lo, int64_t n, int thread)
{
    const dc_rows *r = p->rows;
    if (r->X) return r->X + lo * r->d;
    float *row = p->row + (int64_t)thread * DC_MOMENT_TILE * r->d;
    r->rows(r->ctx, lo, n, row);
    return row;
}

static void block_sum(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const pass *p = ctx;
    const int64_t d = p->rows->d;
    for (int64_t lo = block->lo; lo < block->hi; lo += DC_MOMENT_TILE) {
        const int64_t n = DC_MIN((int64_t)DC_MOMENT_TILE, block->hi - lo);
        dc_moment_add(read_tile(p, lo, n, thread), n, d, leaf);
    }
}

static void block_products(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const pass *p = ctx;
    const int64_t d = p->rows->d, height = d - p->c;
    double *x = p->x + (int64_t)thread * DC_MOMENT_TILE * d;
    for (int64_t lo = block->lo; lo < block->hi; lo += DC_MOMENT_TILE) {
        const int64_t n = DC_MIN((int64_t)DC_MOMENT_TILE, block->hi - lo);
        dc_moment_centre(read_tile(p, lo, n, thread), n, d, p->c, p->mean, x);
        dc_moment_products(x, height, p->width, leaf);
    }
}

static void block_squares(void *ctx, const dc_block *block, int thread, double *leaf)
{
    const pass *p = ctx;
    const int64_t d = p->rows->d;
    double *x = p->x + (int64_t)thread * DC_MOMENT_TILE * d;
    for (int64_t lo = block->lo; lo < block->hi; lo += DC_MOMENT_TILE) {
        const int64_t n = DC_MIN((int64_t)DC_MOMENT_TILE, block->hi - lo);
        dc_moment_centre(read_tile(p, lo, n, thread), n, d, 0, p->mean, x);
        for (int64_t i = 0; i < n * d; i++) *leaf += x[i] * x[i];
    }
}

static dc_status take_memory(pass *p)
{
    dc_status st = DC_OK;
    const size_t values = dc_mul_size((size_t)omp_get_max_threads() * DC_MOMENT_TILE, (size_t)p->rows->d);
    DC_TRY(dc_mem_alloc(&p->row, p->rows->X ? 0 : values, sizeof *p->row, "covariance"));
    DC_TRY(dc_mem_alloc(&p->x, values, sizeof *p->x, "covariance"));
out:
    return st;
}

static dc_status sum_rows(dc_comm *comm, pass *p, double *mean)
{
    dc_status st = DC_OK;
    dc_sum *sum = NULL;
    const dc_part *part = p->rows->part;
    DC_TRY_ALL(comm, dc_sum_create(&sum, part, (size_t)p->rows->d));
    dc_sum_over_blocks(comm, sum, block_sum, p, mean);
    for (int64_t c = 0; c < p->rows->d; c++) mean[c] /= (double)part->N;
out:
    dc_sum_destroy(&sum);
    return st;
}

/* Copies panel[d - c x width] into the matrix. */
static void place(const pass *p, const double *panel, double *cov)
{
    const int64_t d = p->rows->d;
    const double n = (double)(p->rows->part->N - 1);
    for (int64_t i = 0; i < d - p->c; i++)
        for (int64_t j = 0; j < p->width; j++) cov[(p->c + i) * d + p->c + j] = panel[i * p->width + j] / n;
}

static dc_status sum_panel(dc_comm *comm, pass *p, double *panel, double *cov)
{
    dc_status st = DC_OK;
    dc_sum *sum = NULL;
    DC_TRY_ALL(comm, dc_sum_create(&sum, p->rows->part, (size_t)((p->rows->d - p->c) * p->width)));
    dc_sum_over_blocks(comm, sum, block_products, p, panel);
    if (dc_comm_rank(comm) == 0) place(p, panel, cov);
    DC_TRY(dc_wish_poll_stop(comm));
out:
    dc_sum_destroy(&sum);
    return st;
}

dc_status dc_moments(dc_comm *comm, const dc_rows *rows, double *mean, double *cov)
{
    dc_status st = DC_OK;
    double *panel = NULL;
    pass p = {.rows = rows};
    const int64_t d = rows->d, width = panel_width(d);
    DC_ASSERT(rows->part->N >= 2 && d >= 1);
    DC_TRY_ALL(comm, take_memory(&p));
    DC_TRY_ALL(comm, dc_mem_alloc(&panel, (size_t)(d * width), sizeof *panel, "covariance"));
    DC_TRY(sum_rows(comm, &p, mean));
    p.mean = mean;
    for (p.c = 0; p.c < d; p.c += width) {
        p.width = DC_MIN(width, d - p.c);
        DC_TRY(sum_panel(comm, &p, panel, cov));
    }
out:
    dc_mem_free(&p.row);
    dc_mem_free(&p.x);
    dc_mem_free(&panel);
    return st;
}

dc_status dc_moments_total(dc_comm *comm, const dc_rows *rows, double *mean, double *total)
{
    dc_status st = DC_OK;
    dc_sum *sum = NULL;
    pass p = {.rows = rows, .mean = mean};
    DC_ASSERT(rows->part->N >= 2 && rows->d >= 1);
    DC_TRY_ALL(comm, take_memory(&p));
    DC_TRY(sum_rows(comm, &p, mean));
    DC_TRY_ALL(comm, dc_sum_create(&sum, rows->part, 1));
    dc_sum_over_blocks(comm, sum, block_squares, &p, total);
    *total /= (double)(rows->part->N - 1);
out:
    dc_sum_destroy(&sum);
    dc_mem_free(&p.row);
    dc_mem_free(&p.x);
    return st;
}

double dc_moments_bytes(const dc_part *part, int64_t d)
{
    const double tiles = (double)omp_get_max_threads() * DC_MOMENT_TILE * (double)d,
                 panel = (double)(d * panel_width(d));
    return tiles * (sizeof(float) + sizeof(double)) + panel * sizeof(double) + dc_sum_bytes(part, (size_t)panel);
}

double dc_moments_total_bytes(const dc_part *part, int64_t d)
{
    const double tiles = (double)omp_get_max_threads() * DC_MOMENT_TILE * (double)d;
    return tiles * (sizeof(float) + sizeof(double)) + dc_sum_bytes(part, (size_t)d);
}
