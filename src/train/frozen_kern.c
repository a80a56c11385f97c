/* Tiles of rows through the frozen layers, one thread a tile; copies of cached rows. */
#include "frozen_kern.h"

#include <omp.h>
#include <string.h>

int dc_frozen_threads(void)
{
    return omp_get_max_threads();
}

/* Local rows rows[0..n), or lo..lo+n-1 if rows is NULL. */
static void forward_tile(const dc_frozen *f, const int64_t *rows, int64_t lo, int64_t n, dc_net_work *w, float *out)
{
    const int64_t D = f->net->D;
    float *input = w->act[0];
    if (rows)
        dc_dataset_gather(f->data, rows, n, input);
    else
        dc_dataset_rows(f->data, lo, n, input);
    memset(input + n * D, 0, (size_t)((DC_FROZEN_TILE_ROWS - n) * D) * sizeof *input);
    dc_net_forward(f->net, f->value, w, 0, f->depth, DC_FROZEN_TILE_ROWS);
    memcpy(out, w->act[f->depth], (size_t)(n * dc_frozen_width(f)) * sizeof *out);
}

void dc_frozen_forward(const dc_frozen *f, const int64_t *rows, int64_t n, float *out)
{
    const int64_t width = dc_frozen_width(f);
#pragma omp parallel for schedule(static) num_threads(f->n_threads)
    for (int64_t lo = 0; lo < n; lo += DC_FROZEN_TILE_ROWS)
        forward_tile(f, rows ? rows + lo : NULL, lo, DC_MIN((int64_t)DC_FROZEN_TILE_ROWS, n - lo),
                     &f->work[omp_get_thread_num()], out + lo * width);
}

void dc_frozen_copy(const dc_frozen *f, const int64_t *rows, int64_t n, float *out)
{
    const int64_t width = dc_frozen_width(f);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++) memcpy(out + i * width, f->cache + rows[i] * width, (size_t)width * sizeof *out);
}
