/* Sends rows through the frozen layers. The bits of a row's outputs depend on the row alone.
 *
 * GEMM libraries may round a row differently if its place in the matrix or the shape of the matrix differs. So all
 * tiles have the same shape, and a row always has the same place in its tile: its global number modulo the rows of a
 * tile. Places without a row hold zeros. The rows of a call are sorted by place; tile k takes the k-th row of each
 * place. Consecutive rows fill their tiles; the rows of a shuffled batch fill about half of their tiles' places. */
#include "frozen_kern.h"

#include <omp.h>
#include <string.h>

enum { TILE = DC_FROZEN_TILE_ROWS };

static int place_of(const dc_frozen *f, int64_t row)
{
    return (int)((f->data->part.row_lo + row) % TILE);
}

/* Sorts f->order, the indices into `rows`, by place; those of place p begin at first[p], and first[TILE] = n. Returns
 * the largest number of rows at one place, which is the number of tiles. */
static int32_t sort_by_place(const dc_frozen *f, const int64_t *rows, int32_t n, int32_t first[TILE + 1])
{
    int32_t count[TILE] = {0}, most = 0;
    for (int32_t i = 0; i < n; i++) count[place_of(f, rows[i])]++;
    first[0] = 0;
    for (int p = 0; p < TILE; p++) {
        first[p + 1] = first[p] + count[p];
        most = DC_MAX(most, count[p]);
        count[p] = first[p];
    }
    for (int32_t i = 0; i < n; i++) f->order[count[place_of(f, rows[i])]++] = i;
    return most;
}

/* The row at place p of tile k, -1: none. */
static int64_t row_at(const dc_frozen *f, const int64_t *rows, const int32_t first[TILE + 1], int32_t k, int p)
{
    return first[p] + k < first[p + 1] ? rows[f->order[first[p] + k]] : -1;
}

static void load_sparse(const dc_frozen *f, const int64_t row[TILE], int thread, int64_t ptr[TILE + 1])
{
    const int64_t at = thread * f->room;
    dc_csr_copy(dc_dataset_csr(f->data), row, TILE, ptr, f->col + at, f->val + at);
    const dc_csr tile = {.n = TILE, .D = f->net->D, .ptr = ptr, .col = f->col + at, .val = f->val + at};
    dc_infer_rows(f->infer, thread, &tile);
}

static void load_dense(const dc_frozen *f, const int64_t row[TILE], int thread)
{
    const int64_t D = f->net->D;
    float *x = dc_infer_batch(f->infer, thread);
    for (int p = 0; p < TILE; p++)
        if (row[p] >= 0)
            dc_dataset_gather(f->data, &row[p], 1, x + p * D);
        else
            memset(x + p * D, 0, (size_t)D * sizeof *x);
}

static void forward_tile(const dc_frozen *f, const int64_t *rows, const int32_t first[TILE + 1], int32_t k, float *out)
{
    const int64_t width = dc_frozen_width(f);
    const int thread = omp_get_thread_num();
    int64_t row[TILE], ptr[TILE + 1];
    for (int p = 0; p < TILE; p++) row[p] = row_at(f, rows, first, k, p);
    if (dc_infer_is_sparse(f->infer))
        load_sparse(f, row, thread, ptr);
    else
        load_dense(f, row, thread);
    dc_infer_run(f->infer, thread);
    const float *y = dc_infer_output(f->infer, thread, 0);
    for (int p = 0; p < TILE; p++)
        if (row[p] >= 0) memcpy(out + f->order[first[p] + k] * width, y + p * width, (size_t)width * sizeof *out);
}

void dc_frozen_forward(const dc_frozen *f, const int64_t *rows, int64_t n, float *out)
{
    const int64_t width = dc_frozen_width(f);
    int32_t first[TILE + 1];
    for (int64_t lo = 0; lo < n; lo += DC_FROZEN_CHUNK_ROWS) {
        const int32_t tiles =
            sort_by_place(f, rows + lo, (int32_t)DC_MIN((int64_t)DC_FROZEN_CHUNK_ROWS, n - lo), first);
#pragma omp parallel for schedule(dynamic) num_threads(dc_infer_threads(f->infer))
        for (int32_t k = 0; k < tiles; k++) forward_tile(f, rows + lo, first, k, out + lo * width);
    }
}

void dc_frozen_copy(const dc_frozen *f, const int64_t *rows, int64_t n, float *out)
{
    const int64_t width = dc_frozen_width(f);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++) memcpy(out + i * width, f->cache + rows[i] * width, (size_t)width * sizeof *out);
}
