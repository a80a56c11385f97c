#include "dual_kern.h"

#include <omp.h>

#include "dcmpi/la.h"

enum { TILE = DC_DUAL_TILE };

void dc_dual_read(const dc_dual_panel *p)
{
    const dc_rows *r = p->rows;
    const int64_t n = dc_part_rows(r->part);
#pragma omp parallel for schedule(dynamic)
    for (int64_t lo = 0; lo < n; lo += DC_DUAL_READ) {
        const int64_t rows = DC_MIN((int64_t)DC_DUAL_READ, n - lo);
        float *scratch = p->row + (int64_t)omp_get_thread_num() * DC_DUAL_READ * r->d;
        const float *x = r->X ? r->X + lo * r->d : scratch;
        if (!r->X) r->rows(r->ctx, lo, rows, scratch);
        for (int64_t i = 0; i < rows; i++) {
            double *restrict out = p->panel + (r->part->row_lo + lo + i) * p->width;
            for (int64_t j = 0; j < p->width; j++) out[j] = (double)x[i * r->d + p->first + j] - p->mean[p->first + j];
        }
    }
}

void dc_dual_place(int64_t t, int64_t *i, int64_t *j)
{
    for (*i = 0; (*i + 1) * (*i + 2) / 2 <= t;) ++*i;
    *j = t - *i * (*i + 1) / 2;
}

void dc_dual_add(const dc_dual_panel *p)
{
    const int64_t N = p->rows->part->N, w = p->width;
#pragma omp parallel for schedule(dynamic)
    for (int64_t t = p->lo; t < p->hi; t++) {
        int64_t i, j;
        dc_dual_place(t, &i, &j);
        const int64_t height = DC_MIN((int64_t)TILE, N - i * TILE), width = DC_MIN((int64_t)TILE, N - j * TILE);
        double *product = p->product + (int64_t)omp_get_thread_num() * TILE * TILE;
        double *restrict out = p->out + (t - p->lo) * TILE * TILE;
        dc_gemm_f64(DC_N, DC_T, height, width, w, p->panel + i * TILE * w, w, p->panel + j * TILE * w, w, product,
                    TILE);
        for (int64_t a = 0; a < height; a++)
            for (int64_t b = 0; b < width; b++) out[a * TILE + b] += product[a * TILE + b];
    }
}

void dc_dual_turn(const dc_dual_panel *p)
{
    const int64_t N = p->rows->part->N, w = p->width, k = p->k;
#pragma omp parallel for schedule(dynamic)
    for (int64_t t = p->lo; t < p->hi; t++)
        dc_gemm_f64(DC_T, DC_N, DC_MIN((int64_t)TILE, w - t * TILE), k, N, p->panel + t * TILE, w, p->U, k,
                    p->out + (t - p->lo) * TILE * k, k);
}
