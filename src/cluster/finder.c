/* Nearest centres of rows that were not part of a k-means: the kernels are those of mini-batches. */
#include <math.h>

#include "dcmpi/mem.h"
#include "minibatch_impl.h"

struct dc_finder {
    const float *M;
    dc_part part; /* of the rows that are given */
    dc_rows rows;
    dc_km_tiles tiles;
    dc_km_centers images;
    double *leaf;
};

/* Shift and unit of the products: mean and spread of the centres. */
static void set_scale(dc_finder *f, int64_t K, int64_t d)
{
    double squares = 0;
    for (int64_t c = 0; c < d; c++) {
        double sum = 0;
        for (int64_t k = 0; k < K; k++) sum += (double)f->M[k * d + c];
        f->tiles.shift[c] = (float)(sum / (double)K);
    }
    for (int64_t k = 0; k < K; k++) squares += dc_km_distance(f->M + k * d, f->tiles.shift, d);
    f->tiles.unit = dc_km_unit_of(sqrt(squares / ((double)K * (double)d)));
}

static dc_status make(dc_finder *f, int64_t K, int64_t d)
{
    dc_status st = DC_OK;
    f->rows = (dc_rows){.part = &f->part, .d = d, .X = f->M}; /* rows are always an array */
    DC_TRY(dc_km_tiles_init(&f->tiles, &f->rows, K, 1));
    DC_TRY(dc_km_runs_init(&f->images, &f->tiles, K, K));
    DC_TRY(dc_mem_alloc(&f->leaf, (size_t)f->tiles.n_threads, dc_mul_size((size_t)K + 1, sizeof *f->leaf),
                        "k-means sizes"));
out:
    return st;
}

dc_status dc_finder_create(dc_finder **out, const float *M, int64_t K, int64_t d)
{
    dc_status st = DC_OK;
    dc_finder *f = NULL;
    DC_TRY(dc_mem_alloc(&f, 1, sizeof *f, "search for centres"));
    f->M = M;
    DC_TRY(make(f, K, d));
    set_scale(f, K, d);
    dc_km_project(&f->tiles, M, K, &f->images);
out:
    if (st != DC_OK) dc_finder_destroy(&f);
    *out = f;
    return st;
}

void dc_finder_destroy(dc_finder **finder)
{
    dc_finder *f = *finder;
    if (!f) return;
    dc_km_tiles_release(&f->tiles);
    dc_km_centers_release(&f->images);
    dc_mem_free(&f->leaf);
    dc_mem_free(finder);
}

void dc_finder_label(dc_finder *f, const float *X, int64_t n, int32_t *label)
{
    f->rows.X = X;
    dc_mb_label(&f->tiles, &f->images, n, label, f->leaf);
}

double dc_finder_bytes(int64_t K, int64_t d)
{
    dc_finder f = {0};
    const size_t before = dc_mem_current_bytes();
    dc_mem_rehearse(true);
    if (make(&f, K, d) != DC_OK) dc_error_clear();
    const double bytes = (double)(dc_mem_current_bytes() - before);
    dc_km_tiles_release(&f.tiles);
    dc_km_centers_release(&f.images);
    dc_mem_free(&f.leaf);
    dc_mem_rehearse(false);
    return bytes;
}
